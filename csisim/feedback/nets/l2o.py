"""Learning to optimise: the update rule of Ma 2024 (eq. 19-20) and the projection it inverts.

Images are vectors of 2 x angle x delay real numbers here, and the decoder minimises 1/2 ||s - W x||^2 plus a regulariser whose
proximal step the codecs choose.
"""

import weakref
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from csisim.feedback.nets.base import Autoencoder
from csisim.feedback.nets.coordinate_lstm import CoordinateLstm

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


class UpdateRule(nn.Module):
    r"""Iterations of Ma 2024, eq. (19); p is relative to the step 1 / ||W||^2.

    .. math::
        \hat x = x - p \nabla f(x), \quad \hat y = y - p \nabla f(y), \quad
        x' = \mathrm{prox}((1 - b) \hat x + b \hat y - b_1), \quad y' = x' + a (x' - x) + b_2

    Attributes
    ----------
    residuals : list of float
        ||x' - x|| over the larger of ||x'|| and ||x||, of every iteration of the last call.
    """

    def __init__(self, iterations: int, trained_iterations: int) -> None:
        super().__init__()
        self.lstm = CoordinateLstm()
        self.scale = OfMatrix(step_of)
        self.iterations, self.trained_iterations = iterations, trained_iterations
        self.residuals: list[float] = []

    def forward(
        self,
        code: Tensor,
        matrix: Tensor,
        prox: Callable[[Tensor, Tensor, int], Tensor],
        start: Tensor | None = None,
        *,
        and_half: bool = False,
    ) -> Tensor:
        """Solve for x (n, N).

        Parameters
        ----------
        code : (n, M)
        matrix : (M, N)
        prox : callable
            ``prox(u, step, iteration)`` for the point u and the steps p / ||W||^2 (n, N).
        start : (n, N), optional
            x[0] = y[0]; W^T s / ||W||^2 when left out.
        and_half : bool
            Go on to the point that the proximal step after the last iteration would begin with.
        """
        step = self.scale(matrix)
        x = y = step * code @ matrix if start is None else start
        state = None
        residuals = []
        for t in range(self.iterations + and_half):
            gradient, gradient_y = ((z @ matrix.T - code) @ matrix * step for z in (x, y))
            w, state = self.lstm(x, gradient, state)
            fade = FADING ** max(0, t + 1 - self.trained_iterations - and_half)
            moved = (1 - w.b) * (x - w.p * gradient) + w.b * (y - w.p * gradient_y) - fade * w.b1
            if t == self.iterations:
                x = moved
                break
            moved = prox(moved, w.p * step, t)
            y = moved + w.a * (moved - x) + fade * w.b2
            size = torch.maximum(moved.detach().norm(), x.detach().norm())  # a proximal step may still say nothing
            residuals.append(float((moved - x).detach().norm() / size.clamp_min(1e-30)))
            x = moved
        self.residuals = residuals
        return x


class OfMatrix(nn.Module):
    """What follows from W alone; computed once as long as W stays as it is, and differentiated in training only."""

    def __init__(self, compute: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.compute = compute
        self.known: tuple[object, ...] = ()
        self.value = torch.zeros(())

    def forward(self, matrix: Tensor) -> Tensor:
        """The value."""
        owner = matrix if matrix._base is None else matrix._base
        if self.training or owner.is_inference():  # the latter count no changes
            return self.compute(matrix)
        # an address alone would do for another matrix that has come to lie where one was that is gone
        key = id(owner), owner._version, matrix.shape, matrix.device
        if self.known[1:] != key or self.known[0]() is not owner:  # type: ignore[operator]
            with torch.inference_mode(False), torch.no_grad():  # what others compute with it may have gradients
                self.known, self.value = (weakref.ref(owner), *key), self.compute(matrix)
        return self.value


def step_of(matrix: Tensor) -> Tensor:
    """The step 1 / ||W||^2, (), not differentiated."""
    return 1 / largest_eigenvalue(matrix)


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
