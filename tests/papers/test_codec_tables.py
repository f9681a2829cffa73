"""Tables of the codec papers: complete, honest, and right where nothing has to be trained."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from csisim import weights
from csisim.feedback import pca
from csisim.feedback.published import ROWS
from csisim.papers import codec_nets, codec_nmse
from csisim.papers.base import Conditions, Measured, judge, reproduce
from csisim.papers.codec_counts import costs, counted
from csisim.papers.codec_nmse import Rate, closed_form, in_db, ratios
from csisim.papers.codec_published import nmse, printed
from csisim.registry import configure
from csisim.training.recipe import run_recipe

PAPERS = {name: import_module(f"csisim.papers.{name}").TABLES for name in ("ma2024", "ma2023", "lu2021")}
ITEMS = [(paper, item) for paper, tables in PAPERS.items() for item in tables]
QUICK = Conditions("quick", lambda _: None, Path(), Path())


@pytest.fixture(scope="module", autouse=True)
def few_drops_to_fit():
    """Principal components of a quarter of the drops: as good to half a dB, and four times as fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pca, "DROPS", 1500)
        yield
    for cached in (pca._basis, pca._fitted, codec_nmse._on_drops):
        cached.cache_clear()


def test_every_table_and_figure_is_there():
    assert list(PAPERS["ma2024"]) == [*(f"table{i}" for i in range(2, 6)), *(f"fig{i}" for i in range(4, 8))]
    assert list(PAPERS["ma2023"]) == ["table1", "fig4", "fig5"]
    assert list(PAPERS["lu2021"]) == [*(f"table{i}" for i in range(1, 6)), *(f"fig{i}" for i in range(9, 16))]


@pytest.mark.parametrize(("paper", "item"), ITEMS)
def test_rows_fit_their_columns_and_can_be_judged(paper, item):
    table = PAPERS[paper][item]
    measured = table.source.rows if table.source else {}
    assert len({row.name for row in table.rows}) == len(table.rows)
    for row in table.rows:
        columns = row.columns or table.columns
        assert not row.published or len(row.published) == len(columns)
        assert row.name in measured or row.skipped or table.skipped
        assert not row.published or row.rule or row.skipped
        values = [Measured(value) for value in row.published] if row.rule and row.published else None
        for i, line in enumerate(judge(item, table, row, values)):
            right = "reproduced" if values else "not run"
            assert line.verdict == ("published value inconsistent" if i in row.inconsistent else right) or row.name in measured
            assert line.note or line.verdict == "reproduced" or row.name in measured


@pytest.mark.parametrize("source", sorted({row.source for row in ROWS if "README" not in row.source}))
def test_counts_are_judged_by_their_digits(source):
    rows = [row for row in ROWS if row.source == source]
    for row, compute in counted(source, {}):
        lines = judge("t", _table(row), row, compute(QUICK))
        assert all(line.verdict == "published value inconsistent" or line.note or line.verdict == "reproduced" for line in lines)
    verdicts = [line.verdict for row, compute in counted(source, {}) for line in judge("t", _table(row), row, compute(QUICK))]
    right = [row for row in rows if row.shows(row.ours(costs(row.settings, row.reduction)))]
    assert verdicts.count("reproduced") == len(right)
    assert verdicts.count("published value inconsistent") == sum(row.contradictory for row in rows)


def _table(row):
    from csisim.papers.base import Table

    return Table("t", row.columns, (row,))


def test_published_values_are_as_printed():
    assert nmse("Ma 2024, Table IV", "Csi-L2O", "1/8", bits="6") == -23.85
    assert nmse("Ma 2023, Table I", "DEQ", "1/16") == -13.29
    assert nmse("Lu 2021, Table V", "BACRNet-10x", "1/4", "outdoor", "4") == -10.49
    row = printed("Ma 2024, Table IV", "TransNet", ("1/16", "1/16 B=3"), "why")
    assert (row.published, row.skipped) == ((-15.0, -9.7), "why")
    with pytest.raises(KeyError):
        nmse("Ma 2024, Table IV", "Csi-L2O", "1/64")


def test_principal_components_on_drops_they_were_not_fitted_to(monkeypatch):
    monkeypatch.setitem(codec_nmse._COUNT, "quick", 150)
    eighth, sixteenth, few_bits = closed_form("pca", [Rate(8), Rate(16), Rate(16, 3)])(QUICK)
    assert -15 < eighth.value < -12.5  # -13.8 and -8.9 in other hands
    assert -10 < sixteenth.value < -8
    assert sixteenth.value < few_bits.value < sixteenth.value + 3
    assert 0 < sixteenth.ci95 < 1


def test_what_a_codec_leaves_out_of_an_image_is_error():
    images = np.zeros((1, 2, 32, 32), np.float32)
    images[0, 0, 3, 2] = images[0, 1, 5, 20] = 32.0
    found = ratios({"kind": "fista", "delays": 16, "reduction": 1, "iterations": 3000, "penalty": 1e-4, "tolerance": 1e-7}, images)
    assert found[0] == pytest.approx(0.5, abs=0.01)


def test_decibels_and_their_interval():
    found = in_db(np.array([0.1, 0.1, 0.1, 0.1]))
    assert found.value == pytest.approx(-10)
    assert found.ci95 == pytest.approx(0)
    wide = in_db(np.array([0.05, 0.15, 0.05, 0.15]))
    assert wide.value == pytest.approx(-10)
    assert wide.ci95 > 1


class TestShortTrainings:
    @pytest.mark.parametrize("name", codec_nets.SHORT)
    def test_recipes_are_valid_and_quick_ones_shorter(self, name):
        quick, full = (codec_nets.recipe_of(name, effort) for effort in ("quick", "full"))
        for recipe in (quick, full):
            recipe.check()
            assert recipe.link["images"] == "indoor_public"
        assert quick.digest != full.digest
        assert 4 * quick.stages[0].schedule.steps < full.stages[0].schedule.steps
        assert quick.stages[0].schedule.warm_up < quick.stages[0].schedule.steps / 5

    @pytest.fixture
    def tiny(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
        sets = ("link.drops=300", "link.validation=40", "link.codec.delays=8", "stages.0.schedule.steps=100", "link.batch=4")
        tiny = {name: codec_nets.Short(short.recipe, (*short.sets, *sets)) for name, short in codec_nets.SHORT.items()}
        tiny["DEQ, random start"] = codec_nets.Short("deq", (*codec_nets._RANDOM, *sets, "link.codec.reduction=4"))
        tiny["ACRNet-1x"] = codec_nets.Short("csinet_res", (*sets, "link.codec.reduction=4"))
        monkeypatch.setattr(codec_nets, "SHORT", tiny)
        monkeypatch.setitem(codec_nmse._COUNT, "quick", 30)
        return tmp_path

    def test_one_is_trained_once_and_has_a_curve(self, tiny):
        told = []
        conditions = Conditions("quick", told.append, Path(), Path())
        curve = codec_nets.curve("ACRNet-1x", conditions)
        assert len(curve) == 10
        first, again = (codec_nets.trained("ACRNet-1x", conditions) for _ in range(2))
        assert first == again
        assert len(told) == 1
        config = configure("codec", first)
        need = config.need(32, 8)
        header = weights.read_header(Path(first["weights"]))
        assert (header.component, header.architecture) == (need.component, need.architecture)
        assert weights.find(need) is None  # what a minute made is not what a scenario without weights is looking for

    def test_a_training_that_was_killed_has_its_whole_curve(self, tiny):
        def die(stage, task, progress):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_recipe(codec_nets.recipe_of("ACRNet-1x", "quick"), codec_nets._folder(), told=die)
        assert len(codec_nets.curve("ACRNet-1x", QUICK)) == 10

    def test_lines_of_a_figure(self, tiny):
        from csisim.papers import lu2021

        lines = reproduce("fig10", lu2021.TABLES["fig10"], QUICK)
        measured = {(line.row, line.column): line for line in lines if line.measured is not None}
        assert {row for row, _ in measured} == {"CRNet, short", "ACRNet-1x, short"}
        assert all(line.verdict == "no published value" for line in measured.values())
        assert [line.verdict for line in lines if line.row == "ACRNet-10x"] == ["not run"]

    def test_passes_are_chosen_at_run_time(self, tiny):
        changes = [{"encoder_iterations": passes} for passes in (1, 3, 12)]
        conditions = Conditions("quick", lambda _: None, Path(), Path())
        errors = [m.value for m in codec_nmse.along("DEQ, random start", changes, count=10)(conditions)]
        last = codec_nmse.residuals("DEQ, random start", changes, lambda net: float(net.encoder[1].residual.mean()), count=10)
        moved = [m.value for m in last(conditions)]
        assert len(set(errors)) == 3
        assert moved[0] > moved[1] > moved[2]

    def test_the_gain_over_principal_components_is_paired(self, tiny):
        rows = codec_nmse.beside_pca("ACRNet-1x", [Rate(16)], count=10)
        conditions = Conditions("quick", lambda _: None, Path(), Path())
        (error,), (gain,) = (compute(conditions) for _, compute in rows)
        assert [row.unit for row, _ in rows] == ["dB", "dB over PCA"]
        same = codec_nmse.on_drops(
            {"kind": "pca", "file": "indoor_public", "reduction": 16, "quantiser": {"kind": "float32"}}, "indoor", 10
        )
        assert gain.value == pytest.approx(in_db(same).value - error.value)

    def test_images_it_was_trained_on(self, tiny):
        """Overfitting is judged on images that the task has indeed seen."""
        recipe = codec_nets.recipe_of("ACRNet-1x", "quick")
        seen = codec_nmse.training_images("ACRNet-1x", QUICK)
        task = recipe.task(0, {})
        power = np.sqrt((seen[..., :8] ** 2).mean(axis=(1, 2, 3), keepdims=True) * 2)
        np.testing.assert_allclose(seen[..., :8] / power, task.train[: len(seen)], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("table", ["table1", "fig5"])
def test_codecs_of_a_table_are_compared_on_the_same_drops(table, monkeypatch):
    from csisim.papers import ma2023

    counts = []

    def errors(settings, place, count):
        counts.append(count)
        return np.linspace(0.1, 0.2, count)

    monkeypatch.setattr(codec_nmse, "_on_drops", errors)
    monkeypatch.setattr(codec_nmse, "trained", lambda name, conditions: {"kind": "deq", "delays": 16})
    reproduce(table, ma2023.TABLES[table], QUICK)
    assert len(counts) > 3
    assert set(counts) == {codec_nmse._COUNT["quick"]}
