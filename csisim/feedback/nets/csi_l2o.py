"""Csi-L2O (Ma 2024): a learned projection, a learned sparse transform of every delay's angles, and a learned optimiser.

Where the transform sits in the iteration is not printed; here x+ = f_i(top_G(soft(f_t(u)))), row by row. A row is one delay's
real and imaginary parts over the antennas.

Three things are ours. The decoder ends half an iteration later, before a proximal step, at the nearest image with the code that was
received: whatever the learned steps add can then not take away what the code says. Rows of the projection have lengths, which weigh
the squared errors of f and are not sent: the code is that of rows of length one. With equal lengths the gradient would vanish at
the start, and the LSTM see one number where it can see two. What the decoder adds is scaled by one number for every length of
nested codes, its reach, which begins as large as what that length leaves out: the same steps then serve -31 dB and -4 dB.
"""

import math
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from csisim.errors import CsisimError
from csisim.feedback.images import Scaling
from csisim.feedback.nets.base import NetConfig, NeuralCodec
from csisim.feedback.nets.l2o import LinearEncoder, OfMatrix, Projected, UpdateRule, soft_threshold

TRANSFORM_WEIGHT = 0.01  # beta of the loss
SHORTEST = 64  # reduction of the shortest nested code that is trained
SILENT = 1e-6  # share of the strongest component's energy below which a row is not made shorter: encoding divides by its length
UNEQUAL = 0.125  # power of a component's energy that its row is long, to begin with
KEPT = 0.2  # share of the transformed numbers that top-G keeps: 51 of 256


class RowTransform(nn.Module):
    """f_t and f_i: 2 N_t -> 4 N_t -> 4 N_t -> 8 N_t numbers and back, the same for every row (Ma 2024, section III-C)."""

    def __init__(self, angles: int) -> None:
        super().__init__()
        row = 2 * angles
        self.forward_net = mlp(row, 2 * row, 2 * row, 4 * row)
        self.inverse_net = mlp(4 * row, 2 * row, 2 * row, row)
        self.kept = round(KEPT * 4 * row)

    def forward(self, rows: Tensor, threshold: Tensor) -> Tensor:
        """Rows (n, delays, 2 angles) with a sparse transform."""
        transformed = soft_threshold(self.forward_net(rows), threshold)
        smallest = transformed.abs().topk(self.kept, dim=-1).values[..., -1:]
        back: Tensor = self.inverse_net(torch.where(transformed.abs() >= smallest, transformed, 0.0))
        return back


def mlp(*sizes: int) -> nn.Sequential:
    """Fully connected layers with ReLUs between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Decoder(nn.Module):
    """The update rule with the row transform as its proximal step; one threshold per trained iteration."""

    def __init__(self, angles: int, delays: int, lengths: list[int], iterations: int, trained_iterations: int) -> None:
        super().__init__()
        self.transform = RowTransform(angles)
        self.rule = UpdateRule(iterations, trained_iterations)
        self.thresholds = nn.Parameter(torch.full((trained_iterations,), 0.01))
        self.reach = nn.Parameter(torch.ones(len(lengths)))
        self.lengths = torch.tensor(lengths)
        self.inverse = OfMatrix(gram_inverse)
        self.angles, self.delays = angles, delays

    def forward(self, code: Tensor, matrix: Tensor) -> Tensor:
        """Images."""
        closest = int((self.lengths.log() - math.log(code.shape[1])).abs().argmin())
        x = self.reach[closest] * self.rule(code, matrix, self._prox, and_half=True)
        return nearest(x, code, matrix, self.inverse(matrix)).reshape(-1, 2, self.angles, self.delays)

    def _prox(self, u: Tensor, _: Tensor, iteration: int) -> Tensor:
        threshold = self.thresholds[min(iteration, len(self.thresholds) - 1)].clamp_min(0)
        return self.unrowed(self.transform(self.rows(u), threshold))

    def begin_silent(self, left: Tensor) -> None:
        """A transform that adds nothing yet, the same step for every coordinate, and a reach as far as codes leave something out.

        Parameters
        ----------
        left : (lengths,)
            Share of the energy that linear codes of these lengths miss.
        """
        with torch.no_grad():
            self.reach.copy_(left.clamp_min(0).sqrt())
        last: nn.Linear = self.transform.inverse_net[-1]  # type: ignore[assignment]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.rule.lstm.steady()

    def rows(self, vector: Tensor) -> Tensor:
        """(n, delays, 2 angles) of (n, 2 angles delays)."""
        return vector.reshape(-1, 2, self.angles, self.delays).permute(0, 3, 1, 2).flatten(2)

    def unrowed(self, rows: Tensor) -> Tensor:
        """The inverse of :meth:`rows`."""
        return rows.reshape(-1, self.delays, 2, self.angles).permute(0, 2, 3, 1).flatten(1)


def gram_inverse(matrix: Tensor) -> Tensor:
    """(W W^T)^-1, (M, M)."""
    with torch.autocast(matrix.device.type, enabled=False):  # bfloat16 has no factorisations
        gram = matrix @ matrix.T
        loading = 1e-6 * gram.diagonal().mean().detach() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        return torch.cholesky_inverse(torch.linalg.cholesky(gram + loading))


def nearest(x: Tensor, code: Tensor, matrix: Tensor, inverse: Tensor) -> Tensor:
    """The nearest vectors to x (n, N) with the code (n, M)."""
    return x - (x @ matrix.T - code) @ inverse @ matrix


class CsiL2o(Projected):
    """One projection for several rates (a shorter code is the longest one's beginning), one decoder for all of them."""

    encoder: LinearEncoder
    decoder: Decoder

    def __init__(self, angles: int, delays: int, lengths: list[int], code_length: int, iterations: int, trained_iterations: int) -> None:
        super().__init__()
        self.encoder = LinearEncoder(2 * angles * delays, max([code_length, *lengths]))
        self.decoder = Decoder(angles, delays, lengths or [code_length], iterations, trained_iterations)
        self.lengths, self.used = lengths, code_length

    def encode(self, image: Tensor) -> Tensor:
        """The first numbers of the projection on rows of length one."""
        return self.encoder(image, self.used) / self._lengths(self.used)

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes, of any length up to the longest."""
        return super().decode(code * self._lengths(code.shape[1]))

    def _lengths(self, count: int) -> Tensor:
        """Of the first rows, (M,)."""
        return self.encoder.matrix[:count].norm(dim=1)

    def shorten(self, codes: Tensor) -> Tensor:
        """Codes of the rate in use, of the longest ones."""
        return codes[:, : self.used]

    def use(self, length: int) -> None:
        """Another length."""
        self.used = length

    def start_from(self, components: np.ndarray, images: Tensor) -> bool:
        """The rows as the projection, and a decoder that projects back: untrained it is the linear code, at every length."""
        power = (images.flatten(1) @ torch.from_numpy(components).to(images).T).square().mean(dim=0)
        lengths = (power / power.max()).clamp_min(SILENT) ** UNEQUAL
        self.encoder.put_rows(components * lengths.numpy()[:, None])
        total = images.square().flatten(1).sum(dim=1).mean()
        self.decoder.begin_silent(torch.stack([1 - power[:length].sum() / total for length in self.decoder.lengths.tolist()]))
        return True

    def own_images(self, image: Tensor) -> list[tuple[float, Tensor]]:
        """The image through the transform and back (Ma 2024, eq. 11)."""
        rows = self.decoder.rows(image.flatten(1))
        back = self.decoder.unrowed(self.decoder.transform(rows, rows.new_zeros(())))
        return [(TRANSFORM_WEIGHT, back.reshape(image.shape))]


class CsiL2oConfig(NetConfig):
    """Csi-L2O (Ma 2024)."""

    kind: Literal["csi_l2o"] = "csi_l2o"
    scaling: Scaling = Field("unit", description="unit power, as a sparse vector must be centred at zero; published has the 0.5 offset")
    iterations: int | None = Field(None, ge=1, description="iterations at the base station; as many as trained when left out")
    trained_iterations: int = Field(10, ge=1, description="iterations that the weights were trained with")
    longest: int | None = Field(
        None, ge=1, description="reduction of the longest code that the weights serve (nested); reduction may be any larger one"
    )

    run_time: ClassVar[frozenset[str]] = NetConfig.run_time | {"iterations"}

    def stored_length(self, angles: int, delays: int) -> int:
        """Length of the longest code."""
        if self.longest is None:
            return self.code_length(angles, delays)
        if self.longest > self.reduction:
            raise CsisimError(f"csi_l2o: reduction {self.reduction} asks for a longer code than the longest, 1/{self.longest}")
        return self.model_copy(update={"reduction": self.longest, "longest": None}).code_length(angles, delays)

    @property
    def architecture(self) -> dict[str, Any]:
        """Nested weights serve every reduction."""
        fields = super().architecture
        if self.longest is not None:
            fields["reduction"] = self.longest
        fields.pop("longest")
        return fields

    def network(self, angles: int, delays: int) -> CsiL2o:
        """The network, untrained."""
        length = self.code_length(angles, delays)
        return CsiL2o(
            angles, delays, self._nested(angles, delays), length, self.iterations or self.trained_iterations, self.trained_iterations
        )

    def _nested(self, angles: int, delays: int) -> list[int]:
        """Lengths of the nested codes, each half the one before; none without nesting."""
        if self.longest is None:
            return []
        length, shortest = self.stored_length(angles, delays), 2 * angles * delays // SHORTEST
        halved = [length >> i for i in range(length.bit_length()) if length % (1 << i) == 0]
        return [length, *(shorter for shorter in halved[1:] if shorter >= shortest)]


class CsiL2oCodec(NeuralCodec):
    """Csi-L2O as a codec."""

    Config = CsiL2oConfig
