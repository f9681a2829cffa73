"""A codec, end to end: images of channels through encoder and decoder, for the mean of the per-sample NMSE or the published loss."""

import copy
from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
from pydantic import Field

from csisim.errors import CsisimError
from csisim.feedback.code_quantisers import MOST_BITS, Allocated, CodeQuantiser, Float32
from csisim.feedback.metrics import nmse_db
from csisim.feedback.pca import Klt, as_real, principal_components
from csisim.feedback.sources import apart, recorded_images, split, trace_images
from csisim.random import stream
from csisim.registry import CodecField, Settings
from csisim.training.base import Parameters, Product
from csisim.training.loop import TRAINING, VALIDATION

#: Training images whose codes quantisers are calibrated with.
CALIBRATION_IMAGES = 4096


class CodecConfig(Settings):
    """A network, its images, and what it is to get right."""

    task: Literal["codec"] = "codec"
    codec: CodecField = Field(
        description="the network. Training passes its quantiser: uniform always, others, whose tables are fitted to the first codes, if "
        "it begins with learned or linear ones"
    )
    images: str = Field(
        "indoor_paper",
        description="a COST 2100 preset, whose generator makes the images, or a file of a trace or of reports (`csisim trace record`), "
        "whose last rows validate",
    )
    taps: int = Field(32, ge=1, description="taps of the images, not of reports; the codec keeps its delays, if it has any, of them")
    drops: int = Field(20000, ge=1, description="images to train on")
    validation: int = Field(1000, ge=1, description="images to validate on")
    batch: int = Field(64, ge=1, description="images per step")
    loss: Literal["nmse", "mse"] = Field("nmse", description="mean ratio of error to energy, or the published mean squared error")
    rotate: bool = Field(True, description="turn every image by a random common phase, which no channel statistics know")
    linear_start: bool = Field(True, description="begin with principal components where unit images and the layers allow it")
    rates_per_step: int | None = Field(1, ge=1, description="code lengths of a multi-rate network in a step, drawn at random; null: all")
    precision: Literal["single", "mixed"] = Field(
        "single",
        description="mixed: products in bfloat16 on a GPU, parameters and loss in single precision; no effect on a CPU",
    )
    half: bool = Field(False, description="store the weights in half precision")


class Codec:
    """A network of :mod:`csisim.feedback.nets`; parameters and running statistics by name.

    Two thousand fresh drops of a preset take a third of a second, less than moving the paths of old ones about, so that images are
    turned by a common phase and not augmented otherwise. Statistics of batch norms move with the batches they see and have no
    gradient. A network that can begin as a linear code does (``start_from``): then the untrained network is the Karhunen-Loeve
    transform of the training images, or near it.

    A network of several rates learns some of them in each step, from the logarithm of their losses: then no rate outweighs the
    others. Its score is the mean dB over the rates.
    """

    Config = CodecConfig
    unit = "dB of signal over error"
    reference_is = "as many principal components"

    def __init__(self, config: CodecConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.codec = cast(Any, config.codec)  # a csisim.feedback.nets.base.NetConfig, which is known where torch is
        if not hasattr(self.codec, "network"):
            raise CsisimError(f"codec: {self.codec.kind} is no network, so there is nothing to train")
        if config.precision == "mixed" and self.codec.scaling == "published":
            raise CsisimError("codec: bfloat16 has no digits for images of 0.02 around 0.5; precision mixed needs scaling unit")
        self.config = config
        self.offset = np.float32(0.5 if self.codec.scaling == "published" else 0.0)
        self.train, self.validation = self._images(seed)
        self.shape = self.train.shape[2:]
        self.length = self.codec.stored_length(*self.shape)
        if self.length % 2:
            raise CsisimError(f"codec: a code of {self.length} numbers has no linear one beside it; an even length has")
        self.components = self._components()
        self.network, linear = self._network(seed)
        self.start = self._started(start)
        self.lengths = list(self.network.lengths) or [self.length]
        self.quantisers = self._quantisers(fitted=linear or bool(start))

    def initial(self) -> Parameters:
        """Those of the stage before, or fresh ones, the linear code where the network can hold it."""
        from csisim.feedback.nets.base import arrays

        return {_slashed(name): value.copy() for name, value in arrays(self.network, 0, 0).items()} | self.start

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Training images (B, 2, angle, delay) under random common phases, and the code lengths that they train."""
        images = self.train[rng.integers(len(self.train), size=self.config.batch)]
        if self.config.rotate:
            z = (images[:, 0] + 1j * images[:, 1]) * np.exp(2j * np.pi * rng.random((len(images), 1, 1)))
            images = np.stack([z.real, z.imag], axis=1).astype(np.float32)
        count = min(self.config.rates_per_step or len(self.lengths), len(self.lengths))
        return images, rng.choice(self.lengths, count, replace=False)

    def loss(self, parameters: Mapping[str, Any], batch: tuple[Any, ...]) -> Any:
        """Mean over images of the error, relative to the energy or not."""
        import torch

        images, lengths = batch
        losses = [self._loss(parameters, images, length) for length in lengths.tolist()]
        return torch.stack(losses).log().mean() if self.network.lengths else losses[0]

    def score(self, parameters: Parameters) -> float:
        """Minus the NMSE of the validation images in dB (``mean_of_ratios``), through the quantiser if training passes one."""
        import torch

        tensors = {name: torch.from_numpy(value) for name, value in parameters.items()}
        return -float(np.mean([self._nmse_db(tensors, length) for length in self.lengths]))

    def reference(self, known: Parameters) -> float:
        """What linear codes of the same lengths, fitted to the training images, make of the validation images at as many bits."""
        return -float(np.mean([self._linear_nmse_db(length) for length in self.lengths]))

    def products(self, known: Parameters) -> list[Product]:
        """The network, with codes of training images that quantisers are calibrated with."""
        from csisim.feedback.nets.base import CALIBRATION, with_codes

        config, network = self.config, copy.deepcopy(self.network)
        network.load_state_dict(_tensors(known), strict=False)
        if network.lengths:
            network.use(self.length)
        stored = with_codes(self.codec, network, self.train[:CALIBRATION_IMAGES] + self.offset)
        if config.half:
            stored = {name: value.astype(np.float16) for name, value in stored.items()}
        dims = {"angles": self.shape[0], "delays": self.shape[1], "calibration": len(stored[CALIBRATION])}
        statistics = {"images": config.images} | ({} if self.recorded else {"taps": config.taps})
        return [Product(f"codec/{self.codec.kind}", self.codec.architecture, dims, statistics, 0.0, stored)]

    def _loss(self, parameters: Mapping[str, Any], images: Any, length: int) -> Any:
        """The loss of one code length."""
        import torch

        with torch.autocast("cuda", torch.bfloat16, enabled=self.config.precision == "mixed" and images.is_cuda):
            seen = self._seen(parameters, images, length, training=True)
        energy = images.square().flatten(1).sum(dim=1) if self.config.loss == "nmse" else images[0].numel()
        errors = (weight * (decoded.float() - images).square().flatten(1).sum(dim=1) / energy for weight, decoded in seen)
        return sum(error.mean() for error in errors)

    def _nmse_db(self, parameters: Mapping[str, Any], length: int) -> float:
        import torch

        pieces = np.array_split(self.validation, len(self.validation) // 256 + 1)
        with torch.inference_mode():
            decoded = [self._seen(parameters, torch.from_numpy(piece), length, training=False)[0][1].numpy() for piece in pieces]
        return nmse_db(np.concatenate(decoded), self.validation)

    def _linear_nmse_db(self, length: int) -> float:
        klt = Klt(self.components[: length // 2], self.shape, Float32())
        codes = klt.encode(self.validation)
        if length in self.quantisers:
            wanted = self.codec.quantiser
            if wanted.squashes:  # its limits are those of a sigmoid: a linear code has tables instead
                wanted = Allocated(bits=min(wanted.bits, MOST_BITS))
            tables = wanted.prepare(klt.encode(self.train[:CALIBRATION_IMAGES]))
            codes = tables.value(tables.index(codes))
        return nmse_db(klt.decode(codes), self.validation)

    def _seen(self, parameters: Mapping[str, Any], images: Any, length: int, *, training: bool) -> list[tuple[float, Any]]:
        """What the base station sees of images around zero, and what else is to be like them."""
        import torch

        from csisim.feedback.nets.base import Step

        named = {_dotted(name): value for name, value in parameters.items()}
        # batch norms write their statistics into the very arrays that are trained, validated and stored
        state = {name: value.detach() if name in self.statistics else value for name, value in named.items()}
        image = images + self.offset
        if self.network.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        if self.network.lengths:
            self.network.use(length)
        quantiser = self.quantisers.get(length)
        if not training:
            return [(1.0, torch.func.functional_call(self.network.eval(), state, (image, quantiser)) - self.offset)]
        state = {f"network.{name}": value for name, value in state.items()}
        seen = torch.func.functional_call(Step(self.network).train(), state, (image, quantiser))
        return [(weight, decoded - self.offset) for weight, decoded in seen]

    def _images(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        config, codec = self.config, self.codec
        images = recorded_images(config.images, codec.domain, codec.delays, codec.scaling)
        self.recorded = images is not None
        if images is not None:
            if "taps" in config.model_fields_set:
                raise CsisimError(f"taps: {config.images} has reports on subcarriers of their own; leave it out")
            train, validation = apart(config.images, images - self.offset, config.drops, config.validation)
            return train, validation
        *sets, centred = split(config.images, config.drops, config.validation, (TRAINING + seed, VALIDATION + seed))
        how: dict[str, Any] = {"centred": centred, "scaling": codec.scaling, "delays": codec.delays}
        train, validation = (trace_images(rows, config.taps, **how) - self.offset for rows in sets)
        return train, validation

    def _components(self) -> np.ndarray:
        """Principal components of training images of unit power, as many as the longest code has complex numbers."""
        power = np.sqrt((self.train**2).sum(axis=(1, 2, 3), keepdims=True))
        return principal_components(self.train / power)[: self.length // 2]

    def _network(self, seed: int) -> tuple[Any, bool]:
        """The untrained network, and whether its codes are linear ones."""
        import torch

        from csisim.feedback.nets.base import Autoencoder

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(stream(seed, 0, "training.initial").integers(2**31)))
            network = self.codec.network(*self.shape)
        self.statistics = {name for name, _ in network.named_buffers()}
        possible = self.config.linear_start and self.codec.scaling == "unit" and not self.codec.quantiser.squashes
        possible = possible and type(network).start_from is not Autoencoder.start_from
        if possible and 2 * len(self.components) < self.length:
            raise CsisimError(f"codec: linear_start needs {self.length // 2} drops for a code of {self.length}, not {len(self.train)}")
        images = torch.from_numpy(self.train[:CALIBRATION_IMAGES])
        return network, possible and network.start_from(as_real(self.components), images)

    def _started(self, start: Mapping[str, np.ndarray]) -> Parameters:
        """Parameters to go on from, without the calibration codes beside them in a file."""
        from csisim.feedback.nets.base import CALIBRATION, arrays

        known = {name: value for name, value in start.items() if name != _slashed(CALIBRATION)}
        own = {_slashed(name): value.shape for name, value in arrays(self.network, 0, 0).items()}
        if known and {name: value.shape for name, value in known.items()} != own:
            raise CsisimError(f"start: these are not the weights of this {self.codec.kind}, or of another size")
        return known

    def _quantisers(self, *, fitted: bool) -> dict[int, CodeQuantiser]:
        """Quantisers that training passes, by the length of the code; tables are fitted to the codes that it begins with."""
        wanted = self.codec.quantiser
        if wanted.squashes:
            return dict.fromkeys(self.lengths, wanted.prepare(None))
        if not fitted or wanted.kind == "float32":
            return {}
        import torch

        network = copy.deepcopy(self.network).eval()
        network.load_state_dict(_tensors(self.initial()), strict=False)
        found = {}
        with torch.inference_mode():
            for length in self.lengths:
                if network.lengths:
                    network.use(length)
                pieces = torch.from_numpy(self.train[:CALIBRATION_IMAGES] + self.offset).split(256)
                found[length] = wanted.prepare(torch.cat([network.encode(piece) for piece in pieces]).numpy())
        return found


def _tensors(parameters: Mapping[str, np.ndarray]) -> dict[str, Any]:
    import torch

    return {_dotted(name): torch.from_numpy(value) for name, value in parameters.items()}


def _slashed(name: str) -> str:
    return name.replace(".", "/")  # torch's parameter dictionaries take no dots


def _dotted(name: str) -> str:
    return name.replace("/", ".")
