"""Learning to optimise: the update rule of Ma 2024 (eq. 19-20) and the projection it inverts.

Images are vectors of 2 x angle x delay real numbers here, and the decoder minimises 1/2 ||s - W x||^2 plus a regulariser whose
proximal step the codecs choose.
"""

import weakref
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from csisim.feedback.nets.base import Autoencoder

HIDDEN = 20

#: Beyond the trained number of iterations the offsets b1, b2 shrink by this factor per iteration, as Theorem 1 requires (b -> 0).
FADING = 0.5


class LinearEncoder(nn.Module):
    """A learned projection without bias, s = W h (Ma 2024, eq. 6)."""

    def __init__(self, numbers: int, code_length: int) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.empty(code_length, numbers))
        nn.init.kaiming_uniform_(self.matrix, a=5**0.5)

    def forward(self, image: Tensor, rows: int | None = None) -> Tensor:
        """Codes (n, M), or only their first ``rows`` numbers."""
        return nn.functional.linear(image.flatten(1), self.matrix[:rows])

    def put_rows(self, rows: np.ndarray) -> None:
        """Project on these rows (M, N)."""
        with torch.no_grad():
            self.matrix.copy_(torch.from_numpy(np.ascontiguousarray(rows)))


class Projected(Autoencoder):
    """A linear encoder with a ``matrix`` (M, N), which the decoder knows as well."""

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes, of any length up to the longest."""
        image: Tensor = self.decoder(code, self.encoder.matrix[: code.shape[1]])  # type: ignore[index]
        return image


def put_identity(layers: list[nn.Linear], numbers: int) -> None:
    """Make fully connected layers with ReLUs between them return their first ``numbers`` inputs as their first outputs.

    Positive and negative parts go through the first 2 ``numbers`` units. Other units stay small and nobody listens to them yet: what
    follows can learn to.
    """
    first, *between, last = layers
    eye, unity = torch.eye(numbers), torch.eye(2 * numbers)
    with torch.no_grad():
        for layer in layers:
            layer.weight.mul_(0.1)
            nn.init.zeros_(layer.bias)
        first.weight[: 2 * numbers] = nn.functional.pad(torch.cat([eye, -eye]), (0, first.in_features - numbers))
        for layer in between:
            layer.weight[: 2 * numbers] = nn.functional.pad(unity, (0, layer.in_features - 2 * numbers))
        last.weight[:numbers] = nn.functional.pad(torch.cat([eye, -eye], dim=1), (0, last.in_features - 2 * numbers))


class Weights(NamedTuple):
    """Per-coordinate parameters of one iteration, (n, N) each: preconditioner, accelerator, balance and two offsets."""

    p: Tensor
    a: Tensor
    b: Tensor
    b1: Tensor
    b2: Tensor


class CoordinateLstm(nn.Module):
    """The same LSTM for every coordinate: from (x, gradient) to :class:`Weights` (Ma 2024, eq. 20).

    Two layers of 20, as in MS4L2O, whose published cost it reproduces; the paper's text says "hidden size two", its parameter
    count fits one layer. The initial state is zero: a random one, as published, would make decoding differ from call to call.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTMCell(2, HIDDEN), nn.LSTMCell(HIDDEN, HIDDEN)])
        self.trunk = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.ReLU())
        heads = [nn.Linear(HIDDEN, 1) for _ in range(5)]
        self.heads = nn.ModuleList(heads)
        for head in heads[3:]:  # offsets start at zero: untrained, the rule is a preconditioned accelerated ISTA
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, x: Tensor, gradient: Tensor, state: list[tuple[Tensor, Tensor]]) -> tuple[Weights, list[tuple[Tensor, Tensor]]]:
        """Parameters for coordinates x (n, N) and the new state."""
        seen = torch.stack([x, gradient], dim=-1).reshape(-1, 2)
        if not state:
            zero = seen.new_zeros(len(seen), HIDDEN)
            state = [(zero, zero) for _ in self.cells]
        new = []
        for cell, old in zip(self.cells, state, strict=True):
            new.append(cell(seen, old))
            seen = new[-1][0]
        hidden = self.trunk(seen)
        p, a, b, b1, b2 = (head(hidden).reshape(x.shape) for head in self.heads)
        return Weights(2 * p.sigmoid(), a.sigmoid(), b.sigmoid(), b1, b2), new


class UpdateRule(nn.Module):
    r"""Iterations of Ma 2024, eq. (19); p is relative to the step 1 / ||W||^2.

    .. math::
        \hat x = x - p \nabla f(x), \quad \hat y = y - p \nabla f(y), \quad
        x' = \mathrm{prox}((1 - b) \hat x + b \hat y - b_1), \quad y' = x' + a (x' - x) + b_2

    Attributes
    ----------
    residuals : list of float
        ||x' - x|| / ||x'|| of every iteration of the last call.
    """

    def __init__(self, iterations: int, trained_iterations: int) -> None:
        super().__init__()
        self.lstm = CoordinateLstm()
        self.scale = Scale()
        self.iterations, self.trained_iterations = iterations, trained_iterations
        self.residuals: list[float] = []

    def forward(self, code: Tensor, matrix: Tensor, prox: Callable[[Tensor, Tensor, int], Tensor], start: Tensor | None = None) -> Tensor:
        """Solve for x (n, N).

        Parameters
        ----------
        code : (n, M)
        matrix : (M, N)
        prox : callable
            ``prox(u, step, iteration)`` for the point u and the steps p / ||W||^2 (n, N).
        start : (n, N), optional
            x[0] = y[0]; W^T s / ||W||^2 when left out.
        """
        step = self.scale(matrix)
        x = y = step * code @ matrix if start is None else start
        state: list[tuple[Tensor, Tensor]] = []
        residuals = []
        for t in range(self.iterations):
            gradient, gradient_y = ((z @ matrix.T - code) @ matrix for z in (x, y))
            w, state = self.lstm(x, step * gradient, state)
            fade = FADING ** max(0, t + 1 - self.trained_iterations)
            x_hat, y_hat = x - w.p * step * gradient, y - w.p * step * gradient_y
            moved = prox((1 - w.b) * x_hat + w.b * y_hat - fade * w.b1, w.p * step, t)
            y = moved + w.a * (moved - x) + fade * w.b2
            residuals.append(float((moved - x).detach().norm() / moved.detach().norm().clamp_min(1e-30)))
            x = moved
        self.residuals = residuals
        return x


class Scale(nn.Module):
    """The step 1 / ||W||^2; computed once as long as W stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.known: tuple[object, ...] = ()
        self.step = torch.zeros(())

    def forward(self, matrix: Tensor) -> Tensor:
        """(), not differentiated."""
        owner = matrix if matrix._base is None else matrix._base
        if owner.is_inference():  # they count no changes
            return 1 / largest_eigenvalue(matrix)
        # an address alone would do for another matrix that has come to lie where one was that is gone
        key = id(owner), owner._version, matrix.shape, matrix.device
        if self.known[1:] != key or self.known[0]() is not owner:  # type: ignore[operator]
            with torch.inference_mode(False):  # a training may go on with what a validation has computed
                self.known, self.step = (weakref.ref(owner), *key), 1 / largest_eigenvalue(matrix)
        return self.step


def soft_threshold(u: Tensor, threshold: Tensor) -> Tensor:
    """Shrink every number towards zero by its threshold."""
    return u.sign() * (u.abs() - threshold).clamp_min(0)


def largest_eigenvalue(matrix: Tensor, iterations: int = 40) -> Tensor:
    """An upper estimate of the largest eigenvalue of W W^T, (), by power iteration from a fixed start; not differentiated."""
    with torch.no_grad():
        vector = (matrix @ matrix.sum(dim=0))[:, None] + torch.linspace(1, 2, len(matrix), dtype=matrix.dtype, device=matrix.device)[
            :, None
        ]
        for _ in range(iterations):
            vector = matrix @ (matrix.T @ (vector / vector.norm()))
        return 1.1 * vector.norm()  # a power iteration ends below it
