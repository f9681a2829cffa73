"""CsiNet+ (Guo 2020), and its multi-rate versions SM- and PM-CsiNet+."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from csisim.errors import CsisimError
from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import ConvNorm, Image, leaky

RATES = (4, 8, 16, 32)  # reductions that one multi-rate encoder serves


class Refine(nn.Module):
    """Convolutions 2 -> 8 -> 16 -> 2 with kernels 7, 5 and 3, ending in tanh, around which the image passes unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(ConvNorm(2, 8, 7), leaky(), ConvNorm(8, 16, 5), leaky(), ConvNorm(16, 2, 3), nn.Tanh())

    def forward(self, image: Tensor) -> Tensor:
        """The refined image."""
        refined: Tensor = image + self.branch(image)
        return refined


def features() -> nn.Sequential:
    """The encoder's convolutions, flattened."""
    return nn.Sequential(ConvNorm(2, 2, 7), leaky(), ConvNorm(2, 2, 7), leaky(), nn.Flatten())


def decoder(angles: int, delays: int, code_length: int, output: nn.Module) -> nn.Sequential:
    """Fully connected layer, a first image, and five refinements; nothing follows them."""
    refinements = [Refine() for _ in range(5)]
    return nn.Sequential(
        nn.Linear(code_length, 2 * angles * delays), Image(2, angles, delays), ConvNorm(2, 2, 7), output, *refinements
    )  # fmt: skip


class CsiNetPlus(Autoencoder):
    """Two 7 x 7 convolutions and a fully connected layer; five refinements at the base station."""

    channels_last = True

    def __init__(self, angles: int, delays: int, code_length: int, output: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.Sequential(features(), nn.Linear(2 * angles * delays, code_length))
        self.decoder = decoder(angles, delays, code_length, output)


class MultiRate(nn.Module):
    """An encoder whose codes of all rates come from one pass, the longest first."""

    def __init__(self, numbers: int, layers: list[nn.Linear]) -> None:
        super().__init__()
        self.features = features()
        self.layers = nn.ModuleList(layers)

    def shorten(self, codes: Tensor, rate: int) -> Tensor:
        """Codes of a rate, of the longest ones."""
        raise NotImplementedError


class Serial(MultiRate):
    """Every shorter code is computed from the next longer one (SM)."""

    def forward(self, image: Tensor) -> list[Tensor]:
        """Codes, longest first."""
        codes, code = [], self.features(image)
        for layer in self.layers:
            code = layer(code)
            codes.append(code)
        return codes

    def shorten(self, codes: Tensor, rate: int) -> Tensor:
        """Through the layers in between."""
        for layer in list(self.layers)[1 : rate + 1]:
            codes = layer(codes)
        return codes


class Parallel(MultiRate):
    """Every shorter code is part of the longer ones (PM)."""

    def forward(self, image: Tensor) -> list[Tensor]:
        """Codes, longest first."""
        feature = self.features(image)
        parts = [layer(feature) for layer in self.layers]
        return [torch.cat(parts[: i + 1], dim=1) for i in reversed(range(len(parts)))]

    def shorten(self, codes: Tensor, rate: int) -> Tensor:
        """The longest code's beginning."""
        kept = list(self.layers)[: len(self.layers) - rate]
        return codes[:, : sum(layer.out_features for layer in kept)]  # type: ignore[misc]


class MultiRateCsiNetPlus(Autoencoder):
    """One encoder for the rates of :data:`RATES`, and a CsiNet+ decoder for each; ``rate`` is the one in use."""

    channels_last = True
    encoder: MultiRate

    def __init__(self, encoder: MultiRate, decoders: list[nn.Sequential], lengths: list[int], rate: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoders = nn.ModuleList(decoders)  # of the longest code first; training wants them all
        self.lengths, self.rate = lengths, rate

    @property
    def decoder(self) -> nn.Module:  # type: ignore[override]
        """The decoder of the rate in use."""
        return self.decoders[self.rate]

    def encode(self, image: Tensor) -> Tensor:
        """The code of the rate in use."""
        code: Tensor = self.encoder(image)[self.rate]
        return code

    def shorten(self, codes: Tensor) -> Tensor:
        """Codes of the rate in use, of the longest ones."""
        return self.encoder.shorten(codes, self.rate)

    def use(self, length: int) -> None:
        """Another rate, by its code's length."""
        self.rate = self.lengths.index(length)


class CsiNetPlusConfig(NetConfig):
    """CsiNet+ (Guo 2020)."""

    kind: Literal["csinetplus"] = "csinetplus"

    def network(self, angles: int, delays: int) -> CsiNetPlus:
        """The network, untrained."""
        return CsiNetPlus(angles, delays, self.code_length(angles, delays), self.output())


class _MultiRateConfig(NetConfig):
    reduction: int = Field(4, description="the rate in use: 4, 8, 16 or 32; all have the same weights")

    @property
    def architecture(self) -> dict[str, Any]:
        """The same weights serve every rate."""
        return {name: value for name, value in super().architecture.items() if name != "reduction"}

    def stored_length(self, angles: int, delays: int) -> int:
        """Length of the longest code."""
        return self.lengths(angles, delays)[0]

    def lengths(self, angles: int, delays: int) -> list[int]:
        """Code lengths of all rates, longest first."""
        if self.reduction not in RATES:
            raise CsisimError(f"{self.kind}: reduction {self.reduction} is not one of {', '.join(map(str, RATES))}")
        return [self.model_copy(update={"reduction": rate}).code_length(angles, delays) for rate in RATES]

    def assemble(
        self, angles: int, delays: int, layers: list[nn.Linear], make: Callable[[int, list[nn.Linear]], MultiRate]
    ) -> MultiRateCsiNetPlus:
        """Encoder and all decoders."""
        lengths = self.lengths(angles, delays)
        decoders = [decoder(angles, delays, length, self.output()) for length in lengths]
        return MultiRateCsiNetPlus(make(2 * angles * delays, layers), decoders, lengths, RATES.index(self.reduction))


class SmCsiNetPlusConfig(_MultiRateConfig):
    """SM-CsiNet+ (Guo 2020): serial multi-rate."""

    kind: Literal["sm_csinetplus"] = "sm_csinetplus"

    def network(self, angles: int, delays: int) -> MultiRateCsiNetPlus:
        """The network, untrained."""
        lengths = self.lengths(angles, delays)
        layers = [nn.Linear(i, o) for i, o in zip([2 * angles * delays, *lengths], lengths, strict=False)]
        return self.assemble(angles, delays, layers, Serial)


class PmCsiNetPlusConfig(_MultiRateConfig):
    """PM-CsiNet+ (Guo 2020): parallel multi-rate."""

    kind: Literal["pm_csinetplus"] = "pm_csinetplus"

    def network(self, angles: int, delays: int) -> MultiRateCsiNetPlus:
        """The network, untrained."""
        lengths = self.lengths(angles, delays)[::-1]
        added = [longer - shorter for shorter, longer in zip([0, *lengths], lengths, strict=False)]
        return self.assemble(angles, delays, [nn.Linear(2 * angles * delays, part) for part in added], Parallel)


class CsiNetPlusCodec(NeuralCodec):
    """CsiNet+ as a codec."""

    Config = CsiNetPlusConfig


class SmCsiNetPlusCodec(NeuralCodec):
    """SM-CsiNet+ as a codec."""

    Config = SmCsiNetPlusConfig


class PmCsiNetPlusCodec(NeuralCodec):
    """PM-CsiNet+ as a codec."""

    Config = PmCsiNetPlusConfig
