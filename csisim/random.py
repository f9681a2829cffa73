"""Named random streams: who draws is decided by name, never by order, worker or cell number.

Two schemes, two SNRs or two worker counts that ask for the same name and indices get the same numbers,
so everything that is compared is compared on common random numbers.
"""

import zlib
from dataclasses import dataclass

import numpy as np


def stream(root: int, replica: int, name: str, *index: int) -> np.random.Generator:
    """The generator named ``name`` (and ``index``) of one replica of a scenario with seed ``root``."""
    key = (replica, zlib.crc32(name.encode()), *index)
    return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(root, spawn_key=key)))


@dataclass(frozen=True)
class Streams:
    """The streams of one block of drops: ``streams("channel.gains", superframe, user)``.

    Everything that is drawn per user takes the user's number as its last index, so that K users are a prefix of K + 1;
    within a draw the axis that is swept (RF chains, pilot symbols) comes first, for the same reason.
    """

    root: int
    replica: int = 0
    block: int = 0

    def __call__(self, name: str, *index: int) -> np.random.Generator:
        return stream(self.root, self.replica, name, self.block, *index)


def complex_normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype | type = np.complex64) -> np.ndarray:
    """Circularly symmetric complex normal draws of unit variance, filled in C order."""
    real = np.float32 if np.dtype(dtype) == np.complex64 else np.float64
    draws = rng.standard_normal((*shape, 2), dtype=real)
    draws *= np.sqrt(0.5).astype(real)
    return draws.view(dtype)[..., 0]
