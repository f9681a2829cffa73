"""Between CSI and images: the delay-angle domain, and one scale factor per image.

A codec compresses images: (2, angle, delay), real and imaginary part of a channel whose angle axis has angle zero in its middle,
the layout of the CsiNet data set. An image belongs to one user and one receive chain (domain ``delay_angle``), or to one user
and one subcarrier (domain ``beams``, for equivalent channels between beams, where neither axis is an angle).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from csisim.feedback.report import SCALE_BITS as SCALE_BITS
from csisim.feedback.report import CsiError as CsiError
from csisim.phy.transforms import delay_angle_to_frequency, frequency_to_delay_angle

Domain = Literal["delay_angle", "beams"]
Scaling = Literal["published", "unit"]


@dataclass(frozen=True)
class ImageLayout:
    """How the CSI of one scheme becomes images and back.

    Attributes
    ----------
    shape : (D, K, S, R, T)
    dtype : complex dtype of the CSI
    domain : "delay_angle" or "beams"
    delays : int
        Taps kept in domain ``delay_angle``; the others are dropped, and zero again at the base station.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    domain: Domain
    delays: int

    @classmethod
    def of(cls, shape: tuple[int, ...], dtype: np.dtype, domain: Domain, delays: int | None) -> "ImageLayout":
        """The layout for CSI (D, K, S, R, T); ``delays`` left out keeps every tap.

        Raises
        ------
        CsiError
            If there are fewer subcarriers than taps to keep.
        """
        subcarriers, chains = shape[2], shape[3]
        if domain == "beams":
            return cls(tuple(shape), np.dtype(dtype), domain, chains)
        if delays is not None and delays > subcarriers:
            raise CsiError(f"delays: {delays} taps cannot be told apart on {subcarriers} subcarriers")
        return cls(tuple(shape), np.dtype(dtype), domain, delays or subcarriers)

    @property
    def angles(self) -> int:
        """Length of an image's first axis: antennas or beams at the base station."""
        return self.shape[4]

    @property
    def per_user(self) -> int:
        """Images per user."""
        return self.shape[3] if self.domain == "delay_angle" else self.shape[2]

    def to_images(self, csi: np.ndarray) -> np.ndarray:
        """Complex images (D, K, n, angle, delay) of CSI (D, K, S, R, T)."""
        if self.domain == "beams":
            return csi.swapaxes(-1, -2)
        return frequency_to_delay_angle(np.moveaxis(csi, 3, 2), self.delays, centred=True).swapaxes(-1, -2)

    def to_csi(self, images: np.ndarray) -> np.ndarray:
        """CSI (D, K, S, R, T) of complex images (D, K, n, angle, delay)."""
        images = images.astype(self.dtype, copy=False).swapaxes(-1, -2)
        if self.domain == "beams":
            return images
        return np.moveaxis(delay_angle_to_frequency(images, self.shape[2], centred=True), 2, 3)


def scale_of(images: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Scale factor of complex images (..., angle, delay), (...) float16, never zero.

    ``published``: twice the largest magnitude, so that image / scale + 0.5 lies in [0, 1]; ``unit``: the root mean square.
    """
    power = images.real.astype(np.float64) ** 2 + images.imag.astype(np.float64) ** 2
    largest = 2 * np.sqrt(power.max(axis=(-1, -2)))
    scale = largest if scaling == "published" else np.sqrt(power.mean(axis=(-1, -2)))
    return np.clip(scale, np.finfo(np.float16).smallest_normal, np.finfo(np.float16).max).astype(np.float16)


def normalise(images: np.ndarray, scale: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Real images (..., 2, angle, delay) float32 of complex images and their scale factors."""
    scaled = images / scale[..., None, None].astype(np.float64)
    image = np.stack([scaled.real, scaled.imag], axis=-3)
    return (image + 0.5 if scaling == "published" else image).astype(np.float32)


def denormalise(image: np.ndarray, scale: np.ndarray, scaling: Scaling) -> np.ndarray:
    """The inverse of :func:`normalise`: complex128 images (..., angle, delay)."""
    centred = np.asarray(image, np.float64) - (0.5 if scaling == "published" else 0.0)
    return (centred[..., 0, :, :] + 1j * centred[..., 1, :, :]) * scale[..., None, None].astype(np.float64)
