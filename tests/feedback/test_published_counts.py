"""Parameters and multiply-accumulates against the published tables, digit by digit."""

from functools import lru_cache

import pytest

from csisim.feedback.published import ROWS, Row, rows_of
from csisim.registry import configure


@lru_cache
def costs(settings, reduction):
    return configure("codec", dict(settings) | {"reduction": reduction}).costs(32, 32)


def ours(row: Row):
    return row.ours(costs(tuple(row.settings.items()), row.reduction))


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.reproduced], ids=lambda r: f"{r.source}-{r.settings}-{r.part}-{r.reduction}-{r.count}"
)
def test_reproduced_rows_show_the_published_digits(row):
    assert row.shows(ours(row)), ours(row)


@pytest.mark.parametrize("row", [r for r in ROWS if not r.reproduced], ids=lambda r: f"{r.settings}-{r.part}-{r.reduction}-{r.count}")
def test_rows_called_wrong_are_wrong_and_say_why(row):
    assert not row.shows(ours(row))
    assert row.note


def test_csinets_decoder_was_counted_by_its_layers_weights_alone():
    pytest.importorskip("torch")
    from csisim.feedback.published import CSINET_OFFSETS

    decoder = configure("codec", {"kind": "csinet", "reduction": 16}).network(32, 32).decoder
    weights = sum(p.numel() for name, p in decoder.named_parameters() if name.endswith("weight") and p.ndim > 1)
    assert costs((("kind", "csinet"),), 16).decoder.params - weights == CSINET_OFFSETS


def test_transnets_shifted_row_is_ours_one_ratio_earlier():
    for row in (r for r in ROWS if r.settings["kind"] == "transnet" and r.part == "decoder"):
        earlier = ours(Row(row.settings, row.part, row.reduction // 2, row.count, row.value, row.source))
        assert row.shows(earlier) or (row.value, round(float(earlier), 3)) == ("0.530", 0.529)  # one digit off, a slip of the table


@pytest.mark.parametrize(
    ("settings", "part", "params", "macs"),
    [
        ({"kind": "csinetplus"}, "total", 2_121_932, 24_571_904),
        ({"kind": "acrnet", "expansion": 10}, "total", 2_122_504, 24_403_968),
        ({"kind": "bcsinet", "head": "B", "refinements": 3}, "encoder", 1_049_168, 1_122_304),
        ({"kind": "transnet"}, "encoder", 1_330_240, 19_136_512),
        ({"kind": "transnet"}, "decoder", 1_348_672, 20_447_232),
        ({"kind": "conv_csinet"}, "encoder", 2_141_440, 60_162_048),
        ({"kind": "deq"}, "encoder", 1_049_386, 2_912_256),
    ],
)
def test_counts_to_the_last_unit(settings, part, params, macs):
    """Attention included; hand counts of the pinned layers."""
    encoder, decoder = costs(tuple(settings.items()), 4)
    sides = {"encoder": [encoder], "decoder": [decoder], "total": [encoder, decoder]}[part]
    assert sum(side.params for side in sides) == params
    assert sum(side.macs["mac"] for side in sides) == macs


def test_what_csi_l2o_really_does():
    """Gradients 11.53 + transforms 36.70 + LSTM 123.00 million, start and end: fifteen times the published decoder."""
    decoder = costs((("kind", "csi_l2o"),), 16).decoder
    start, gradients, end = 128 * 2048, 4 * 128 * 2048 * 11, 2 * 128 * 2048 + 128 * 128
    transforms, lstm = 10 * 32 * 114_688, 11 * 2048 * (4 * 20 * 22 + 4 * 20 * 40 + 20 * 20 + 5 * 20)
    assert decoder.macs["mac"] == start + gradients + end + transforms + lstm
    assert decoder.params == 121_335 + 1  # the reach, which is ours


def test_a_binarised_encoder_is_thirty_times_smaller():
    plain, binary = (costs((("kind", kind),), 4).encoder.memory_bytes for kind in ("acrnet", "bacrnet"))
    assert plain / binary > 30


def test_each_group_of_acrnet_costs_the_same():
    macs = [costs((("kind", "acrnet"), ("expansion", k)), 4).decoder.macs["layers"] for k in (1, 2, 3)]
    assert macs[2] - macs[1] == macs[1] - macs[0] == 2_195_456


def test_rows_belong_to_the_settings_they_were_measured_with():
    assert {r.value for r in rows_of({"kind": "acrnet", "expansion": 12}, 4)} == {"28.79", "2.127"}
    assert rows_of({"kind": "acrnet"}, 4) == []
    assert {r.part for r in rows_of({"kind": "bacrnet", "binarise": "both"}, 8)} == {"encoder", "decoder"}
