r"""Sparse channel estimation: orthogonal matching pursuit of paths on an angular dictionary, seen through the beams.

A few paths explain a millimetre-wave channel, so pilots fewer than RF chains can do: the unknowns are directions and gains, not
coefficients. Lee, Gil, Lee, "Channel estimation via orthogonal matching pursuit for hybrid MIMO systems in millimeter wave
communications", IEEE Trans. Commun. 2016; several subcarriers share their directions (simultaneous OMP).
"""

from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from csisim.acquisition.base import Estimate, Sounding
from csisim.channel.steering import responses
from csisim.phy.arrays import CrossPolarised, Ula, Upa, polarisations
from csisim.phy.linalg import adjoint
from csisim.registry import Component

#: part of an atom that must not lie in the span of the chosen ones, in energy
_NEW_ENERGY = 1e-5


class OmpEstimatorConfig(Component):
    """Paths picked one after the other until what is left could be noise."""

    kind: Literal["omp"] = "omp"
    oversampling: int = Field(4, ge=1, le=8, description="dictionary directions per antenna and axis of the array")
    max_paths: int = Field(32, ge=1, le=1024, description="most paths of a user's channel; never more than it has received numbers")
    false_alarm: float = Field(0.5, gt=0, lt=1, description="bound on the probability that pure noise is taken for a path")


class OmpEstimatorState(NamedTuple):
    """The dictionary as the chains see it.

    Attributes
    ----------
    left : (D|1, K, R, Qr) complex
        Receive directions behind the combiners, W^H A_r.
    right : (D|1, 1, Qt, T) complex
        Transmit directions through the beams, A_t^H F.
    heard : (D|1, K|1, Qt, L) complex
        What the pilots make of them, A_t^H F X.
    pilot_power : float
        ||X||_F^2 / T.
    noise_power : float
        sigma^2.
    angles : int
        Of a path, as far as they change what is heard of it: one per axis of an array behind several chains.
    """

    left: np.ndarray
    right: np.ndarray
    heard: np.ndarray
    pilot_power: float
    noise_power: float
    angles: int


def angular_dictionary(array: Ula | Upa | CrossPolarised, num_elements: int, oversampling: int, dtype: np.dtype) -> np.ndarray:
    """Responses (N, Q) of an array to plane waves on a grid uniform in spatial frequency, ``oversampling`` times as fine as a DFT.

    Phase steps that no direction in front of the array has (element spacing below half a wavelength, the corners of a planar
    array's grid) are left out. Each polarisation of a cross-polarised array has the directions for itself.
    """
    rows, columns = array.grid(num_elements)
    along, up = (_phase_grid(count * oversampling if count > 1 else 1) for count in (columns, rows))
    along, up = (grid.reshape(-1) for grid in np.meshgrid(along, up))
    # beyond half a wavelength an alias is in front of the array for every phase step
    visible = np.hypot(along, up) <= 2 * np.pi * array.spacing * (1 + 1e-9) if array.spacing <= 0.5 else np.ones(along.shape, bool)
    beams = responses(np.stack([along[visible], up[visible]]), (rows, columns), dtype)
    count = polarisations(array)
    return np.kron(np.eye(count, dtype=beams.real.dtype), beams).astype(dtype, copy=False)


def _phase_grid(count: int) -> np.ndarray:
    """``count`` phase steps around the circle, zero among them."""
    return 2 * np.pi * (np.arange(count) - count // 2) / count


class OmpEstimator:
    r"""Orthogonal matching pursuit of :math:`Y_s = \sum_i g_{is}\, W^H a_r(i)\, a_t(i)^H F X + Z_s`.

    Each turn takes the pair of directions that correlates most with what is left, on all subcarriers together, and stops where
    noise of the known power would do as well: the strongest correlation of S subcarriers' noise with Q atoms exceeds
    :math:`\sigma^2 \bar\Gamma^{-1}(S, p / Q)` with probability at most p (``false_alarm``). The gains of the chosen paths are their
    regularised least squares, the prior variance being the mean power that the paths were found to have.

    The predicted error variance is what noise does to gains and angles, and what the residual holds beyond noise. Paths of unknown
    direction have S gains and e angles (``angles``) to be fitted, so noise takes S + e / 2 complex dimensions of theirs (the
    Cramer-Rao bound). That the directions may be wrong altogether is not in it, so it remains a lower bound: two to eight paths off the
    grid behind 6 random beams have 1.0 to 1.7 times the predicted error at 10 and 20 dB (up to 2.1 at 0 dB) if there are as many
    pilots as beams; fewer pilots are explained by wrong paths just as well: 5 leave up to 9 times, 4 up to 19, 3 up to 40.
    """

    Config = OmpEstimatorConfig
    uses_pilots: ClassVar[bool] = True
    needs_covariance: ClassVar[bool] = False
    needs_sounding: ClassVar[bool] = True

    def __init__(self, config: OmpEstimatorConfig):
        self.config = config

    def init(
        self, pilots: np.ndarray, noise_power: float, covariance: np.ndarray | None = None, sounding: Sounding | None = None
    ) -> OmpEstimatorState:
        """The dictionary for pilots (K|1, T, L) of any length through these beams."""
        if sounding is None:
            raise ValueError("the omp estimator needs the beams that its pilots pass through")
        dtype, oversampling = sounding.f.dtype, self.config.oversampling
        receive = angular_dictionary(sounding.rx_array, sounding.w.shape[-2], oversampling, dtype)
        transmit = angular_dictionary(sounding.tx_array, sounding.f.shape[-2], oversampling, dtype)
        right = (adjoint(transmit) @ sounding.f)[:, None]
        power = float(np.sum(np.abs(pilots) ** 2) / (len(pilots) * pilots.shape[-2]))
        ends = ((sounding.rx_array, sounding.w), (sounding.tx_array, sounding.f))
        angles = sum(np.sum(np.array(array.grid(beams.shape[-2])) > 1) for array, beams in ends if beams.shape[-1] > 1)
        return OmpEstimatorState(adjoint(sounding.w) @ receive, right, right @ pilots.astype(dtype), power, noise_power, int(angles))

    def update(self, received: np.ndarray, state: OmpEstimatorState) -> tuple[Estimate, OmpEstimatorState]:
        """The estimate from received pilots (D, K, S, R, L)."""
        drops, users, subcarriers, chains, length = received.shape
        left, right, heard = (np.broadcast_to(a, (drops, users, *a.shape[2:])) for a in (state.left, state.right, state.heard))
        threshold = self._threshold(subcarriers, left.shape[-1] * heard.shape[-2], state.noise_power)
        pursuit = pursue(received, left, heard, threshold, self.config.max_paths)
        at_rx = np.take_along_axis(left, pursuit.receive[..., None, :], axis=-1) * pursuit.found[..., None, :]  # (D, K, R, n)
        at_tx = np.take_along_axis(right, pursuit.transmit[..., None], axis=-2)  # (D, K, n, T)
        sent = np.take_along_axis(heard, pursuit.transmit[..., None], axis=-2)  # (D, K, n, L)
        atoms = (at_rx.swapaxes(-1, -2)[..., None] * sent[..., None, :]).reshape(drops, users, -1, chains * length)
        gains, inverse = _gains(pursuit, atoms, state.noise_power)
        value = (at_rx[:, :, None] * gains[..., None, :]) @ at_tx[:, :, None]
        overlap = (adjoint(at_rx) @ at_rx) * (at_tx.conj() @ at_tx.swapaxes(-1, -2))
        share = 1 + state.angles / (2 * subcarriers)
        noise = share * state.noise_power * np.sum(inverse.swapaxes(-1, -2) * overlap, axis=(-2, -1)).real
        degrees = np.maximum(chains * length - share * pursuit.found.sum(axis=-1), 0)
        misfit = np.maximum(np.sum(np.abs(pursuit.residual) ** 2, axis=(2, 3, 4)) / subcarriers - state.noise_power * degrees, 0)
        variance = (noise + misfit / state.pilot_power) / value[0, 0, 0].size
        return Estimate(value.astype(received.dtype, copy=False), variance), state

    def _threshold(self, subcarriers: int, atoms: int, noise_power: float) -> float:
        from scipy.special import gammainccinv

        return float(noise_power * gammainccinv(subcarriers, self.config.false_alarm / atoms))


class Pursuit(NamedTuple):
    """Chosen atoms (n per user, up to the user that has most).

    Attributes
    ----------
    receive, transmit : (D, K, n) int
        Their directions.
    found : (D, K, n) bool
        Whether this user has a path there.
    basis : (D, K, n, R L) complex
        Orthonormal basis of their span, zero where nothing was found.
    coefficients : (D, K, n, S) complex
        The received pilots in that basis.
    residual : (D, K, S, R, L) complex
        What is left of them.
    """

    receive: np.ndarray
    transmit: np.ndarray
    found: np.ndarray
    basis: np.ndarray
    coefficients: np.ndarray
    residual: np.ndarray


def pursue(received: np.ndarray, left: np.ndarray, heard: np.ndarray, threshold: float, most: int) -> Pursuit:
    """Take atom after atom while one of some user correlates with more than ``threshold``."""
    drops, users, subcarriers, chains, length = received.shape
    left, heard = unit_norm(left, -2), unit_norm(heard, -1)
    correlate_rx, correlate_tx = adjoint(left), adjoint(heard)
    residual = received.reshape(drops, users, subcarriers, -1)
    basis = np.zeros((drops, users, 0, chains * length), received.dtype)
    turns: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    active = np.ones((drops, users), bool)
    for _ in range(min(most, chains * length)):
        energy = np.zeros((drops, users, left.shape[-1], heard.shape[-2]), received.real.dtype)
        for part in np.moveaxis(residual, 2, 0):  # one subcarrier at a time: all at once would take S times the memory
            correlation = correlate_rx @ part.reshape(drops, users, chains, length) @ correlate_tx
            energy += correlation.real**2 + correlation.imag**2
        best = energy.reshape(drops, users, -1).argmax(axis=-1)
        active &= np.take_along_axis(energy.reshape(drops, users, -1), best[..., None], axis=-1)[..., 0] > threshold
        i, j = np.divmod(best, heard.shape[-2])
        column, row = np.take_along_axis(left, i[..., None, None], axis=-1), np.take_along_axis(heard, j[..., None, None], axis=-2)
        atom = (column * row).reshape(drops, users, -1, 1)
        for _ in range(2):  # twice is enough to stay orthogonal in single precision
            atom = atom - basis.swapaxes(-1, -2) @ (basis.conj() @ atom)
        norm = np.linalg.norm(atom, axis=-2, keepdims=True)
        active &= norm[..., 0, 0] ** 2 > _NEW_ENERGY
        if not active.any():
            break
        atom = np.where(active[..., None, None], atom / np.maximum(norm, _NEW_ENERGY), 0).astype(received.dtype, copy=False)
        coefficient = residual @ atom.conj()  # (D, K, S, 1)
        residual = residual - coefficient * atom.swapaxes(-1, -2)
        basis = np.concatenate([basis, atom.swapaxes(-1, -2)], axis=2)
        turns.append((i, j, active.copy(), coefficient[..., 0]))
    return _gathered(turns, basis, residual.reshape(received.shape))


def _gathered(turns: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]], basis: np.ndarray, residual: np.ndarray) -> Pursuit:
    drops, users, subcarriers = residual.shape[:3]
    if not turns:
        nothing = np.zeros((drops, users, 0))
        coefficients = np.zeros((drops, users, 0, subcarriers), residual.dtype)
        return Pursuit(nothing.astype(np.intp), nothing.astype(np.intp), nothing.astype(bool), basis, coefficients, residual)
    receive, transmit, found, coefficients = (np.stack(parts, axis=2) for parts in zip(*turns, strict=True))
    return Pursuit(receive, transmit, found, basis, coefficients, residual)


def _gains(pursuit: Pursuit, atoms: np.ndarray, noise_power: float) -> tuple[np.ndarray, np.ndarray]:
    """Gains (D, K, S, n) of the ``atoms`` (D, K, n, R L) by regularised least squares, and the inverse (D, K, n, n) in it."""
    triangle = (pursuit.basis.conj() @ atoms.swapaxes(-1, -2)).astype(np.complex128)
    gram = adjoint(triangle) @ triangle
    weight = np.trace(gram, axis1=-2, axis2=-1).real[..., None]
    explained = np.mean(np.sum(np.abs(pursuit.coefficients) ** 2, axis=-2), axis=-1)[..., None]  # the paths' power times their weight
    ridge = np.where(explained > 0, noise_power * weight / np.where(explained > 0, explained, 1), 1)
    ridge = ridge + np.where(pursuit.found, 0, weight)  # an equation of its own for every path that is not there
    inverse = np.linalg.inv(gram + ridge[..., None] * np.eye(gram.shape[-1]))
    return (inverse @ (adjoint(triangle) @ pursuit.coefficients)).swapaxes(-1, -2), inverse


def unit_norm(vectors: np.ndarray, axis: int) -> np.ndarray:
    """Vectors (..., n, Q) or (..., Q, n) of norm 1; those of a user that its beams do not see at all stay zero."""
    norm = np.linalg.norm(vectors, axis=axis, keepdims=True)
    return np.where(norm > 1e-4 * norm.max(axis=(-2, -1), keepdims=True), vectors / np.where(norm > 0, norm, 1), 0)
