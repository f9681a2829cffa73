"""What all networks share: their sides, how they are run in the simulator, and where their weights come from."""

import copy
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from csisim.errors import CsisimError
from csisim.feedback.code_quantisers import CodeQuantiser, CodeQuantiserConfig, Float32
from csisim.feedback.costs import Costs
from csisim.feedback.image_codec import ImageCodec, ImageCodecConfig
from csisim.feedback.images import Scaling
from csisim.feedback.nets.blocks import settle
from csisim.weights import UNTRAINED, Header, Need, WeightsError, find, load, write

#: Key of the calibration codes in a file of weights, and how many there are at most.
CALIBRATION = "calibration.codes"
CALIBRATION_ROWS = 192


class Autoencoder(nn.Module):
    """An encoder at the user and a decoder at the base station.

    ``encoder`` maps images (n, 2, angle, delay) to codes (n, M), ``decoder`` maps codes to images. A network whose decoder needs
    more than the code (the projection of compressed sensing, say) says so in its own ``encode`` and ``decode``.

    Attributes
    ----------
    lengths : sequence of int
        Lengths of all codes that the same weights serve, longest first; empty if there is one.
    """

    encoder: nn.Module
    decoder: nn.Module
    channels_last: ClassVar[bool] = False  # whether inference on a CPU is faster that way
    lengths: Sequence[int] = ()

    def encode(self, image: Tensor) -> Tensor:
        """Codes (n, M) of images (n, 2, angle, delay)."""
        code: Tensor = self.encoder(image)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Images (n, 2, angle, delay) of codes (n, M)."""
        image: Tensor = self.decoder(code)
        return image

    def shorten(self, codes: Tensor) -> Tensor:
        """Codes of the rate in use, of the longest ones that the same weights serve."""
        return codes

    def use(self, length: int) -> None:
        """Serve codes of another one of ``lengths`` from now on."""
        raise NotImplementedError

    def start_from(self, components: np.ndarray, images: Tensor) -> bool:
        """Begin as near as the layers allow to the linear code with these orthonormal rows (M, 2 x angles x delays).

        Parameters
        ----------
        components : (M, N) real
        images : (n, 2, angle, delay)
            Images of unit power, whose statistics batch norms begin with.

        Returns
        -------
        bool
            Whether anything begins there; a network without a place for a linear code stays as it is.
        """
        return False

    def own_images(self, image: Tensor) -> list[tuple[float, Tensor]]:
        """Further reconstructions that the training loss compares with the image, each with its weight."""
        return []

    def forward(self, image: Tensor, quantiser: CodeQuantiser | None = None) -> Tensor:
        """The image that the base station sees; with a quantiser, through it (straight-through gradient)."""
        code = self.encode(image)
        return self.decode(code if quantiser is None else straight_through(code, quantiser))


class Step(nn.Module):
    """What a step of training looks at: the decoded image, and what else the network's own loss compares with the image."""

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, quantiser: CodeQuantiser | None) -> list[tuple[float, Tensor]]:
        """Images, each with its weight."""
        return [(1.0, self.network(image, quantiser)), *self.network.own_images(image)]


def straight_through(code: Tensor, quantiser: CodeQuantiser) -> Tensor:
    """A quantised code whose gradient is that of the unquantised one (Lu 2021, section IV-B)."""
    code = torch.sigmoid(code) if quantiser.squashes else code
    rounded = quantiser.value(quantiser.index(code.detach().float().cpu().numpy()))
    return code + (torch.from_numpy(rounded).to(code) - code).detach()


class NetConfig(ImageCodecConfig):
    """What all neural codecs can be told."""

    scaling: Scaling = Field(
        "published",
        description="published: images in [0, 1] around 0.5 and a sigmoid at the decoder's end; unit: unit power, no sigmoid",
    )
    quantiser: CodeQuantiserConfig = Field(Float32(), description="what turns the code into bits")
    weights: str | None = Field(
        None, description="a .safetensors file of weights, or untrained; when left out, shipped or cached ones that fit"
    )

    #: Settings that may differ from those the weights were trained with.
    run_time: ClassVar[frozenset[str]] = frozenset({"kind", "delays", "scale", "quantiser", "weights"})

    def network(self, angles: int, delays: int) -> Autoencoder:
        """The network for images of this size, untrained."""
        raise NotImplementedError

    def output(self) -> nn.Module:
        """What ends the decoder."""
        return nn.Sigmoid() if self.scaling == "published" else nn.Identity()

    def stored_length(self, angles: int, delays: int) -> int:
        """Length of the longest code that the same weights serve."""
        return self.code_length(angles, delays)

    @property
    def architecture(self) -> dict[str, Any]:
        """The settings that decide which weights fit."""
        fields = self.model_dump(mode="json")
        return {name: value for name, value in fields.items() if name not in self.run_time} | {"sigmoid_code": self.quantiser.squashes}

    def costs(self, angles: int, delays: int) -> Costs:
        """What the network costs at either end."""
        from csisim.feedback.nets.complexity import complexity

        return complexity(self, angles, delays)

    def need(self, angles: int, delays: int) -> Need:
        """What a file of weights must be."""
        return Need(f"codec/{self.kind}", self.architecture, {"angles": angles, "delays": delays})


@dataclass(frozen=True, eq=False)
class NetModel:
    """A trained network behind NumPy arrays, with its quantiser."""

    network: Autoencoder
    quantiser: CodeQuantiser

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Codes (n, M), in (0, 1) if the quantiser wants them so."""
        with torch.inference_mode():
            code = self.network.encode(self._arranged(images))
            return (torch.sigmoid(code) if self.quantiser.squashes else code).numpy()

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Images (n, 2, angle, delay)."""
        with torch.inference_mode():
            return self.network.decode(torch.from_numpy(codes)).contiguous().numpy()

    def _arranged(self, images: np.ndarray) -> Tensor:
        image = torch.from_numpy(images)
        return image.contiguous(memory_format=torch.channels_last) if self.network.channels_last else image


class NeuralCodec(ImageCodec):
    """A network with its weights in the codec's room; the configuration model says which network."""

    config: NetConfig

    @property
    def scaling(self) -> Scaling:
        """How the network's images are normalised."""
        return self.config.scaling

    def model(self, angles: int, delays: int) -> NetModel:
        """The trained network for this image size, read once per process."""
        named = self.config.weights
        return _model(self.config, angles, delays, os.stat(named).st_mtime_ns if named and os.path.exists(named) else 0)


@lru_cache(maxsize=8)  # the two ends of a link, and the schemes of a cell, share one
def _model(config: NetConfig, angles: int, delays: int, _modified_ns: int) -> NetModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # both ends and every process have the same untrained network
        network = config.network(angles, delays)
    if config.weights == UNTRAINED:
        return NetModel(for_inference(network), config.quantiser.prepare(None))
    need = config.need(angles, delays)
    path = config.weights or find(need)
    if path is None:
        raise WeightsError(
            f"{config.kind}: no weights for 1/{config.reduction} of {angles} x {delays} images; "
            f"{_training(config, angles, delays)}weights: FILE names others, "
            f"weights: {UNTRAINED} does without"
        )
    parameters = load(path, need, lambda dims: arrays(network, int(dims.get("calibration", 0)), config.stored_length(angles, delays)))
    codes = parameters.pop(CALIBRATION, None)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in parameters.items()}, strict=False)
    if codes is not None:
        codes = network.shorten(torch.from_numpy(codes)).detach().numpy()
    return NetModel(for_inference(network), config.quantiser.prepare(codes))


def _training(config: NetConfig, angles: int, delays: int) -> str:
    """What makes weights for this codec on images of this size; recipes have settings and images of their own."""
    codec = {"kind": config.kind} | config.model_dump(mode="json", include={*config.architecture, "delays"}, exclude_defaults=True)
    if config.quantiser.squashes:  # trained into the network; its kind is a default of its own and must be there
        codec["quantiser"] = config.quantiser.model_dump(mode="json")
    taps = [] if delays == 32 or (config.delays is not None and delays < 32) else [f"--set link.taps={delays}"]
    images = [] if angles == 32 else [f"--set link.images=TRACE_OF_{angles}_ANGLES"]
    if config.domain == "beams":
        taps, images = [], ["--set link.images=REPORTS.npz` on what `csisim trace record SCENARIO --count 20000 -o REPORTS.npz"]
    return " ".join([f"`csisim train codec_{config.kind} --set 'link.codec={json.dumps(codec)}'", *taps, *images]) + "` makes some, "


def arrays(network: nn.Module, calibration: int, code_length: int) -> dict[str, np.ndarray]:
    """A network's parameters and statistics by name, as a file of weights holds them; room for calibration codes, zero."""
    named = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    if calibration:
        named[CALIBRATION] = np.zeros((calibration, code_length), np.float32)
    return named


def with_codes(config: NetConfig, network: Autoencoder, calibration_images: np.ndarray) -> dict[str, np.ndarray]:
    """A network's parameters and statistics, and the codes of some normalised training images (n, 2, angle, delay).

    Raises
    ------
    CsisimError
        If the network's codes are shorter than the longest that its weights serve.
    """
    model = NetModel(for_inference(network), Float32())
    pieces = np.array_split(calibration_images.astype(np.float32), len(calibration_images) // 256 + 1)
    codes = condensed(np.concatenate([model.encode(piece) for piece in pieces]))
    if codes.shape[1] != config.stored_length(*calibration_images.shape[-2:]):
        raise CsisimError(f"{config.kind}: save the weights with the longest code in use, not 1/{config.reduction}")
    return arrays(network, 0, codes.shape[1]) | {CALIBRATION: codes}


def condensed(codes: np.ndarray) -> np.ndarray:
    """Codes (n, M) as at most :data:`CALIBRATION_ROWS` ones with every element's distribution.

    Sorted values are replaced by means of equally many neighbours and shuffled: 256 plain samples cost a quantiser with a table per
    element half a decibel. What elements know of each other is lost; trained codes have little of it.
    """
    if len(codes) < 2 * CALIBRATION_ROWS:
        return codes[:CALIBRATION_ROWS]
    run = len(codes) // CALIBRATION_ROWS
    values = np.sort(codes[: run * CALIBRATION_ROWS], axis=0).reshape(CALIBRATION_ROWS, run, -1).mean(axis=1)
    shuffled: np.ndarray = np.random.default_rng(0).permuted(values, axis=0)
    return shuffled


def for_inference(network: Autoencoder) -> Autoencoder:
    """A copy for the simulator: settled (:func:`csisim.feedback.nets.blocks.settle`), and in the faster memory layout."""
    network = copy.deepcopy(network).eval()
    settle(network)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    if network.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def save(
    path: str,
    config: NetConfig,
    network: Autoencoder,
    calibration_images: np.ndarray,
    *,
    statistics: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    seed: int = 0,
    score: Mapping[str, Any] | None = None,
) -> None:
    """Write a network's weights with the codes of some training images, from which any quantiser follows.

    Parameters
    ----------
    path : str
    config : NetConfig
    network : Autoencoder
    calibration_images : (n, 2, angle, delay) real
        Normalised training images, the more the better.
    """
    angles, delays = calibration_images.shape[-2:]
    parameters = with_codes(config, network, calibration_images)
    dims = {"angles": angles, "delays": delays, "calibration": len(parameters[CALIBRATION])}
    header = Header(
        f"codec/{config.kind}", config.architecture, dims, dict(statistics or {}), 0.0, dict(recipe or {}), seed, dict(score or {})
    )
    write(path, parameters, header)
