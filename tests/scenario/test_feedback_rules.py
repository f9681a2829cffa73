"""Rules and warnings about reports, against what runs do."""

import numpy as np
import pytest
from small_scenario import BASE, FDD, OFF, delay, off

from csisim.engine.cell import run_cell
from csisim.feedback.bits import unpack
from csisim.feedback.differential import CHECK_BITS, MODULUS_BITS, PHASE_BITS
from csisim.feedback.exchange import Exchange
from csisim.feedback.lloyd_max import LloydMax
from csisim.random import complex_normal
from csisim.records.timeline import _analog_updates
from csisim.registry import build
from csisim.scenario import memory
from csisim.scenario.feedback_rules import opened, shortest_report
from csisim.scenario.memory import beams_in_turn

NEVER = "differential never predicts, it only costs its header: the first acknowledgement is there after"
DIFFERENTIAL = "{kind: differential, inner: lloyd_max}"
NARROW = "{kind: differential, inner: lloyd_max, window: 4}"
FEW_RAYS = "channel={kind: mmwave_clusters, num_clusters: 1, num_rays: 2"


@pytest.fixture
def reported(monkeypatch):
    """Every report of a run with one scheme alone: the codec, the CSI's shape and what was sent."""

    def run(scenario, name="off"):
        seen, report = [], Exchange.report

        def watched(self, csi, *rest):
            sent = report(self, csi, *rest)
            seen.append((self.codec, csi.shape, sent))
            return sent

        with monkeypatch.context() as patch:
            patch.setattr(Exchange, "report", watched)
            run_cell(scenario, [name], 0, lambda *_: None)
        return seen

    return run


def predictions(reports):
    """How many reports that were sent build on earlier ones."""
    count = 0
    for codec, _, sent in reports:
        age = unpack(sent.report.payload, sent.report.size)[..., CHECK_BITS : codec.header_bits - MODULUS_BITS - PHASE_BITS]
        count += int((age.any(axis=-1) & sent.senders).sum())
    return count


def differing(**fields):
    """The first scheme with differential reports and other fields."""
    return off(**({"analog": "covariance", "digital": "rzf", "codec": DIFFERENTIAL} | fields))


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([differing(analog="altmin", timescale="single")], f"{NEVER} 1 slots, and altmin designs new beams after 1"),
        ([differing(timescale="online"), delay(3)], f"{NEVER} 4 slots, and covariance designs new beams after 4"),
        ([differing(), delay(7)], f"{NEVER} 8 slots, and covariance designs new beams after 8"),
        ([differing(timescale="online"), delay(2)], None),
        ([differing(timescale="online", update_every=2), delay(3)], f"{NEVER} 4 slots, and covariance designs new beams after 4"),
        ([differing(timescale="online", update_every=2), delay(3), ("frames: 2", "frames: 3")], None),
        ([differing(timescale="online", update_every=8), delay(6), ("frames: 2", "frames: 3")], None),
        ([differing(sampling="inside_random_phases", num_samples=4), delay(3)], "covariance designs new beams after 4"),
        ([differing(sampling="inside_random_phases", num_samples=5), delay(3)], None),
        ([differing(sampling="inside_silent", num_samples=6), delay(1)], "covariance designs new beams after 2"),
        ([differing(sampling="inside_silent", num_samples=4), delay(2)], None),
        ([differing(analog="none", estimator="perfect", timescale="single")], None),  # a basis that stays
        ([differing(codec=NARROW), delay("3, budget_bits: 100000")], f"{NEVER} 4 slots, the window is 4 (window > 4)"),
        ([differing(codec=NARROW), delay("3, budget_bits: 1000")], None),  # of 170 bits, which come more seldom
        ([differing(), delay("0, budget_bits: 343")], f"{NEVER} 1 slots, and 343 bits carry too few reports"),
        ([differing(), delay("0, budget_bits: 344")], None),
        ([differing(timescale="online"), delay("0, budget_bits: 344")], "and 344 bits carry too few reports through the same beams"),
    ],
)
def test_prediction_that_cannot_happen_is_warned_of(edits, words, load, reported):
    loaded = load(FDD, *edits, sets=["drops=2"])
    assert len(loaded.warnings) == bool(words)
    assert all(words in warning for warning in loaded.warnings)
    assert (predictions(reported(loaded.scenario)) > 0) is (words is None)


def test_nothing_is_built_that_memory_does_not_hold(refusal):
    """To see how long reports are, or how often a budget lets them pass."""
    edits = differing(codec=NARROW), delay("0, budget_bits: 1000"), ("frames: 2", "frames: 100000000000000")
    assert "a block of drops needs about" in refusal(FDD, *edits)


@pytest.mark.parametrize(("statistics", "warned"), [("iid_angles", True), ("fixed_clusters", False)])
def test_fully_digital_beams_move_with_fresh_angles(statistics, warned, load, reported):
    sets = ["drops=2", f"{FEW_RAYS}, statistics: {statistics}}}"]
    loaded = load(FDD, differing(analog="none", estimator="perfect", timescale="single"), sets=sets)
    assert any("none designs new beams after 1" in warning for warning in loaded.warnings) is warned
    assert (predictions(reported(loaded.scenario)) > 0) is not warned


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("every", [1, 2, 4])
def test_beams_in_turn_are_those_of_the_timeline(frames, every, load):
    """Online ones of every pace, and offline ones of samples inside."""
    edits = differing(timescale="online", update_every=every, codec="ideal"), ("frames: 2", f"frames: {frames}")
    inside = differing(sampling="inside_random_phases", num_samples=every, codec="ideal"), edits[1]
    for scenario in (load(FDD, *edits).scenario, load(FDD, *inside).scenario):
        changes = _analog_updates(scenario.schemes[0], scenario.clock.slots, 4)
        stays = np.diff(np.flatnonzero(np.append(changes, True)))
        assert beams_in_turn(scenario, scenario.schemes[0]) == (len(stays), stays.max())


ARRAYS = {"": 1, ", tx_array: {kind: cross_polarised, columns: 8}": 2, ", rx_array: {kind: cross_polarised, columns: 4}": 2}


@pytest.mark.parametrize("channel", [*(FEW_RAYS + array for array in ARRAYS), FEW_RAYS + ", k_factor_db: 3"])
def test_rules_know_the_signal_space_of_a_run(channel, load, reported):
    """Every ray has a path for each pair of polarisations, the line of sight one more."""
    edits = off(analog="none", estimator="perfect", timescale="single", digital="rzf", codec="lloyd_max")
    scenario = load(FDD, edits, sets=["drops=1", channel + "}"]).scenario
    shape, _ = opened(scenario, scenario.schemes[0], build("codec", scenario.schemes[0].codec))
    assert {seen for _, seen, _ in reported(scenario)} == {shape}


def test_a_budget_below_the_cross_polarised_report_is_refused(refusal):
    edits = off(analog="none", estimator="perfect", timescale="single", digital="rzf", codec="lloyd_max")
    channel = FEW_RAYS + ", tx_array: {kind: cross_polarised, columns: 8}}"
    assert "(272 bits)" in refusal(FDD, edits, sets=["feedback.budget_bits=100", channel])


def test_a_budget_where_nobody_reports_is_refused(load, refusal):
    text = BASE[: BASE.index("  - name: on")]
    alone = off(reciprocity="true")
    assert "feedback.budget_bits: 1 for reports where nobody reports" in refusal(FDD, alone, sets=["feedback.budget_bits=1"], text=text)
    assert load(FDD, alone, text=text).warnings == []


PORTS = ("num_tx: 16, num_rf: 8", "num_tx: 32, num_rf: 32")
COST = ("  kind: mmwave_clusters\n  fading: {kind: ar1, correlation: 0.9}", "  kind: cost2100\n  num_subcarriers: 256")
PRESET = "{kind: pca, file: indoor_paper, reduction: 16}"


@pytest.mark.parametrize(
    "codec", [PRESET, f"{{kind: differential, inner: {PRESET}}}", f"{{kind: adaptive, ladder: [{PRESET}, lloyd_max]}}"]
)
def test_nothing_is_fitted_to_check_a_preset(codec, load, refusal, monkeypatch):
    """What runs and what cannot is known before a preset's drops are drawn, with a budget too."""
    monkeypatch.setattr("csisim.feedback.pca.channels", None)
    text = BASE[: BASE.index("  - name: on")].replace(OFF, off(analog="ports", digital="rzf", codec=codec)[1])
    assert load(FDD, PORTS, COST, sets=["feedback.budget_bits=100000"], text=text).cells
    assert "bits)" in refusal(FDD, PORTS, COST, sets=["feedback.budget_bits=10"], text=text)
    words = "pca: the 6000 channels of indoor_paper cannot tell 8192 components"
    assert words in refusal(FDD, PORTS, COST, text=text.replace("reduction: 16", "reduction: 1"))


@pytest.mark.parametrize("scale", ["report", "genie"])
@pytest.mark.parametrize("kind", ["topk", "pca, file: TRACE, quantiser: {kind: allocated, bits: 2}", "ista"])
def test_images_are_as_long_as_they_are_said_to_be(kind, scale, load, reported, tmp_path):
    trace = complex_normal(np.random.default_rng(0), (64, 1, 8), np.complex64)
    np.savez(tmp_path / "trace.npz", delay_angle=trace)
    codec = f"{{kind: {kind.replace('TRACE', str(tmp_path / 'trace.npz'))}, domain: delay_angle, scale: {scale}}}"
    scenario = load(FDD, off(analog="random", digital="rzf", codec=codec), sets=["drops=1"]).scenario
    told = shortest_report(scenario, scenario.schemes[0])
    assert {int(bits) for _, _, sent in reported(scenario) for bits in sent.report.booked.flat} == {told}


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize(
    "codecs",
    [
        [{"kind": "type1"}],
        [{"kind": "type2"}],
        *([{"kind": "etype2", "combination": c}] for c in (1, 5)),
        [{"kind": "type2"}, {"kind": "type1"}],
    ],
)
def test_no_report_is_shorter_than_the_shortest(codecs, rank, load):
    """Of channels with one path, with few and with many, on the grid of the codebook and off it."""
    ladder = [codec | {"rank": rank} for codec in codecs]
    document = ladder[0] if len(ladder) == 1 else {"kind": "adaptive", "ladder": ladder}
    scenario = load(FDD, sets=[f"system.num_streams={rank}", f"schemes.off.codec={document}"]).scenario
    scheme = scenario.schemes[0]
    shortest = shortest_report(scenario, scheme)
    built = build("codec", scheme.codec)
    shape, state = opened(scenario, scheme, built)
    state = built.allow(np.zeros(shape[:2]), state) if hasattr(built, "allow") else state
    rng = np.random.default_rng(0)
    lengths = []
    for paths in (1, 2, 3, 20):
        for turns in (0.0, 0.25, rng.random()):
            angle = turns + rng.integers(4, size=(1, 2, 1, paths, 1)) / 4 + (rng.random((1, 2, 1, paths, 1)) if paths == 20 else 0)
            row = np.exp(2j * np.pi * angle * np.arange(4))  # one polarisation after the other
            gains = complex_normal(rng, (*shape[:4], paths, 2), np.complex128) * [1, turns]
            h = np.einsum("dksrpq,dkspt->dksrqt", gains, row).reshape(shape)
            lengths.append(built.encode(h, state)[0].booked.min())
    assert min(lengths) >= shortest > 0


def test_a_sweep_looks_at_a_codec_once_for_each_size(load, monkeypatch):
    """Opened to hear what is wrong, and to see how long its reports are; sizes once for each cell, however many rules ask."""
    opened_for, sized = [], []
    init, of = LloydMax.init, memory._Link.of
    monkeypatch.setattr(LloydMax, "init", lambda self, shape, dtype: opened_for.append(shape) or init(self, shape, dtype))
    monkeypatch.setattr(memory._Link, "of", lambda scenario: sized.append(scenario) or of(scenario))
    codecs = [off(codec="lloyd_max", name="off"), off(codec="lloyd_max", name="twin")[1], off(codec=DIFFERENTIAL, name="later")[1]]
    edits = [FDD, (codecs[0][0], "\n".join([codecs[0][1], *codecs[1:]]))]
    loaded = load(*edits, sets=["feedback.budget_bits=100000"], sweeps=["system.snr_db=0,5,10", "system.num_users=1,2"])
    assert len(loaded.cells) == 6
    assert sorted(opened_for) == sorted(2 * [(1, users, 1, 2, 8) for users in (1, 2)])
    assert len(sized) == 6


def test_a_file_that_has_gone_is_missed_when_the_same_scenario_is_loaded_again(load, refusal, tmp_path):
    trace = tmp_path / "trace.npz"
    np.savez(trace, delay_angle=complex_normal(np.random.default_rng(0), (64, 1, 8), np.complex64))
    codec = off(codec=f"{{kind: pca, file: {trace}, domain: delay_angle}}", digital="rzf")
    assert load(FDD, codec).cells
    trace.unlink()
    assert "trace.npz" in refusal(FDD, codec)
