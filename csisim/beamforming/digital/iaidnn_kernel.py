r"""IAIDNN forwards and backwards in Numba: the generalised chain rule of Hu 2021 (Theorem 1, Appendices B and C), corrected.

The gradient of a real f with respect to a matrix M is kept as :math:`G_M` with :math:`df = \mathrm{Re\,tr}\, G_M^H dM`, as torch
keeps it, so that the chain rule reads

.. math::

    C = A B:&\quad G_A \mathrel{+}= G_C B^H,\quad G_B \mathrel{+}= A^H G_C \\
    C = A^{-1}:&\quad G_A \mathrel{-}= C^H G_C C^H \\
    C = A^+:&\quad g_a \mathrel{+}= (\epsilon^2 \bar g_c - a^2 g_c) / (|a|^2 + \epsilon^2)^2 \text{ on the diagonal}

One problem at a time, always in double precision, everything in arrays of one type: one compilation. The loops over layers
are :func:`forwards` and :func:`backwards`, in the order of eq. 15-17.
"""

from typing import Any

import numpy as np
from numba import njit

#: no licence to assume that NaN and infinity never happen
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}
#: the safe reciprocal conj(e) / (|e|^2 + eps^2) keeps one vanishing diagonal entry from deciding everything
RECIPROCAL_EPS = 1e-3
_OPTIONS: Any = {"cache": True, "fastmath": _FASTMATH, "error_model": "numpy"}


@njit(**_OPTIONS)
def _clear(a):
    """Zeros; plain loops compile in a fraction of the time of a slice assignment, here and below."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] = 0j


@njit(**_OPTIONS)
def _add(a, factor, out):
    """Add ``factor`` a to ``out``."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[i, j] += factor * a[i, j]


@njit(**_OPTIONS)
def _scale(a, factor):
    """Multiply ``a`` by ``factor``."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] *= factor


@njit(**_OPTIONS)
def _mul(a, b, out, factor):
    """Add ``factor`` a b to ``out``."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            x = factor * a[i, j]
            for k in range(b.shape[1]):
                out[i, k] += x * b[j, k]


@njit(**_OPTIONS)
def _mul_h(a, b, out, factor):
    """Add ``factor`` a b^H to ``out``."""
    for i in range(a.shape[0]):
        for k in range(b.shape[0]):
            value = 0j
            for j in range(a.shape[1]):
                value += a[i, j] * b[k, j].conjugate()
            out[i, k] += factor * value


@njit(**_OPTIONS)
def _h_mul(a, b, out, factor):
    """Add ``factor`` a^H b to ``out``."""
    for j in range(a.shape[0]):
        for i in range(a.shape[1]):
            x = factor * a[j, i].conjugate()
            for k in range(b.shape[1]):
                out[i, k] += x * b[j, k]


@njit(**_OPTIONS)
def _inner(a, b):
    """Re tr(a^H b)."""
    value = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            value += a[i, j].real * b[i, j].real + a[i, j].imag * b[i, j].imag
    return value


@njit(**_OPTIONS)
def _eye(a, value):
    """Add ``value`` to the diagonal."""
    for i in range(a.shape[0]):
        a[i, i] += value


@njit(**_OPTIONS)
def _invert(a, out):
    """out = a^-1 (Gauss-Jordan with row pivoting); returns log |det a|."""
    size = a.shape[0]
    _clear(out)
    _add(a, 1.0 + 0j, out)
    pivots = np.empty(size, np.int64)
    determinant = 0.0
    for p in range(size):
        best = p
        for i in range(p + 1, size):
            if abs(out[i, p]) > abs(out[best, p]):
                best = i
        pivots[p] = best
        scale = 1.0 / out[best, p]
        determinant += np.log(abs(out[best, p]))
        out[best, p] = out[p, p]
        out[p, p] = 1.0 + 0j
        for c in range(size):
            if c != p:
                out[p, c], out[best, c] = out[best, c], out[p, c]
            out[p, c] *= scale
        for i in range(size):
            if i != p:
                factor = out[i, p]
                out[i, p] = 0j
                for c in range(size):
                    out[i, c] -= factor * out[p, c]
    for p in range(size - 1, -1, -1):
        for i in range(size):
            out[i, p], out[i, pivots[p]] = out[i, pivots[p]], out[i, p]
    return determinant


@njit(**_OPTIONS)
def _approximate_inverse(m, out, exact):
    """What stands for m^-1: itself, or the safe reciprocals of the diagonal."""
    if exact:
        _invert(m, out)
        return
    _clear(out)
    for i in range(m.shape[0]):
        square = m[i, i].real ** 2 + m[i, i].imag ** 2
        out[i, i] = m[i, i].conjugate() / (square + RECIPROCAL_EPS**2)


@njit(**_OPTIONS)
def _approximate_inverse_back(m, inverse, g, gm, exact):
    """Add to ``gm`` what the gradient ``g`` of the (approximate) inverse means for m."""
    if exact:
        half = np.zeros_like(m)
        _h_mul(inverse, g, half, 1.0 + 0j)
        _mul_h(half, inverse, gm, -1.0 + 0j)
        return
    for i in range(m.shape[0]):
        x = m[i, i]
        square = x.real**2 + x.imag**2 + RECIPROCAL_EPS**2
        gm[i, i] += (RECIPROCAL_EPS**2 * g[i, i].conjugate() - x * x * g[i, i]) / square**2


@njit(**_OPTIONS)
def _layer(theta, m, inverse, x, out, taylor, mean):
    """out += (M^-1 X + P M Y + Z / mean) x."""
    t, half = np.zeros_like(x), np.zeros_like(x)
    _mul(theta[0], x, t, 1.0 + 0j)
    _mul(inverse, t, out, 1.0 + 0j)
    _mul(theta[1], x, out, 1.0 / mean)
    if taylor:
        _clear(t)
        _mul(theta[2], x, t, 1.0 + 0j)
        _mul(m, t, half, 1.0 + 0j)
        _mul(theta[3], half, out, 1.0 + 0j)


@njit(**_OPTIONS)
def _layer_back(theta, m, inverse, x, g, gtheta, gm, ginverse, gx, taylor, mean):
    """Gradients of :func:`_layer`'s ``out``, ``g``, handed to its inputs; returns that of ``mean``."""
    t, y, my = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    _mul(theta[0], x, t, 1.0 + 0j)
    _mul_h(g, t, ginverse, 1.0 + 0j)
    _clear(t)
    _h_mul(inverse, g, t, 1.0 + 0j)
    _mul_h(t, x, gtheta[0], 1.0 + 0j)
    _h_mul(theta[0], t, gx, 1.0 + 0j)
    share = (1.0 / mean).conjugate()
    _mul_h(g, x, gtheta[1], share)
    _clear(y)
    _h_mul(theta[1], g, y, share)
    _add(y, 1.0 + 0j, gx)
    gmean = 0j
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            gmean -= share * x[i, j].conjugate() * y[i, j]
    _clear(y)
    if taylor:
        _mul(theta[2], x, y, 1.0 + 0j)
        _mul(m, y, my, 1.0 + 0j)
        _mul_h(g, my, gtheta[3], 1.0 + 0j)
        _clear(t)
        _h_mul(theta[3], g, t, 1.0 + 0j)
        _mul_h(t, y, gm, 1.0 + 0j)
        _clear(y)
        _h_mul(m, t, y, 1.0 + 0j)
        _mul_h(y, x, gtheta[2], 1.0 + 0j)
        _h_mul(theta[2], y, gx, 1.0 + 0j)
    return gmean


@njit(**_OPTIONS)
def _receive(h, ratio, v, f, a):
    """F_km = H_k V_m and A_k = sigma^2 / P_T sum_m tr(V_m V_m^H) I + sum_m F_km F_km^H (eq. 16a)."""
    noise = 0j
    for m in range(v.shape[0]):
        noise += ratio * _inner(v[m], v[m])
    for k in range(v.shape[0]):
        _clear(a[k])
        _eye(a[k], noise)
        for m in range(v.shape[0]):
            _clear(f[k, m])
            _mul(h[k], v[m], f[k, m], 1.0 + 0j)
            _mul_h(f[k, m], f[k, m], a[k], 1.0 + 0j)


@njit(**_OPTIONS)
def _weigh(h, omega, exact, taylor, theta, offset, phi, f, a, ai, u, e, ei, w, r, s, unit):
    """One user's U_k and W_k (eq. 15a, 15b), r = H_k^H U_k and s = omega_k r W_k; returns omega_k tr(U_k W_k U_k^H)."""
    _approximate_inverse(a, ai, exact)
    for matrix in (u, e, w, r, s):
        _clear(matrix)
    _add(offset, 1.0 + 0j, u)
    _layer(theta, a, ai, f, u, taylor, 1.0 + 0j)
    _eye(e, 1.0 + 0j)
    _h_mul(u, f, e, -1.0 + 0j)
    _approximate_inverse(e, ei, exact)
    _layer(phi, e, ei, unit, w, taylor, 1.0 + 0j)
    _h_mul(h, u, r, 1.0 + 0j)
    _mul(r, w, s, omega + 0j)
    uw = np.zeros_like(u)
    _mul(u, w, uw, omega + 0j)
    trace = 0j
    for i in range(u.shape[0]):
        for j in range(u.shape[1]):
            trace += uw[i, j] * u[i, j].conjugate()
    return trace


@njit(**_OPTIONS)
def forwards(
    channel, true, ratio, omega, power, exact, taylor, relative, u, uo, w, v, vo,
    vs, fs, a, ai, us, es, ei, ws, rs, s, b, bi, ci, norms, means, rates,
):  # fmt: skip
    """Equations 15-17 and the rate (12) in nats; vs[:, l] are the precoders in front of layer l, vs[:, L] those of the network."""
    layers, users = u.shape[0], u.shape[1]
    unit = np.eye(w.shape[3]).astype(np.complex128)
    for p in range(channel.shape[0]):
        h = channel[p]
        for q in range(layers):
            last = q == layers - 1
            _receive(h, ratio[p], vs[p, q], fs[p, q], a[p, q])
            _clear(b[p, q])
            trace = 0j
            for k in range(users):
                trace += _weigh(
                    h[k], omega[k], exact, taylor, u[q, k], uo[q, k], w[q, k], fs[p, q, k, k], a[p, q, k], ai[p, q, k],
                    us[p, q, k], es[p, q, k], ei[p, q, k], ws[p, q, k], rs[p, q, k], s[p, q, k], unit,
                )  # fmt: skip
                _mul_h(s[p, q, k], rs[p, q, k], b[p, q], 1.0 + 0j)
            means[p, q] = 1.0
            if relative:
                means[p, q] = ratio[p] * trace
                for i in range(b.shape[2]):
                    means[p, q] += b[p, q, i, i] / (users * w.shape[3])
            _eye(b[p, q], ratio[p] * trace)
            _approximate_inverse(b[p, q], bi[p, q], exact or last)
            norm = 0.0
            for k in range(users):
                out = vs[p, q + 1, k]
                _clear(out)
                if last:
                    _mul(bi[p, q], s[p, q, k], out, 1.0 + 0j)
                else:
                    _add(vo[q, k], 1.0 + 0j, out)
                    _layer(v[q, k], b[p, q], bi[p, q], s[p, q, k], out, taylor, means[p, q])
                norm += _inner(out, out)
            norms[p, q] = np.sqrt(power / norm)
            for k in range(users):
                _scale(vs[p, q + 1, k], norms[p, q])
        _receive(true[p], ratio[p], vs[p, layers], fs[p, layers], a[p, layers])
        rates[p] = 0.0
        for k in range(users):
            rates[p] += omega[k] * _invert(a[p, layers, k], ai[p, layers, k])
            # log det A_k - log det C_k with C_k = A_k - F_kk F_kk^H; both inverses are kept
            _mul_h(fs[p, layers, k, k], fs[p, layers, k, k], a[p, layers, k], -1.0 + 0j)
            rates[p] -= omega[k] * _invert(a[p, layers, k], ci[p, k])


@njit(**_OPTIONS)
def _receive_back(h, ratio, v, f, ga, gf, gv):
    """Gradients of :func:`_receive` handed to the precoders."""
    noise = 0j
    symmetric = np.empty_like(ga[0])
    for k in range(v.shape[0]):
        for i in range(ga.shape[1]):
            noise += 2.0 * ratio * ga[k, i, i].real
            for j in range(ga.shape[1]):
                symmetric[i, j] = ga[k, i, j] + ga[k, j, i].conjugate()
        for m in range(v.shape[0]):
            _mul(symmetric, f[k, m], gf[k, m], 1.0 + 0j)
            _h_mul(h[k], gf[k, m], gv[m], 1.0 + 0j)
    for m in range(v.shape[0]):
        _add(v[m], noise, gv[m])


@njit(**_OPTIONS)
def _normalise_back(v, norm, gv):
    """Through the scaling to a fixed power: only what is orthogonal to the precoders survives."""
    along, square = 0.0, 0.0
    for k in range(v.shape[0]):
        along += _inner(gv[k], v[k])
        square += _inner(v[k], v[k])
    for k in range(v.shape[0]):
        _add(v[k], -along / square + 0j, gv[k])
        _scale(gv[k], norm)


@njit(**_OPTIONS)
def _weigh_back(h, omega, trace, exact, taylor, theta, phi, f, a, ai, u, e, ei, w, r, gs, gr, gtheta, goffset, gphi, ga, gf, unit):
    """Gradients of :func:`_weigh` handed on; ``gs``, ``gr`` and ``trace`` are those of what it has returned."""
    gu, gw, ge, gei, gai, nothing = (
        np.zeros_like(u),
        np.zeros_like(w),
        np.zeros_like(e),
        np.zeros_like(e),
        np.zeros_like(a),
        np.zeros_like(w),
    )
    _mul_h(gs, w, gr, omega + 0j)
    _h_mul(r, gs, gw, omega + 0j)
    _h_mul(u, u, gw, omega * trace)
    _mul_h(u, w, gu, omega * trace)
    _mul(u, w, gu, omega * trace.conjugate())
    _mul(h, gr, gu, 1.0 + 0j)
    _layer_back(phi, e, ei, unit, gw, gphi, ge, gei, nothing, taylor, 1.0 + 0j)
    _approximate_inverse_back(e, ei, gei, ge, exact)
    _mul_h(f, ge, gu, -1.0 + 0j)
    _mul(u, ge, gf, -1.0 + 0j)
    _add(gu, 1.0 + 0j, goffset)
    _layer_back(theta, a, ai, f, gu, gtheta, ga, gai, gf, taylor, 1.0 + 0j)
    _approximate_inverse_back(a, ai, gai, ga, exact)


@njit(**_OPTIONS)
def backwards(
    channel, true, ratio, omega, exact, taylor, relative, u, uo, w, v, vo,
    vs, fs, a, ai, us, es, ei, ws, rs, s, b, bi, ci, norms, means, gu, guo, gw, gv, gvo,
):  # fmt: skip
    """From the gradient of layer l + 1's precoders to that of layer l's (Appendix C, corrected), parameters on the way."""
    layers, users = u.shape[0], u.shape[1]
    unit = np.eye(w.shape[3]).astype(np.complex128)
    for p in range(channel.shape[0]):
        h, g, gf, ga = channel[p], np.zeros_like(vs[p, 0]), np.zeros_like(fs[p, 0]), np.zeros_like(a[p, 0])
        for k in range(users):  # Appendix B, corrected: d log det A = Re tr A^-1 dA
            _add(ai[p, layers, k], omega[k] + 0j, ga[k])
            _add(ci[p, k], -omega[k] + 0j, ga[k])
            _mul(ci[p, k], fs[p, layers, k, k], gf[k, k], 2.0 * omega[k] + 0j)
        _receive_back(true[p], ratio[p], vs[p, layers], fs[p, layers], ga, gf, g)
        for q in range(layers - 1, -1, -1):
            last = q == layers - 1
            gs, gb, gbi, gr = np.zeros_like(s[p, q]), np.zeros_like(b[p, q]), np.zeros_like(b[p, q]), np.zeros_like(rs[p, q])
            gf, ga = np.zeros_like(fs[p, q]), np.zeros_like(a[p, q])
            gmean = 0j
            _normalise_back(vs[p, q + 1], norms[p, q], g)
            for k in range(users):
                if last:
                    _mul_h(g[k], s[p, q, k], gbi, 1.0 + 0j)
                    _h_mul(bi[p, q], g[k], gs[k], 1.0 + 0j)
                else:
                    _add(g[k], 1.0 + 0j, gvo[q, k])
                    gmean += _layer_back(v[q, k], b[p, q], bi[p, q], s[p, q, k], g[k], gv[q, k], gb, gbi, gs[k], taylor, means[p, q])
            _approximate_inverse_back(b[p, q], bi[p, q], gbi, gb, exact or last)
            trace = ratio[p] * gmean if relative else 0j
            for i in range(gb.shape[0]):
                trace += ratio[p] * gb[i, i]
            if relative:
                _eye(gb, gmean / (users * w.shape[3]))
            for k in range(users):
                _mul(gb, rs[p, q, k], gs[k], 1.0 + 0j)
                _h_mul(gb, s[p, q, k], gr[k], 1.0 + 0j)
                _weigh_back(
                    h[k], omega[k], trace, exact, taylor, u[q, k], w[q, k], fs[p, q, k, k], a[p, q, k], ai[p, q, k], us[p, q, k],
                    es[p, q, k], ei[p, q, k], ws[p, q, k], rs[p, q, k], gs[k], gr[k], gu[q, k], guo[q, k], gw[q, k], ga[k], gf[k, k], unit,
                )  # fmt: skip
            if q > 0:
                for k in range(users):
                    _clear(g[k])
                _receive_back(h, ratio[p], vs[p, q], fs[p, q], ga, gf, g)
