"""Linear MMSE channel estimation with a sample covariance."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from csisim.acquisition.base import Estimate
from csisim.acquisition.ls import LinearMap
from csisim.phy.linalg import adjoint
from csisim.registry import Component


def sample_covariance(samples: np.ndarray) -> np.ndarray:
    """Transmit covariance per drop and user, the mean of C^H C / R over samples and subcarriers.

    Parameters
    ----------
    samples : (N, D, K, ..., T) complex
        Channel samples in the coordinates of the pilots, e.g. (N, D, K, S, R, T); all axes between K and T are averaged.

    Returns
    -------
    (D, K, T, T) complex128, Hermitian
    """
    count, drops, users, *rows, num_rf = samples.shape
    c = np.moveaxis(samples.astype(np.complex128, copy=False), 0, 2).reshape(drops, users, -1, num_rf)
    return adjoint(c) @ c / (count * int(np.prod(rows)))


def mmse_map(x: np.ndarray, covariance: np.ndarray, noise_power: float) -> np.ndarray:
    r"""The linear MMSE estimator as a map A with :math:`\hat C = Y A`.

    For rows of C with covariance :math:`R = E[c^H c]` it is :math:`A = (X^H R X + \sigma^2 I)^{-1} X^H R`, computed as
    :math:`X^H (R X X^H + \sigma^2 I)^{-1} R`, which inverts T x T whatever the pilot length.

    Parameters
    ----------
    x : (..., T, L) complex
        Sent pilots, any length.
    covariance : (..., T, T) complex
        R.
    noise_power : float
        sigma^2 > 0.

    Returns
    -------
    (..., L, T) complex128
    """
    covariance = covariance.astype(np.complex128, copy=False)
    eye = np.eye(x.shape[-2])
    return adjoint(x) @ np.linalg.solve(covariance @ (x @ adjoint(x)) + noise_power * eye, covariance)


def mmse_error(x: np.ndarray, covariance: np.ndarray, noise_power: float) -> np.ndarray:
    """Error variance per entry of :func:`mmse_map`, tr(R - R X A) / T, (...) real: exact if R is the true covariance."""
    unexplained = covariance - covariance @ x @ mmse_map(x, covariance, noise_power)
    return np.trace(unexplained, axis1=-2, axis2=-1).real / x.shape[-2]


class MmseConfig(Component):
    """The linear estimate of least mean square error, given every user's sample covariance."""

    kind: Literal["mmse"] = "mmse"
    num_samples: int = Field(64, gt=0, description="full-CSI samples of the same statistics that the covariance is taken from (not booked)")


class Mmse:
    """Linear MMSE with the transmit-side sample covariance of every user and drop.

    The scheme projects ``config.num_samples`` samples through the beams in force and hands over their
    :func:`sample_covariance`. The predicted error is exact for that covariance in white noise, one value per drop and user;
    interference from other users' pilots (``kang_eq4``) is not in it.
    """

    Config = MmseConfig
    uses_pilots: ClassVar[bool] = True
    needs_covariance: ClassVar[bool] = True

    def __init__(self, config: MmseConfig):
        self.config = config

    def init(self, pilots: np.ndarray, noise_power: float, covariance: np.ndarray | None = None) -> LinearMap:
        """The MMSE map (D, K, L, T) for pilots (K|1, T, L) and covariance (D, K, T, T)."""
        if covariance is None:
            raise ValueError("the MMSE estimator needs a covariance")
        return LinearMap(mmse_map(pilots, covariance, noise_power), mmse_error(pilots, covariance, noise_power))

    def update(self, received: np.ndarray, state: LinearMap) -> tuple[Estimate, LinearMap]:
        """The estimate from received pilots (D, K, S, R, L)."""
        return Estimate(state.apply(received), state.error_variance), state
