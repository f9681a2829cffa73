"""ShuffleCsiNet (Cao 2021): ConvCsiNet with shuffle units in the middle of the encoder.

The published cost pins the first and the last convolution; the units themselves are not described anywhere and are our reading
(within 1 % of the published cost), as is the decoder.
"""

from itertools import pairwise
from typing import Literal

from torch import nn

from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import ConvNorm, leaky
from csisim.feedback.nets.conv_csinet import CHANNELS, code_map, mirror

GROUPS = 2


def shuffle_unit(inputs: int, outputs: int) -> nn.Sequential:
    """Pointwise, shuffle, depthwise, pointwise."""
    return nn.Sequential(
        ConvNorm(inputs, outputs, 1),
        leaky(),
        nn.ChannelShuffle(GROUPS),
        ConvNorm(outputs, outputs, 3, groups=outputs),
        ConvNorm(outputs, outputs, 1),
        leaky(),
    )


class ShuffleCsiNet(Autoencoder):
    """A convolution, three shuffle units, each followed by pooling, and a last convolution down to the code."""

    def __init__(self, shape: tuple[int, int, int], output: nn.Module) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvNorm(2, CHANNELS[0], 3), leaky(), nn.AvgPool2d(2)]
        for inputs, outputs in pairwise(CHANNELS):
            layers += [shuffle_unit(inputs, outputs), nn.AvgPool2d(2)]
        self.encoder = nn.Sequential(*layers, ConvNorm(CHANNELS[-1], shape[0], 3), nn.Flatten())
        self.decoder = mirror(shape, output)


class ShuffleCsiNetConfig(NetConfig):
    """ShuffleCsiNet (Cao 2021); its shuffle units and its decoder are our reading."""

    kind: Literal["shuffle_csinet"] = "shuffle_csinet"

    def network(self, angles: int, delays: int) -> ShuffleCsiNet:
        """The network, untrained."""
        return ShuffleCsiNet(code_map(self.kind, angles, delays, self.code_length(angles, delays)), self.output())


class ShuffleCsiNetCodec(NeuralCodec):
    """ShuffleCsiNet as a codec."""

    Config = ShuffleCsiNetConfig
