"""Bit strings: integers of fixed width in and out, most significant bit first."""

import numpy as np


def integers_to_bits(values: np.ndarray, width: int) -> np.ndarray:
    """Unsigned integers (..., n) as bits (..., n * width) uint8, each number ``width`` bits wide.

    Raises
    ------
    ValueError
        If a number is negative or does not fit, or ``width`` is not in 1..32.
    """
    if not 1 <= width <= 32:
        raise ValueError(f"a width of {width} bits is not in 1..32")
    values = np.ascontiguousarray(values)
    if values.size and (values.min() < 0 or int(values.max()) >> width):
        raise ValueError(f"numbers between {values.min()} and {values.max()} do not fit into {width} bits")
    octets = values.astype(">u4").view(np.uint8).reshape(*values.shape, 4)
    bits = np.unpackbits(octets, axis=-1)[..., 32 - width :]
    return bits.reshape(*values.shape[:-1], values.shape[-1] * width)


def bits_to_integers(bits: np.ndarray, width: int) -> np.ndarray:
    """The integers (..., n) uint32 that :func:`integers_to_bits` spelled as bits (..., n * width)."""
    digits = bits.reshape(*bits.shape[:-1], bits.shape[-1] // width, width)
    padded = np.zeros((*digits.shape[:-1], 32), np.uint8)
    padded[..., 32 - width :] = digits
    return np.packbits(padded, axis=-1).view(">u4")[..., 0].astype(np.uint32)


def bits_to_scale(bits: np.ndarray) -> np.ndarray:
    """Scale factors (..., 1) float16 of bits (..., 16); damaged ones that are no positive number become the largest there is."""
    scale = np.abs(bits_to_integers(bits, 16).astype(np.uint16).view(np.float16))
    return np.where(np.isfinite(scale), scale, np.finfo(np.float16).max)


def pack(bits: np.ndarray) -> np.ndarray:
    """Bits (..., n) as bytes (..., ceil(n / 8)), zero-padded: a report's payload."""
    return np.packbits(bits, axis=-1)


def unpack(payload: np.ndarray, num_bits: int) -> np.ndarray:
    """The first ``num_bits`` bits (..., num_bits) of a payload (..., bytes)."""
    return np.unpackbits(payload, axis=-1, count=num_bits)
