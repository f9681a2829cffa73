"""CS-CsiNet (Wen 2018): CsiNet's decoder behind a random projection that nobody trains."""

from typing import Literal

import torch
from torch import Tensor, nn

from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.csinet import csinet_decoder
from csisim.feedback.projection import random_projection


class Projection(nn.Module):
    """A fixed matrix with unit-norm rows; the published one (``A_512``) is not public."""

    matrix: Tensor

    def __init__(self, numbers: int, code_length: int) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.from_numpy(random_projection(code_length, numbers)).float())

    def forward(self, image: Tensor) -> Tensor:
        """Codes (n, M)."""
        return nn.functional.linear(image.flatten(1), self.matrix)


class CsCsiNet(Autoencoder):
    """Random projection at the user, CsiNet's decoder at the base station."""

    channels_last = True

    def __init__(self, angles: int, delays: int, code_length: int, output: nn.Module) -> None:
        super().__init__()
        self.encoder = Projection(2 * angles * delays, code_length)
        self.decoder = csinet_decoder(angles, delays, code_length, output, None)


class CsCsiNetConfig(NetConfig):
    """CS-CsiNet (Wen 2018)."""

    kind: Literal["cs_csinet"] = "cs_csinet"

    def network(self, angles: int, delays: int) -> CsCsiNet:
        """The network, untrained."""
        return CsCsiNet(angles, delays, self.code_length(angles, delays), self.output())


class CsCsiNetCodec(NeuralCodec):
    """CS-CsiNet as a codec."""

    Config = CsCsiNetConfig
