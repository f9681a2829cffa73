r"""The alternating minimisation that SCA (Kang 2022, Algorithm 2) and WMMSE (Hu 2021, Algorithm 1) share, in Numba.

Both turn the sum rate into a weighted mean square error and go round: MMSE combiners W, weights from the error matrices
:math:`E_k = I - W_k^H H_k F_k`, then the precoder that minimises :math:`\sum_k \mathrm{tr}\, E_k^{-1} \mathrm{MSE}_k`.
SCA keeps the diagonal of E (streams decoded one by one), WMMSE all of it (streams of a user decoded jointly).

The precoder :math:`F = (\sum_k H_k^H W_k E_k^{-1} W_k^H H_k + \tau I)^{-1} H^H W E^{-1}` lives in the row space of the stacked
channel H (K R x T): :math:`F = H^H X`, and with :math:`G = H H^H` and W block diagonal (K R x K n) the same precoder is

.. math:: X = W (W^H G W + \tau E)^{-1}, \qquad H F = G X, \qquad \|f\|^2 = x^H G x,

so an iteration costs the same for any number of transmit chains, and no direction ever leaves double precision.
"""

import numpy as np
from numba import njit

#: no reordering that lets NaN or infinity through unseen
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}
_TINY = 1e-60


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _invert(a):
    """Invert a Hermitian positive definite matrix in place (Gauss-Jordan without pivoting); returns log det."""
    size = a.shape[0]
    log_det = 0.0
    for p in range(size):
        pivot = a[p, p].real
        log_det += np.log(pivot)
        a[p, p] = 1.0
        for c in range(size):
            a[p, c] /= pivot
        for i in range(size):
            if i != p:
                factor = a[i, p]
                a[i, p] = 0.0
                for c in range(size):
                    a[i, c] -= factor * a[p, c]
    return log_det


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _multiply(a, b, out):
    """out = a b, row by row so that the inner loop runs over contiguous memory."""
    for i in range(a.shape[0]):
        out[i] = 0.0
        for j in range(a.shape[1]):
            factor = a[i, j]
            for c in range(b.shape[1]):
                out[i, c] += factor * b[j, c]


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _combine(s, noise_power, a, w, e):
    """MMSE combiners w (K R, n) and error matrices e (K, n, n) of what is received, s = H F (K R, K n)."""
    num_users, num_streams = e.shape[0], e.shape[1]
    num_rx = a.shape[0]
    for k in range(num_users):
        row, col = k * num_rx, k * num_streams
        for i in range(num_rx):
            for j in range(i + 1):
                value = 0j
                for c in range(s.shape[1]):
                    value += s[row + i, c] * np.conj(s[row + j, c])
                a[i, j], a[j, i] = value, np.conj(value)
            a[i, i] += noise_power
        _invert(a)
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
                    value -= np.conj(w[row + i, n]) * s[row + i, col + p]
                e[k, n, p] = value
            e[k, n, n] += 1.0


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _weigh(w, e, joint, floor, inverse):
    """Keep of E what the weights see, floored; returns sum_k tr(E_k^-1 W_k^H W_k) and -sum_k log det E_k."""
    num_users, num_streams = e.shape[0], e.shape[1]
    num_rx = w.shape[0] // num_users
    trace, rate = 0.0, 0.0
    for k in range(num_users):
        for n in range(num_streams):
            for p in range(num_streams):
                if n == p:
                    e[k, n, n] = max(e[k, n, n].real, floor)
                elif not joint:
                    e[k, n, p] = 0.0
                inverse[n, p] = e[k, n, p]
        rate -= _invert(inverse)
        for n in range(num_streams):
            for p in range(num_streams):
                value = 0j
                for i in range(k * num_rx, (k + 1) * num_rx):
                    value += w[i, n] * np.conj(w[i, p])
                trace += (inverse[p, n] * value).real
    return trace, rate


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _precode(g, w, e, tau, p, c, x, s):
    """x = W (W^H G W + tau E)^-1 and s = G x."""
    num_users, num_streams = e.shape[0], e.shape[1]
    num_rx = w.shape[0] // num_users
    size = g.shape[0]
    for k in range(num_users):
        for n in range(num_streams):
            row = k * num_streams + n
            p[row] = 0.0
            for i in range(k * num_rx, (k + 1) * num_rx):
                factor = np.conj(w[i, n])
                for j in range(size):
                    p[row, j] += factor * g[i, j]
            for m in range(k + 1):
                for q in range(num_streams):
                    value = 0j
                    for i in range(m * num_rx, (m + 1) * num_rx):
                        value += p[row, i] * w[i, q]
                    if m == k:
                        value += tau * e[k, n, q]
                    c[row, m * num_streams + q] = value
                    c[m * num_streams + q, row] = np.conj(value)
    _invert(c)
    for k in range(num_users):
        for i in range(k * num_rx, (k + 1) * num_rx):
            x[i] = 0.0
            for n in range(num_streams):
                factor = w[i, n]
                for j in range(c.shape[1]):
                    x[i, j] += factor * c[k * num_streams + n, j]
    _multiply(g, x, s)


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def _rescale(x, s, num_users, total, per_user):
    """Meet the power constraint: the norm of a column is x^H G x = x^H s."""
    num_streams = x.shape[1] // num_users
    power = np.zeros(num_users)
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            power[c // num_streams] += x[i, c].real * s[i, c].real + x[i, c].imag * s[i, c].imag
    everything = power.sum()
    for c in range(x.shape[1]):
        if per_user:
            scale = np.sqrt(total / num_users / max(power[c // num_streams], _TINY))
        else:
            scale = np.sqrt(total / max(everything, _TINY))
        for i in range(x.shape[0]):
            x[i, c] *= scale
            s[i, c] *= scale


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
                value -= np.conj(w[i, n]) * s[i, c]
            error += value.real**2 + value.imag**2
        t[row] = min(max(t[row] + 1.0 - error * np.exp(t[row]), -10.0), 12.0)


@njit(cache=True, fastmath=_FASTMATH, error_model="numpy")
def alternate(channel, precoder, noise_power, total, per_user, joint, recursion, iterations, tolerance, floor):
    """Improve precoders in place; one problem after the other, so a result never depends on the batch it is in.

    Parameters
    ----------
    channel : (B, K, R, T) complex128
    precoder : (B, K, T, n) complex128
        The start, which meets the power constraint; overwritten with the result (up to rounding of its norm).
    noise_power, total : float
    per_user : bool
        Every user ``total / K`` (by rescaling), or all together ``total``.
    joint : bool
        Weights from the whole error matrix (WMMSE) or from its diagonal (SCA).
    recursion : bool
        Weights of the dual recursion of Algorithm 2 instead of the MMSE weights it converges to.
    iterations : int
    tolerance : float
        Stop, after 20 iterations at the earliest, when the rate grows by less than this fraction; 0 never stops.
    floor : float
        Smallest error a weight may see.
    """
    batch, num_users, num_rx, num_tx = channel.shape
    num_streams = precoder.shape[3]
    rows, columns = num_users * num_rx, num_users * num_streams
    g, s, x = np.empty((rows, rows), np.complex128), np.empty((rows, columns), np.complex128), np.empty((rows, columns), np.complex128)
    w, e = np.empty((rows, num_streams), np.complex128), np.empty((num_users, num_streams, num_streams), np.complex128)
    a, small = np.empty((num_rx, num_rx), np.complex128), np.empty((num_streams, num_streams), np.complex128)
    p, c = np.empty((columns, rows), np.complex128), np.empty((columns, columns), np.complex128)
    f, adjoint = np.empty((num_tx, columns), np.complex128), np.empty((num_tx, rows), np.complex128)
    t = np.empty(columns)
    for b in range(batch):
        h = channel[b].reshape(rows, num_tx)
        for k in range(num_users):
            for n in range(num_streams):
                f[:, k * num_streams + n] = precoder[b, k, :, n]
        adjoint[:] = np.conj(h.T)
        _multiply(h, adjoint, g)
        _multiply(h, f, s)
        t[:] = 0.0
        before = 0.0
        for iteration in range(iterations):
            _combine(s, noise_power, a, w, e)
            if recursion:
                for row in range(columns):
                    e[row // num_streams, row % num_streams, row % num_streams] = np.exp(-t[row])
            trace, rate = _weigh(w, e, joint, floor, small)
            if iteration >= 20 and rate - before < tolerance * rate:
                break
            before = rate
            _precode(g, w, e, max(noise_power * trace / total, _TINY), p, c, x, s)
            _rescale(x, s, num_users, total, per_user)
            if recursion:
                _recurse(t, w, s, noise_power)
        if iterations > 0:
            _multiply(adjoint, x, f)
        for k in range(num_users):
            for n in range(num_streams):
                precoder[b, k, :, n] = f[:, k * num_streams + n]
