"""The ledger against eq. (47)-(51) of Kang 2022, as printed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csisim.acquisition.pilots import PilotConfig
from csisim.engine.ledger import LedgerConfig, q_equivalent, q_full, q_sweep, slot_costs
from csisim.phy.dims import System
from csisim.scheme import SchemeConfig

SYSTEM = System()  # the paper's: 64/16, 32/4, K = 4
PILOTS = PilotConfig()


def scheme(timescale: str, **fields) -> SchemeConfig:
    analog = "altmin" if timescale == "single" else "ssca"
    return SchemeConfig(name="s", timescale=timescale, analog=analog, digital="zf", **fields)


def total(config: SchemeConfig, frames: int, slots: int, **ledger) -> int:
    return int(slot_costs(config, SYSTEM, PILOTS, LedgerConfig(**ledger), frames, slots).pilot_bits.sum())


def test_q_of_the_base_case():
    assert (q_full(SYSTEM, 16), q_equivalent(SYSTEM, 16)) == (1408, 256)
    assert (q_full(SYSTEM, 80), q_equivalent(SYSTEM, 80)) == (2432, 1280)


def test_a_sweep_pays_for_what_the_genie_hides():
    """4 x 8 blocks of 16 symbols against one: 9.5 times the bits, and the air time that the genie is charged as well."""
    blocks = 4 * 8
    assert q_sweep(SYSTEM, 16) == 8 * 32 * 4 + 4 * 64 * 16 + blocks * 16 * 16 == 13312
    as_many = System(num_tx=16, num_rf=16, num_rx=4, num_rx_rf=4)
    assert q_sweep(as_many, 16) == q_full(as_many, 16)
    uneven = System(num_tx=10, num_rf=4, num_rx=3, num_rx_rf=2, num_streams=2)
    assert q_sweep(uneven, 4) == 2 * 3 * 2 + 3 * 10 * 4 + 2 * 3 * 4 * 4
    genie, swept = (slot_costs(scheme("online"), SYSTEM, PILOTS, LedgerConfig(), 2, 8, kind) for kind in ("genie", "beam_sweep"))
    assert (swept.pilot_bits - genie.pilot_bits).sum() == 2 * (13312 - 1408)
    assert (swept.pilot_symbols == genie.pilot_symbols).all()
    assert swept.pilot_symbols[7] == blocks * 16 + 16
    block = slot_costs(scheme("online"), SYSTEM, PILOTS, LedgerConfig(), 2, 8, "cedun")
    assert (block.pilot_bits == genie.pilot_bits).all()
    assert block.pilot_symbols[7] == 16 + 16


@pytest.mark.parametrize(("frames", "expected"), [(2, (22528, 26624, 6912)), (16, (180224, 55296, 55296))])
def test_fig9_of_the_base_case(frames, expected):
    schemes = scheme("single"), scheme("offline", num_samples=16), scheme("online")
    assert tuple(total(s, frames, 8) for s in schemes) == expected


@settings(max_examples=40, deadline=None)
@given(frames=st.integers(1, 20), slots=st.integers(1, 12), samples=st.integers(0, 64), q=st.integers(1, 8))
def test_sums_are_eq_49_50_51(frames, slots, samples, q):
    full, equivalent = q_full(SYSTEM, 16, q), q_equivalent(SYSTEM, 16, q)
    assert total(scheme("single"), frames, slots, bits_per_element=q) == frames * slots * full
    assert total(scheme("offline", num_samples=samples), frames, slots, bits_per_element=q) == frames * slots * equivalent + samples * full
    assert total(scheme("online"), frames, slots, bits_per_element=q) == frames * (slots * equivalent + full)


def test_every_online_sample_is_booked_unless_the_paper_says_otherwise():
    online = scheme("online", samples_per_frame=5)
    assert total(online, 3, 8) == 3 * (8 * 256 + 5 * 1408)
    assert total(online, 3, 8, paper_ledger=True) == 3 * (8 * 256 + 1408)


def test_offline_books_its_samples_on_the_first_slot():
    costs = slot_costs(scheme("offline"), SYSTEM, PILOTS, LedgerConfig(), 4, 8)
    assert costs.pilot_bits[0] == 256 + 16 * 1408
    assert (costs.pilot_bits[1:] == 256).all()
    assert (costs.pilot_symbols == 16).all()  # samples before the superframe take none of its air time


def test_sampling_inside_takes_air_time():
    silent = slot_costs(scheme("offline", sampling="inside_silent"), SYSTEM, PILOTS, LedgerConfig(), 4, 8)
    busy = slot_costs(scheme("offline", sampling="inside_random_phases"), SYSTEM, PILOTS, LedgerConfig(), 4, 8)
    assert (silent.pilot_bits[:16] == 1408).all()
    assert (busy.pilot_bits[:16] == 1408 + 256).all()
    assert (silent.pilot_bits[16:] == 256).all()
    assert busy.pilot_symbols[0] == 512 + 16  # the beam sweep: 16 symbols x 4 transmit x 8 receive sectors


def test_fixed_phases_buy_no_samples():
    config = SchemeConfig(name="s", timescale="offline", analog="random", digital="zf")
    assert total(config, 4, 8) == 4 * 8 * 256


def test_tdma_pilots_take_every_user_a_block():
    costs = slot_costs(scheme("offline"), SYSTEM, PilotConfig(access="tdma"), LedgerConfig(), 1, 8)
    assert np.all(costs.pilot_symbols == 4 * 16)
