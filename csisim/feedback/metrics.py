"""How good a reconstructed image is, in the ways of the literature; each by its own name.

Images are (n, 2, angle, delay) around zero: subtract the 0.5 of published data sets first.
"""

from typing import Literal

import numpy as np

from csisim.phy.metrics import aggregate_db, cosine_similarity

Aggregate = Literal["mean_of_ratios", "mean_of_batch_db", "mean_of_db", "ratio_of_sums"]

RHO_FREQUENCIES, RHO_KEPT = 257, 125  # of every public evaluator; the papers write 1024 subcarriers


def nmse_ratios(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared error over energy of every image, (n,) float64."""
    difference = np.subtract(estimate, truth, dtype=np.float64)
    return (difference**2).sum(axis=(1, 2, 3)) / (np.asarray(truth, np.float64) ** 2).sum(axis=(1, 2, 3))


def nmse_db(estimate: np.ndarray, truth: np.ndarray, aggregate: Aggregate = "mean_of_ratios", batch: int = 200) -> float:
    """NMSE of many images in dB.

    Parameters
    ----------
    estimate, truth : (n, 2, angle, delay)
    aggregate : str
        ``mean_of_ratios``: dB of the mean ratio (CsiNet, ACRNet, BCsiNet); ``mean_of_batch_db``: mean of the dB of each batch's
        mean ratio (CRNet, CLNet, TransNet), never above it; ``mean_of_db``: the same with batches of one; ``ratio_of_sums``:
        total error over total energy.
    batch : int
        Batch of ``mean_of_batch_db``; the last one may be shorter.
    """
    ratios = nmse_ratios(estimate, truth)
    if aggregate == "ratio_of_sums":
        return aggregate_db(ratios, aggregate, (np.asarray(truth, np.float64) ** 2).sum(axis=(1, 2, 3)))
    if aggregate == "mean_of_batch_db":
        starts = np.arange(0, len(ratios), batch)
        means = np.add.reduceat(ratios, starts) / np.diff([*starts, len(ratios)])
        return aggregate_db(means, "mean_of_db")
    return aggregate_db(ratios, aggregate)


def rho(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean cosine similarity over frequencies and images, exactly as the public evaluators compute it.

    Delays are zero-padded to 257 frequencies, of which the first 125 count; angles stay angles, which changes nothing.

    Parameters
    ----------
    estimate : (n, 2, angle, delay)
    truth : (n, 2, angle, delay), or (n, angle, 125) complex
        An image, or the data set's own frequency response (``HF_all``).
    """
    reference = truth if np.iscomplexobj(truth) else frequency_response(truth)
    return float(cosine_similarity(frequency_response(estimate), reference, axis=1).mean())


def frequency_response(images: np.ndarray) -> np.ndarray:
    """(n, angle, 125) complex of images: the ``HF_all`` of a data set."""
    channel = images[:, 0] + 1j * images[:, 1]
    return np.fft.fft(channel, RHO_FREQUENCIES, axis=-1)[..., :RHO_KEPT]


def subband_sgcs(estimate: np.ndarray, truth: np.ndarray, subbands: int, layers: int = 1) -> np.ndarray:
    r"""Squared generalised cosine similarity of subband eigenvectors (3GPP): :math:`|v^H \hat v|^2`, per layer.

    Parameters
    ----------
    estimate, truth : (..., S, R, T) complex
        Channels on S subcarriers; eigenvectors are those of the mean of :math:`H^H H` over each subband.
    subbands : int
        Must divide S.
    layers : int
        Strongest eigenvectors compared, at most R.

    Returns
    -------
    (layers,) float64
        Mean over subbands and everything before them.
    """
    if truth.shape[-3] % subbands:
        raise ValueError(f"{subbands} subbands do not divide {truth.shape[-3]} subcarriers")
    theirs, ours = (_eigenvectors(h, subbands, layers) for h in (truth, estimate))
    similarity = cosine_similarity(ours, theirs, axis=-2) ** 2
    return similarity.reshape(-1, layers).mean(axis=0)


def _eigenvectors(h: np.ndarray, subbands: int, layers: int) -> np.ndarray:
    """(..., subbands, T, layers), strongest first."""
    *batch, subcarriers, receive, transmit = h.shape
    stacked = h.reshape(*batch, subbands, subcarriers // subbands * receive, transmit).astype(np.complex128)
    _, vectors = np.linalg.eigh(stacked.conj().swapaxes(-1, -2) @ stacked)
    return vectors[..., ::-1][..., :layers]
