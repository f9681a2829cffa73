"""Long-term covariances of a channel, kept between the paths.

With H = A_r diag(g) A_t^H the transmit covariance is E[H^H H] = A_t M A_t^H and the receive covariance is
E[H H^H] = A_r N A_r^H with the P x P cores

    M_ij = E[conj(g_i) g_j] (A_r^H A_r)_ij,        N_ij = E[g_i conj(g_j)] (A_t^H A_t)_ij,

so nothing of size antennas x antennas is ever formed while the responses stand still.
"""

import numpy as np

from csisim.channel.base import PathSamples
from csisim.phy.linalg import adjoint


def covariance_cores(samples: PathSamples) -> tuple[np.ndarray, np.ndarray]:
    """M and N of every user, averaged over the samples wherever the outer responses are shared by all samples.

    Returns
    -------
    (n_t, D, K, P, P) complex, (n_r, D, K, P, P) complex
        n_t is the sample axis of ``samples.tx`` (1 = shared), n_r that of ``samples.rx``. Their sum over the sample axis is
        the expectation: each core carries its sample's weight 1/N.
    """
    gains = samples.gains / np.sqrt(len(samples)).astype(samples.gains.real.dtype)
    transmit = _hadamard(samples.rx, gains, shared=len(samples.tx) == 1)
    receive = _hadamard(samples.tx, gains.conj(), shared=len(samples.rx) == 1)
    return transmit, receive


def _hadamard(responses: np.ndarray, gains: np.ndarray, shared: bool) -> np.ndarray:
    """Gram matrix of ``responses`` times the outer product of ``gains`` entry by entry, summed over samples early if both may be."""
    gram = adjoint(responses) @ responses
    if shared and len(responses) == 1:
        by_user = np.moveaxis(gains, 0, -2)
        return gram * (adjoint(by_user) @ by_user)
    core = gram * (gains.conj()[..., :, None] * gains[..., None, :])
    return core.sum(0, keepdims=True) if shared else core


def side_by_side(responses: np.ndarray) -> np.ndarray:
    """Responses (n, ..., antennas, P) of all samples next to each other, (..., antennas, n P)."""
    moved = np.moveaxis(responses, 0, -2)
    return moved.reshape(*moved.shape[:-2], -1)


def hermitian_eigh(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of Hermitian matrices, largest first."""
    values, vectors = np.linalg.eigh((matrix + adjoint(matrix)) / 2)
    return values[..., ::-1], vectors[..., ::-1]


def dominant_directions(responses: np.ndarray, cores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Eigenvectors of :math:`\sum_n A_n M_n A_n^H`, largest eigenvalue first, at the cost of its rank.

    Parameters
    ----------
    responses : (n, ..., antennas, P) complex
    cores : (n, ..., P, P) complex, Hermitian

    Returns
    -------
    vectors : (..., antennas, min(antennas, n P)) complex
    values : (..., min(antennas, n P)) real
    """
    count, antennas, paths = len(responses), *responses.shape[-2:]
    if count * paths >= antennas:  # the responses fill the space: there is nothing to save
        covariance = (responses @ cores @ adjoint(responses)).sum(0)
        values, vectors = hermitian_eigh(covariance)
        return vectors, values
    basis, coefficients = np.linalg.qr(side_by_side(responses))
    split = np.moveaxis(coefficients.reshape(*coefficients.shape[:-1], count, paths), -2, 0)
    values, rotation = hermitian_eigh((split @ cores @ adjoint(split)).sum(0))
    return basis @ rotation, values
