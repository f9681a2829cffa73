"""The k strongest entries in the delay-angle domain: where they are, and what they are."""

from functools import lru_cache
from math import comb
from typing import Literal

import numpy as np
from pydantic import Field

from csisim.errors import CsisimError
from csisim.feedback.bits import bits_to_integers, integers_to_bits
from csisim.feedback.costs import Costs, Side
from csisim.feedback.image_codec import ImageReports
from csisim.feedback.images import Domain, ImageLayout, scale_of
from csisim.feedback.quantiser import gaussian_quantiser
from csisim.registry import Component


class TopKConfig(Component):
    """Positions of the strongest entries by enumeration, their values with a Gaussian Lloyd-Max quantiser."""

    kind: Literal["topk"] = "topk"
    domain: Domain = Field("delay_angle", description="images of taps and angles, or beams: of receive and transmit chains")
    delays: int | None = Field(None, ge=1, description="taps considered (delay_angle only); all when left out")
    reduction: int = Field(4, ge=1, description="1/reduction of an image's entries are kept, at least one")
    bits: int = Field(4, ge=1, le=8, description="bits per real dimension of a kept entry")
    scale: Literal["report", "genie"] = Field(
        "report", description="book the 16 bits of every image's scale factor, or let a genie carry them"
    )

    def costs(self, angles: int, delays: int) -> Costs:
        """Nothing is multiplied; the transforms to angles and delays are common to all codecs and not counted."""
        return Costs(Side(0, 0, {"mac": 0}), Side(0, 0, {"mac": 0}))


class TopK(ImageReports):
    """Per image: a scale factor (16-bit float), the positions of the k strongest entries, and their quantised values.

    The positions are one number below C(N, k), in the fewest bits that hold it: no code for sets is shorter in the worst case.
    """

    Config = TopKConfig
    config: TopKConfig

    def bits_per_image(self, layout: ImageLayout) -> int:
        """Of positions and values."""
        kept, width = self._sizes(layout.angles * layout.delays)
        return width + 2 * kept * self.config.bits

    def spell(self, images: np.ndarray, layout: ImageLayout) -> tuple[np.ndarray, np.ndarray]:
        """Positions, then values relative to the root mean square of their real and imaginary parts."""
        entries = images.reshape(len(images), -1)
        kept, width = self._sizes(entries.shape[1])
        positions = np.sort(np.argsort(-np.abs(entries), axis=1, kind="stable")[:, :kept], axis=1)
        values = np.take_along_axis(entries, positions, axis=1)
        scale = scale_of(values[:, None], "unit") * np.float16(np.sqrt(0.5))  # of a real dimension
        scale = np.maximum(scale, np.finfo(np.float16).smallest_normal)
        parts = np.stack([values.real, values.imag], axis=-1).reshape(len(values), -1) / scale[:, None].astype(np.float64)
        index = integers_to_bits(gaussian_quantiser(self.config.bits).encode(parts), self.config.bits)
        return scale, np.concatenate([subset_to_bits(positions, entries.shape[1], width), index], axis=1)

    def read(self, scale: np.ndarray, bits: np.ndarray, layout: ImageLayout) -> np.ndarray:
        """Values where they belong, zeros elsewhere."""
        size = layout.angles * layout.delays
        kept, width = self._sizes(size)
        levels = gaussian_quantiser(self.config.bits).decode(bits_to_integers(bits[:, width:], self.config.bits))
        values = np.ascontiguousarray(levels * scale[:, None].astype(np.float64)).view(np.complex128)
        entries = np.zeros((len(bits), size), np.complex128)
        np.put_along_axis(entries, bits_to_subset(bits[:, :width], size, kept), values, axis=1)
        return entries

    def _sizes(self, entries: int) -> tuple[int, int]:
        """How many entries are kept, and the bits of their positions."""
        if self.config.reduction > entries:
            raise CsisimError(f"topk: reduction {self.config.reduction} leaves nothing of {entries} entries (reduction <= {entries})")
        kept = entries // self.config.reduction
        return kept, (comb(entries, kept) - 1).bit_length()


@lru_cache(maxsize=4)
def _binomials(size: int, kept: int) -> list[list[int]]:
    """C(c, j) for c < size and j <= kept."""
    rows = [[1] + [0] * kept]
    for _ in range(size - 1):
        last = rows[-1]
        rows.append([1, *(last[j - 1] + last[j] for j in range(1, kept + 1))])
    return rows


def subset_to_bits(positions: np.ndarray, size: int, width: int) -> np.ndarray:
    """Sorted positions (n, k) below ``size`` as bits (n, width): the combinatorial number sum_j C(p_j, j + 1)."""
    table = _binomials(size, positions.shape[1])
    numbers = [sum(table[int(p)][j] for j, p in enumerate(row, 1)) for row in positions]
    octets = b"".join(number.to_bytes(-(-width // 8), "big") for number in numbers)
    bits = (
        np.unpackbits(np.frombuffer(octets, np.uint8).reshape(len(positions), -1), axis=1)
        if width
        else np.zeros((len(positions), 0), np.uint8)
    )
    return bits[:, bits.shape[1] - width :]


def bits_to_subset(bits: np.ndarray, size: int, kept: int) -> np.ndarray:
    """The positions (n, k) that :func:`subset_to_bits` spelled."""
    table = _binomials(size, kept)
    positions = np.empty((len(bits), kept), np.int64)
    for row, string in zip(positions, bits, strict=True):
        number = int("".join(map(str, string)) or "0", 2)
        position = size
        for j in range(kept, 0, -1):
            low, high = j - 1, position  # the largest position with C(position, j) <= number
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if table[middle][j] <= number else (low, middle)
            position = row[j - 1] = low
            number -= table[low][j]
    return positions
