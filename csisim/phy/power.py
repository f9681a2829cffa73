"""Transmit power and phase shifters: the constraints of a hybrid transmitter."""

import numpy as np

from csisim.phy.dims import PowerBudget


def normalise(precoder: np.ndarray, power: PowerBudget) -> np.ndarray:
    """Scale a digital precoder so that it meets the power constraint with equality (Kang 2022, eq. 7d; Hu 2021, eq. 5b).

    Parameters
    ----------
    precoder : (D, K, ..., T, n) complex
        In orthonormal beam coordinates, where the radiated power is the squared norm; the user axis is the second.
    power : PowerBudget
        ``per_user`` scales every user to ``total / K``, ``total`` all users together to ``total``; both on each
        subcarrier.

    Returns
    -------
    same shape and type
        A precoder (of a user) that is zero, or as good as, comes out as zero.
    """
    squared, budget = _power(precoder, power)
    scale = np.sqrt(budget / np.where(squared > NOTHING * budget, squared, np.inf))
    return precoder * scale.astype(precoder.real.dtype)


def cap(precoder: np.ndarray, power: PowerBudget) -> np.ndarray:
    """Scale down what exceeds the power constraint and leave the rest: exact multipliers may well want to use less.

    Raising a user that the sum rate wants silent to its full budget would only interfere. Shapes as for :func:`normalise`.
    """
    squared, budget = _power(precoder, power)
    scale = np.sqrt(np.minimum(1.0, budget / np.maximum(squared, NOTHING * budget)))
    return precoder * np.where(squared > NOTHING * budget, scale, 0.0).astype(precoder.real.dtype)


#: Share of a budget below which a user is switched off: the reciprocal of a smaller power is noise.
NOTHING = 1e-20


def _power(precoder: np.ndarray, power: PowerBudget) -> tuple[np.ndarray, float]:
    """Squared norms that a budget limits, broadcastable to the precoder, and that budget."""
    squared = (precoder.real.astype(np.float64) ** 2 + precoder.imag.astype(np.float64) ** 2).sum(axis=(-2, -1), keepdims=True)
    if power.constraint == "total":
        return squared.sum(axis=1, keepdims=True), power.total
    return squared, power.per_user(precoder.shape[1])


def quantise_phases(phases: np.ndarray, bits: int | None) -> np.ndarray:
    """The nearest of ``2**bits`` uniform phase levels, 0 being one of them; ``None`` leaves the phases continuous."""
    if bits is None:
        return phases
    step = 2.0 * np.pi / 2**bits
    return np.round(phases / step) * step


def constant_modulus(phases: np.ndarray, dtype: np.dtype | type | None = None) -> np.ndarray:
    r"""Analog beamformer :math:`e^{j\phi} / \sqrt N` (Kang 2022, eq. 7b, 7c and 18, with the missing 1 / sqrt(N)).

    Parameters
    ----------
    phases : (..., N, chains) real
        Phases in radians; N is the number of antennas.
    dtype : complex dtype, optional
        Of the result; by default that of ``phases`` made complex.
    """
    modulus = 1.0 / np.sqrt(phases.shape[-2])
    beamformer = np.empty(phases.shape, np.result_type(phases.dtype, np.complex64) if dtype is None else dtype)
    np.multiply(np.cos(phases), modulus, out=beamformer.real, casting="same_kind")  # half the time of a complex exponential
    np.multiply(np.sin(phases), modulus, out=beamformer.imag, casting="same_kind")
    return beamformer
