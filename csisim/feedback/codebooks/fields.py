"""Bit strings made of fields whose widths differ from report to report, and combinatorial indices; whole batches at once."""

from functools import cache
from math import comb

import numpy as np


class Writer:
    """Bit strings of a batch under construction, most significant bit first.

    Parameters
    ----------
    batch : int
        Number of reports, B.
    capacity : int
        Longest possible report in bits; shorter ones end in zeros.
    """

    def __init__(self, batch: int, capacity: int) -> None:
        self.bits = np.zeros((batch, capacity), np.uint8)
        self.lengths = np.zeros(batch, np.int64)

    def write(self, values: np.ndarray, widths: np.ndarray | int) -> None:
        """Append numbers (B, n), each ``widths`` (scalar or (B, n)) bits wide; a width of 0 leaves a number out."""
        widths = np.broadcast_to(widths, values.shape)
        start = self.lengths[:, None] + np.cumsum(widths, axis=1) - widths
        for bit in range(int(widths.max(initial=0))):
            row, column = np.nonzero(bit < widths)
            self.bits[row, start[row, column] + bit] = (values >> np.maximum(widths - 1 - bit, 0))[row, column] & 1
        self.lengths = self.lengths + widths.sum(axis=1)


class Reader:
    """Reads what a :class:`Writer` wrote; beyond the end of a damaged string there are zeros."""

    def __init__(self, bits: np.ndarray) -> None:
        self.bits = bits
        self.position = np.zeros(len(bits), np.int64)

    def read(self, widths: np.ndarray | int, count: int) -> np.ndarray:
        """The next ``count`` numbers of every report, (B, count) int64; numbers of width 0 are 0."""
        widths = np.broadcast_to(widths, (len(self.bits), count))
        start = self.position[:, None] + np.cumsum(widths, axis=1) - widths
        values = np.zeros(widths.shape, np.int64)
        capacity = self.bits.shape[1]
        for bit in range(int(widths.max(initial=0))):
            there = bit < widths
            at = start + bit
            digit = np.take_along_axis(self.bits, np.minimum(at, capacity - 1), axis=1) * (at < capacity)
            values = np.where(there, 2 * values + digit, values)
        self.position = self.position + widths.sum(axis=1)
        return values


def width_of(count: int) -> int:
    """Bits that tell ``count`` things apart."""
    return (count - 1).bit_length()


def widths_of(counts: np.ndarray) -> np.ndarray:
    """:func:`width_of` of an integer array."""
    return np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64)


@cache
def _binomials(n: int, k: int) -> np.ndarray:
    """C(x, y) for x in 0..n and y in 0..k."""
    return np.array([[comb(x, y) for y in range(k + 1)] for x in range(n + 1)])


def combination_index(members: np.ndarray, size: int) -> np.ndarray:
    r"""Index :math:`\sum_i C(N - 1 - n^{(i)}, L - i)` of the ascending ``members`` (B, L) of a set of ``size`` N (TS 38.214, 5.2.2.2.3)."""
    count = members.shape[1]
    return _binomials(size, count)[size - 1 - members, count - np.arange(count)].sum(axis=1)


def combination_members(index: np.ndarray, size: int, count: int) -> np.ndarray:
    """The ascending members (B, ``count``) behind :func:`combination_index`; an index beyond the last is the last."""
    table = _binomials(size, count)
    rest = np.minimum(index, table[size, count] - 1)
    members = np.empty((len(index), count), np.int64)
    for i in range(count):
        largest = np.searchsorted(table[:, count - i], rest, side="right") - 1
        members[:, i] = size - 1 - largest
        rest = rest - table[largest, count - i]
    return members
