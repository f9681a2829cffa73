"""Csi-L2O (Ma 2024): a learned projection, a learned sparse transform of every delay's angles, and a learned optimiser.

Where the transform sits in the iteration is not printed; here x+ = f_i(top_G(soft(f_t(u)))), row by row. A row is one delay's
real and imaginary parts over the antennas.
"""

from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from csisim.errors import CsisimError
from csisim.feedback.images import Scaling
from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.l2o import LinearEncoder, UpdateRule, soft_threshold

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

    def __init__(self, angles: int, delays: int, iterations: int, trained_iterations: int) -> None:
        super().__init__()
        self.transform = RowTransform(angles)
        self.rule = UpdateRule(iterations, trained_iterations)
        self.thresholds = nn.Parameter(torch.full((trained_iterations,), 0.01))
        self.angles, self.delays = angles, delays

    def forward(self, code: Tensor, matrix: Tensor) -> Tensor:
        """Images."""
        return self.rule(code, matrix, self._prox).reshape(-1, 2, self.angles, self.delays)

    def _prox(self, u: Tensor, _: Tensor, iteration: int) -> Tensor:
        threshold = self.thresholds[min(iteration, len(self.thresholds) - 1)].clamp_min(0)
        return self.unrowed(self.transform(self.rows(u), threshold))

    def rows(self, vector: Tensor) -> Tensor:
        """(n, delays, 2 angles) of (n, 2 angles delays)."""
        return vector.reshape(-1, 2, self.angles, self.delays).permute(0, 3, 1, 2).flatten(2)

    def unrowed(self, rows: Tensor) -> Tensor:
        """The inverse of :meth:`rows`."""
        return rows.reshape(-1, self.delays, 2, self.angles).permute(0, 2, 3, 1).flatten(1)


class CsiL2o(Autoencoder):
    """One projection for several rates (a shorter code is the longest one's beginning), one decoder for all of them."""

    encoder: LinearEncoder
    decoder: Decoder

    def __init__(self, angles: int, delays: int, longest: int, code_length: int, iterations: int, trained_iterations: int) -> None:
        super().__init__()
        self.encoder = LinearEncoder(2 * angles * delays, longest)
        self.decoder = Decoder(angles, delays, iterations, trained_iterations)
        self.used = code_length

    def encode(self, image: Tensor) -> Tensor:
        """The first numbers of the projection."""
        code: Tensor = self.encoder(image, self.used)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Images of codes of any length up to the longest."""
        image: Tensor = self.decoder(code, self.encoder.matrix[: code.shape[1]])
        return image

    def shorten(self, codes: Tensor) -> Tensor:
        """Codes of the rate in use, of the longest ones."""
        return codes[:, : self.used]

    def loss(self, image: Tensor, weight: float = 0.01) -> Tensor:
        """Squared error plus the transform's own (Ma 2024, eq. 11)."""
        rows = self.decoder.rows(image.flatten(1))
        direct = (self(image) - image).square().flatten(1).sum(dim=1)
        inverse = (self.decoder.transform(rows, rows.new_zeros(())) - rows).square().flatten(1).sum(dim=1)
        return (direct + weight * inverse).mean()


class CsiL2oConfig(NetConfig):
    """Csi-L2O (Ma 2024)."""

    kind: Literal["csi_l2o"] = "csi_l2o"
    scaling: Scaling = Field("unit", description="unit power, as a sparse vector must be centred at zero; published has the 0.5 offset")
    iterations: int = Field(10, ge=1, description="iterations at the base station")
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
        lengths = self.stored_length(angles, delays), self.code_length(angles, delays)
        return CsiL2o(angles, delays, *lengths, self.iterations, self.trained_iterations)


class CsiL2oCodec(NeuralCodec):
    """Csi-L2O as a codec."""

    Config = CsiL2oConfig
