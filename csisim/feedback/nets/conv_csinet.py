"""ConvCsiNet (Cao 2021): no fully connected layer, so the code keeps the image's geometry.

The encoder's counts equal the published ones to the digit (Ma 2023, Table I); the decoder is our reading, a mirror image with
CsiNet's RefineNets.
"""

from typing import Literal

from torch import nn

from csisim.errors import CsisimError
from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import ConvNorm, Image, leaky
from csisim.feedback.nets.csinet import RefineNet

CHANNELS = (64, 128, 256, 512)
POOLING = 2 ** len(CHANNELS)


def code_map(kind: str, angles: int, delays: int, code_length: int) -> tuple[int, int, int]:
    """Shape (channels, angles, delays) of the code.

    Raises
    ------
    CsisimError
        If four poolings or the code's length do not come out even.
    """
    if angles % POOLING or delays % POOLING:
        raise CsisimError(f"{kind}: images of {angles} x {delays} cannot be halved four times; multiples of {POOLING} can")
    rows, columns = angles // POOLING, delays // POOLING
    if code_length % (rows * columns):
        raise CsisimError(f"{kind}: {code_length} numbers do not fill a code of {rows} x {columns} positions")
    return code_length // (rows * columns), rows, columns


def mirror(shape: tuple[int, int, int], output: nn.Module) -> nn.Sequential:
    """The decoder: upsampling and convolutions back to the image, and two RefineNets."""
    layers: list[nn.Module] = [Image(*shape), ConvNorm(shape[0], CHANNELS[-1], 3), leaky()]
    for inputs, outputs in zip(CHANNELS[::-1], [*CHANNELS[-2::-1], 2], strict=True):
        layers += [nn.Upsample(scale_factor=2), ConvNorm(inputs, outputs, 3), leaky()]
    return nn.Sequential(*layers, RefineNet(None), RefineNet(None), nn.Conv2d(2, 2, 3, padding=1), output)


class ConvCsiNet(Autoencoder):
    """Convolutions with 64, 128, 256 and 512 channels, each halving the image, and a last one down to the code."""

    def __init__(self, shape: tuple[int, int, int], output: nn.Module) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip([2, *CHANNELS], CHANNELS, strict=False):
            layers += [ConvNorm(inputs, outputs, 3), leaky(), nn.AvgPool2d(2)]
        self.encoder = nn.Sequential(*layers, ConvNorm(CHANNELS[-1], shape[0], 3), nn.Flatten())
        self.decoder = mirror(shape, output)


class ConvCsiNetConfig(NetConfig):
    """ConvCsiNet (Cao 2021); its decoder is our reading."""

    kind: Literal["conv_csinet"] = "conv_csinet"

    def network(self, angles: int, delays: int) -> ConvCsiNet:
        """The network, untrained."""
        return ConvCsiNet(code_map(self.kind, angles, delays, self.code_length(angles, delays)), self.output())


class ConvCsiNetCodec(NeuralCodec):
    """ConvCsiNet as a codec."""

    Config = ConvCsiNetConfig
