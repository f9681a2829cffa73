"""A CsiNet that starts as the Karhunen-Loeve transform: the same layers, residual, and nothing to unlearn.

The published network begins at an error of 0 dB and takes 1e8 samples to pass a linear code. Here every nonlinear part begins as
zero beside a linear path, and :meth:`CsiNetRes.start_from` puts principal components into the fully connected layers: untrained
it *is* the closed-form codec, and a training that keeps its best iterate cannot end below it.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import ConvNorm, Image, leaky, put_rows


class Gated(nn.Module):
    """x + g LReLU(BN(conv x)) with a gate g per channel that starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(ConvNorm(2, 2, 3), leaky())
        self.gate = nn.Parameter(torch.zeros(2, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """The image and what the convolution adds."""
        added: Tensor = image + self.gate * self.branch(image)
        return added


class Refinement(nn.Module):
    """CsiNet's RefineNet without the activation after the sum; its last batch norm starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        last = ConvNorm(16, 2, 3)
        nn.init.zeros_(last.bn.weight)  # type: ignore[arg-type,union-attr]
        self.branch = nn.Sequential(ConvNorm(2, 8, 3), leaky(), ConvNorm(8, 16, 3), leaky(), last)

    def forward(self, image: Tensor) -> Tensor:
        """The refined image."""
        refined: Tensor = image + self.branch(image)
        return refined


class CsiNetRes(Autoencoder):
    """CsiNet's layers around a linear code."""

    channels_last = True

    def __init__(self, angles: int, delays: int, code_length: int) -> None:
        super().__init__()
        numbers = 2 * angles * delays
        self.encoder = nn.Sequential(Gated(), nn.Flatten(), nn.Linear(numbers, code_length))
        last = nn.Conv2d(2, 2, 3, padding=1)
        nn.init.dirac_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.decoder = nn.Sequential(nn.Linear(code_length, numbers), Image(2, angles, delays), Refinement(), Refinement(), last)

    def start_from(self, components: np.ndarray, images: Tensor) -> bool:
        """Put the rows into the fully connected layers; nothing else does anything yet."""
        put_rows(self.encoder[2], self.decoder[0], components)  # type: ignore[index]
        return True


class CsiNetResConfig(NetConfig):
    """CsiNet's layers, residual, to be started from principal components."""

    kind: Literal["csinet_res"] = "csinet_res"
    scaling: Literal["unit"] = "unit"

    def network(self, angles: int, delays: int) -> CsiNetRes:
        """The network, untrained."""
        return CsiNetRes(angles, delays, self.code_length(angles, delays))


class CsiNetResCodec(NeuralCodec):
    """The residual CsiNet as a codec."""

    Config = CsiNetResConfig
