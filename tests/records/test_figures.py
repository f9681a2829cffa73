"""Figures: the numbers drawn are the records' numbers, the bands are Student t, the bytes are the same every time."""

from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from csisim import load
from csisim.errors import CsisimError
from csisim.records.figures import KINDS, Results, plots, render, render_all, write
from csisim.records.figures.data import paired_ratio
from csisim.records.figures.feedback import labels
from csisim.records.figures.style import RC, _wrapped, draw, typeset_in
from csisim.records.summary import merge_replicas
from csisim.registry import configure
from csisim.scenario.schema import Plot, Sweep
from csisim.scheme import SchemeConfig


@pytest.fixture(scope="module")
def results(made_up_results):
    return Results.read(made_up_results)


@pytest.fixture(scope="module")
def base_slots(made_up_results):
    slots = load(made_up_results, "slots")
    return slots[(slots["snr_db"] == 10) & (slots["num_users"] == 4)]


def drop_means(slots, scheme, metric):
    rows = slots[slots["scheme"] == scheme]
    return rows.groupby(["replica", "drop"])[metric].mean().to_numpy(float)


def test_render_all_writes_png_pdf_and_csv_of_every_plot(made_up_results, results):
    written = render_all(made_up_results)
    assert len(set(written)) == 3 * len(results.scenario.plots)
    assert {path.suffix for path in written} == {".png", ".pdf", ".csv"}
    for path in written:
        head = path.read_bytes()[:8]
        assert head.startswith({".png": b"\x89PNG", ".pdf": b"%PDF", ".csv": b"scheme,"}[path.suffix])


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg", ".csv"])
def test_same_numbers_give_the_same_bytes(results, tmp_path, suffix):
    picture = render(results, Plot(kind="versus", x="snr_db"))
    first, second = (write(results, picture, tmp_path / f"{i}{suffix}")[0].read_bytes() for i in range(2))
    assert first == second


def test_many_schemes_look_different(results):
    """Of twenty-four curves no two share colour and marker."""
    picture = render(results, Plot(kind="versus", x="snr_db"))
    one = picture.table[picture.table["scheme"] == "online_ssca"]
    names = [f"scheme_{i}" for i in range(24)]
    table = pd.concat([one.assign(scheme=name, sum_rate_bps_hz=one["sum_rate_bps_hz"] + i) for i, name in enumerate(names)])
    lines = draw(replace(picture, table=table), names).axes[0].get_lines()
    assert len(lines) == 24
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 24


def test_fonts_are_embedded_as_truetype(results, tmp_path):
    (path,) = write(results, render(results, Plot(kind="cdf")), tmp_path / "cdf.pdf")
    assert b"/Type3" not in path.read_bytes()


def test_versus_shows_the_cells_along_one_axis(made_up_results, results):
    table = render(results, Plot(kind="versus", x="snr_db", y="net_rate_bps_hz")).table
    cells = load(made_up_results)
    cells = merge_replicas(cells[cells["num_users"] == 4], ["snr_db", "num_users"])
    shown = table.set_index(["scheme", "snr_db"])
    assert len(shown) == len(cells) == 6 * 4
    for _, cell in cells.iterrows():
        row = shown.loc[(cell["scheme"], cell["snr_db"])]
        assert row["net_rate_bps_hz"] == pytest.approx(cell["net_rate_bps_hz_mean"])
        assert row["high"] - row["net_rate_bps_hz"] == pytest.approx(cell["net_rate_bps_hz_ci95"])
        assert row["n"] == 10


def test_band_is_student_t_over_the_drops_of_all_replicas(results, base_slots):
    table = render(results, Plot(kind="versus", x="snr_db")).table
    row = table[(table["scheme"] == "online_ssca") & (table["snr_db"] == 10)].iloc[0]
    values = drop_means(base_slots[base_slots["frame"] >= 12], "online_ssca", "sum_rate_bps_hz")
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    assert (row["low"], row["high"]) == pytest.approx((low, high), rel=1e-6)


def test_frames_is_the_mean_of_each_frames_slots(results, base_slots):
    table = render(results, Plot(kind="frames")).table
    rows = table[table["scheme"] == "online_ssca"]
    assert rows["frame"].tolist() == list(range(1, 17))
    third = drop_means(base_slots[base_slots["frame"] == 2], "online_ssca", "sum_rate_bps_hz")
    row = rows[rows["frame"] == 3].iloc[0]
    assert row["sum_rate_bps_hz"] == pytest.approx(third.mean(), rel=1e-6)
    assert row["high"] - row["low"] == pytest.approx(2 * stats.t.ppf(0.975, 9) * stats.sem(third), rel=1e-6)


def test_relative_frames_are_paired(results, base_slots):
    table = render(results, Plot(kind="frames", relative_to="offline_ssca")).table
    assert "offline_ssca" not in set(table["scheme"])
    row = table[(table["scheme"] == "online_ssca") & (table["frame"] == 16)].iloc[0]
    last = base_slots[base_slots["frame"] == 15]
    online, offline = (drop_means(last, name, "sum_rate_bps_hz") for name in ("online_ssca", "offline_ssca"))
    assert row["sum_rate_bps_hz_percent"] == pytest.approx(100 * online.mean() / offline.mean(), rel=1e-6)
    unpaired = 100 * stats.t.ppf(0.975, 9) * stats.sem(online) / offline.mean()
    assert row["high"] - row["sum_rate_bps_hz_percent"] < 0.1 * unpaired  # the drops' common part cancels


def test_paired_ratio_covers_the_truth():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        common = rng.normal(10.0, 2.0, 16)
        ratio, half = paired_ratio(0.9 * common + rng.normal(0, 0.3, 16), common)
        covered += abs(ratio - 0.9) < half
    assert 0.91 <= covered / 400 <= 0.985


def test_net_rate_of_a_shorter_superframe_is_the_mean_of_its_frames(results, base_slots):
    table = render(results, Plot(kind="net_rate")).table.set_index(["scheme", "num_frames"])
    short = drop_means(base_slots[base_slots["frame"] < 5], "online_ssca", "net_rate_bps_hz")
    assert table.loc[("online_ssca", 5), "net_rate_bps_hz"] == pytest.approx(short.mean(), rel=1e-6)


def test_sampling_is_charged_as_silent_slots(results, base_slots):
    plot = Plot(kind="net_rate", charge_sampling=True, schemes=["offline_ssca", "online_ssca", "random_phases"])
    table = render(results, plot).table.set_index(["scheme", "num_frames"])["net_rate_bps_hz"]
    free = render(results, Plot(kind="net_rate")).table.set_index(["scheme", "num_frames"])["net_rate_bps_hz"]
    assert table["offline_ssca", 1] == 0.0  # 16 samples fill two frames of 8 slots
    assert table["offline_ssca", 2] == 0.0
    rows = base_slots[(base_slots["scheme"] == "offline_ssca") & (base_slots["frame"] < 6) & (base_slots["slot"] >= 16)]
    assert table["offline_ssca", 6] == pytest.approx(rows["net_rate_bps_hz"].sum() / 10 / (6 * 8), rel=1e-6)
    assert table["online_ssca", 6] == free["online_ssca", 6]
    assert table["random_phases", 6] == free["random_phases", 6]  # fixed beams take no samples


def test_crossings_are_where_another_scheme_becomes_best(results):
    plot = Plot(kind="net_rate", charge_sampling=True, schemes=["single_altmin", "offline_ssca", "online_ssca"])
    picture = render(results, plot)
    best = picture.table[picture.table["best"]].set_index("num_frames")["scheme"]
    changes = [frames - 0.5 for frames in range(2, 17) if best[frames] != best[frames - 1]]
    assert list(picture.crossings) == changes
    assert changes, "the made-up numbers cross"
    assert best[1] == "single_altmin"
    assert "16 silent sampling slots" in picture.caption


def test_the_digital_bound_is_no_contender(results):
    table = render(results, Plot(kind="net_rate")).table
    assert not table.loc[table["scheme"] == "digital_bound", "best"].any()


def test_nmse_is_db_of_the_mean_of_ratios(results, made_up_results):
    table = render(results, Plot(kind="nmse", x="snr_db")).table
    assert "digital_bound" not in set(table["scheme"])  # perfect CSI has no dB
    cells = merge_replicas(load(made_up_results), ["snr_db", "num_users"])
    cell = cells[(cells["scheme"] == "online_ssca") & (cells["snr_db"] == 0) & (cells["num_users"] == 4)].iloc[0]
    row = table[(table["scheme"] == "online_ssca") & (table["snr_db"] == 0)].iloc[0]
    assert row["nmse_estimate_db"] == pytest.approx(10 * np.log10(cell["nmse_estimate_mean"]))
    assert row["high"] == pytest.approx(10 * np.log10(cell["nmse_estimate_mean"] + cell["nmse_estimate_ci95"]))


def test_signaling_is_equations_49_to_51(results):
    bits = render(results, Plot(kind="signaling")).table.set_index(["scheme", "num_frames"])["signaling_bits"]
    full, equivalent = 32 * 4 + 64 * 16 + 16 * 16, 16 * 16  # (47), (48) with q = 1, L = 16
    for frames in (1, 2, 8, 16):
        assert bits["single_altmin", frames] == frames * 8 * full
        assert bits["offline_ssca", frames] == frames * 8 * equivalent + 16 * full
        assert bits["online_ssca", frames] == frames * (8 * equivalent + full)


def test_rate_vs_bits_has_a_point_for_every_scheme_and_value(results):
    table = render(results, Plot(kind="rate_vs_bits", x="num_users")).table
    assert len(table) == 6 * 3
    assert table.loc[table["scheme"] == "single_altmin", "signaling_bits"].tolist() == [180224.0] * 3
    assert len(render(results, Plot(kind="rate_vs_bits")).table) == 6


def fdd(results, **codecs):
    """The made-up results as if their schemes had reported with these codecs, in the schemes' order; the last ones ideally."""
    schemes = [
        scheme.model_copy(update={"codec": configure("codec", codecs.get(f"s{i}", "ideal")), "name": scheme.name, "analog": first.analog,
                                  "timescale": first.timescale, "estimator": first.estimator, "digital": first.digital})
        for first in results.scenario.schemes[1:2] for i, scheme in enumerate(results.scenario.schemes)
    ]  # fmt: skip
    cells = results.cells.copy()
    order = {scheme.name: number for number, scheme in enumerate(schemes)}
    slots = results.scenario.clock.slots
    cells["feedback_bits"] = [slots * 100.0 * (order[name] + 1) * (schemes[order[name]].codec.kind != "ideal") for name in cells["scheme"]]
    return replace(results, scenario=results.scenario.model_copy(update={"duplex": "fdd", "schemes": schemes}), cells=cells)


REPORTED = {"s0": {"kind": "lloyd_max", "bits": 4}, "s1": {"kind": "lloyd_max", "bits": 2}, "s2": "topk"}


def test_rate_vs_bits_of_reports_has_a_series_per_codec(results):
    picture = render(fdd(results, **REPORTED), Plot(kind="rate_vs_bits"))
    bits = {label: rows["report_bits"].tolist() for label, rows in picture.table.groupby("scheme")}
    assert bits == {"lloyd_max": [100, 200], "topk": [300], "ideal": [0, 0, 0]}
    assert picture.x_label == "Bits per user and report"
    first = results.scenario.schemes[0].name
    shown = picture.table.set_index("name").loc[first]
    (cell,) = results.points()[results.points()["scheme"] == first].to_dict("records")
    assert shown["sum_rate_bps_hz"] == cell["sum_rate_bps_hz_mean"]
    assert shown["high"] - shown["sum_rate_bps_hz"] == pytest.approx(cell["sum_rate_bps_hz_ci95"])


def test_series_that_would_have_one_name_stay_apart():
    """Two analog stages whose schemes' names begin alike: neither is part of the other's line."""
    schemes = [
        SchemeConfig.model_validate({"name": f"a_{i}", "timescale": "offline", "analog": analog, "digital": "rzf",
                                     "codec": {"kind": "lloyd_max", "bits": i}})
        for i, analog in enumerate(["random", "random", "ports", "ports"], 1)
    ]  # fmt: skip
    assert labels(schemes) == {f"a_{i}": f"a_{i}" for i in range(1, 5)}
    apart = [scheme.model_copy(update={"name": f"{scheme.analog.kind}_{i}"}) for i, scheme in enumerate(schemes)]
    assert set(labels(apart).values()) == {"random", "ports"}


def test_rate_vs_bits_of_reports_has_a_panel_per_value(results):
    picture = render(fdd(results, **REPORTED), Plot(kind="rate_vs_bits", x="num_users"))
    figure = draw(picture, [scheme.name for scheme in results.scenario.schemes], 2)
    assert [axes.get_title().split(": ")[1] for axes in figure.axes] == [str(v) for v in results.values("num_users")]
    assert len(figure.legends[0].texts) == 3
    with pytest.raises(CsisimError, match="at most 4 values"):
        render(fdd(replace(results, axes=results.axes | {"num_users": list(range(5))})), Plot(kind="rate_vs_bits", x="num_users"))


def test_cdf_ranks_the_drops_over_the_evaluated_frames(results, base_slots):
    table = render(results, Plot(kind="cdf")).table
    rows = table[table["scheme"] == "single_altmin"]
    values = np.sort(drop_means(base_slots[base_slots["frame"] >= 12], "single_altmin", "sum_rate_bps_hz"))
    np.testing.assert_allclose(rows["sum_rate_bps_hz"], values, rtol=1e-6)
    np.testing.assert_allclose(rows["cdf"], np.arange(1, 11) / 10)
    assert len(render(results, Plot(kind="cdf", y="rate_user")).table) == 6 * 10 * 4


def test_csv_is_the_table_drawn(results, tmp_path):
    picture = render(results, Plot(kind="versus", x="num_users"))
    (path,) = write(results, picture, tmp_path / "numbers.csv")
    pd.testing.assert_frame_equal(pd.read_csv(path), picture.table, check_dtype=False, rtol=1e-8)


def test_captions_state_the_conditions(results):
    picture = render(results, Plot(kind="versus", x="snr_db"))
    for words in ("$N_t$\u00a0=\u00a064", "$K$\u00a0=\u00a04", "= P/σ² per user", "10 drops", "last 4 frames", "Student t"):
        assert words in picture.caption
    assert "SNR 10 dB" not in picture.caption
    assert "SNR 10 dB" in render(results, Plot(kind="versus", x="num_users")).caption
    assert picture.title == "Sum rate versus SNR"
    clock = results.scenario.clock.model_copy(update={"frames": 1})
    single = replace(results, scenario=results.scenario.model_copy(update={"clock": clock}))
    assert "1 frame, 8 slots per frame" in render(single, Plot(kind="versus", x="snr_db")).caption


def test_schemes_are_chosen_ordered_and_always_look_the_same(results):
    picture = render(results, Plot(kind="frames", schemes=["random_phases", "online_ssca"]))
    assert list(dict.fromkeys(picture.table["scheme"])) == ["random_phases", "online_ssca"]
    names = [scheme.name for scheme in results.scenario.schemes]
    few, all_of_them = (draw(p, names).axes[0] for p in (picture, render(results, Plot(kind="frames"))))
    colours = {line.get_label(): line.get_color() for line in all_of_them.lines}
    assert {line.get_label(): line.get_color() for line in few.lines} == {name: colours[name] for name in ("random_phases", "online_ssca")}


EVERY_KIND = [
    Plot(kind="versus", x="snr_db"),
    Plot(kind="versus", x="num_users", y="signaling_bits"),
    Plot(kind="nmse", x="snr_db"),
    Plot(kind="frames"),
    Plot(kind="frames", relative_to="offline_ssca"),
    Plot(kind="net_rate", charge_sampling=True),
    Plot(kind="signaling"),
    Plot(kind="rate_vs_bits"),
    Plot(kind="rate_vs_bits", x="num_users", y="net_rate_bps_hz"),
    Plot(kind="cdf", y="rate_user", title="A title that somebody wrote without thinking of the width of a column in a journal"),
]


@pytest.mark.parametrize("columns", [1, 2])
def test_nothing_leaves_the_page(results, columns):
    names = [scheme.name for scheme in results.scenario.schemes]
    assert {plot.kind for plot in EVERY_KIND} == set(KINDS)
    for plot in EVERY_KIND[:: 1 if columns == 1 else 4]:
        figure = draw(render(results, plot), names, columns)
        assert figure.get_size_inches()[0] == {1: 3.5, 2: 7.0}[columns]
        with matplotlib.rc_context(RC):
            figure.draw_without_rendering()
            boxes = [artist.get_tightbbox() for artist in (*figure.texts, *figure.legends, *figure.axes)]
        assert min(box.x0 for box in boxes) >= -1
        assert min(box.y0 for box in boxes) >= -1
        assert max(box.x1 for box in boxes) <= figure.bbox.x1 + 1
        assert max(box.y1 for box in boxes) <= figure.bbox.y1 + 1
        title, caption, legend, axes = boxes
        assert title.y0 >= legend.y1 - 1
        assert legend.y0 >= axes.y1 - 1
        assert axes.y0 >= caption.y1 - 1


def test_wrapping_never_breaks_mathematics():
    text = "one two $N_t = 64$ three $x + y = z$ four five six"
    lines = _wrapped(text, 8.0, 0.9).split("\n")
    assert len(lines) > 2
    assert " ".join(lines) == text
    assert all(line.count("$") % 2 == 0 for line in lines)
    assert all(sum(typeset_in(word, 8.0) for word in line.split("$")) < 1.1 for line in lines)


@pytest.mark.parametrize(
    ("plot", "words"),
    [
        (Plot(kind="versus", x="num_rf"), "'num_rf' was not swept; swept are: snr_db, num_users"),
        (Plot(kind="versus"), "needs x"),
        (Plot(kind="frames", schemes=["onlin"]), "no scheme onlin; there are digital_bound"),
        (Plot(kind="frames", relative_to="nobody"), "no scheme nobody"),
        (Plot(kind="versus", x="snr_db", y="sgcs"), "sgcs is null in every cell"),
        (Plot(kind="nmse", x="snr_db", schemes=["digital_bound"]), "needs a scheme that estimates"),
        (Plot(kind="nmse", x="snr_db", y="sum_rate_bps_hz"), "a nmse plot cannot show sum_rate_bps_hz; it can show nmse_estimate"),
        (Plot(kind="frames", y="rate_user"), "cannot show rate_user"),
        (Plot(kind="signaling", y="sgcs"), "cannot show sgcs"),
        (Plot(kind="net_rate", y="sgcs"), "cannot show sgcs"),
        (Plot(kind="frames", y="nmse_full"), "nmse_full is null in every frame"),
    ],
)
def test_what_cannot_be_drawn_is_said(results, plot, words):
    with pytest.raises(CsisimError, match=words):
        render(results, plot)


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(CsisimError, match="no results here"):
        Results.read(tmp_path)


def test_plots_along_an_axis_that_is_not_swept_make_room_for_those_that_are(results):
    asked = [Plot(kind="versus", x="num_rf"), Plot(kind="cdf"), Plot(kind="nmse", x="snr_db")]
    other = replace(results, scenario=results.scenario.model_copy(update={"plots": asked}))
    assert [(plot.kind, plot.x) for plot in plots(other)] == [("cdf", None), ("nmse", "snr_db"), ("versus", "num_users")]
    one_point = replace(other, axes={})
    assert [plot.kind for plot in plots(one_point)] == ["cdf"]
    chosen = replace(results, scenario=results.scenario.model_copy(update={"plots": asked[1:]}))
    assert [plot.kind for plot in plots(chosen)] == ["cdf", "nmse"]


def test_without_plots_every_axis_is_drawn(results):
    bare = replace(results, scenario=results.scenario.model_copy(update={"plots": []}))
    assert [(plot.kind, plot.x) for plot in plots(bare)] == [
        ("versus", "snr_db"),
        ("versus", "num_users"),
        ("frames", None),
        ("signaling", None),
    ]


def test_an_axis_of_words_stands_side_by_side(results):
    picture = render(results, Plot(kind="versus", x="num_users"))
    words = picture.table.assign(num_users=picture.table["num_users"].map({1: None, 2: "3", 4: "4"}))
    axes = draw(replace(picture, table=words), [scheme.name for scheme in results.scenario.schemes]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["none", "3", "4"]
    bits = picture.table.assign(num_users=picture.table["num_users"].map({1: 1.0, 2: 3.0, 4: None}))
    axes = draw(replace(picture, table=bits), [scheme.name for scheme in results.scenario.schemes]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "3", "none"]
    assert axes.lines[0].get_xdata().tolist() == [0, 1, 2]


def test_axes_of_a_zip_are_not_held(results):
    zipped = Sweep(zip={"system.snr_db": [10, 0], "system.num_users": [4, 2]})
    together = replace(results, scenario=results.scenario.model_copy(update={"sweep": zipped}))
    assert together.held("snr_db") == {}
    assert results.held("snr_db") == {"num_users": 4}
    assert results.held() == together.held() == {"snr_db": 10, "num_users": 4}


def test_an_interval_below_zero_has_a_lower_end_in_db(results):
    wide = results.cells.assign(nmse_estimate_std=100 * results.cells["nmse_estimate_mean"], nmse_estimate_n=2)
    table = render(replace(results, cells=wide[wide["replica"] == 0]), Plot(kind="nmse", x="snr_db")).table
    np.testing.assert_allclose(table["nmse_estimate_db"] - table["low"], 30.0)  # a thousandth, for want of a logarithm


def test_one_drop_has_no_band(results):
    lone = replace(results, cells=results.cells.assign(**{"sum_rate_bps_hz_n": 0}))
    with pytest.raises(CsisimError, match="null in every cell"):
        render(lone, Plot(kind="versus", x="snr_db"))
    single = results.cells[results.cells["replica"] == 0].assign(sum_rate_bps_hz_n=1)
    picture = render(replace(results, cells=single), Plot(kind="versus", x="snr_db"))
    assert picture.table["low"].isna().all()
    assert picture.table["sum_rate_bps_hz"].notna().all()
    assert "confidence" not in picture.caption
    assert "confidence" not in render(results, Plot(kind="versus", x="snr_db", y="signaling_bits")).caption  # booked, not estimated
    draw(picture, [scheme.name for scheme in results.scenario.schemes]).draw_without_rendering()


def test_a_failed_replica_of_one_scheme_leaves_the_pairs(results):
    cells = results.cells
    kept = replace(results, cells=cells[(cells["scheme"] != "online_ssca") | (cells["replica"] == 1)])
    table = render(kept, Plot(kind="frames", relative_to="offline_ssca", schemes=["online_ssca"])).table
    assert set(table["n"]) == {5}
    assert table["sum_rate_bps_hz_percent"].iloc[-1] == pytest.approx(100 * 91 / 89, rel=0.02)


def test_nothing_is_relative_to_silence():
    assert np.isnan(paired_ratio(np.ones(4), np.zeros(4))).all()
