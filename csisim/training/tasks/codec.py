"""A codec, end to end: images of channels through encoder and decoder, for the mean of the per-sample NMSE or the published loss."""

import copy
from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
from pydantic import Field

from csisim.errors import CsisimError
from csisim.feedback.code_quantisers import Float32
from csisim.feedback.metrics import nmse_db
from csisim.feedback.pca import Klt, as_real, principal_components
from csisim.feedback.sources import split, trace_images
from csisim.random import stream
from csisim.registry import CodecField, Settings
from csisim.training.base import Parameters, Product
from csisim.training.loop import TRAINING, VALIDATION

#: Training images whose codes quantisers are calibrated with.
CALIBRATION_IMAGES = 4096


class CodecConfig(Settings):
    """A network, its images, and what it is to get right."""

    task: Literal["codec"] = "codec"
    codec: CodecField = Field(description="the network; quantiser uniform trains through it, any other quantiser follows the training")
    images: str = Field(
        "indoor_paper", description="a COST 2100 preset, whose generator makes the images, or a trace file, whose last rows validate"
    )
    taps: int = Field(32, ge=1, description="taps of the images; the codec keeps its delays, if it has any, of them")
    drops: int = Field(20000, ge=1, description="images to train on")
    validation: int = Field(1000, ge=1, description="images to validate on")
    batch: int = Field(64, ge=1, description="images per step")
    loss: Literal["nmse", "mse"] = Field("nmse", description="mean ratio of error to energy, or the published mean squared error")
    rotate: bool = Field(True, description="turn every image by a random common phase, which no channel statistics know")
    half: bool = Field(False, description="store the weights in half precision")


class Codec:
    """A network of :mod:`csisim.feedback.nets`; parameters and running statistics by name.

    Statistics of batch norms move with the batches they see and have no gradient. A network that can begin as a linear code does
    (``start_from``): then the untrained network is the Karhunen-Loeve transform of the training images.
    """

    Config = CodecConfig
    unit = "dB of signal over error"
    reference_is = "as many principal components"

    def __init__(self, config: CodecConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.codec = cast(Any, config.codec)  # a csisim.feedback.nets.base.NetConfig, which is known where torch is
        if not hasattr(self.codec, "network"):
            raise CsisimError(f"codec: {self.codec.kind} is no network, so there is nothing to train")
        if self.codec.domain != "delay_angle":
            raise CsisimError("codec: images of traces have delays and angles, so domain must be delay_angle")
        self.config, self.start = config, dict(start)
        self.offset = np.float32(0.5 if self.codec.scaling == "published" else 0.0)
        self.train, self.validation = self._images(seed)
        self.shape = self.train.shape[2:]
        self.length = self.codec.stored_length(*self.shape)
        self.quantiser = self.codec.quantiser.prepare(None) if self.codec.quantiser.squashes else None
        self.klt = Klt(self._components(), self.shape, Float32())
        self.network = self._network(seed)

    def initial(self) -> Parameters:
        """Those of the stage before, or fresh ones, the linear code where the network can hold it."""
        from csisim.feedback.nets.base import arrays

        return {_slashed(name): value.copy() for name, value in arrays(self.network, 0, 0).items()} | self.start

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Training images (B, 2, angle, delay) under random common phases."""
        images = self.train[rng.integers(len(self.train), size=self.config.batch)]
        if not self.config.rotate:
            return (images,)
        z = (images[:, 0] + 1j * images[:, 1]) * np.exp(2j * np.pi * rng.random((len(images), 1, 1)))
        return (np.stack([z.real, z.imag], axis=1).astype(np.float32),)

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Mean over images of the error, relative to the energy or not."""
        (images,) = batch
        error = (self._decoded(parameters, images, training=True) - images).square().flatten(1)
        if self.config.loss == "mse":
            return error.mean()
        return (error.sum(dim=1) / images.square().flatten(1).sum(dim=1)).mean()

    def score(self, parameters: Parameters) -> float:
        """Minus the NMSE of the validation images in dB (``mean_of_ratios``)."""
        import torch

        tensors = {name: torch.from_numpy(value) for name, value in parameters.items()}
        pieces = np.array_split(self.validation, len(self.validation) // 256 + 1)
        with torch.inference_mode():
            decoded = [self._decoded(tensors, torch.from_numpy(piece), training=False).numpy() for piece in pieces]
        return -nmse_db(np.concatenate(decoded), self.validation)

    def reference(self, known: Parameters) -> float:
        """What a linear code of the same length, fitted to the training images, makes of the validation images."""
        return -nmse_db(self.klt.decode(self.klt.encode(self.validation)), self.validation)

    def products(self, known: Parameters) -> list[Product]:
        """The network, with codes of training images that quantisers are calibrated with."""
        from csisim.feedback.nets.base import CALIBRATION, with_codes

        config, images = self.config, self.train[:CALIBRATION_IMAGES] + self.offset
        network = copy.deepcopy(self.network)
        network.load_state_dict(_tensors(known), strict=False)
        stored = with_codes(self.codec, network, images)
        if config.half:
            stored = {name: value.astype(np.float16) for name, value in stored.items()}
        dims = {"angles": self.shape[0], "delays": self.shape[1], "calibration": len(stored[CALIBRATION])}
        statistics = {"images": config.images, "taps": config.taps}
        return [Product(f"codec/{self.codec.kind}", self.codec.architecture, dims, statistics, 0.0, stored)]

    def _decoded(self, parameters: Mapping[str, Any], images: Any, *, training: bool) -> Any:
        """What the base station sees of images around zero."""
        import torch

        named = {_dotted(name): value for name, value in parameters.items()}
        # batch norms write their statistics into the very arrays that are trained, validated and stored
        state = {name: value.detach() if name in self.statistics else value for name, value in named.items()}
        image = images + self.offset
        if self.network.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        return torch.func.functional_call(self.network.train(training), state, (image, self.quantiser)) - self.offset

    def _images(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        config = self.config
        *sets, centred = split(config.images, config.drops, config.validation, (TRAINING + seed, VALIDATION + seed))
        how: dict[str, Any] = {"centred": centred, "scaling": self.codec.scaling, "delays": self.codec.delays}
        train, validation = (trace_images(rows, config.taps, **how) - self.offset for rows in sets)
        return train, validation

    def _components(self) -> np.ndarray:
        """Principal components of training images of unit power, as many as the code has complex numbers."""
        power = np.sqrt((self.train**2).sum(axis=(1, 2, 3), keepdims=True))
        return principal_components(self.train / power)[: self.length // 2]

    def _network(self, seed: int) -> Any:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(stream(seed, 0, "training.initial").integers(2**31)))
            network = self.codec.network(*self.shape)
        if hasattr(network, "start_from"):
            network.start_from(as_real(self.klt.components))
        self.statistics = {name for name, _ in network.named_buffers()}
        return network


def _tensors(parameters: Mapping[str, np.ndarray]) -> dict[str, Any]:
    import torch

    return {_dotted(name): torch.from_numpy(value) for name, value in parameters.items()}


def _slashed(name: str) -> str:
    return name.replace(".", "/")  # torch's parameter dictionaries take no dots


def _dotted(name: str) -> str:
    return name.replace("/", ".")
