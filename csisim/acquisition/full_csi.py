"""Full CSI: how the antenna-domain channel is known, and what its acquisition costs in air time.

One pilot block sees only R T of the r t coefficients, so full CSI is either assumed (``genie``, the papers' choice), assumed
with an error (``noisy``), swept with beams (``beam_sweep``), or guessed from one block (``cedun``,
:mod:`csisim.acquisition.long_term`).
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from csisim.acquisition.long_term import LongTermConfig
from csisim.channel.base import ChannelState, DenseState
from csisim.phy.dims import Dims, System
from csisim.random import complex_normal
from csisim.registry import BareKind, Component


class Genie(Component):
    """The exact channel for the price of Q_f (Kang 2022), in which one pilot block stands for all that it cannot show."""

    kind: Literal["genie"] = "genie"


class Noisy(Component):
    """The channel with a white complex Gaussian error."""

    kind: Literal["noisy"] = "noisy"
    nmse_db: float = Field(-10.0, le=60, description="expected error power relative to each user's channel power")


class BeamSweep(Component):
    """Pilot blocks through all orthonormal DFT beams, least squares on every block; the ledger books all of them."""

    kind: Literal["beam_sweep"] = "beam_sweep"


FullCsiConfig = Annotated[Genie | Noisy | BeamSweep | LongTermConfig, Field(discriminator="kind"), BareKind]


def acquire(
    state: ChannelState, config: Genie | Noisy | BeamSweep | LongTermConfig, rng: np.random.Generator, pilot_error: float | None = None
) -> ChannelState:
    r"""What a station holds after acquiring full CSI of ``state``.

    A beam sweep measures :math:`B_r^H H B_t` with unitary DFT matrices, block by block, by least squares: a white error of
    variance ``pilot_error`` per coefficient. Back in the antenna domain the error is white with the same variance, so it is
    drawn there at once. Where the RF chains do not divide the antennas, the beams measured twice are not averaged.

    Parameters
    ----------
    state : ChannelState
    config : Genie, Noisy or BeamSweep
        One block (``cedun``) has a class of its own, :class:`csisim.acquisition.long_term.LongTermCedun`.
    rng : numpy.random.Generator
        Source of the error, user axis first, so that K users are a prefix of K + 1.
    pilot_error : float, optional
        Error variance of one least-squares pilot block, :func:`csisim.acquisition.ls.least_squares_mse`; ``beam_sweep`` needs it.

    Returns
    -------
    ChannelState
        The same state for ``genie``, else a dense one.

    Raises
    ------
    ValueError
        If ``beam_sweep`` is not told its ``pilot_error``, or for ``cedun``.
    """
    if isinstance(config, LongTermConfig):
        raise ValueError("one block is acquired by LongTermCedun")
    if isinstance(config, Genie):
        return state
    h = state.matrix()
    drops, users, *rest = h.shape
    error = complex_normal(rng, (users, drops, *rest), h.dtype).swapaxes(0, 1)
    if isinstance(config, Noisy):
        power = np.mean(np.abs(h) ** 2, axis=(2, 3, 4), keepdims=True)
        amplitude = np.sqrt(power * 10 ** (config.nmse_db / 10))
    elif pilot_error is None:
        raise ValueError("a beam sweep needs the error variance of its pilot blocks")
    else:
        amplitude = np.sqrt(pilot_error)
    return DenseState(h + error * np.asarray(amplitude, h.real.dtype))


def full_csi_symbols(dims: Dims | System, length: int, kind: str = "genie") -> int:
    """Air time of full CSI in symbols: ceil(r/R) ceil(t/T) pilot blocks of ``length``, also for a genie's; one block for ``cedun``."""
    if kind == "cedun":
        return length
    return -(-dims.num_rx // dims.num_rx_rf) * -(-dims.num_tx // dims.num_rf) * length
