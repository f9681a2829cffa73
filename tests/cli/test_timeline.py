"""``csisim timeline``: the drawing agrees with the ledger's equations, and with what the engine does."""

import numpy as np
import pytest
from click.testing import CliRunner

from csisim.cli import main
from csisim.cli.timeline import text
from csisim.records.figures.timeline import figure
from csisim.records.timeline import LEGEND, lanes, shown
from csisim.scenario.load import load_scenario

BASE = """
name: base
drops: 1
system: {{num_tx: 64, num_rf: 16, num_rx: 32, num_rx_rf: 4, num_users: 4, num_streams: 4, snr_db: 10}}
channel: {{kind: mmwave_clusters}}
clock: {{slots_per_frame: 8, frames: {frames}}}
duplex: {duplex}
feedback: {{delay_slots: {delay}}}
ledger: {{paper_ledger: {paper}}}
schemes:
  - {{name: single, timescale: single, estimator: ls, analog: altmin, digital: rzf}}
  - {{name: offline, timescale: offline, estimator: ls, analog: covariance, digital: rzf}}
  - {{name: inside, timescale: offline, sampling: inside_silent, num_samples: 12, estimator: ls, analog: covariance, digital: rzf}}
  - {{name: meanwhile, timescale: offline, sampling: inside_random_phases, num_samples: 3, estimator: ls, analog: covariance, digital: rzf}}
  - {{name: online, timescale: online, estimator: ls, analog: covariance, digital: rzf}}
  - {{name: eager, timescale: online, samples_per_frame: 3, estimator: ls, analog: covariance, digital: rzf}}
  - {{name: lazy, timescale: online, update_every: 3, estimator: ls, analog: covariance, digital: rzf}}
  - {{name: fixed, timescale: offline, estimator: ls, analog: random, digital: rzf}}
"""
FULL, EQUIVALENT = 32 * 4 + 64 * 16 + 16 * 16, 16 * 16  # (47), (48) with q = 1, L = 16


@pytest.fixture
def drawn(tmp_path):
    """Lanes of every scheme of the base case, by name."""

    def draw(frames=16, duplex="tdd", delay=0, paper="false", codec="ideal"):
        file = tmp_path / "base.yaml"
        text = BASE.format(frames=frames, duplex=duplex, delay=delay, paper=paper)
        file.write_text(text.replace("digital: rzf}", f"digital: rzf, codec: {codec}}}"))
        scenario = load_scenario(file).scenario
        return scenario, {scheme.name: lanes(scenario, scheme) for scheme in scenario.schemes}

    return draw


def test_bits_are_equations_49_to_51(drawn):
    _, rows = drawn()
    assert rows["single"].frame_bits.sum() == 16 * 8 * FULL
    assert rows["offline"].frame_bits.sum() == 16 * 8 * EQUIVALENT + 16 * FULL
    assert rows["online"].frame_bits.sum() == 16 * (8 * EQUIVALENT + FULL)
    assert rows["single"].sum_text == "128*1408 = 180224 (eq. 49)"
    assert rows["offline"].sum_text == "16*1408 + 128*256 = 55296 (eq. 50)"
    assert rows["online"].sum_text == "16*1408 + 128*256 = 55296 (eq. 51)"
    assert rows["fixed"].sum_text == "128*256 = 32768 (eq. 50)"


def test_departures_from_the_equations_are_named(drawn):
    _, rows = drawn()
    assert rows["inside"].sum_text == "12*1408 + 116*256 = 46592 (eq. 50 without Q_eq in 12 silent slots)"
    assert rows["eager"].sum_text == "48*1408 + 128*256 = 100352 (eq. 51 with 3 Q_f per frame)"
    assert rows["lazy"].sum_text == "6*1408 + 128*256 = 41216 (eq. 51 with 1 Q_f per 3 frames)"
    assert np.flatnonzero([letter == "^" for letter in rows["lazy"].rows["analog"]]).tolist() == [0, 8, 32, 56, 80, 104]


def test_who_hears_the_channel_itself_reports_nothing(drawn):
    scenario, rows = drawn(duplex="fdd", codec="lloyd_max")
    config = next(scheme for scheme in scenario.schemes if scheme.name == "offline")
    row = lanes(scenario, config.model_copy(update={"reciprocity": True}))
    assert "report" in rows["offline"].rows
    assert "report" not in row.rows
    assert "reports" not in row.sum_text


def test_a_sweep_is_priced_as_one(drawn):
    from csisim.acquisition.full_csi import BeamSweep
    from csisim.records.timeline import costs

    scenario, _ = drawn()
    swept = scenario.model_copy(update={"full_csi": BeamSweep()})
    assert "Q_f = 13312 bits (eq. 47, every block of a beam sweep)" in costs(swept)
    online = next(scheme for scheme in swept.schemes if scheme.name == "online")
    assert lanes(swept, online).sum_text == "16*13312 + 128*256 = 245760 (eq. 51)"
    _, rows = drawn(paper="true")
    assert rows["eager"].sum_text == "16*1408 + 128*256 = 55296 (eq. 51)"


def test_letters_add_up_to_the_bits(drawn):
    _, rows = drawn()
    price = {"e": EQUIVALENT, "F": FULL, "B": EQUIVALENT + FULL, " ": 0}
    for row in rows.values():
        booked = np.array([price[letter] for letter in row.rows["CSI"]]).reshape(16, 8).sum(axis=1)
        booked[0] += row.before * FULL
        np.testing.assert_array_equal(booked, row.frame_bits)


def test_each_timescale_has_its_pattern(drawn):
    _, rows = drawn(frames=2)
    assert rows["single"].rows == {"CSI": "F" * 16, "analog": "^" * 16, "payload": "=" * 16}
    assert rows["offline"].rows == {"CSI": "e" * 16, "analog": "^" + " " * 15, "payload": "=" * 16}
    assert rows["offline"].before == 16
    assert rows["inside"].rows == {"CSI": "F" * 12 + "eeee", "analog": "^" + " " * 11 + "^   ", "payload": "." * 12 + "===="}
    assert rows["meanwhile"].rows["CSI"] == "BBB" + "e" * 13
    assert rows["meanwhile"].rows["payload"] == "~~~" + "=" * 13
    assert rows["online"].rows == {"CSI": "eeeeeeeB" * 2, "analog": "^       " * 2, "payload": "~" * 8 + "=" * 8}
    assert rows["eager"].rows["CSI"] == "eeeeeBBB" * 2


def test_reports_arrive_late(drawn):
    _, rows = drawn(frames=2, duplex="fdd", delay=3)
    assert rows["offline"].rows["report"] == ">>>" + "x" * 13
    assert rows["offline"].rows["payload"] == "..." + "=" * 13
    assert rows["online"].rows["payload"] == "..." + "~" * 8 + "=" * 5


def test_reports_are_booked(drawn):
    _, rows = drawn(frames=2, duplex="fdd", codec="lloyd_max")
    report = 2 * 4 * 16 * 4 + 16  # real dimensions of 4 x 16 entries at 4 bits, and the scale
    assert rows["offline"].sum_text == f"16*1408 + 16*256 = 26624 (eq. 50) + 16*{report} = {26624 + 16 * report} with reports"
    assert rows["online"].frame_bits.tolist() == [8 * EQUIVALENT + FULL + 8 * report] * 2
    assert rows["inside"].frame_bits.tolist() == [8 * FULL, 4 * (FULL + EQUIVALENT + report)]  # nobody reports in silence


@pytest.mark.parametrize(("duplex", "delay", "codec"), [("tdd", 0, "ideal"), ("fdd", 3, "lloyd_max")])
def test_the_engine_does_what_is_drawn(tmp_path, duplex, delay, codec):
    from csisim.engine.cell import run_cell

    small = BASE.format(frames=2, duplex=duplex, delay=delay, paper="false")
    small = small.replace("num_tx: 64, num_rf: 16, num_rx: 32, num_rx_rf: 4", "num_tx: 8, num_rf: 4, num_rx: 4, num_rx_rf: 2")
    file = tmp_path / "small.yaml"
    small = small.replace("digital: rzf}", f"digital: rzf, codec: {codec}}}")
    file.write_text(small.replace("num_users: 4, num_streams: 4", "num_users: 2, num_streams: 2"))
    scenario = load_scenario(file).scenario
    seen = {}
    run_cell(scenario, [scheme.name for scheme in scenario.schemes], 0, lambda name, _, columns: seen.update({name: columns}))
    for scheme in scenario.schemes:
        row, columns = lanes(scenario, scheme), seen[scheme.name]
        assert [letter == "^" for letter in row.rows["analog"]] == columns["analog_updated"].tolist(), scheme.name
        assert [letter != "." for letter in row.rows["payload"]] == (columns["sum_rate_bps_hz"] > 0).tolist(), scheme.name
        assert row.frame_bits.sum() == columns["signaling_bits"][-1] == (columns["pilot_bits"] + columns["feedback_bits"]).sum()


@pytest.mark.parametrize(("frames", "slots"), [(1, 8), (2, 8), (16, 8), (3, 500), (400, 1), (2, 40)])
def test_the_drawing_fits_a_line_and_shows_both_ends(frames, slots):
    spans = shown(frames, slots, 96)
    slot = [slot for span in spans for slot in span]
    assert slot[0] == 0
    assert slot[-1] == frames * slots - 1
    assert slot == sorted(set(slot))
    assert len(slot) <= 96


def test_text_names_every_scheme_and_every_letter_used(drawn):
    scenario, rows = drawn(duplex="fdd", delay=2)
    drawing = text(scenario)
    for name in rows:
        assert f"\n{name}\n" in drawing
    assert all(f"{letter} {meaning}" in drawing for letter, meaning in LEGEND.items())
    assert "16 F |" in drawing
    assert max(map(len, drawing.splitlines())) <= 120


def test_command_prints_text_or_draws_a_picture(tmp_path, drawn):
    drawn()
    printed = CliRunner().invoke(main, ["timeline", str(tmp_path / "base.yaml")])
    assert printed.exit_code == 0, printed.output
    assert "Q_f = 1408 bits (eq. 47), Q_eq = 256 bits (eq. 48)" in printed.output
    shorter = CliRunner().invoke(main, ["timeline", str(tmp_path / "base.yaml"), "--set", "clock.frames=2"])
    assert "a superframe is 2 frames of 8 slots" in shorter.output
    picture = tmp_path / "timeline.png"
    drawing = CliRunner().invoke(main, ["timeline", str(tmp_path / "base.yaml"), "-o", str(picture)])
    assert drawing.exit_code == 0, drawing.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    refused = CliRunner().invoke(main, ["timeline", str(tmp_path / "base.yaml"), "-o", str(tmp_path / "timeline.docx")])
    assert (refused.exit_code, list(tmp_path.glob("*.docx"))) == (2, [])
    assert "must end in one of .png, .pdf, .svg" in refused.stderr


@pytest.mark.parametrize("duplex", ["tdd", "fdd"])
def test_nothing_overlaps_in_the_picture(drawn, duplex):
    import matplotlib

    from csisim.records.figures.style import RC

    scenario, _ = drawn(duplex=duplex, codec="ideal" if duplex == "tdd" else "lloyd_max")
    drawing = figure(scenario)
    with matplotlib.rc_context(RC):
        drawing.draw_without_rendering()
        title, caption, legend, axes = (a.get_tightbbox() for a in (*drawing.texts, *drawing.legends, *drawing.axes))
    assert title.y0 >= caption.y1 - 1
    assert caption.y0 >= axes.y1 - 1
    assert axes.y0 >= legend.y1 - 1
    assert min(box.x0 for box in (title, caption, legend, axes)) >= 0
    assert max(box.x1 for box in (title, caption, legend, axes)) <= drawing.bbox.x1
