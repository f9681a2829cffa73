r"""The equivalent channel as a differentiable function of the phases, against the Python array API.

In orthonormal beam coordinates :math:`G_k = (W_k^H W_k)^{-1/2} W_k^H H_k F (F^H F)^{-1/2}`. An eigendecomposition must not be
differentiated there: DFT-like phases give equal eigenvalues, and the derivatives of eigenvectors divide by their differences. The
inverse square root itself is smooth; :func:`inverse_sqrt` hands the gradient its exact derivative instead.
"""

from array_api_compat import array_namespace

from csisim.beamforming.digital.oracle import Array, constant
from csisim.phy.linalg import adjoint

_DROPPED = 1e-7  # eigenvalues below this share of the largest belong to collinear beams (csisim.phy.beams)


def beamformer(phases: Array) -> Array:
    r""":math:`e^{j\phi} / \sqrt N` (Kang 2022, eq. 18) of phases (..., N, chains)."""
    xp = array_namespace(phases)
    return (xp.cos(phases) + 1j * xp.sin(phases)) * phases.shape[-2] ** -0.5


def inverse_sqrt(gram: Array) -> Array:
    r""":math:`A^{-1/2}` of Hermitian positive definite matrices, with a gradient that repeated eigenvalues do not harm.

    With :math:`A_0 = V \mathrm{diag}(s^2) V^H` the first-order change is (Daleckii-Krein)

    .. math:: d(A^{-1/2}) = -V \Big[ (V^H\, dA\, V) \circ \frac{1}{s_i s_j (s_i + s_j)} \Big] V^H .
    """
    xp = array_namespace(gram)
    fixed = constant(gram)
    values, vectors = xp.linalg.eigh(fixed)
    kept = values > _DROPPED * values[..., -1:]
    s = xp.sqrt(xp.where(kept, values, 1.0))
    alive = xp.astype(kept, values.dtype)
    root = (vectors * xp.astype(alive / s, gram.dtype)[..., None, :]) @ adjoint(vectors)
    rows, columns = s[..., :, None], s[..., None, :]
    slope = alive[..., :, None] * alive[..., None, :] / (rows * columns * (rows + columns))
    change = (adjoint(vectors) @ (gram - fixed) @ vectors) * xp.astype(slope, gram.dtype)
    return root - vectors @ change @ adjoint(vectors)


def project(phi_f: Array, phi_w: Array, rx: Array, tx: Array, gains: Array) -> Array:
    """The equivalent channel G (..., K, R, T) in orthonormal beam coordinates.

    Parameters
    ----------
    phi_f : (t, T) real
    phi_w : (K, r, R) real
    rx : (..., K, r, P) complex
    tx : (..., K, t, P) complex
    gains : (..., K, P) complex
        Channels as paths (:class:`csisim.channel.base.PathSamples`).
    """
    f, w = beamformer(phi_f), beamformer(phi_w)
    f, w = (b @ inverse_sqrt(adjoint(b) @ b) for b in (f, w))
    return ((adjoint(w) @ rx) * gains[..., None, :]) @ (adjoint(tx) @ f)
