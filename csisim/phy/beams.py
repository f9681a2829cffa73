"""A pair of analog beamformers and its orthonormal coordinates.

All digital processing happens in orthonormal coordinates: with Q_F = (F^H F)^(-1/2) and Q_W = (W^H W)^(-1/2) the channel
G = Q_W W^H H F Q_F sees white noise of power sigma^2, and a digital precoder X radiates exactly ||X||_F^2. So every digital
solver, the pilots, the estimators and the rate need no Gram matrices; the paper's F_BB is Q_F X and its W_BB is Q_W Y.
"""

from dataclasses import dataclass

import numpy as np


def inverse_sqrt(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``gram^(-1/2)`` and ``gram^(1/2)`` of Hermitian positive semidefinite matrices (..., n, n).

    Directions below 1e-7 of the largest eigenvalue (collinear beams) are dropped: they carry no signal.
    """
    values, vectors = np.linalg.eigh(gram.astype(np.complex128))
    kept = values > 1e-7 * values[..., -1:]
    root = np.sqrt(np.where(kept, values, 0.0))
    inverse = np.where(kept, 1.0 / np.where(kept, root, 1.0), 0.0)
    adjoint = vectors.conj().swapaxes(-1, -2)
    return (vectors * inverse[..., None, :]) @ adjoint, (vectors * root[..., None, :]) @ adjoint


@dataclass(frozen=True, eq=False)
class Beams:
    """Analog beamformers and what follows from them.

    Attributes
    ----------
    f : (D|1, t, T) complex
        Analog precoder F_RF, common to all users.
    w : (D|1, K, r, R) complex
        Analog combiners W_RF.
    f_orthonormal, w_orthonormal : same shapes
        F Q_F and W Q_W.
    q_f, q_w : (D|1, T, T), (D|1, K, R, R) complex
        Inverse square roots of the Gram matrices, ``r_f`` and ``r_w`` the square roots.
    full_rank : bool
        Whether no two beams are collinear.
    version : int
        Counts the analog updates of a scheme; a report carries the version it was measured through.
    """

    f: np.ndarray
    w: np.ndarray
    f_orthonormal: np.ndarray
    w_orthonormal: np.ndarray
    q_f: np.ndarray
    r_f: np.ndarray
    q_w: np.ndarray
    r_w: np.ndarray
    full_rank: bool = True
    version: int = 0

    @classmethod
    def of(cls, f: np.ndarray, w: np.ndarray, version: int = 0) -> "Beams":
        """Beams from analog matrices of any modulus."""
        q_f, r_f = inverse_sqrt(f.conj().swapaxes(-1, -2) @ f)
        q_w, r_w = inverse_sqrt(w.conj().swapaxes(-1, -2) @ w)
        full_rank = all(np.trace(q @ r, axis1=-2, axis2=-1).real.min() > q.shape[-1] - 0.5 for q, r in ((q_f, r_f), (q_w, r_w)))
        q_f, r_f, q_w, r_w = (m.astype(f.dtype) for m in (q_f, r_f, q_w, r_w))
        return cls(f, w, f @ q_f, w @ q_w, q_f, r_f, q_w, r_w, full_rank, version)

    @classmethod
    def orthonormal(cls, f: np.ndarray, w: np.ndarray, version: int = 0) -> "Beams":
        """Beams whose columns are orthonormal already (the fully digital bound)."""
        eye_f, eye_w = np.eye(f.shape[-1], dtype=f.dtype)[None], np.eye(w.shape[-1], dtype=w.dtype)[None, None]
        return cls(f, w, f, w, eye_f, eye_f, eye_w, eye_w, version=version)

    def signal_part(self, g: np.ndarray) -> np.ndarray:
        """An estimate ``g`` (D, K, S, R, T) without what lies in directions of collinear beams, where there is noise alone."""
        if self.full_rank:
            return g
        return (self.q_w @ self.r_w)[:, :, None] @ g @ (self.r_f @ self.q_f)[:, None, None]

    def equivalent(self, g: np.ndarray) -> np.ndarray:
        """The paper's W^H H F (D, K, S, R, T) of a channel ``g`` given in orthonormal coordinates."""
        return self.r_w[:, :, None] @ g @ self.r_f[:, None, None]
