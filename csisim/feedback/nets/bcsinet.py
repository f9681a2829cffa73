"""BCsiNet (Lu 2021b): CsiNet with a binarised fully connected layer at the user."""

from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import BinaryLinear, ConvNorm, Image, leaky


class Residual(nn.Module):
    """Convolutions of 3 x 3 through the given numbers of channels around which the image passes unchanged."""

    def __init__(self, *channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            layers += [ConvNorm(inputs, outputs, 3), leaky()]
        self.branch = nn.Sequential(*layers[:-1])
        self.activation = leaky()

    def forward(self, image: Tensor) -> Tensor:
        """The refined image."""
        refined: Tensor = self.activation(image + self.branch(image))
        return refined


class BCsiNet(Autoencoder):
    """Heads A (one convolution), B (two) or C (one and a tiny residual block); ``refinements`` RefineNets at the base station."""

    channels_last = True

    def __init__(self, angles: int, delays: int, code_length: int, output: nn.Module, head: str, refinements: int) -> None:
        super().__init__()
        numbers = 2 * angles * delays
        layers: list[nn.Module] = [ConvNorm(2, 2, 3), leaky()]
        if head == "B":
            layers += [ConvNorm(2, 2, 3), leaky()]
        elif head == "C":
            layers += [Residual(2, 4, 2)]
        self.encoder = nn.Sequential(*layers, nn.Flatten(), BinaryLinear(numbers, code_length))
        blocks = [Residual(2, 8, 16, 2) for _ in range(refinements)]
        self.decoder = nn.Sequential(nn.Linear(code_length, numbers), Image(2, angles, delays), *blocks, ConvNorm(2, 2, 3), output)


class BCsiNetConfig(NetConfig):
    """BCsiNet (Lu 2021b); the published variants are A2 and B3."""

    kind: Literal["bcsinet"] = "bcsinet"
    head: Literal["A", "B", "C"] = Field("A", description="the encoder's convolutions")
    refinements: int = Field(2, ge=1, description="RefineNets of the decoder")

    def network(self, angles: int, delays: int) -> BCsiNet:
        """The network, untrained."""
        return BCsiNet(angles, delays, self.code_length(angles, delays), self.output(), self.head, self.refinements)


class BCsiNetCodec(NeuralCodec):
    """BCsiNet as a codec."""

    Config = BCsiNetConfig
