"""The ledger: what acquiring CSI costs, in bits (Kang 2022, eq. 47-51) and in air time.

All costs are per user. ``bits_per_element`` is the paper's q, the bits that describe one complex element of a pilot matrix.

The papers' genie pays Q_f for every coefficient of H, though one pilot block shows R T of its r t: with 64 antennas on 16 chains and
32 on 4, a thirty-second. ``full_csi: beam_sweep`` measures the others too and pays for all blocks, 13312 bits instead of 1408.
"""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from csisim.acquisition.full_csi import full_csi_symbols
from csisim.acquisition.pilots import PilotConfig, pilot_length, pilot_symbols
from csisim.phy.dims import System
from csisim.registry import Settings
from csisim.scheme import SchemeConfig


class LedgerConfig(Settings):
    """How signaling is booked (``ledger:`` in a scenario)."""

    bits_per_element: int = Field(1, ge=1, description="bits per complex element of a pilot matrix, q of eq. (47)-(48)")
    paper_ledger: bool = Field(False, description="book one Q_f per online frame whatever samples_per_frame, as eq. (51) does")


def q_full(system: System, length: int, bits_per_element: int = 1) -> int:
    """Bits of one full-CSI acquisition, Q_f = q (N_r N_r^RF + N_t N_t^RF + N_t^RF L) (Kang 2022, eq. 47)."""
    return bits_per_element * (system.num_rx * system.num_rx_rf + system.num_tx * system.num_rf + system.num_rf * length)


def q_sweep(system: System, length: int, bits_per_element: int = 1) -> int:
    r"""Bits of a beam sweep: eq. (47) with the beam matrices of all sectors and the pilot matrices of all blocks.

    .. math::  q (B_r N_r N_r^{RF} + B_t N_t N_t^{RF} + B_r B_t N_t^{RF} L), \quad
               B_r = \lceil N_r / N_r^{RF} \rceil,\; B_t = \lceil N_t / N_t^{RF} \rceil

    As many chains as antennas make it eq. (47).
    """
    rx_sectors, tx_sectors = -(-system.num_rx // system.num_rx_rf), -(-system.num_tx // system.num_rf)
    beams = rx_sectors * system.num_rx * system.num_rx_rf + tx_sectors * system.num_tx * system.num_rf
    return bits_per_element * (beams + rx_sectors * tx_sectors * system.num_rf * length)


def prices(system: System, length: int, bits_per_element: int, full_csi: str) -> tuple[int, int]:
    """Bits of one acquisition of full CSI of a kind, and of equivalent CSI."""
    full = q_sweep if full_csi == "beam_sweep" else q_full
    return full(system, length, bits_per_element), q_equivalent(system, length, bits_per_element)


def q_equivalent(system: System, length: int, bits_per_element: int = 1) -> int:
    """Bits of one equivalent-CSI acquisition, Q_eq = q N_t^RF L (Kang 2022, eq. 48)."""
    return bits_per_element * system.num_rf * length


@dataclass(frozen=True)
class SlotCosts:
    """What every slot of a superframe costs a scheme.

    Attributes
    ----------
    pilot_bits : (frames * slots_per_frame,) int
        Bits booked in each slot, per user.
    pilot_symbols : (frames * slots_per_frame,) int
        Channel uses taken by pilots in each slot; a full-CSI acquisition is charged its beam sweep even when a genie
        hands the CSI over, because one pilot block sees only N_r^RF N_t^RF of the N_r N_t coefficients.
    """

    pilot_bits: np.ndarray
    pilot_symbols: np.ndarray


def slot_costs(
    scheme: SchemeConfig,
    system: System,
    pilots: PilotConfig,
    ledger: LedgerConfig,
    frames: int,
    slots_per_frame: int,
    full_csi: str = "genie",
) -> SlotCosts:
    """Costs of every slot of one superframe; their sums are eq. (49), (50) and (51). ``full_csi`` is the kind of its acquisition."""
    length = pilot_length(pilots, system.num_rf)
    full, equivalent = prices(system, length, ledger.bits_per_element, full_csi)
    in_time = scheme.full_csi_slots(frames, slots_per_frame).astype(np.int64)
    # the pilot block of the single timescale's equivalent CSI is part of its Q_f
    equivalents = (~scheme.silent_slots(frames, slots_per_frame)).astype(np.int64) * (scheme.timescale != "single")
    booked = in_time.copy()
    if scheme.timescale == "online" and ledger.paper_ledger:
        booked[:] = 0
        booked[slots_per_frame - 1 :: slots_per_frame * scheme.update_every] = 1
    booked[:1] += scheme.samples_before  # bits on the first slot, but none of the superframe's air time
    block = pilot_symbols(pilots, system.num_rf, system.num_users)
    return SlotCosts(booked * full + equivalents * equivalent, in_time * full_csi_symbols(system, block, full_csi) + equivalents * block)


def pilot_share(costs: SlotCosts, symbols_per_slot: int) -> np.ndarray:
    """Share of each slot's channel uses that pilots take, at most 1."""
    return np.minimum(costs.pilot_symbols / symbols_per_slot, 1.0)


__all__ = ["LedgerConfig", "SlotCosts", "pilot_share", "prices", "q_equivalent", "q_full", "q_sweep", "slot_costs"]
