"""Algorithm 1 of Lu 2021: what fits, and that nothing larger would."""

import pytest

from csisim.errors import CsisimError
from csisim.feedback.planner import Limits, plan
from csisim.registry import configure


def grown(settings):
    return configure("codec", settings | {"expansion": settings["expansion"] + 1}).costs(32, 32)


def test_2048_bits_without_limits_are_a_quarter_at_four_bits():
    """Lu 2021, Fig. 15."""
    chosen = plan(Limits(2048), most=12)
    assert (chosen.reduction, chosen.bits, chosen.report_bits, chosen.binarise, chosen.expansion) == (4, 4, 2048, "none", 12)


def test_1536_bits_are_an_eighth_at_six_bits():
    """Ma 2024, section V-E: better than a quarter at three."""
    chosen = plan(Limits(1536), most=1)
    assert (chosen.reduction, chosen.bits, chosen.report_bits) == (8, 6, 1536)


@pytest.mark.parametrize(("bits", "reduction", "per_number"), [(10_000, 4, 8), (512, 16, 4), (128, 64, 4), (96, 64, 3), (32, 64, 1)])
def test_the_bit_budget_is_kept(bits, reduction, per_number):
    chosen = plan(Limits(bits), most=1)
    assert (chosen.reduction, chosen.bits) == (reduction, per_number)
    assert chosen.report_bits <= bits


def test_the_decoder_is_the_largest_that_fits():
    limits = Limits(2048, station_mmac=28.8)
    chosen = plan(limits)
    assert chosen.expansion == 12  # 27.496 of 28.8 million; 13 would need 29.692
    assert limits.allow(chosen.costs) is None
    assert "base station's multiply-accumulates" in limits.allow(grown(chosen.settings))


def test_layers_are_binarised_only_where_memory_is_short():
    assert plan(Limits(2048, user_kilobytes=5000), most=1).binarise == "none"
    assert plan(Limits(2048, user_kilobytes=200), most=1).binarise == "encoder"
    assert plan(Limits(2048, station_kilobytes=200), most=1).binarise == "both"


def test_a_shorter_code_is_the_last_resort():
    chosen = plan(Limits(2048, user_mmac=0.8), most=1)
    assert (chosen.reduction, chosen.bits) == (8, 8)


def test_what_cannot_be_done_is_told():
    with pytest.raises(CsisimError, match="the user's multiply-accumulates"):
        plan(Limits(2048, user_mmac=0.01))
    with pytest.raises(CsisimError, match="too few for a code of 1/64"):
        plan(Limits(31))
    with pytest.raises(CsisimError, match="divides the 98 numbers of a 7 x 7 image"):
        plan(Limits(512), 7, 7)
    with pytest.raises(CsisimError, match="too few for a code of 1/32"):
        plan(Limits(2), 6, 8)  # 1/64 does not divide 96 numbers


def test_the_settings_are_a_codec():
    chosen = plan(Limits(1024, user_kilobytes=100), most=2)
    config = configure("codec", chosen.settings)
    assert config.quantiser.num_bits(config.code_length(32, 32)) == chosen.report_bits
