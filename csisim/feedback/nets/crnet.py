"""CRNet (Lu 2020): paths of two resolutions side by side. Layers carry the names of the public checkpoints."""

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn

from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import ConvNorm, Image, leaky


class TwoPaths(nn.Module):
    """The encoder: a 9 x 9 and a 3 x 3 view of the image, merged and projected."""

    def __init__(self, numbers: int, code_length: int) -> None:
        super().__init__()
        layers = OrderedDict(
            conv3x3_bn=ConvNorm(2, 2, 3), relu1=leaky(), conv1x9_bn=ConvNorm(2, 2, (1, 9)), relu2=leaky(), conv9x1_bn=ConvNorm(2, 2, (9, 1))
        )  # fmt: skip
        self.path1 = nn.Sequential(layers)
        self.path2 = ConvNorm(2, 2, 3)
        self.merge = nn.Sequential(OrderedDict(relu1=leaky(), conv1x1_bn=ConvNorm(4, 2, 1), relu2=leaky()))
        self.fc = nn.Linear(numbers, code_length)

    def forward(self, image: Tensor) -> Tensor:
        """Codes (n, M)."""
        merged = self.merge(torch.cat([self.path1(image), self.path2(image)], dim=1))
        code: Tensor = self.fc(merged.flatten(1))
        return code


class CRBlock(nn.Module):
    """Two paths of seven channels each around which the image passes unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.path1 = nn.Sequential(
            OrderedDict(
                conv3x3=ConvNorm(2, 7, 3), relu1=leaky(), conv1x9=ConvNorm(7, 7, (1, 9)), relu2=leaky(), conv9x1=ConvNorm(7, 7, (9, 1))
            )
        )
        self.path2 = nn.Sequential(OrderedDict(conv1x5=ConvNorm(2, 7, (1, 5)), relu=leaky(), conv5x1=ConvNorm(7, 7, (5, 1))))
        self.conv1x1 = ConvNorm(14, 2, 1)
        self.relu = leaky()

    def forward(self, image: Tensor) -> Tensor:
        """The refined image."""
        paths = self.relu(torch.cat([self.path1(image), self.path2(image)], dim=1))
        refined: Tensor = self.relu(image + self.conv1x1(paths))
        return refined


class CRNet(Autoencoder):
    """Two-path encoder, two CRBlocks at the base station."""

    def __init__(self, angles: int, delays: int, code_length: int, output: nn.Module) -> None:
        super().__init__()
        numbers = 2 * angles * delays
        self.encoder = TwoPaths(numbers, code_length)
        feature = nn.Sequential(OrderedDict(conv5x5_bn=ConvNorm(2, 2, 5), relu=leaky(), CRBlock1=CRBlock(), CRBlock2=CRBlock()))
        self.decoder = nn.Sequential(
            OrderedDict(fc=nn.Linear(code_length, numbers), image=Image(2, angles, delays), feature=feature, output=output)
        )  # fmt: skip
        xavier(self)


def xavier(network: nn.Module) -> None:
    """Start convolutions and fully connected layers as the CRNet family does."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)


class CRNetConfig(NetConfig):
    """CRNet (Lu 2020)."""

    kind: Literal["crnet"] = "crnet"

    def network(self, angles: int, delays: int) -> CRNet:
        """The network, untrained."""
        return CRNet(angles, delays, self.code_length(angles, delays), self.output())


class CRNetCodec(NeuralCodec):
    """CRNet as a codec."""

    Config = CRNetConfig
