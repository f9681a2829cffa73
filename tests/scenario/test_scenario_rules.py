"""What fields must satisfy together: every rule refuses what it is about, at its place, and nothing else."""

import tracemalloc

import pytest
from small_scenario import BASE, FDD, OFF, delay, off

from csisim.engine.cell import run_cell
from csisim.scenario import memory, rules
from csisim.scenario.load import load_scenario

BOUND = "  - {name: bound, timescale: single, estimator: perfect, analog: none, digital: sca}"
NEVER = "differential never predicts, it only costs its header: the first acknowledgement is there after"

REFUSED = {
    "streams_fit_the_user": ([("num_rx_rf: 2", "num_rx_rf: 1")], "system.num_rx_rf: 1 RF chains cannot carry 2 streams per user"),
    "streams_fit_the_base_station": ([("num_rf: 8", "num_rf: 1")], "system.num_rf: 1 RF chains cannot carry 2 streams to even one user"),
    "chains_have_antennas": ([("num_tx: 16", "num_tx: 4")], "system.num_rf: 8 RF chains for 4 transmit antennas"),
    "channel_suits_the_antennas": (
        [("  kind: mmwave_clusters\n  fading: {kind: ar1, correlation: 0.9}", "  kind: trace")],
        "channel.file: cost2100_indoor: delay_angle holds 32 angles of users with one antenna",
    ),
    "superframe_fits_the_channel": (
        [("  kind: mmwave_clusters\n  fading: {kind: ar1, correlation: 0.9}", "  kind: cost2100\n  superframe_s: 1.0e-4")],
        "channel.superframe_s: 0.0001 s is shorter than the clock's superframe of 0.001 s",
    ),
    "there_are_frames": ([("frames: 2", "frames: 0")], "clock.frames: a superframe of 0 frames"),
    "samples_fit_the_frame": (
        [("timescale: online", "timescale: online\n    samples_per_frame: 5")],
        "schemes.on.samples_per_frame: 5 samples need as many slots, a frame has 4",
    ),
    "sampling_fits_the_superframe": (
        [off(sampling="inside_silent", num_samples=9)],
        "schemes.off.num_samples: 9 samples inside a superframe of 8 slots",
    ),
    "evaluated_frames_exist": ([("clock:", "evaluation: {last_frames: 3}\nclock:")], "evaluation.last_frames: the last 3 of 2 frames"),
    "reports_arrive": ([FDD, ("delay_slots: 0", "delay_slots: 8")], "feedback.delay_slots: after 8 slots no report arrives"),
    "pilots_fit_the_slot": ([("length: num_rf", "length: 1025")], "pilots.length: 1025 pilot symbols in a slot of 1024"),
    "pilots_identify_the_channel": (
        [("length: num_rf", "length: 7")],
        "pilots.length: 7 pilot symbols cannot identify 8 directions by least squares: pilots.length >= 8",
    ),
    "names_differ": ([("name: bound", "name: off")], "schemes.off.name: another scheme is called 'off' already"),
    "fields_belong_to_the_timescale": ([off(memory=3)], "schemes.off.memory: belongs to timescale online, this scheme is offline"),
    "memory_holds_a_sample": (
        [("timescale: online", "timescale: online\n    memory: 0")],
        "schemes.on.memory: 0 samples leave nothing to learn from (memory >= 1, or all)",
    ),
    "designer_suits_the_timescale": (
        [off(analog="altmin")],
        "schemes.off.analog: altmin designs in every slot: it needs timescale single, this scheme is offline",
    ),
    "designer_has_samples": ([off(num_samples=0)], "schemes.off.num_samples: ssca cannot design from 0 samples (num_samples >= 1)"),
    "bound_is_perfect": (
        [("estimator: perfect", "estimator: rls")],
        "schemes.bound.estimator: the fully digital bound has perfect CSI, this is rls",
    ),
    "single_user_designer_has_one_user": ([off(digital="svd")], "schemes.off.digital: svd serves one user, there are 2"),
    "every_user_has_a_priority": (
        [off(digital="{kind: wmmse, user_weights: [1, 2, 3]}")],
        "schemes.off.digital.user_weights: [1.0, 2.0, 3.0] for 2 users: a positive number for each of them",
    ),
    "each_subcarrier_sees_a_channel_to_train_on": (
        [off(digital="hbdun"), ("  kind: mmwave", "  num_subcarriers: 4\n  normalisation: per_drop\n  kind: mmwave")],
        "channel.num_subcarriers: networks are trained on one subcarrier, and no mmwave_clusters channel on one is like each of these 4",
    ),
    "weights_fit": (
        [off(digital="{kind: hbdun, weights: nothing.safetensors}")],
        "schemes.off.digital.weights: nothing.safetensors: no such file of weights",
    ),
    "networks_can_be_had": (
        [FDD, off(codec="learned_paths")],
        "schemes.off.codec: no weights for learned_paths; name a recipe (weights: kang2022_fdd)",
    ),
    "full_csi_weights_fit": (
        [("clock:", "full_csi: {kind: cedun, weights: nothing.safetensors}\nclock:")],
        "full_csi.weights: nothing.safetensors: no such file of weights",
    ),
    "pictures_show_schemes": (
        [("clock:", "plots: [{kind: frames, schemes: [on, of]}]\nclock:")],
        "plots.0.schemes: no scheme is called 'of' (did you mean 'off'?); schemes: off, on, bound",
    ),
    "feedback_is_fdd": ([("delay_slots: 0", "delay_slots: 2")], "feedback.delay_slots: 2 in tdd"),
    "codecs_suit_the_channel": (
        [FDD, off(codec="type1")],
        "schemes.off.codec.rank: 1 layers for 2 streams per user (rank = num_streams)",
    ),
    "budget_carries_a_report": (
        [FDD, ("{delay_slots: 0}", "{budget_bits: 143}"), off(codec="lloyd_max")],
        "feedback.budget_bits: 143 bits a superframe carry not even the shortest report of off (144 bits) (budget_bits >= 144)",
    ),
    "memory_suffices": ([("num_tx: 16", "num_tx: 100000000000")], "system: a block of drops needs about"),
}


def test_every_rule_is_tested():
    assert {rule.__name__ for rule in rules.RULES} == set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_rule_refuses_what_it_is_about(name, refusal):
    edits, words = REFUSED[name]
    message = refusal(*edits)
    assert [line for line in message.splitlines() if line.startswith("s.yaml")] == [message.splitlines()[0]]  # no other rule is broken
    assert words in message


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([off(digital="{kind: hbdun, weights: nothing.yaml}")], "nothing.yaml: not a recipe ("),
        (
            [
                off(digital="{kind: hbdun, weights: kang2022_phases}"),
                ("kind: mmwave_clusters\n  fading: {kind: ar1, correlation: 0.9}", "kind: trace"),
            ],
            "channel.file: cost2100_indoor",
        ),
        (
            [
                off(digital="{kind: hbdun, weights: kang2022_phases}"),
                ("kind: mmwave_clusters\n  fading: {kind: ar1, correlation: 0.9}", "kind: cost2100\n  num_subcarriers: 4"),
            ],
            "channel.num_subcarriers: networks are trained on one subcarrier",
        ),
        ([("num_rx: 8", "num_rx: 1")], "system.num_rx_rf: 2 RF chains for 1 receive antennas"),
        ([off(estimator="rls", analog="random", num_samples=4)], "schemes.off.num_samples: random looks at no sample (num_samples: 0)"),
        (
            [off(timescale="single")],
            "it needs timescale offline or online, this scheme is single",
        ),
        ([off(timescale="online", analog="random")], "random needs no CSI: it needs timescale offline, this scheme is online"),
        ([off(analog="none", estimator="perfect")], "none designs in every slot: it needs timescale single"),
        (
            [("  kind: mmwave", "  tx_array: {kind: upa, rows: 3, columns: 3}\n  kind: mmwave")],
            "channel: upa: 3 rows x 3 columns are 9 elements",
        ),
        ([("  kind: mmwave_clusters\n  fading: {kind: ar1, correlation: 0.9}", "  kind: trace\n  file: absent.npz")], "absent.npz"),
        (
            [("  kind: mmwave", "  k_factor_db: 1e300\n  kind: mmwave")],
            "channel.k_factor_db: should be less than or equal to 200",
        ),
        (
            [FDD, off(codec="{kind: type1, rank: 2}", analog="none", timescale="single", estimator="perfect")],
            "schemes.off.analog: type1 needs RF chains for ports, none has none (analog: ports)",
        ),
        ([FDD, off(codec="{kind: type2, rank: 2, n1: 8}")], "schemes.off.codec: type2: a panel of 2 x 8 x 1 = 16 ports behind 8 RF chains"),
        ([off(codec="lloyd_max")], "schemes.off.codec: lloyd_max in tdd, where nobody reports (duplex: fdd)"),
        (
            [("loading: 0.01", "forgetting: 0.01"), ("length: num_rf", "length: 400")],
            "pilots.length: forgetting 0.01 fades 400 pilot symbols below rounding",
        ),
        ([("{delay_slots: 0}", "{loss: 0.5}")], "feedback.loss: 0.5 in tdd"),
        ([("{delay_slots: 0}", "{budget_bits: 50}")], "feedback.budget_bits: 50 in tdd"),
        ([off(reciprocity="true")], "schemes.off.reciprocity: in tdd every base station estimates by itself"),
        ([FDD, off(reciprocity="true", codec="lloyd_max")], "schemes.off.codec: lloyd_max with reciprocity, where nobody reports"),
        (
            [FDD, off(codec="{kind: adaptive, ladder: [{kind: type1, rank: 2, n1: 8}, {kind: type2, rank: 2}]}")],
            "schemes.off.codec.ladder.0: type1: a panel of 2 x 8 x 1 = 16 ports behind 8 RF chains",
        ),
        (
            [FDD, off(codec="{kind: adaptive, ladder: [lloyd_max, {kind: topk, domain: beams, reduction: 17}]}")],
            "schemes.off.codec.ladder.1: topk: reduction 17 leaves nothing of 16 entries (reduction <= 16)",
        ),
        (
            [FDD, off(codec="{kind: differential, inner: {kind: adaptive, ladder: [lloyd_max, {kind: crnet, domain: beams}]}}")],
            "schemes.off.codec.inner.ladder.1: crnet: no weights for 1/4 of 8 x 2 images",
        ),
        ([FDD, off(codec="pca")], "schemes.off.codec: pca: cost2100_indoor has 32 angles, the images have 8"),
        ([FDD, off(codec="{kind: pca, file: indoor_paper}")], "schemes.off.codec: pca: indoor_paper has 32 angles, the images have 8"),
        ([FDD, off(codec="{kind: pca, file: nowhere.npz}")], "nowhere.npz"),
        ([FDD, off(codec="{kind: ista, reduction: 3}")], "schemes.off.codec: ista: reduction 3 does not divide the 16 numbers of a 8 x 1"),
        (
            [FDD, off(codec="{kind: topk, domain: beams, reduction: 200}", analog="none", timescale="single", estimator="perfect")],
            "schemes.off.codec: topk: reduction 200 leaves nothing of 128 entries",
        ),
        (
            [FDD, delay("0, budget_bits: 80"), off(codec="{kind: adaptive, ladder: [lloyd_max, {kind: lloyd_max, bits: 2}]}")],
            "shortest report of off (81 bits)",
        ),
        ([FDD, off(codec="{kind: differential, inner: type1}")], "differential: type1 reports no channels"),
        ([("length: num_rf", "length: 600, access: tdma")], "pilots.length: 1200 pilot symbols (2 users in turn) in a slot of 1024"),
        ([("clock:", "plots: [{kind: frames, relative_to: nobody}]\nclock:")], "plots.0.relative_to: no scheme is called 'nobody'"),
        ([("frames: 2", "frames: 100000000000000")], "system: a block of drops needs about"),
    ],
)
def test_the_other_sides_of_rules(edits, words, refusal):
    assert words in refusal(*edits)


@pytest.mark.parametrize(
    "field",
    ["samples_per_frame: 1", "steps_per_frame: 3", "update_every: 2", "memory: all", "initial: covariance", "on_new_statistics: keep"],
)
def test_online_fields_are_refused_offline(field, refusal):
    key = field.split(":")[0]
    assert f"schemes.off.{key}: belongs to timescale online" in refusal((OFF, OFF.replace("}", f", {field}}}")))
    assert f"schemes.bound.{key}: belongs to timescale online" in refusal((BOUND, BOUND.replace("}", f", {field}}}")))


@pytest.mark.parametrize(
    "edits",
    [
        [off(estimator="rls"), ("length: num_rf", "length: 4")],  # regularised: needs fewer pilots than chains
        [off(estimator="mmse"), ("length: num_rf", "length: 4")],
        [off(analog="dft", num_samples=0)],  # the sector grid
        [off(analog="random", num_samples=0)],
        [off(analog="random")],
        [off(sampling="inside_silent", num_samples=8)],
        [off(digital="svd"), ("num_users: 2", "num_users: 1")],
        [off(digital="hbdun"), ("  kind: mmwave", "  num_subcarriers: 4\n  kind: mmwave")],
        [off(digital="hbdun"), ("  kind: mmwave_clusters", "  num_subcarriers: 4\n  kind: rayleigh")],
        [
            off(digital="{kind: hbdun, weights: untrained}"),
            ("  kind: mmwave", "  num_subcarriers: 4\n  normalisation: per_drop\n  kind: mmwave"),
        ],
        [FDD, ("delay_slots: 0", "delay_slots: 7"), off(codec="lloyd_max")],
        [FDD, off(codec="{kind: type2, rank: 2}", analog="ports")],
        [off(codec="ideal")],  # what a resolved tdd scenario says
        [("timescale: online", "timescale: online\n    samples_per_frame: 4")],
    ],
)
def test_what_is_legal_is_not_refused(edits, load):
    assert load(*edits).cells


IID = ("  fading: {kind: ar1, correlation: 0.9}", "  statistics: iid_angles")
WARNED = {
    "streams_share_chains": ([("num_users: 2", "num_users: 5")], "system.num_rf: 5 users x 2 streams = 10 > 8 RF chains"),
    "fresh_angles_need_many_samples": (
        [IID, ("timescale: online", "timescale: online\n    samples_per_frame: 2")],
        "schemes.on.samples_per_frame: 2 samples per frame with iid_angles over-fit",
    ),
    "delay_needs_correlation": (
        [FDD, ("kind: ar1, correlation: 0.9", "kind: iid"), ("delay_slots: 0", "delay_slots: 1")],
        "feedback.delay_slots: with iid fading",
    ),
    "prediction_is_possible": (
        [FDD, delay(3), off(codec="{kind: differential, inner: lloyd_max, window: 4}")],
        f"schemes.off.codec.window: {NEVER} 4 slots, the window is 4",
    ),
    "a_band_has_subcarriers": (
        [("  kind: mmwave", "  delay_spread_s: 1.0e-6\n  kind: mmwave")],
        "channel.delay_spread_s: without effect: one subcarrier sees neither band nor delays (num_subcarriers > 1)",
    ),
    "users_pilots_alias": ([("length: num_rf", "access: kang_eq4, length: 8")], "pilots.length: 8 symbols cannot keep the users' pilots"),
}


def test_every_warning_is_tested():
    assert {rule.__name__ for rule in rules.WARNINGS} == set(WARNED)


@pytest.mark.parametrize("name", WARNED)
def test_a_warning_is_given_once_and_refuses_nothing(name, load):
    edits, words = WARNED[name]
    (warning,) = load(*edits).warnings
    assert words in warning


def test_zero_forcing_without_room_is_warned_of(load):
    assert any("schemes.off.digital" in warning for warning in load(("num_users: 2", "num_users: 5"), off(digital="zf")).warnings)


def test_a_warning_of_several_cells_is_given_once(load):
    loaded = load(("schemes:\n", "sweep: {grid: {system.num_users: [2, 5, 6, 7]}}\nschemes:\n"))
    (warning,) = loaded.warnings
    assert "5 users x 2 streams" in warning
    assert "2 more cells" in warning


def test_pictures_over_unswept_axes_are_warned_of(load):
    (warning,) = load(("clock:", "plots: [{kind: versus, x: snr_db}]\nclock:")).warnings
    assert "plots.0.x: snr_db is not swept" in warning


def test_the_small_scenario_warns_of_nothing(load):
    assert load().warnings == []


RAYLEIGH = ("  kind: mmwave_clusters\n  fading: {kind: ar1, correlation: 0.9}", "  kind: rayleigh")


def test_the_working_set_grows_with_what_is_allocated(load):
    """It grows with antennas, samples and slots, and hardly with drops beyond a block."""
    size = lambda *edits: memory.working_set(load(*edits).scenario)  # noqa: E731
    base = size()
    assert size(("name: small", "name: small\ndrops: 64")) < 1.05 * base
    assert size(("name: small", "name: small\ndrops: 8")) < base
    assert size(("num_tx: 16", "num_tx: 64")) > base
    assert size(off(num_samples=64)) > base
    assert size(("frames: 2", "frames: 20")) > base
    assert size(("name: small", "name: small\nprecision: double")) > 1.5 * base
    channel_bytes = 16 * 2 * 8 * 16 * 8  # drops, users, rx, tx, complex64
    assert size(RAYLEIGH) > 8 * channel_bytes  # the channel, and the online scheme's eight samples


@pytest.mark.parametrize(
    "sets",
    [
        ["schemes.off.analog=dft", "system.num_tx=50000"],  # a codebook has as many beams as antennas
        ["schemes.bound.analog=omp", "system.num_tx=50000"],
        ["channel={kind: rayleigh, tx_correlation: 0.5}", "system.num_tx=50000"],  # root of a correlation matrix
        ["channel={kind: rayleigh, fading: {kind: jakes, doppler_hz: 5}}", "system.num_tx=100000"],  # sinusoids of every entry
        ["channel={kind: rayleigh, num_subcarriers: 1000000}"],
        ["channel={kind: cost2100, num_subcarriers: 1000000}"],
        ["channel={kind: cost2100, speed_mps: 1e6}"],  # regions along the walk
        ["channel={kind: cost2100, speed_mps: 1e300}"],
        ["channel.num_rays=10000", "schemes.off.analog=covariance"],  # Gram matrices between paths
        ["channel.num_rays=10000", "channel.normalisation=per_drop"],
        ["pilots.length=10000000", "clock.symbols_per_slot=10000000", "schemes.on.estimator=mmse"],
        ["schemes.on.estimator={kind: mmse, num_samples: 100000000}"],
        ["schemes.off.num_samples=100000000"],
        ["schemes.on.samples_per_frame=4", "clock.frames=10000000"],
        ["drops=1000000000"],  # the means of every drop
        ["system.num_users=1000000"],
    ],
    ids=str,
)
def test_what_no_machine_holds_is_refused_before_it_is_made(sets, refusal, monkeypatch):
    monkeypatch.setattr(memory, "physical_memory", lambda: 10 * 10**9)
    assert "a block of drops needs about" in refusal(sets=sets)


PEAKS = {
    "rayleigh": ([RAYLEIGH], ["system.num_tx=512", "system.num_rx=32"]),
    "a band of paths with Jakes": (
        [],
        [
            "schemes.off.analog=random",
            "schemes.off.digital=rzf",
            "channel.num_clusters=40",
            "channel.num_subcarriers=16",
            "channel.fading={kind: jakes, doppler_hz: 50}",
        ],
    ),
    "codebook": ([], ["schemes.off.analog=dft", "system.num_tx=1024"]),
    "path statistics": ([], ["schemes.off.analog=covariance", "channel.num_rays=25"]),
    "pilots": ([], ["pilots.length=5000", "clock.symbols_per_slot=5000"]),
    "fully digital": ([RAYLEIGH], ["system.num_tx=256", "system.num_rx=64"]),
    "trained paths": (
        [
            FDD,
            off(
                analog="random",
                num_samples=0,
                estimator="perfect",
                digital="rzf",
                codec="{kind: learned_paths, receive_bits: 5, transmit_bits: 9, weights: untrained}",
            ),
        ],
        [],
    ),
    "paths on a coarser grid of the user": (
        [
            FDD,
            off(
                analog="random",
                num_samples=0,
                estimator="perfect",
                digital="rzf",
                codec="{kind: paths, num_paths: 2, oversampling: 8, receive_oversampling: 1}",
            ),
        ],
        ["system.num_tx=64", "system.num_rx=32"],
    ),
    "late reports": (
        [FDD, off(timescale="single", analog="svd_phases", digital="rzf")],
        ["system.num_tx=64", "clock.frames=16", "feedback.delay_slots=48"],
    ),
}


@pytest.mark.parametrize("case", PEAKS)
def test_the_working_set_is_about_the_measured_peak(case, load):
    """Peaks as NumPy allocates them; smaller sizes than those where memory matters, so with wide margins."""
    edits, sets = PEAKS[case]
    scenario = load(*edits, sets=["clock.frames=1", *sets]).scenario
    names = [scheme.name for scheme in scenario.schemes if (case == "fully digital") == (scheme.name == "bound")][:1]
    scenario = scenario.model_copy(update={"schemes": [scheme for scheme in scenario.schemes if scheme.name in names]})
    run_cell(scenario.model_copy(update={"drops": 1}), names, 0, lambda *_: None)  # compile
    tracemalloc.start()
    try:
        run_cell(scenario, names, 0, lambda *_: None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.5 < memory.working_set(scenario) / peak < 4


def test_checking_builds_no_correlation_matrix(load, monkeypatch):
    monkeypatch.setattr("csisim.channel.rayleigh.exponential_correlation_sqrt", None)
    assert load(sets=["channel={kind: rayleigh, tx_correlation: 0.5}"]).cells


def test_checking_decomposes_no_large_pilots(load, monkeypatch):
    monkeypatch.setattr("csisim.acquisition.ls.least_squares_map", None)
    sets = ["system.num_tx=2048", "system.num_rf=2048", "clock.symbols_per_slot=2048"]
    assert load(sets=sets).cells


def test_a_machine_that_does_not_tell_its_memory_refuses_nothing(load, monkeypatch):
    monkeypatch.setattr(memory, "physical_memory", lambda: None)
    assert load(("num_tx: 16", "num_tx: 100000000")).cells


def test_a_small_machine_refuses_a_large_scenario(scenario_file, refusal, monkeypatch):
    monkeypatch.setattr(memory, "physical_memory", lambda: 10_000)
    assert "this machine has 10000 bytes" in refusal()
    monkeypatch.undo()
    assert load_scenario(scenario_file()).cells


def test_a_beam_sweep_needs_pilots_for_every_chain(load, refusal):
    """RLS can do with fewer pilots than RF chains; the least squares of a beam sweep cannot."""
    recursive = BASE.replace("estimator: ls", "estimator: rls")
    load(sets=("pilots.length=7",), text=recursive)
    assert "pilots.length: 7 pilot symbols" in refusal(sets=("pilots.length=7", "full_csi=beam_sweep"), text=recursive)
