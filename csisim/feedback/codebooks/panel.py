"""The dual-polarised panel of TS 38.214: its ports, its oversampled DFT beams, and the directions a codebook describes."""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from csisim.errors import CsisimError

#: (N1, N2) of TS 38.214, Table 5.2.2.2.1-2; O1 = 4, and O2 = 4 where there are several rows.
GEOMETRIES = (
    (2, 1), (2, 2), (4, 1), (3, 2), (6, 1), (4, 2), (8, 1), (4, 3), (6, 2), (12, 1), (4, 4), (8, 2), (16, 1),
)  # fmt: skip
#: groups of beams that a user tries out
CANDIDATES = 4


@dataclass(frozen=True)
class Panel:
    """N1 columns and N2 rows of cross-polarised ports.

    The standard counts ports polarisation by polarisation and, within one, column by column. Our arrays count row by row
    (:class:`csisim.phy.arrays.CrossPolarised`); :meth:`to_ports` and :meth:`from_ports` translate.

    Raises
    ------
    CsisimError
        If the standard has no such panel.
    """

    n1: int
    n2: int

    def __post_init__(self) -> None:
        if (self.n1, self.n2) not in GEOMETRIES:
            known = ", ".join(f"{n1} x {n2}" for n1, n2 in GEOMETRIES)
            raise CsisimError(f"TS 38.214 has no panel of n1 x n2 = {self.n1} x {self.n2}, only {known}")

    @property
    def o1(self) -> int:
        """Oversampling along a row."""
        return 4

    @property
    def o2(self) -> int:
        """Oversampling along a column."""
        return 4 if self.n2 > 1 else 1

    @property
    def half(self) -> int:
        """Ports of one polarisation, N1 N2."""
        return self.n1 * self.n2

    @property
    def ports(self) -> int:
        """P = 2 N1 N2."""
        return 2 * self.half

    def beams(self, l: np.ndarray, m: np.ndarray) -> np.ndarray:  # noqa: E741  # the standard's letter
        r"""Beams :math:`v_{l,m}` of squared norm N1 N2, (..., N1 N2).

        Element n1 N2 + n2 is :math:`e^{j 2 \pi (l n_1 / O_1 N_1 + m n_2 / O_2 N_2)}`.
        """
        along = l[..., None, None] * np.arange(self.n1)[:, None] / (self.o1 * self.n1)
        up = m[..., None, None] * np.arange(self.n2) / (self.o2 * self.n2)
        return np.exp(2j * np.pi * (along + up)).reshape(*l.shape, self.half)

    def orthogonal(self, q1: np.ndarray, q2: np.ndarray, members: np.ndarray) -> np.ndarray:
        """The beams n = N1 n2 + n1 (``members``) of the orthogonal groups (q1, q2), (..., N1 N2)."""
        return self.beams(self.o1 * (members % self.n1) + q1, self.o2 * (members // self.n1) + q2)

    def to_ports(self, antennas: np.ndarray) -> np.ndarray:
        """Last axis from our order (polarisation, row, column) to the standard's."""
        shape = antennas.shape[:-1]
        return antennas.reshape(*shape, 2, self.n2, self.n1).swapaxes(-1, -2).reshape(*shape, self.ports)

    def from_ports(self, ports: np.ndarray) -> np.ndarray:
        """Last axis from the standard's order to ours."""
        shape = ports.shape[:-1]
        return ports.reshape(*shape, 2, self.n1, self.n2).swapaxes(-1, -2).reshape(*shape, self.ports)


def subband_directions(channel: np.ndarray, rank: int, subbands: int) -> tuple[np.ndarray, np.ndarray]:
    """What every codebook describes: the dominant eigenvectors of each subband's averaged H^H H.

    Parameters
    ----------
    channel : (B, S, R, P) complex
        ``subbands`` divides S.
    rank : int
        At most R S / subbands and P.

    Returns
    -------
    (B, N3, P, rank) complex128, (B, N3, rank) float64
        Unit directions, strongest first, and their power gains averaged over the subband.
    """
    batch, subcarriers, receive, ports = channel.shape
    # the subcarriers of a subband under one another have the summed covariance as their Gram matrix
    stacked = channel.reshape(batch, subbands, subcarriers // subbands * receive, ports).astype(np.complex128)
    _, values, right = np.linalg.svd(stacked, full_matrices=False)
    return right[:, :, :rank].conj().swapaxes(-1, -2), values[:, :, :rank] ** 2 * (subbands / subcarriers)


def split(directions: np.ndarray) -> np.ndarray:
    """Directions (B, N3, P, rank) by layer and polarisation, (B, rank, N3, 2, N1 N2)."""
    batch, subbands, ports, rank = directions.shape
    return np.moveaxis(directions, -1, 1).reshape(batch, rank, subbands, 2, ports // 2)


class BeamSet(NamedTuple):
    """L orthogonal beams of one group, common to both polarisations and all layers."""

    q1: np.ndarray  # (B,) the group, i1,1
    q2: np.ndarray  # (B,)
    members: np.ndarray  # (B, L) ascending n = N1 n2 + n1 of the beams in the group, behind i1,2

    def matrix(self, panel: Panel) -> np.ndarray:
        """The beams as columns, (B, N1 N2, L)."""
        return panel.orthogonal(self.q1[:, None], self.q2[:, None], self.members).swapaxes(-1, -2)

    def combine(self, panel: Panel, coefficients: np.ndarray) -> np.ndarray:
        """Vectors [sum_i v_i c_i; sum_i v_i c_{i+L}] of coefficients (B, rank, N3, 2L), (B, rank, N3, P), not normalised."""
        shape = coefficients.shape
        halves = coefficients.reshape(*shape[:-1], 2, -1)
        return (halves @ self.matrix(panel)[:, None, None].swapaxes(-1, -2)).reshape(*shape[:-1], panel.ports)


def candidate_beams(panel: Panel, directions: np.ndarray, count: int) -> tuple[BeamSet, np.ndarray]:
    """The groups whose ``count`` strongest beams catch most of directions (B, N3, P, rank), everything taken together.

    Those are the candidates; all groups are where ``count`` = N1 N2, so that every one of them catches everything.

    Returns
    -------
    BeamSet of B G sets, the G candidates of a report one after the other, and the coefficients (B G, rank, N3, 2L) on them
    """
    halves = split(directions)
    batch = len(halves)
    q1, q2 = np.divmod(np.arange(panel.o1 * panel.o2), panel.o2)
    grid = panel.orthogonal(q1[:, None], q2[:, None], np.arange(panel.half)).reshape(-1, panel.half)
    amplitudes = halves.reshape(batch, -1, panel.half) @ grid.conj().T
    energy = np.sum(amplitudes.real**2 + amplitudes.imag**2, axis=1).reshape(batch, len(q1), panel.half)
    caught = np.sort(energy, axis=-1)[..., -count:].sum(axis=-1)
    tried = CANDIDATES if count < panel.half else len(q1)
    groups = np.argsort(-caught, axis=1)[:, :tried]
    strongest = np.argsort(-np.take_along_axis(energy, groups[..., None], axis=1), axis=-1, kind="stable")[..., :count]
    beams = BeamSet(q1[groups].reshape(-1), q2[groups].reshape(-1), np.sort(strongest, axis=-1).reshape(-1, count))
    coefficients = np.repeat(halves, groups.shape[1], axis=0) @ beams.matrix(panel)[:, None, None].conj() / panel.half
    return beams, coefficients.reshape(*coefficients.shape[:3], 2 * count)


Pmi = TypeVar("Pmi", bound=tuple)


def most_similar(pmi: Pmi, precoder: np.ndarray, directions: np.ndarray) -> Pmi:
    """Of the candidates (B G reports and their precoders) of each of B directions, the one of the largest mean similarity."""
    candidates = precoder.reshape(len(directions), -1, *directions.shape[1:])
    inner = np.sum(directions[:, None].conj() * candidates, axis=-2)
    similarity = np.sum(inner.real**2 + inner.imag**2, axis=(-1, -2))
    rows = np.arange(len(directions)) * candidates.shape[1] + np.argmax(similarity, axis=1)
    return pick(pmi, rows)


def pick(pmi: Pmi, rows: np.ndarray) -> Pmi:
    """The reports ``rows`` of a batch of indices."""
    return type(pmi)(*(pick(field, rows) if isinstance(field, tuple) else field[rows] for field in pmi))
