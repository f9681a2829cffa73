"""ACRNet (Lu 2021): aggregated blocks of group convolutions, and BACRNet with binarised fully connected layers.

Layers carry the names of the public checkpoints.
"""

from collections import OrderedDict
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import LEAK, BinaryLinear, ConvNorm, Image, leaky, linear, pass_through, put_rows
from csisim.feedback.nets.crnet import xavier

Activation = Literal["prelu", "sprelu", "lrelu"]
Expand = Literal["groups", "width", "depth", "kernel"]


def activation(kind: Activation, channels: int) -> nn.Module:
    """A learned slope per channel (prelu), one per layer (sprelu), or a fixed one (lrelu): Lu 2021, Table II."""
    if kind == "lrelu":
        return leaky()
    return nn.PReLU(channels if kind == "prelu" else 1, init=LEAK)


class EncoderBlock(nn.Module):
    """A 9 x 9 view, factorised, around which the image passes unchanged."""

    def __init__(self, act: Activation) -> None:
        super().__init__()
        self.conv_bn1 = ConvNorm(2, 2, (1, 9))
        self.prelu1 = activation(act, 2)
        self.conv_bn2 = ConvNorm(2, 2, (9, 1))
        self.prelu2 = activation(act, 2)

    def forward(self, image: Tensor) -> Tensor:
        """The refined image."""
        refined: Tensor = self.prelu2(image + self.conv_bn2(self.prelu1(self.conv_bn1(image))))
        return refined

    def begin_as_identity(self) -> None:
        """Silence the branch, straighten the activation after it."""
        nn.init.zeros_(self.conv_bn2.bn.weight)  # type: ignore[arg-type,union-attr]
        nn.init.ones_(self.prelu2.weight)  # type: ignore[arg-type]


class DecoderBlock(nn.Module):
    """The aggregated block: 2 -> ``width`` -> ``width`` -> 2 channels, the middle convolution in groups of two channels."""

    def __init__(self, width: int, groups: int, kernel: int, act: Activation) -> None:
        super().__init__()
        self.conv1_bn = ConvNorm(2, width, (1, 9))
        self.prelu1 = activation(act, width)
        self.conv2_bn = ConvNorm(width, width, kernel, groups=groups)
        self.prelu2 = activation(act, width)
        self.conv3_bn = ConvNorm(width, 2, (9, 1))
        self.prelu3 = activation(act, 2)

    def forward(self, image: Tensor) -> Tensor:
        """The refined image."""
        inner = self.prelu2(self.conv2_bn(self.prelu1(self.conv1_bn(image))))
        refined: Tensor = self.prelu3(image + self.conv3_bn(inner))
        return refined

    def begin_as_identity(self) -> None:
        """Silence the branch, straighten the activation after it."""
        nn.init.zeros_(self.conv3_bn.bn.weight)  # type: ignore[arg-type,union-attr]
        nn.init.ones_(self.prelu3.weight)  # type: ignore[arg-type]


class AcrNet(Autoencoder):
    """A light encoder whose cost does not depend on ``expansion``; two aggregated blocks at the base station."""

    channels_last = True

    def __init__(
        self,
        angles: int,
        delays: int,
        code_length: int,
        output: nn.Module,
        expansion: int,
        act: Activation,
        expand: Expand,
        binary: tuple[bool, bool] = (False, False),
    ) -> None:
        super().__init__()
        numbers = 2 * angles * delays
        feature = OrderedDict(
            conv5x5_bn=ConvNorm(2, 2, 5), prelu=activation(act, 2), ACREncoderBlock1=EncoderBlock(act), ACREncoderBlock2=EncoderBlock(act)
        )
        self.encoder = nn.Sequential(
            OrderedDict(feature=nn.Sequential(feature), flat=nn.Flatten(), fc=linear(numbers, code_length, binary=binary[0]))
        )
        feature = OrderedDict(conv5x5_bn=ConvNorm(2, 2, 5), prelu=activation(act, 2))
        for i, block in enumerate(decoder_blocks(expansion, act, expand), 1):
            feature[f"ACRDecoderBlock{i}"] = block
        self.decoder = nn.Sequential(
            OrderedDict(
                fc=linear(code_length, numbers, binary=binary[1]),
                image=Image(2, angles, delays),
                feature=nn.Sequential(feature),
                output=output,
            )
        )
        xavier(self)

    def start_from(self, components: np.ndarray, images: Tensor) -> bool:
        """With slopes of one and residual branches of zero nothing but the fully connected layers is left; LReLU and a binarised decoder
        forbid it. A binarised encoder takes the rows' signs, its decoder the linear code that belongs to them.
        """
        encoder: Any = self.encoder
        decoder: Any = self.decoder
        head, tail = encoder.feature, decoder.feature
        if isinstance(head.prelu, nn.LeakyReLU) or isinstance(decoder.fc, BinaryLinear):
            return False
        put_rows(encoder.fc, decoder.fc, components)
        if isinstance(encoder.fc, BinaryLinear):
            with torch.no_grad():
                flat = images.flatten(1)
                codes = encoder.fc(flat).double()  # in single precision the result would depend on where arrays lie in memory
                decoder.fc.weight.copy_(torch.linalg.solve(codes.T @ codes, codes.T @ flat.double()).T)
        with torch.no_grad():
            rough = decoder.image(decoder.fc(encoder.fc(images.flatten(1))))
        for feature, seen in ((head, images), (tail, rough)):
            pass_through(feature.conv5x5_bn.conv, feature.conv5x5_bn.bn, seen)
            nn.init.ones_(feature.prelu.weight)
        for block in (*head.children(), *tail.children()):
            if isinstance(block, EncoderBlock | DecoderBlock):
                block.begin_as_identity()
        return True


def decoder_blocks(expansion: int, act: Activation, expand: Expand) -> list[DecoderBlock]:
    """The decoder's blocks after ``expansion``-fold growth (Lu 2021, Fig. 6 and 12; ``kernel`` and block counts are our reading).

    ``groups``: 4 k groups of two channels, the paper's own; ``width``: 8 k channels in one group; ``depth``: k times two blocks;
    ``kernel``: middle kernels of about k times the area.
    """
    if expand == "groups":
        return [DecoderBlock(8 * expansion, 4 * expansion, 7, act) for _ in range(2)]
    if expand == "width":
        return [DecoderBlock(8 * expansion, 1, 7, act) for _ in range(2)]
    if expand == "depth":
        return [DecoderBlock(8, 4, 7, act) for _ in range(2 * expansion)]
    side = 2 * round((7 * expansion**0.5 - 1) / 2) + 1
    return [DecoderBlock(8, 4, side, act) for _ in range(2)]


class AcrNetConfig(NetConfig):
    """ACRNet-k x (Lu 2021)."""

    kind: Literal["acrnet"] = "acrnet"
    expansion: int = Field(1, ge=1, description="k: how far the decoder is expanded")
    activation: Activation = Field("prelu", description="learned slopes per channel, one per layer, or none")
    expand: Expand = Field("groups", description="what the expansion multiplies: aggregated groups, plain width, depth or kernel area")

    def network(self, angles: int, delays: int) -> AcrNet:
        """The network, untrained."""
        length = self.code_length(angles, delays)
        return AcrNet(angles, delays, length, self.output(), self.expansion, self.activation, self.expand)


class BacrNetConfig(NetConfig):
    """BACRNet-k x (Lu 2021): ACRNet with binarised fully connected layers."""

    kind: Literal["bacrnet"] = "bacrnet"
    expansion: int = Field(1, ge=1, description="k: groups of the decoder's aggregated blocks, over four")
    binarise: Literal["encoder", "both"] = Field("encoder", description="whose fully connected layer has one bit per weight")

    def network(self, angles: int, delays: int) -> AcrNet:
        """The network, untrained."""
        length = self.code_length(angles, delays)
        return AcrNet(angles, delays, length, self.output(), self.expansion, "prelu", "groups", (True, self.binarise == "both"))


class AcrNetCodec(NeuralCodec):
    """ACRNet as a codec."""

    Config = AcrNetConfig


class BacrNetCodec(NeuralCodec):
    """BACRNet as a codec."""

    Config = BacrNetConfig
