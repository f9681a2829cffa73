"""Between the delay-angle domain, where a channel is sparse, and the frequency-antenna domain, where it acts.

Delay is the inverse Fourier transform of frequency, angle the Fourier transform of antennas; both are unitary.
"""

import numpy as np


def delay_angle_to_frequency(
    delay_angle: np.ndarray, num_frequencies: int, frequencies: np.ndarray | None = None, *, centred: bool = False
) -> np.ndarray:
    r"""Channel on subcarriers and antennas, :math:`H[k, n] = \frac{1}{\sqrt{F A}} \sum_{l, a} X[l, a] e^{-j2\pi kl/F} e^{+j2\pi na/A}`.

    Parameters
    ----------
    delay_angle : (..., delay, angle) complex
        The first ``delay`` taps; the others are taken as zero.
    num_frequencies : int
        F, evenly spaced over the band.
    frequencies : (S,) int, optional
        The indices k wanted; all F when left out.
    centred : bool
        The angle axis has angle zero in its middle (``fftshift``), as in the CsiNet data sets.

    Returns
    -------
    (..., S, antenna) complex, dtype of the input
    """
    if delay_angle.shape[-2] > num_frequencies:
        raise ValueError(f"{delay_angle.shape[-2]} delays do not fit {num_frequencies} frequencies")
    if centred:
        delay_angle = np.fft.ifftshift(delay_angle, axes=-1)
    antennas = np.fft.ifft(delay_angle, axis=-1, norm="ortho")
    if frequencies is None:
        spectrum = np.fft.fft(antennas, num_frequencies, axis=-2, norm="ortho")
    else:
        turns = np.outer(frequencies, np.arange(delay_angle.shape[-2])) % num_frequencies / num_frequencies
        rows = np.exp(-2j * np.pi * turns) / np.sqrt(num_frequencies)
        spectrum = rows.astype(delay_angle.dtype) @ antennas
    return spectrum.astype(delay_angle.dtype, copy=False)


def frequency_to_delay_angle(channel: np.ndarray, num_delays: int | None = None, *, centred: bool = False) -> np.ndarray:
    """The inverse of :func:`delay_angle_to_frequency`, cut to the first ``num_delays`` taps.

    Parameters
    ----------
    channel : (..., F, antenna) complex
        On all F evenly spaced frequencies.
    num_delays : int, optional
        Taps to keep; all F when left out.
    centred : bool
        Put angle zero in the middle of the angle axis.

    Returns
    -------
    (..., num_delays, angle) complex, dtype of the input
    """
    taps = np.fft.ifft(channel, axis=-2, norm="ortho")[..., :num_delays, :]
    delay_angle = np.fft.fft(taps, axis=-1, norm="ortho")
    if centred:
        delay_angle = np.fft.fftshift(delay_angle, axes=-1)
    return delay_angle.astype(channel.dtype, copy=False)
