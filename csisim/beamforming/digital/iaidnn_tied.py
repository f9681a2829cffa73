r"""The tied improved network in the K R dimensions of the receivers: as cheap a layer as an iteration of reduced WMMSE.

Scalars leave the precoders in the row space of the channel, :math:`V = H^H X`. With :math:`G = H H^H`, and U and
:math:`\Omega W` block diagonal,

.. math:: X = x\, U \bigl(\beta (\Omega W)^{-1} + U^H G U\bigr)^{-1} + z / \bar b\, U \Omega W,

:math:`\beta = \tfrac{\sigma^2}{P_T} \mathrm{tr}\, U \Omega W U^H` and
:math:`\bar b = \beta + \mathrm{tr}(U^H G U \Omega W) / (K n)`, is :math:`(x B^{-1} + z / \bar b\, I) H^H U \Omega W` exactly,
whatever N_t.
Scalars are complex, so that E, W and B are not Hermitian.
"""

from typing import Any

import numpy as np
from numba import njit

_OPTIONS: Any = {"cache": True, "fastmath": {"reassoc", "contract", "arcp", "nsz"}, "error_model": "numpy"}


def tied(
    parameters: dict[str, np.ndarray], channel: np.ndarray, start: np.ndarray, ratio: np.ndarray, priorities: np.ndarray
) -> np.ndarray:
    """Precoders (B, K, T, n), of any norm, of :func:`csisim.beamforming.digital.iaidnn.forward` for a tied improved network.

    Parameters
    ----------
    parameters : dict
        Scalars u_x, u_z, w_x, w_z (L,) and v_x, v_z (L - 1,).
    channel : (B, K, R, T) complex128
    start : (B, K, T, n) complex128
        Of any norm.
    ratio : (B,)
        Noise over transmit power.
    priorities : (K,)
        User weights.
    """
    batch, users, num_rx, num_tx = channel.shape
    n = start.shape[3]
    power = users * num_rx / (2.0 * num_tx)
    first = start * np.sqrt(power / np.sum(start.real**2 + start.imag**2, axis=(1, 2, 3), keepdims=True))
    h = channel.reshape(batch, users * num_rx, num_tx)
    adjoint = np.ascontiguousarray(h.conj().swapaxes(-1, -2))
    received = h @ np.moveaxis(first, 1, 2).reshape(batch, num_tx, users * n)
    coordinates = np.empty_like(received)
    layers = len(parameters["u_x"])
    theta = np.zeros((layers, 6), np.complex128)
    for i, name in enumerate(("u_x", "u_z", "w_x", "w_z", "v_x", "v_z")):
        theta[: len(parameters[name]), i] = parameters[name]
    theta[-1, 4:] = 1.0, 0.0  # the last layer has the true inverse (eq. 17)
    _run(h @ adjoint, received, coordinates, ratio * power, power, priorities, theta)
    return np.moveaxis((adjoint @ coordinates).reshape(batch, num_tx, users, n), 2, 1)


@njit(**_OPTIONS)
def _run(gram, received, coordinates, noise, power, priorities, theta):
    """All layers on G (B, K R, K R) and H V (B, K R, K n), which is overwritten, as is X (B, K R, K n)."""
    batch, rows, columns = received.shape
    users = len(priorities)
    num_rx, n = rows // users, columns // users
    u, m, mi = np.empty((rows, n), np.complex128), np.empty((users, n, n), np.complex128), np.empty((users, n, n), np.complex128)
    a, p = np.empty((num_rx, num_rx), np.complex128), np.empty((columns, rows), np.complex128)
    c, row = np.empty((columns, columns), np.complex128), np.empty(max(rows, columns), np.complex128)
    for b in range(batch):
        g, s, x = gram[b], received[b], coordinates[b]
        for layer in range(len(theta)):
            beta = noise[b] / power * _weigh(s, noise[b], priorities, theta[layer], a, row, u, m, mi)
            _solve(g, u, m, mi, beta, theta[layer], p, c, row, x)
            if layer == len(theta) - 1:
                break
            norm = _send(g, x, s)
            scale = np.sqrt(power / norm)
            for i in range(rows):
                for j in range(columns):
                    s[i, j] *= scale


@njit(**_OPTIONS)
def _invert(a, row):
    """Invert in place (Gauss-Jordan without pivoting: all these matrices are near Hermitian positive definite ones)."""
    size = a.shape[0]
    for p in range(size):
        pivot = a[p, p]
        scale = pivot.conjugate() / (pivot.real**2 + pivot.imag**2)
        for c in range(size):
            row[c] = a[p, c] * scale
        for i in range(size):
            if i != p:
                factor = a[i, p]
                for c in range(size):
                    a[i, c] -= factor * row[c]
                a[i, p] = -factor * scale
        for c in range(size):
            a[p, c] = row[c]
        a[p, p] = scale


@njit(**_OPTIONS)
def _weigh(s, noise, priorities, theta, a, row, u, m, mi):
    """Combiners u (K R, n), weights m = omega_k W_k and their inverses; returns sum_k tr(U_k M_k U_k^H)."""
    users, n, num_rx = m.shape[0], m.shape[1], a.shape[0]
    trace = 0j
    for k in range(users):
        r0, c0 = k * num_rx, k * n
        for i in range(num_rx):
            for j in range(i + 1):
                value = 0j
                for c in range(s.shape[1]):
                    value += s[r0 + i, c] * s[r0 + j, c].conjugate()
                a[i, j], a[j, i] = value, value.conjugate()
            a[i, i] += noise
        _invert(a, row)
        for q in range(n):
            for i in range(num_rx):
                value = 0j
                for j in range(num_rx):
                    value += a[i, j] * s[r0 + j, c0 + q]
                u[r0 + i, q] = theta[0] * value + theta[1] * s[r0 + i, c0 + q]
        for q in range(n):
            for j in range(n):
                value = 0j
                for i in range(num_rx):
                    value -= u[r0 + i, q].conjugate() * s[r0 + i, c0 + j]
                m[k, q, j] = value
            m[k, q, q] += 1.0
        _invert(m[k], row)
        for q in range(n):
            for j in range(n):
                m[k, q, j] *= theta[2]
            m[k, q, q] += theta[3]
            for j in range(n):
                m[k, q, j] *= priorities[k]
                mi[k, q, j] = m[k, q, j]
        _invert(mi[k], row)
        for q in range(n):
            for j in range(n):
                value = 0j
                for i in range(num_rx):
                    value += u[r0 + i, q] * u[r0 + i, j].conjugate()
                trace += value * m[k, q, j]
    return trace


@njit(**_OPTIONS)
def _solve(g, u, m, mi, beta, theta, p, c, row, x):
    """x = v_x U (beta M^-1 + U^H G U)^-1 + v_z / mean U M; p = U^H G by rows."""
    users, n = m.shape[0], m.shape[1]
    num_rx, rows, columns = u.shape[0] // users, g.shape[0], c.shape[0]
    for k in range(users):
        for q in range(n):
            for j in range(rows):
                p[k * n + q, j] = 0j
            for i in range(k * num_rx, (k + 1) * num_rx):
                factor = u[i, q].conjugate()
                for j in range(rows):
                    p[k * n + q, j] += factor * g[i, j]
    mean = beta
    for i in range(columns):
        for k in range(users):
            own = k * n <= i < (k + 1) * n
            for q in range(n):
                value = 0j
                for j in range(k * num_rx, (k + 1) * num_rx):
                    value += p[i, j] * u[j, q]
                if own:
                    mean += value * m[k, q, i - k * n] / columns
                    value += beta * mi[k, i - k * n, q]
                c[i, k * n + q] = value
    _invert(c, row)
    for k in range(users):
        for i in range(k * num_rx, (k + 1) * num_rx):
            for j in range(columns):
                x[i, j] = 0j
            for q in range(n):
                factor = theta[4] * u[i, q]
                for j in range(columns):
                    x[i, j] += factor * c[k * n + q, j]
                factor = theta[5] / mean * u[i, q]
                for j in range(n):
                    x[i, k * n + j] += factor * m[k, q, j]


@njit(**_OPTIONS)
def _send(g, x, s):
    """s = G x; returns tr(x^H s), the squared norm of the precoders."""
    rows, columns = x.shape
    fours, norm = rows - rows % 4, 0.0
    for i in range(rows):
        for c in range(columns):
            s[i, c] = 0j
    for j in range(0, fours, 4):  # four rows of x at a time spare memory traffic
        for i in range(rows):
            g0, g1, g2, g3 = g[i, j], g[i, j + 1], g[i, j + 2], g[i, j + 3]
            for c in range(columns):
                s[i, c] += g0 * x[j, c] + g1 * x[j + 1, c] + g2 * x[j + 2, c] + g3 * x[j + 3, c]
    for j in range(fours, rows):
        for i in range(rows):
            for c in range(columns):
                s[i, c] += g[i, j] * x[j, c]
    for i in range(rows):
        for c in range(columns):
            norm += x[i, c].real * s[i, c].real + x[i, c].imag * s[i, c].imag
    return norm
