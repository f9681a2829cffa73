r"""The alternating minimisation that SCA (Kang 2022, Algorithm 2) and WMMSE (Hu 2021, Algorithm 1) share, in Numba.

Both turn the sum rate into a weighted mean square error and go round: MMSE combiners W, weights from the error matrices
:math:`E_k = I - W_k^H H_k F_k`, then the precoder that minimises :math:`\sum_k \mathrm{tr}\, E_k^{-1} \mathrm{MSE}_k`.
SCA keeps the diagonal of E (streams decoded one by one), WMMSE all of it (streams of a user decoded jointly).

The precoder :math:`F = (\sum_k H_k^H W_k E_k^{-1} W_k^H H_k + \tau I)^{-1} H^H W E^{-1}` lives in the row space of the stacked
channel H (K R x T): :math:`F = H^H X`, and with :math:`G = H H^H` and W block diagonal (K R x K n) the same precoder is

.. math:: X = W (W^H G W + \tau E)^{-1}, \qquad H F = G X, \qquad \|f\|^2 = x^H G x,

so an iteration costs the same for any number of transmit chains. One problem at a time, always in double precision: that
is little slower than single precision in these loops, needs one compilation, and makes Gram matrices harmless.
"""

import numpy as np
from numba import njit

from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint
from csisim.phy.power import normalise

#: no licence to assume that NaN and infinity never happen
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}
_TINY = 1e-60
#: smallest error that a weight may see, just above what double precision leaves of 1 - w^H H f
_SMALLEST_ERROR = 1e-12


def alternate(
    channel: np.ndarray,
    start: np.ndarray,
    noise_power: float,
    power: PowerBudget,
    *,
    joint: bool,
    recursion: bool = False,
    iterations: int,
    tolerance: float = 0.0,
    user_weights: np.ndarray | None = None,
) -> np.ndarray:
    """Improve precoders; one problem after the other, so that a result never depends on the batch it is in.

    Parameters
    ----------
    channel : (B, K, R, T) complex
    start : (B, K, T, n) complex
        Meets the power constraint, which every iteration meets again by rescaling.
    joint
        Weights from the whole error matrix (WMMSE) or from its diagonal (SCA).
    recursion
        Weights of the dual recursion of Kang's Algorithm 2 instead of the MMSE weights that it converges to.
    iterations
        Updates of the precoder.
    tolerance
        Stop, after 20 iterations at the earliest, when the rate grows by less than this fraction; 0 never stops.
    user_weights : (K,), optional
        Positive priorities of the users' rates; all alike by default.

    Returns
    -------
    (B, K, T, n) complex, of the channel's type; computed in double precision
    """
    if iterations == 0:
        return start
    batch, num_users, num_rx, num_tx = channel.shape
    num_streams = start.shape[3]
    rows, columns = num_users * num_rx, num_users * num_streams
    h = channel.reshape(batch, rows, num_tx).astype(np.complex128)
    back = np.ascontiguousarray(adjoint(h))
    received = h @ np.moveaxis(start, 1, 2).reshape(batch, num_tx, columns)
    coordinates = np.empty_like(received)
    _alternate(
        h @ back,
        received,
        coordinates,
        num_users,
        float(noise_power),
        float(power.total),
        power.constraint == "per_user",
        joint,
        recursion,
        int(iterations),
        float(tolerance),
        np.ones(num_users) if user_weights is None else np.ascontiguousarray(user_weights, np.float64),
    )
    precoder = np.moveaxis((back @ coordinates).reshape(batch, num_tx, num_users, num_streams), 2, 1)
    return normalise(precoder, power).astype(channel.dtype)


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _alternate(gram, received, coordinates, num_users, noise_power, total, per_user, joint, recursion, iterations, tolerance, priority):
    """The iterations on G (B, K R, K R), H F (B, K R, K n) and X (B, K R, K n), the last two overwritten."""
    batch, rows, columns = received.shape
    num_rx, num_streams = rows // num_users, columns // num_users
    w, e = np.empty((rows, num_streams), np.complex128), np.empty((num_users, num_streams, num_streams), np.complex128)
    a, p = np.empty((num_rx, num_rx), np.complex128), np.empty((columns, rows), np.complex128)
    q, c = np.empty((rows, columns), np.complex128), np.empty((columns, columns), np.complex128)
    small, pivot_row = np.empty((num_streams, num_streams), np.complex128), np.empty(max(rows, columns), np.complex128)
    t, scale = np.empty(columns), np.empty(columns)
    for b in range(batch):
        g, s, x = gram[b], received[b], coordinates[b]
        for i in range(columns):
            t[i] = 0.0
        before = 0.0
        for iteration in range(iterations):
            _combine(s, noise_power, a, pivot_row, w, e)
            trace, rate = _weigh(w, e, t, priority, joint, recursion, small, pivot_row)
            if iteration >= 20 and rate - before < tolerance * rate:
                break
            before = rate
            _precode(g, w, e, max(noise_power * trace / total, _TINY), p, q, c, pivot_row, x)
            _multiply(g, x, s)
            _rescale(x, s, num_users, total, per_user, scale)
            if recursion:
                _recurse(t, w, s, noise_power)


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _invert(a, pivot_row):
    """Invert a Hermitian positive definite matrix in place (Gauss-Jordan, no pivoting needed); returns its determinant."""
    size = a.shape[0]
    if size == 2:  # two antennas, two streams: most of an iteration would go into the loops around a few products
        determinant = a[0, 0].real * a[1, 1].real - (a[0, 1].real ** 2 + a[0, 1].imag ** 2)
        scale = 1.0 / determinant
        a[0, 0], a[1, 1] = scale * a[1, 1].real, scale * a[0, 0].real
        a[0, 1], a[1, 0] = -scale * a[0, 1], -scale * a[1, 0]
        return determinant
    determinant = 1.0
    for p in range(size):
        pivot = a[p, p].real
        determinant *= pivot
        scale = 1.0 / pivot
        for c in range(size):
            pivot_row[c] = a[p, c] * scale
        for i in range(size):
            if i != p:
                factor = a[i, p]
                for c in range(size):
                    a[i, c] -= factor * pivot_row[c]
                a[i, p] = -factor * scale
        for c in range(size):
            a[p, c] = pivot_row[c]
        a[p, p] = scale
    return determinant


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _multiply(a, b, out):
    """out = a b. Four rows of b at a time spare memory traffic; successive rows of ``out`` need not wait for one another."""
    inner, fours = b.shape[0], b.shape[0] - b.shape[0] % 4
    for i in range(a.shape[0]):
        for c in range(b.shape[1]):
            out[i, c] = 0.0
    for j in range(0, fours, 4):
        for i in range(a.shape[0]):
            a0, a1, a2, a3 = a[i, j], a[i, j + 1], a[i, j + 2], a[i, j + 3]
            for c in range(b.shape[1]):
                out[i, c] += a0 * b[j, c] + a1 * b[j + 1, c] + a2 * b[j + 2, c] + a3 * b[j + 3, c]
    for j in range(fours, inner):
        for i in range(a.shape[0]):
            for c in range(b.shape[1]):
                out[i, c] += a[i, j] * b[j, c]


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _combine(s, noise_power, a, pivot_row, w, e):
    """MMSE combiners w (K R, n) and error matrices e (K, n, n) of what is received, s = H F (K R, K n)."""
    num_users, num_streams = e.shape[0], e.shape[1]
    num_rx = a.shape[0]
    for k in range(num_users):
        row, col = k * num_rx, k * num_streams
        for i in range(num_rx):
            for j in range(i + 1):
                value = 0j
                for c in range(s.shape[1]):
                    value += s[row + i, c] * s[row + j, c].conjugate()
                a[i, j], a[j, i] = value, value.conjugate()
            a[i, i] += noise_power
        _invert(a, pivot_row)
        for n in range(num_streams):
            for i in range(num_rx):
                value = 0j
                for j in range(num_rx):
                    value += a[i, j] * s[row + j, col + n]
                w[row + i, n] = value
        for n in range(num_streams):
            for p in range(num_streams):
                value = 0j
                for i in range(num_rx):
                    value -= w[row + i, n].conjugate() * s[row + i, col + p]
                e[k, n, p] = value
            e[k, n, n] += 1.0


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _weigh(w, e, t, priority, joint, recursion, inverse, pivot_row):
    """Keep of E what the weights shall see, and divide it by the priorities p_k, so that they are p_k E_k^-1.

    Returns sum_k p_k tr(E_k^-1 W_k^H W_k) and -sum_k p_k log det E_k.
    """
    num_users, num_streams = e.shape[0], e.shape[1]
    num_rx = w.shape[0] // num_users
    trace, rate = 0.0, 0.0
    for k in range(num_users):
        for n in range(num_streams):
            for m in range(num_streams):
                if n == m:
                    error = np.exp(-t[k * num_streams + n]) if recursion else e[k, n, n].real
                    e[k, n, n] = max(error, _SMALLEST_ERROR)
                elif not joint:
                    e[k, n, m] = 0.0
                inverse[n, m] = e[k, n, m]
        rate -= priority[k] * np.log(_invert(inverse, pivot_row))
        for n in range(num_streams):
            for m in range(num_streams):
                if joint or n == m:
                    value = 0j
                    for i in range(k * num_rx, (k + 1) * num_rx):
                        value += w[i, n].conjugate() * w[i, m]
                    trace += priority[k] * (inverse[m, n] * value).real
                e[k, n, m] /= priority[k]
    return trace, rate


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _precode(g, w, e, tau, p, q, c, pivot_row, x):
    """x = W (W^H G W + tau E)^-1, by rows: p = W^H G, q = p^H, c = W^H q + tau E."""
    num_users, num_streams = e.shape[0], e.shape[1]
    num_rx, rows, columns = w.shape[0] // num_users, g.shape[0], c.shape[0]
    p[:], c[:], x[:] = 0.0, 0.0, 0.0
    for k in range(num_users):
        for i in range(k * num_rx, (k + 1) * num_rx):
            for n in range(num_streams):
                factor = w[i, n].conjugate()
                for j in range(rows):
                    p[k * num_streams + n, j] += factor * g[i, j]
    for i in range(rows):
        for j in range(columns):
            q[i, j] = p[j, i].conjugate()
    for k in range(num_users):
        for i in range(k * num_rx, (k + 1) * num_rx):
            for n in range(num_streams):
                factor = w[i, n].conjugate()
                for j in range(columns):
                    c[k * num_streams + n, j] += factor * q[i, j]
        for n in range(num_streams):
            for m in range(num_streams):
                c[k * num_streams + n, k * num_streams + m] += tau * e[k, n, m]
    _invert(c, pivot_row)
    for k in range(num_users):
        for n in range(num_streams):
            for i in range(k * num_rx, (k + 1) * num_rx):
                factor = w[i, n]
                for j in range(columns):
                    x[i, j] += factor * c[k * num_streams + n, j]


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _rescale(x, s, num_users, total, per_user, scale):
    """Meet the power constraint: the squared norm of a precoder's column is x^H G x = x^H s."""
    columns = x.shape[1]
    num_streams = columns // num_users
    scale[:] = 0.0
    for i in range(x.shape[0]):
        for c in range(columns):
            scale[c] += x[i, c].real * s[i, c].real + x[i, c].imag * s[i, c].imag
    everything = scale.sum()
    for k in range(num_users):
        own = scale[k * num_streams : (k + 1) * num_streams]
        own[:] = np.sqrt(total / num_users / max(own.sum(), _TINY) if per_user else total / max(everything, _TINY))
    for i in range(x.shape[0]):
        for c in range(columns):
            x[i, c] *= scale[c]
            s[i, c] *= scale[c]


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _recurse(t, w, s, noise_power):
    """One step of the dual recursion t <- t + 1 - eps e^t with the errors eps of the new precoder (Kang 2022, eq. 23, step 8)."""
    num_streams = w.shape[1]
    num_rx = w.shape[0] * num_streams // t.size
    for row in range(t.size):
        k, n = row // num_streams, row % num_streams
        error = 0.0
        for i in range(k * num_rx, (k + 1) * num_rx):
            error += noise_power * (w[i, n].real ** 2 + w[i, n].imag ** 2)
        for c in range(t.size):
            value = 1.0 + 0j if c == row else 0j
            for i in range(k * num_rx, (k + 1) * num_rx):
                value -= w[i, n].conjugate() * s[i, c]
            error += value.real**2 + value.imag**2
        t[row] = min(max(t[row] + 1.0 - error * np.exp(t[row]), -10.0), 12.0)
