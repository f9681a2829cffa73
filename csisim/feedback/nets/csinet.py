"""CsiNet (Wen 2018), and CS-CsiNet with a random linear encoder in the sibling file."""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import Image, WidthNorm, leaky

KERAS_EPS, KERAS_MOMENTUM = 1e-3, 0.01


def normed_conv(inputs: int, outputs: int, width: int | None) -> nn.Sequential:
    """Keras' 3 x 3 convolution with bias, and batch norm per channel or (``width`` given) per column."""
    norm = nn.BatchNorm2d(outputs, KERAS_EPS, KERAS_MOMENTUM) if width is None else WidthNorm(width, KERAS_EPS, KERAS_MOMENTUM)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), norm)


class RefineNet(nn.Module):
    """Three convolutions 2 -> 8 -> 16 -> 2 around which the image passes unchanged."""

    def __init__(self, width: int | None) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            normed_conv(2, 8, width), leaky(), normed_conv(8, 16, width), leaky(), normed_conv(16, 2, width)
        )  # fmt: skip
        self.activation = leaky()

    def forward(self, image: Tensor) -> Tensor:
        """The refined image."""
        refined: Tensor = self.activation(image + self.branch(image))
        return refined


def csinet_decoder(angles: int, delays: int, code_length: int, output: nn.Module, width: int | None) -> nn.Sequential:
    """Fully connected layer, two RefineNets and a last convolution."""
    return nn.Sequential(
        nn.Linear(code_length, 2 * angles * delays),
        Image(2, angles, delays),
        RefineNet(width),
        RefineNet(width),
        nn.Conv2d(2, 2, 3, padding=1),
        output,
    )


class CsiNet(Autoencoder):
    """A convolution and a fully connected layer at the user; a fully connected layer and two RefineNets at the base station."""

    channels_last = True

    def __init__(self, angles: int, delays: int, code_length: int, output: nn.Module, width: int | None) -> None:
        super().__init__()
        self.encoder = nn.Sequential(normed_conv(2, 2, width), leaky(), nn.Flatten(), nn.Linear(2 * angles * delays, code_length))
        self.decoder = csinet_decoder(angles, delays, code_length, output, width)


class CsiNetConfig(NetConfig):
    """CsiNet (Wen 2018)."""

    kind: Literal["csinet"] = "csinet"
    batch_norm: Literal["channel", "width"] = Field(
        "channel", description="batch norm per channel, or per column as in the weights published in 2018 (Keras 2.0, axis -1)"
    )

    def network(self, angles: int, delays: int) -> CsiNet:
        """The network, untrained."""
        width = delays if self.batch_norm == "width" else None
        return CsiNet(angles, delays, self.code_length(angles, delays), self.output(), width)


class CsiNetCodec(NeuralCodec):
    """CsiNet as a codec."""

    Config = CsiNetConfig
