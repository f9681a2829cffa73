"""TiLISTA (Wang 2021) on CSI: a learned projection and ten ISTA steps with one shared sparse autoencoder of the delay rows.

The published parameter count pins the autoencoder's size. Its activation, and whether step and threshold change from iteration to
iteration, are not pinned; here ReLU, and both change.
"""

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from csisim.feedback.images import Scaling
from csisim.feedback.nets.base import NetConfig, NeuralCodec
from csisim.feedback.nets.l2o import LinearEncoder, OfMatrix, Projected, soft_threshold, step_of


class Decoder(nn.Module):
    """u = x - a_t W^T (W x - s), then x' = D(soft(E(u), theta_t)) for every row."""

    def __init__(self, angles: int, delays: int, iterations: int) -> None:
        super().__init__()
        row = 2 * angles
        self.analysis = nn.Sequential(nn.Linear(row, 4 * row), nn.ReLU())
        self.synthesis = nn.Linear(4 * row, row)
        self.steps = nn.Parameter(torch.ones(iterations))
        self.thresholds = nn.Parameter(torch.full((iterations,), 0.01))
        self.scale = OfMatrix(step_of)
        self.shape = 2, angles, delays

    def forward(self, code: Tensor, matrix: Tensor) -> Tensor:
        """Images."""
        scale = self.scale(matrix)
        x = scale * code @ matrix
        for step, threshold in zip(self.steps, self.thresholds, strict=True):
            u = x - step * scale * ((x @ matrix.T - code) @ matrix)
            rows = u.reshape(-1, *self.shape).permute(0, 3, 1, 2).flatten(2)
            rows = self.synthesis(soft_threshold(self.analysis(rows), threshold.clamp_min(0)))
            x = rows.reshape(len(x), self.shape[2], *self.shape[:2]).permute(0, 2, 3, 1).flatten(1)
        return x.reshape(-1, *self.shape)


class TiLista(Projected):
    """Learned projection at the user, unfolded ISTA at the base station."""

    encoder: LinearEncoder
    decoder: Decoder

    def __init__(self, angles: int, delays: int, code_length: int, iterations: int) -> None:
        super().__init__()
        self.encoder = LinearEncoder(2 * angles * delays, code_length)
        self.decoder = Decoder(angles, delays, iterations)

    def start_from(self, components: np.ndarray, images: Tensor) -> bool:
        """The rows as the projection, an autoencoder that changes nothing, and no thresholds: a projection back."""
        self.encoder.put_rows(components)
        put_identity(self.decoder.analysis[0], self.decoder.synthesis)  # type: ignore[arg-type]
        nn.init.zeros_(self.decoder.thresholds)
        return True


def put_identity(analysis: nn.Linear, synthesis: nn.Linear) -> None:
    """Make two layers with a ReLU between them return their input.

    Positive and negative parts go through the first units. Other units stay small and nobody listens to them yet: what follows can
    learn to.
    """
    row = analysis.in_features
    eye = torch.eye(row)
    with torch.no_grad():
        for layer in (analysis, synthesis):
            layer.weight.mul_(0.1)
            nn.init.zeros_(layer.bias)
        analysis.weight[: 2 * row] = torch.cat([eye, -eye])
        synthesis.weight.copy_(nn.functional.pad(torch.cat([eye, -eye], dim=1), (0, synthesis.in_features - 2 * row)))


class TiListaConfig(NetConfig):
    """TiLISTA (Wang 2021)."""

    kind: Literal["tilista"] = "tilista"
    scaling: Scaling = Field("unit", description="unit power, as a sparse vector must be centred at zero; published has the 0.5 offset")
    iterations: int = Field(10, ge=1, description="unfolded iterations; more of them need other weights")

    def network(self, angles: int, delays: int) -> TiLista:
        """The network, untrained."""
        return TiLista(angles, delays, self.code_length(angles, delays), self.iterations)


class TiListaCodec(NeuralCodec):
    """TiLISTA as a codec."""

    Config = TiListaConfig
