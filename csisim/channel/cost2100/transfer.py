r"""From a list of paths to frequency responses and delay-angle matrices.

:math:`H[f, k] = \sum_l a_l\, e^{-j2\pi f \tau_l}\, e^{\mp j\pi k \cos\phi_l}` with absolute frequencies f and antennas k of a
half-wavelength line along x. The unitary transforms of both factors are sums of geometric sequences, so the delay-angle matrix
is computed in closed form, only the wanted delays, as one real matrix product per channel.
"""

import math
from dataclasses import dataclass

import numpy as np

from csisim.channel.cost2100.draws import kernel


@dataclass(frozen=True)
class Grid:
    """Evenly spaced frequencies ``first_hz + n spacing_hz``."""

    name: str
    num_points: int
    first_hz: float
    spacing_hz: float

    @property
    def frequencies(self) -> np.ndarray:
        """(num_points,) in Hz."""
        return self.first_hz + self.spacing_hz * np.arange(self.num_points)


def grid(name: str, first_hz: float, bandwidth_hz: float = 20e6) -> Grid:
    """The grids of the literature: ``1024`` points in the band, or ``257`` from its first to its last frequency (the public data).

    Raises
    ------
    ValueError
        For another name.
    """
    if name == "1024":
        return Grid(name, 1024, first_hz, bandwidth_hz / 1024)
    if name == "257":
        return Grid(name, 257, first_hz, bandwidth_hz / 256)
    raise ValueError(f"unknown grid {name!r}; grids: 1024, 257")


@dataclass(frozen=True)
class Convention:
    """How angles are written: the sign of the steering phase, and whether angle zero is in the middle of its axis."""

    sign: int
    centred: bool


#: The reference's files, and the public CsiNet data.
REFERENCE, PUBLIC = Convention(-1, False), Convention(1, True)


def steering(aod: np.ndarray, num_antennas: int, sign: int = -1) -> np.ndarray:
    """Phasors exp(sign j pi k cos AoD), (..., antenna), of a half-wavelength line along x."""
    return np.exp(1j * sign * np.pi * np.cos(aod)[..., None] * np.arange(num_antennas))


def frequency_response(
    amplitude: np.ndarray, delay: np.ndarray, aod: np.ndarray, frequencies: np.ndarray, num_antennas: int = 32, sign: int = -1
) -> np.ndarray:
    """Channel on frequencies and antennas.

    Parameters
    ----------
    amplitude : (..., P) complex
    delay, aod : (..., P) real
        In s and rad.
    frequencies : (F,) real
        Absolute, in Hz.
    num_antennas : int
    sign : int
        Of the steering phase.

    Returns
    -------
    (..., F, antenna) complex128
    """
    turns = delay[..., None, :] * frequencies[:, None]
    phasors = np.exp(-2j * np.pi * (turns - np.rint(turns)))
    return (amplitude[..., None, :] * phasors) @ steering(aod, num_antennas, sign)


def delay_angle(
    amplitude: np.ndarray,
    delay: np.ndarray,
    aod: np.ndarray,
    points: Grid,
    count: np.ndarray | None = None,
    num_delays: int = 32,
    num_antennas: int = 32,
    convention: Convention = REFERENCE,
) -> np.ndarray:
    """The first delays of channels in the delay-angle domain: unitary IFFT over frequency, unitary FFT over antennas.

    Parameters
    ----------
    amplitude : (M, P) complex
    delay, aod : (M, P) real
        In s and rad.
    points : Grid
    count : (M,) int, optional
        Paths of each channel; all P when left out.
    num_delays, num_antennas : int
    convention : Convention

    Returns
    -------
    (M, num_delays, num_antennas) complex128
    """
    if num_delays > points.num_points:
        raise ValueError(f"{num_delays} delays do not fit {points.num_points} frequencies")
    if count is None:
        count = np.full(len(amplitude), amplitude.shape[-1])
    out = np.empty((len(amplitude), num_delays, num_antennas), np.complex128)
    _delay_angle(
        np.ascontiguousarray(amplitude, np.complex128), np.ascontiguousarray(delay, float), np.ascontiguousarray(aod, float),
        np.asarray(count, np.int64), points.num_points, points.first_hz, points.spacing_hz, convention.sign, out,
    )  # fmt: skip
    return np.fft.fftshift(out, axes=-1) if convention.centred else out


@kernel
def _comb(position, period, num_wanted, out):
    """Sum of n terms exp(j 2 pi i (m - position) / n) over n, without its phase exp(j pi (n - 1) (m - position) / n), into ``out``.

    The value sin(pi u) / (n sin(pi u / n)) for u = m - position; the numerators are one number and its negative.
    """
    whole = np.rint(position)
    rest = position - whole
    nearest = int(whole)
    top = math.sin(math.pi * rest) / period
    for m in range(num_wanted):
        apart = m - nearest
        below = math.sin(math.pi * (apart - rest) / period)
        if abs(below) < 1e-9:  # a whole number of periods away
            out[m] = math.cos(math.pi * (apart - rest)) * math.cos(math.pi * (apart - rest) / period)
        else:
            out[m] = (top if apart % 2 else -top) / below


@kernel
def _delay_angle(amplitude, delay, aod, count, num_points, first_hz, spacing_hz, sign, out):
    """Delay-angle matrices into ``out`` (M, delay, angle)."""
    num_delays, num_antennas = out.shape[1:]
    largest = amplitude.shape[1]
    left, right = np.empty((num_delays, largest)), np.empty((largest, 2 * num_antennas))
    delays, angles = np.empty(num_delays), np.empty(num_antennas)
    scale = math.sqrt(num_points) * math.sqrt(num_antennas)
    slope_delay, slope_angle = math.pi * (num_points - 1) / num_points, -math.pi * (num_antennas - 1) / num_antennas
    for m in range(len(out)):
        paths = count[m]
        for p in range(paths):
            tap = num_points * spacing_hz * delay[m, p]
            # exp(j sign pi k cos) meets exp(-j 2 pi k n / A): the comb is centred at n = sign A cos / 2, running backwards
            beam = 0.5 * sign * num_antennas * math.cos(aod[m, p])
            _comb(tap, num_points, num_delays, delays)
            _comb(beam, num_antennas, num_antennas, angles)
            turns = first_hz * delay[m, p]
            phase = -2.0 * math.pi * (turns - np.rint(turns)) - slope_delay * tap - slope_angle * beam
            value = scale * amplitude[m, p] * complex(math.cos(phase), math.sin(phase))
            for n in range(num_delays):
                left[n, p] = delays[n]
            for n in range(num_antennas):
                right[p, 2 * n], right[p, 2 * n + 1] = value.real * angles[n], value.imag * angles[n]
        product = np.dot(np.ascontiguousarray(left[:, :paths]), right[:paths])
        for i in range(num_delays):
            for n in range(num_antennas):
                phase = slope_delay * i + slope_angle * n
                out[m, i, n] = complex(product[i, 2 * n], product[i, 2 * n + 1]) * complex(math.cos(phase), math.sin(phase))
