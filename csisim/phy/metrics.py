"""How far an estimate is from the truth.

Stored is one linear number per drop; decibels and ways of averaging exist at presentation only, by name.
"""

from typing import Literal

import numpy as np

Aggregate = Literal["mean_of_ratios", "mean_of_db", "ratio_of_sums"]


def nmse(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    r"""Normalised mean squared error of every drop, :math:`\sum |\hat h - h|^2 / \sum |h|^2` over all other axes.

    Parameters
    ----------
    estimate, truth : (D, ...) complex

    Returns
    -------
    (D,) real
        Linear; the ratio of sums over users, subcarriers and antennas.
    """
    axes = tuple(range(1, truth.ndim))
    return energy(estimate - truth, axes) / energy(truth, axes)


def energy(h: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Sum of squared magnitudes over ``axes``."""
    return np.sum(h.real**2 + h.imag**2, axis=axes)


def aggregate_db(ratios: np.ndarray, aggregate: Aggregate = "mean_of_ratios", energies: np.ndarray | None = None) -> float:
    """Many NMSE values as one number in dB, in one of the three ways found in the literature.

    Parameters
    ----------
    ratios : (n,) real
        Linear NMSE of each sample.
    aggregate : {"mean_of_ratios", "mean_of_db", "ratio_of_sums"}
        ``mean_of_ratios``: dB of the mean (CsiNet); ``mean_of_db``: mean of the dB values (CRNet, over batches), never above
        it; ``ratio_of_sums``: total error over total energy.
    energies : (n,) real, optional
        Energy of each sample's truth, needed by ``ratio_of_sums``.

    Returns
    -------
    float
        NMSE in dB.
    """
    if aggregate == "mean_of_db":
        return float(np.mean(10 * np.log10(ratios)))
    if aggregate == "ratio_of_sums" and energies is None:
        raise ValueError("the ratio of sums needs the energy of every sample")
    return float(10 * np.log10(np.average(ratios, weights=energies if aggregate == "ratio_of_sums" else None)))


def cosine_similarity(estimate: np.ndarray, truth: np.ndarray, axis: int = -1) -> np.ndarray:
    """Magnitude of the complex cosine |v^H v'| / (||v|| ||v'||) along an axis, in [0, 1]; nothing resembles the zero vector."""
    inner = np.abs(np.sum(truth.conj() * estimate, axis=axis))
    lengths = np.sqrt(energy(estimate, (axis,))) * np.sqrt(energy(truth, (axis,)))  # their product may be too small a number
    return np.where(lengths > 0, inner / np.where(lengths > 0, lengths, 1), 0)


def sgcs(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared generalised cosine similarity of the dominant transmit directions of two channels, per drop.

    Parameters
    ----------
    estimate, truth : (D, K, S, R, T) complex

    Returns
    -------
    (D,) real
        Mean over users and subcarriers; 1 for the same direction, whatever its phase and length.
    """
    similarity = cosine_similarity(dominant_direction(estimate), dominant_direction(truth)) ** 2
    return similarity.mean(axis=tuple(range(1, similarity.ndim)))


def precoder_sgcs(precoder: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared generalised cosine similarity of reported layers and the true channel's singular directions of the same rank, per drop.

    Parameters
    ----------
    precoder : (D, K, S, T, n) complex
    truth : (D, K, S, R, T) complex

    Returns
    -------
    (D,) real
        Mean over users, subcarriers and layers.
    """
    # unit vectors even where the channel has fewer directions than layers
    directions = np.linalg.svd(truth, full_matrices=False)[2][..., : precoder.shape[-1], :].conj().swapaxes(-1, -2)
    similarity = cosine_similarity(precoder, directions, axis=-2) ** 2
    return similarity.mean(axis=tuple(range(1, similarity.ndim)))


def dominant_direction(h: np.ndarray) -> np.ndarray:
    """Dominant right singular vectors, unnormalised, (..., T), of channels (..., R, T).

    Through the R x R Gram matrix: with few receive chains that is much cheaper than an SVD.
    """
    _, vectors = np.linalg.eigh(h @ h.conj().swapaxes(-1, -2))
    return (h.conj().swapaxes(-1, -2) @ vectors[..., -1:])[..., 0]
