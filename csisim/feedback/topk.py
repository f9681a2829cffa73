"""The k strongest entries in the delay-angle domain: where they are, and what they are."""

from functools import lru_cache
from math import comb
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.errors import CsisimError
from csisim.feedback.bits import bits_to_integers, bits_to_scale, integers_to_bits, pack, unpack
from csisim.feedback.costs import Costs, Side
from csisim.feedback.image_codec import ImageState
from csisim.feedback.images import SCALE_BITS, Domain, ImageLayout, scale_of
from csisim.feedback.quantiser import gaussian_quantiser
from csisim.feedback.report import Report
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


class TopK:
    """Per image: a scale factor (16-bit float), the positions of the k strongest entries, and their quantised values.

    The positions are one number below C(N, k), in the fewest bits that hold it: no code for sets is shorter in the worst case.
    """

    Config = TopKConfig
    content: ClassVar[Literal["channel", "precoder"]] = "channel"

    def __init__(self, config: TopKConfig):
        self.config = config

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> ImageState:
        """What both ends know: the shape (D, K, S, R, T) and the precision."""
        return ImageState(ImageLayout.of(shape, dtype, self.config.domain, self.config.delays))

    def encode(self, csi: np.ndarray, state: ImageState) -> tuple[Report, ImageState]:
        """The report for ``csi`` (D, K, S, R, T).

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced.
        """
        layout = state.layout
        layout.check(csi)
        entries = layout.to_images(csi)
        entries = entries.reshape(-1, entries.shape[-2] * entries.shape[-1])
        kept, width = self._sizes(entries.shape[1])
        positions = np.sort(np.argsort(-np.abs(entries), axis=1, kind="stable")[:, :kept], axis=1)
        values = np.take_along_axis(entries, positions, axis=1)
        scale = scale_of(values[:, None], "unit") * np.float16(np.sqrt(0.5))  # of a real dimension
        scale = np.maximum(scale, np.finfo(np.float16).smallest_normal)
        parts = np.stack([values.real, values.imag], axis=-1).reshape(len(values), -1) / scale[:, None].astype(np.float64)
        fields = [
            integers_to_bits(scale.view(np.uint16)[:, None], SCALE_BITS),
            subset_to_bits(positions, entries.shape[1], width),
            integers_to_bits(gaussian_quantiser(self.config.bits).encode(parts), self.config.bits),
        ]
        string = np.concatenate(fields, axis=1).reshape(*csi.shape[:2], -1)
        free = SCALE_BITS * layout.per_user if self.config.scale == "genie" else 0
        return Report(pack(string), string.shape[-1] - free), state

    def decode(self, report: Report, state: ImageState) -> tuple[np.ndarray, ImageState]:
        """The CSI (D, K, S, R, T) that the bits describe."""
        layout = state.layout
        size = layout.angles * layout.delays
        kept, width = self._sizes(size)
        per_image = SCALE_BITS + width + 2 * kept * self.config.bits
        bits = unpack(report.payload, layout.per_user * per_image).reshape(-1, per_image)
        scale = bits_to_scale(bits[:, :SCALE_BITS])
        index = bits_to_integers(bits[:, SCALE_BITS + width :], self.config.bits)
        values = np.ascontiguousarray(gaussian_quantiser(self.config.bits).decode(index) * scale.astype(np.float64)).view(np.complex128)
        entries = np.zeros((len(bits), size), np.complex128)
        np.put_along_axis(entries, bits_to_subset(bits[:, SCALE_BITS : SCALE_BITS + width], size, kept), values, axis=1)
        images = entries.reshape(*report.payload.shape[:2], layout.per_user, layout.angles, layout.delays)
        return layout.to_csi(images), state

    def _sizes(self, entries: int) -> tuple[int, int]:
        """How many entries are kept, and the bits of their positions."""
        if self.config.reduction > entries:
            raise CsisimError(f"topk: reduction {self.config.reduction} leaves nothing of {entries} entries")
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
