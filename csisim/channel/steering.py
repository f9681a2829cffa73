"""Array responses and dense channels of many rays at once.

A response is a geometric sequence, so it is built by *doubling*, ``a[L:2L] = a[:L] z^L``: a vectorised multiplication instead of
an exponential per antenna, with an error that grows with log2 N. Phases are exact in float64; only products are single.
"""

from functools import cached_property

import numpy as np
from numba import njit

from csisim.channel.base import FactoredState, Geometry

Grid = tuple[int, int]  # rows, columns of an array


class RayGeometry(Geometry):
    """Uniform arrays' responses to rays, computed from the phase steps when first asked for.

    Parameters
    ----------
    steps : two arrays (2, D, K, P) float64
        Phase steps along a row and up a column (:func:`csisim.phy.arrays.phase_steps`), at the receiver and at the transmitter.
    grids : rows and columns of the receive and of the transmit array
    dtype : complex dtype of the responses
    """

    def __init__(self, steps: tuple[np.ndarray, np.ndarray], grids: tuple[Grid, Grid], dtype: np.dtype):
        rx, tx = (responses(of_end, grid, dtype) for of_end, grid in zip(steps, grids, strict=True))
        super().__init__(rx, tx)

    @cached_property
    def _overlap(self) -> np.ndarray:
        """Inner products of the rays' rank-one matrices, (D, K, P, P)."""
        rx, tx = self.rx, self.tx
        return (rx.conj().swapaxes(-1, -2) @ rx) * (tx.conj().swapaxes(-1, -2) @ tx).conj()

    def power(self, gains: np.ndarray) -> np.ndarray:
        """||H||_F^2 (D, K, S) for gains (D, K, S, P), without forming H."""
        return np.einsum("dksp,dkpq,dksq->dks", gains.conj(), self._overlap, gains, optimize=True).real


class RayState(FactoredState):
    """A state over rays."""


def responses(steps: np.ndarray, grid: Grid, dtype: np.dtype) -> np.ndarray:
    """Responses (..., N, P) to the rays with phase steps (2, ..., P)."""
    rows, columns = grid
    phase = steps[1][..., None, None, :] * np.arange(rows)[:, None, None] + steps[0][..., None, None, :] * np.arange(columns)[:, None]
    a = np.exp(-1j * phase) / np.sqrt(rows * columns)
    return a.reshape(*steps.shape[1:-1], rows * columns, steps.shape[-1]).astype(dtype)
