"""The Karhunen-Loeve transform as a codec: no linear code of its length has a smaller error, and no network less training.

Fitted to images of unit norm it minimises the mean of the per-sample NMSE. Every table of learned codecs should show it.
"""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from csisim.channel.cost2100.presets import PRESETS
from csisim.channel.trace import locate
from csisim.errors import CsisimError
from csisim.feedback.code_quantisers import CodeQuantiser, Float32, LinearCodeQuantiserConfig
from csisim.feedback.costs import Costs, Side
from csisim.feedback.image_codec import ImageCodec, ImageCodecConfig
from csisim.feedback.images import Domain, ImageLayout
from csisim.feedback.sources import channels, recorded_images, trace_images

CALIBRATION_ROWS = 2048
PRESET_ANGLES = 32
DROPS = 6000  # of a preset: as many again gain less than 0.1 dB


class PcaConfig(ImageCodecConfig):
    """Principal components of a trace's channels."""

    kind: Literal["pca"] = "pca"
    file: str = Field(
        "cost2100_indoor",
        description="what the components are fitted to: a trace (packaged, .npz or .mat, as for channel kind trace), 6000 fresh drops "
        "of a COST 2100 preset (indoor_paper, indoor_public, outdoor_paper), or reports of `csisim trace record`, the only ones with beams",
    )
    centred_angles: bool | None = Field(
        None, description="the angle axis has angle zero in its middle; when left out: as for channel kind trace"
    )
    field: Literal["complex", "real"] = Field(
        "complex", description="complex: M/2 complex components, blind to a common phase; real: M components of real and imaginary parts"
    )
    quantiser: LinearCodeQuantiserConfig = Field(Float32(), description="what turns the code into bits")

    def costs(self, angles: int, delays: int) -> Costs:
        """A matrix at either end; complex components have half the numbers and the same multiplications."""
        length, numbers = self.code_length(angles, delays), 2 * angles * delays
        side = Side(length * numbers // (1 if self.field == "real" else 2), 0, {"mac": length * numbers})
        return Costs(side, side)


class Pca(ImageCodec):
    """The strongest principal components of an image."""

    Config = PcaConfig
    config: PcaConfig

    def model(self, angles: int, delays: int) -> "Klt":
        """Components of the trace for images of this size."""
        file = self.config.file
        return _fitted(self.config, angles, delays, 0 if file in PRESETS else locate(file).stat().st_mtime_ns)

    def bits_per_image(self, layout: ImageLayout) -> int:
        """Of the code. What suits a preset is known before its drops are drawn, so that nobody waits for them to hear it."""
        config, length = self.config, self.config.code_length(layout.angles, layout.delays)
        if config.file not in PRESETS or config.domain != "delay_angle" or length % 2 or length % getattr(config.quantiser, "dim", 1):
            return super().bits_per_image(layout)
        _check_size(config.file, (PRESET_ANGLES, layout.delays), (layout.angles, layout.delays))
        _check_rows(config, DROPS, length)
        return int(config.quantiser.num_bits(length))


class Klt(NamedTuple):
    """A linear code of images of unit power.

    Attributes
    ----------
    components : (n, N) complex or (n, 2 N) real, orthonormal rows
    shape : (angles, delays)
    quantiser : CodeQuantiser
    """

    components: np.ndarray
    shape: tuple[int, int]
    quantiser: CodeQuantiser

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Codes (n, M): the components' coefficients, complex ones as pairs."""
        real = not np.iscomplexobj(self.components)
        coefficients = as_vectors(images, real=real) @ self.components.conj().T
        return np.ascontiguousarray(coefficients).view(np.float64).astype(np.float32)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Images (n, 2, angle, delay)."""
        codes = np.ascontiguousarray(codes, np.float64)
        if not np.iscomplexobj(self.components):
            return (codes @ self.components).reshape(-1, 2, *self.shape)
        image = codes.view(np.complex128) @ self.components
        return np.stack([image.real, image.imag], axis=1).reshape(-1, 2, *self.shape)


def as_vectors(images: np.ndarray, *, real: bool) -> np.ndarray:
    """Images (n, 2, angle, delay) as real vectors (n, 2 N) or complex ones (n, N)."""
    if real:
        return images.reshape(len(images), -1).astype(np.float64)
    return (images[:, 0] + 1j * images[:, 1]).reshape(len(images), -1).astype(np.complex128)


def principal_components(images: np.ndarray, *, real: bool = False) -> np.ndarray:
    """Orthonormal rows (min(n, N), N), the strongest first, complex or for real vectors of twice the length.

    The mean is not taken out: it is a component like others.
    """
    vectors = as_vectors(images, real=real)
    if len(vectors) < vectors.shape[1]:
        _, left = np.linalg.eigh(vectors @ vectors.conj().T)
        rows = left[:, ::-1].conj().T @ vectors
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
    _, right = np.linalg.eigh(vectors.T @ vectors.conj())
    return right[:, ::-1].T


def as_real(components: np.ndarray) -> np.ndarray:
    """Complex orthonormal rows (n, N) as real ones (2 n, 2 N): what turns images into the same codes as :class:`Klt` does."""
    if not np.iscomplexobj(components):
        return components
    pairs = [np.concatenate([components.real, components.imag], axis=1), np.concatenate([-components.imag, components.real], axis=1)]
    return np.stack(pairs, axis=1).reshape(2 * len(components), -1)


@lru_cache(maxsize=32)
def _fitted(config: PcaConfig, angles: int, delays: int, modified_ns: int) -> Klt:
    length, real = config.code_length(angles, delays), config.field == "real"
    if length % 2 and not real:
        raise CsisimError(f"pca: a complex code has an even number of real numbers, not {length}")
    cut = config.delays is not None
    images, components = _basis(config.file, config.domain, config.centred_angles, delays, cut, modified_ns, real=real)
    _check_size(config.file, images.shape[2:], (angles, delays))
    count = _check_rows(config, len(images), length)
    bare = Klt(components[:count], (angles, delays), Float32())
    return bare._replace(quantiser=config.quantiser.prepare(bare.encode(images[:CALIBRATION_ROWS])))


def _check_size(file: str, present: tuple[int, ...], wanted: tuple[int, int]) -> None:
    if present[0] != wanted[0]:
        raise CsisimError(f"pca: {file} has {present[0]} angles, the images have {wanted[0]}")
    if present != wanted:
        raise CsisimError(f"pca: {file} has images of {present[0]} x {present[1]}, the scheme's are {wanted[0]} x {wanted[1]}")


def _check_rows(config: PcaConfig, present: int, length: int) -> int:
    """The components that a code of this ``length`` takes, if so many channels tell them."""
    count = length if config.field == "real" else length // 2
    if present < count:
        raise CsisimError(f"pca: the {present} channels of {config.file} cannot tell {count} components")
    return count


@lru_cache(maxsize=2)
def _basis(
    file: str, domain: Domain, middle: bool | None, delays: int, cut: bool, _modified_ns: int, *, real: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Images and principal components of a trace: of all its taps, folded onto ``delays``, or of its first ``delays`` taps (cut)."""
    images = recorded_images(file, domain, delays if cut else None)
    if images is None:
        rows, told = channels(file, DROPS)
        subcarriers = max(delays, rows.shape[1]) if cut else delays
        images = trace_images(rows, subcarriers, centred=told if middle is None else middle, delays=delays)
    elif middle is not None:
        raise CsisimError(f"pca: centred_angles is about traces of delays and angles, {file} has reports")
    return images, principal_components(images, real=real)
