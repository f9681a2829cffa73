"""Array responses and dense channels of many rays at once.

Two ideas make the kernels fast. A response is a geometric sequence, so it is built by *doubling*, ``a[L:2L] = a[:L] z^L``: a
vectorised product instead of an exponential per antenna, whose error grows with log2 N only; the phases stay in float64. And a
uniform array seen from its centre is conjugate symmetric, ``a[N-1-n] = a[n]*``, so the two ends of a row of H are the sum and
the difference of the same real products: half the arithmetic, done by one real matrix product per channel.
"""

import math
from collections import OrderedDict
from functools import cached_property

import numpy as np
from numba import njit

from csisim.channel.base import FactoredState, Geometry

Grid = tuple[int, int]  # rows, columns of an array


class RayGeometry(Geometry):
    """Uniform arrays' responses to rays, computed when first asked for.

    Parameters
    ----------
    steps : two (2, D, K, P) float64
        Phase steps along a row and up a column (:func:`csisim.phy.arrays.phase_steps`), of the receive and the transmit array.
    grids : two (rows, columns)
        Of the receive and the transmit array.
    dtype : complex dtype of the responses
    """

    def __init__(self, steps: tuple[np.ndarray, np.ndarray], grids: tuple[Grid, Grid], dtype: np.dtype):
        self.steps, self.grids, self.dtype = steps, grids, dtype
        self._cache = OrderedDict()

    @cached_property
    def rx(self) -> np.ndarray:  # type: ignore[override]
        """Receive responses (D, K, r, P)."""
        return responses(self.steps[0], self.grids[0], self.dtype)

    @cached_property
    def tx(self) -> np.ndarray:  # type: ignore[override]
        """Transmit responses (D, K, t, P)."""
        return responses(self.steps[1], self.grids[1], self.dtype)

    @cached_property
    def _overlap(self) -> np.ndarray:
        """Inner products of the rays' rank-one matrices, (D, K, P, P)."""
        rx, tx = self.rx, self.tx
        return (rx.conj().swapaxes(-1, -2) @ rx) * (tx.conj().swapaxes(-1, -2) @ tx).conj()

    def power(self, gains: np.ndarray) -> np.ndarray:
        """||H||_F^2 (D, K, S) for gains (D, K, S, P), without forming H."""
        return ((gains @ self._overlap.swapaxes(-1, -2)) * gains.conj()).sum(axis=-1).real


class PolarisedGeometry(RayGeometry):
    """Rays between arrays of which at least one is cross-polarised: a path for every ray and pair of polarisations.

    Path ``(ray * receive polarisations + i) * transmit polarisations + j`` arrives in polarisation i and leaves in j.
    """

    def __init__(self, steps: tuple[np.ndarray, np.ndarray], grids: tuple[Grid, Grid], dtype: np.dtype, polarisations: tuple[int, int]):
        super().__init__(steps, grids, dtype)
        self.polarisations = polarisations

    @cached_property
    def rx(self) -> np.ndarray:  # type: ignore[override]
        return self._polarised(0)

    @cached_property
    def tx(self) -> np.ndarray:  # type: ignore[override]
        return self._polarised(1)

    def _polarised(self, end: int) -> np.ndarray:
        """Responses (D, K, N, P) of one end: the array's own in the path's polarisation, nothing in the other."""
        count = self.polarisations[end]
        own = responses(self.steps[end], self.grids[end], self.dtype)  # (D, K, N / count, rays)
        pairs = np.arange(self.polarisations[0] * self.polarisations[1])
        of_pair = pairs // self.polarisations[1] if end == 0 else pairs % self.polarisations[1]
        active = np.arange(count)[:, None] == of_pair
        expanded = own[:, :, None, :, :, None] * active[:, None, None, :]
        return expanded.reshape(*own.shape[:2], count * own.shape[2], own.shape[3] * len(pairs))


class RayState(FactoredState):
    """A state over rays; its matrix comes straight from the angles, whether or not anybody needs the responses."""

    def matrix(self) -> np.ndarray:
        geometry = self.paths.geometry
        assert isinstance(geometry, RayGeometry)
        return dense(geometry.steps, geometry.grids, self.paths.gains)


def responses(steps: np.ndarray, grid: Grid, dtype: np.dtype) -> np.ndarray:
    """Responses (..., N, P) of an array to rays with phase steps (2, ..., P); equal to :func:`csisim.phy.arrays.response`."""
    shape = steps.shape[1:]
    rows, columns = grid
    out = np.empty((*shape[:-1], rows * columns, shape[-1]), dtype)
    along, up = (np.ascontiguousarray(step).reshape(-1, shape[-1]) for step in steps)
    _responses(along, up, columns, out.view(out.real.dtype).reshape(-1, rows * columns, 2 * shape[-1]))
    return out


def dense(steps: tuple[np.ndarray, np.ndarray], grids: tuple[Grid, Grid], gains: np.ndarray) -> np.ndarray:
    r"""Dense channels :math:`H = \sum_p g_p a_r a_t^H` straight from the phase steps.

    Parameters
    ----------
    steps : two (2, D, K, P) float64
        Phase steps of the receive and the transmit array.
    grids : two (rows, columns)
        Of the receive and the transmit array.
    gains : (D, K, S, P) complex

    Returns
    -------
    (D, K, S, r, t) complex, dtype of the gains
    """
    (rx_rows, rx_columns), (tx_rows, tx_columns) = grids
    num_rx, num_tx, num_paths = rx_rows * rx_columns, tx_rows * tx_columns, gains.shape[-1]
    h = np.empty((*gains.shape[:-1], num_rx, num_tx), gains.dtype)
    (rx_along, rx_up), (tx_along, tx_up) = ((np.ascontiguousarray(step).reshape(-1, num_paths) for step in end) for end in steps)
    num_subcarriers = gains.shape[-2]
    interleaved = h.view(h.real.dtype).reshape(-1, num_subcarriers, num_rx, 2 * num_tx)
    flat_gains = np.ascontiguousarray(gains).reshape(-1, num_subcarriers, num_paths)
    _dense(rx_along, rx_up, tx_along, tx_up, rx_columns, tx_columns, flat_gains, interleaved)
    return h


_kernel = njit(cache=True, fastmath=True, error_model="numpy")
_inlined = njit(inline="always", fastmath=True, error_model="numpy")  # a call per path would cost as much as the path


@_inlined
def _double(re, im, length, stop, step):
    """Continue a sequence known up to ``length``: element n + length is element n times exp(-j step)."""
    real = re.dtype.type
    z_re, z_im = math.cos(step), -math.sin(step)
    while length < stop:
        c, s = real(z_re), real(z_im)
        for n in range(min(length, stop - length)):
            re[length + n] = re[n] * c - im[n] * s
            im[length + n] = re[n] * s + im[n] * c
        z_re, z_im = z_re * z_re - z_im * z_im, 2.0 * z_re * z_im
        length *= 2


@_inlined
def _steer(re, im, columns, along, up):
    """Continue the first element of a response to all ``len(re)``, row after row."""
    _double(re, im, 1, min(columns, len(re)), along)
    if len(re) > columns:
        _double(re, im, columns, len(re), up)


@_kernel
def _responses(along, up, columns, out):
    """Responses into ``out`` (M, N, 2 P), real and imaginary parts interleaved."""
    num_elements = out.shape[1]
    re, im = np.empty(num_elements, out.dtype), np.empty(num_elements, out.dtype)
    re[0], im[0] = 1.0 / math.sqrt(num_elements), 0.0
    for m in range(out.shape[0]):
        for p in range(along.shape[1]):
            _steer(re, im, columns, along[m, p], up[m, p])
            for n in range(num_elements):
                out[m, n, 2 * p] = re[n]
                out[m, n, 2 * p + 1] = im[n]


@_kernel
def _dense(rx_along, rx_up, tx_along, tx_up, rx_columns, tx_columns, gains, out):
    """Channels into ``out`` (M, S, r, 2 t), real and imaginary parts interleaved.

    With a_t = (x + j y) e^(-j centre) and c = g a_r e^(j centre), element n of a row of H is (c_re x + c_im y) + j (c_im x - c_re y),
    and element t - 1 - n the same with y negated. So x and y of half the antennas (``right``) meet the parts of c (``left``) once.
    The subcarriers share x and y.
    """
    num_rx, num_tx, num_paths = out.shape[2], out.shape[3] // 2, gains.shape[2]
    tx_rows = num_tx // tx_columns
    half = (num_tx + 1) // 2
    scale = 1.0 / math.sqrt(num_rx * num_tx)
    left = np.empty((num_paths, 2 * num_rx), out.dtype)
    right = np.empty((num_paths, 2 * half), out.dtype)
    products = np.empty((2 * num_rx, 2 * half), out.dtype)
    turns = np.empty((num_paths, 2))
    for m in range(out.shape[0]):
        for p in range(num_paths):
            centre = 0.5 * ((tx_rows - 1) * tx_up[m, p] + (tx_columns - 1) * tx_along[m, p])
            turns[p, 0], turns[p, 1] = math.cos(centre), math.sin(centre)
            right[p, 0], right[p, half] = turns[p, 0], turns[p, 1]
            _steer(right[p, :half], right[p, half:], tx_columns, tx_along[m, p], tx_up[m, p])
        for f in range(out.shape[1]):
            for p in range(num_paths):
                c, s = turns[p, 0], turns[p, 1]
                g_re, g_im = scale * gains[m, f, p].real, scale * gains[m, f, p].imag
                left[p, 0], left[p, num_rx] = g_re * c - g_im * s, g_re * s + g_im * c
                _steer(left[p, :num_rx], left[p, num_rx:], rx_columns, rx_along[m, p], rx_up[m, p])
            np.dot(left.T, right, products)
            for i in range(num_rx):
                row, re, im = out[m, f, i], products[i], products[num_rx + i]
                for n in range(half):
                    row[2 * n] = re[n] + im[half + n]
                    row[2 * n + 1] = im[n] - re[half + n]
                for n in range(half):
                    row[2 * (num_tx - 1 - n)] = re[n] - im[half + n]
                    row[2 * (num_tx - 1 - n) + 1] = im[n] + re[half + n]
