"""Slot files and journals: complete or absent, and cheap to read back."""

import json
import os
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import csisim
from csisim.errors import CsisimError
from csisim.records.atomic import write_atomic
from csisim.records.load import load
from csisim.records.schema import METRICS, SLOT_COLUMNS
from csisim.records.slots import SlotWriter, drop_means, frame_rows
from csisim.records.store import EARLIER, Entry, Store, append
from csisim.records.summary import DropMeans

META = {"name": "x", "definitions": {}}


def writer(store, record="r" * 16, log="slot", axes=None):
    return SlotWriter(store.slot_file(record), "c" * 16, "a", axes or {"snr_db": 5.0}, 0, log, {"scenario": "x", "record": record})


def finish(store, columns, entry, log="slot", seed=0):
    """One finished record."""
    means = DropMeans(5, 3, None)
    slots = writer(store, entry.record, log, entry.axes)
    rows = columns(seed)
    slots.write(rows)
    means.add(rows)
    row = entry.columns | means.columns() | {"log": log, "status": "ok", "seconds": 0.5}
    slots.close(means.table(), row)
    append(store.journals, row)


@pytest.fixture
def store(tmp_path):
    """A folder that a run holds."""
    opened = Store(tmp_path / "results")
    with opened.writing():
        yield opened


def entry(number, scheme="a", **axes):
    return Entry(f"c{number:015d}", scheme, f"r{number:015d}", 0, axes or {"snr_db": float(number)})


def test_slot_rows_come_back_as_written(store, columns):
    parts = [columns(seed=s, superframe=s) for s in (0, 1)]
    slots = writer(store)
    for part in parts:
        slots.write(part)
    slots.close({"sgcs": [1.0, None]}, {})
    file = pq.ParquetFile(store.slot_file("r" * 16))
    assert file.num_row_groups == 2
    rows = file.read().to_pandas()
    assert rows.columns.tolist() == ["cell", "scheme", "snr_db", "replica", *(column.name for column in SLOT_COLUMNS)]
    for column in SLOT_COLUMNS:
        written = np.concatenate([part[column.name] for part in parts])
        read = np.stack(rows[column.name]) if column.name == "rate_user" else rows[column.name].to_numpy()
        np.testing.assert_allclose(read, written, rtol=1e-7, err_msg=column.name)
    np.testing.assert_array_equal(drop_means(store.slot_file("r" * 16))["sgcs"], [1.0, np.nan])


def test_missing_values_are_null_and_fields_carry_units(store, columns):
    slots = writer(store)
    slots.write(columns())
    slots.close({}, {})
    table = pq.read_table(store.slot_file("r" * 16))
    assert table["nmse_full"].null_count == len(table)
    assert table["csi_age_slots"].null_count == 10
    assert table.schema.field("sum_rate_bps_hz").metadata[b"unit"] == b"bit/s/Hz"
    assert json.loads(table.schema.metadata[b"csisim"]) == {"scenario": "x", "record": "r" * 16}


def test_frames_condense_slots(columns):
    rows = columns()
    shuffle = np.random.default_rng(3).permutation(len(rows["drop"]))
    frames = pd.DataFrame({k: v for k, v in frame_rows({k: v[shuffle] for k, v in rows.items()}).items() if k != "rate_user"})
    groups = pd.DataFrame({k: v for k, v in rows.items() if k != "rate_user"}).groupby(["drop", "superframe", "frame"])
    for metric in METRICS:
        np.testing.assert_allclose(frames[metric], groups[metric].mean(), rtol=1e-12)
    for bits in ("pilot_bits", "feedback_bits"):
        np.testing.assert_array_equal(frames[bits], groups[bits].sum())
    np.testing.assert_array_equal(frames["signaling_bits"], groups["signaling_bits"].last())
    np.testing.assert_array_equal(frames["slot"], groups["slot"].max())
    assert frames["analog_updated"].all()
    assert frames[["drop", "frame"]].drop_duplicates().shape == (15, 2)


def test_a_slot_file_is_complete_or_absent(store, columns):
    slots = writer(store)
    slots.write(columns())
    assert not store.slot_file("r" * 16).exists()
    slots.abandon()
    assert list(store.slots.iterdir()) == []


def test_a_line_without_its_file_is_not_done(store, columns):
    finish(store, columns, entry(1))
    assert store.rows().keys() == {entry(1).record}
    store.slot_file(entry(1).record).unlink()
    assert store.rows() == {}


def test_half_written_things_are_swept_up(tmp_path, columns):
    store = Store(tmp_path / "r")
    with store.writing():
        pass
    for folder in (store.root, store.slots, store.journals, store.failed):
        (folder / f"half.{os.getpid()}.tmp").write_bytes(b"half")
    with store.writing():
        assert list(store.root.rglob("*.tmp")) == []


def test_only_one_run_holds_a_folder(store):
    with pytest.raises(CsisimError, match="another csisim run is writing here"), Store(store.root).writing():
        pass


@pytest.mark.parametrize("tail", [b'{"record": "r0000', b"\x00\xff\n", b"[1, 2]\n", b'{"half": 1}\n'])
def test_a_torn_journal_line_is_skipped(store, columns, tail):
    finish(store, columns, entry(1))
    (journal,) = store.journals.glob("*.jsonl")
    journal.write_bytes(journal.read_bytes() + tail)
    finish(store, columns, entry(2))  # a later line is not glued to the torn one
    assert store.rows().keys() == {entry(1).record, entry(2).record}


def test_folding_keeps_everything_and_leaves_no_journal(store, columns):
    entries = [entry(n) for n in (1, 2, 3)]
    for e in entries:
        finish(store, columns, e, seed=int(e.axes["snr_db"]))
    before = load_rows(store)
    store.compact(entries, {}, META)
    assert list(store.journals.glob("*.jsonl")) == []
    assert load_rows(store) == before
    store.compact(entries, {}, META)  # numbers survive being folded over and over
    store.compact(entries, {}, META)
    assert load_rows(store) == before


def load_rows(store):
    """Numbers of every record, as they will be written."""
    return {key: [None if isinstance(v, float) and np.isnan(v) else v for k, v in sorted(row.items())] for key, row in store.rows().items()}


@pytest.mark.parametrize("instruction", range(5))
def test_a_kill_while_folding_loses_nothing(store, columns, monkeypatch, instruction):
    entries = [entry(n) for n in (1, 2, 3)]
    for e in entries[:2]:
        finish(store, columns, e)
    store.compact(entries, {}, META)
    finish(store, columns, entries[2])
    before = load_rows(store)
    count = iter(range(100))

    class Killed(BaseException):
        pass

    def deadly(function):
        def call(*args, **kwargs):
            if next(count) == instruction:
                raise Killed
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for owner, name in ((os, "replace"), (pq, "write_table"), (type(store.root), "unlink"), (type(store.root), "write_text")):
            patch.setattr(owner, name, deadly(getattr(owner, name)))
        with pytest.raises(Killed):
            store.compact(entries[1:], {}, META)  # the first record belongs to an earlier version now
    assert load_rows(store).keys() == before.keys()
    store.compact(entries, {}, META)
    assert load_rows(store) == before


def test_a_finer_log_replaces_a_coarser_one(store, columns):
    finish(store, columns, entry(1), log="frame")
    finish(store, columns, entry(1), log="slot")
    finish(store, columns, entry(1), log="frame")
    assert store.rows()[entry(1).record]["log"] == "slot"


def test_earlier_versions_stay_out_of_the_table(store, columns):
    for n in (1, 2):
        finish(store, columns, entry(n))
    store.compact([entry(1)], {}, META)
    assert load(store.root)["record"].tolist() == [entry(1).record]
    assert (store.journals / EARLIER).exists()
    assert store.rows().keys() == {entry(1).record, entry(2).record}
    store.compact([entry(2), entry(1)], {}, META)
    assert load(store.root)["record"].tolist() == [entry(2).record, entry(1).record]


def test_a_run_that_was_killed_can_be_read(store, columns):
    store.compact([entry(1), entry(2)], {}, META)
    finish(store, columns, entry(2))
    cells = csisim.load(store.root)
    assert cells["record"].tolist() == [entry(2).record]
    assert cells["snr_db"].tolist() == [2.0]


def test_failures_have_a_row_without_numbers(store, columns):
    finish(store, columns, entry(1))
    store.compact([entry(1), entry(2)], {(entry(2).cell, "a"): "timeout"}, META)
    cells = load(store.root)
    assert cells["status"].tolist() == ["ok", "timeout"]
    assert cells["n"].tolist() == [5, 0]
    assert np.isnan(cells["sum_rate_bps_hz_mean"][1])
    assert len(load(store.root, "slots")) == 60


def test_slots_and_drops_carry_the_present_names(store, columns):
    finish(store, columns, entry(1))
    now = Entry("cc", "renamed", entry(1).record, 0, {"num_rf": 4})
    store.compact([now], {}, META)
    slots = load(store.root, "slots", columns=["drop", "sgcs"])
    assert slots.columns.tolist() == ["cell", "scheme", "num_rf", "replica", "drop", "sgcs"]
    assert slots["scheme"].unique().tolist() == ["renamed"]
    drops = load(store.root, "drops")
    assert drops["cell"].unique().tolist() == ["cc"]
    np.testing.assert_allclose(drops["sgcs"], slots.groupby("drop")["sgcs"].mean(), rtol=1e-6)


def test_axis_columns_have_the_type_of_their_values(store, columns):
    axes = [
        {"snr_db": 0, "num_rf": 4, "digital": "zf", "phase_bits": None},
        {"snr_db": 2.5, "num_rf": 8, "digital": "sca", "phase_bits": 3},
    ]
    entries = [Entry(f"c{i}", "a", f"r{i}", 0, axis) for i, axis in enumerate(axes)]
    for e in entries:
        finish(store, columns, e)
    store.compact(entries, {}, META)
    schema = pq.read_schema(store.cells)
    assert [schema.field(name).type for name in axes[0]] == [pa.float64(), pa.int64(), pa.string(), pa.int64()]
    cells = load(store.root)
    assert cells.attrs["axes"] == list(axes[0])
    assert cells["digital"].tolist() == ["zf", "sca"]
    assert load(store.root, "slots")["snr_db"].unique().tolist() == [0.0, 2.5]


def test_clear_deletes_what_runs_wrote_and_nothing_else(store, columns):
    finish(store, columns, entry(1))
    store.compact([entry(1)], {}, META)
    (store.root / "notes.txt").write_text("mine")
    store.clear()
    assert store.rows() == {}
    assert (store.root / "notes.txt").exists()
    with pytest.raises(CsisimError, match="no results here"):
        load(store.root)


@pytest.mark.parametrize("kind", ["folder", "garbage", "columns", "bare", "half"])
def test_a_table_of_somebody_else_is_one_message(store, columns, kind):
    finish(store, columns, entry(1))
    store.compact([entry(1)], {}, META)
    ours = pq.read_table(store.cells)
    store.cells.unlink()
    if kind == "folder":
        store.cells.mkdir()
    elif kind == "garbage":
        store.cells.write_bytes(b"PAR1 is how it begins")
    else:
        foreign = {
            "columns": pa.table({"record": ["a"], "n": ["many"]}).replace_schema_metadata(ours.schema.metadata),
            "bare": ours.replace_schema_metadata(None),
            "half": ours.drop_columns(["record", "status"]),
        }
        pq.write_table(foreign[kind], store.cells)
    for reading in (store.current, lambda: load(store.root)):
        with pytest.raises(CsisimError, match="not a table that csisim wrote"):
            reading()
    if kind == "garbage":  # ours, as the record beside it says, which the table is made again from
        assert store.rows().keys() == {entry(1).record}
        store.compact([entry(1)], {}, META)
        assert pq.read_table(store.cells).equals(ours)
        return
    for writing in (store.rows, lambda: store.compact([entry(1)], {}, META)):
        with pytest.raises(CsisimError, match="not a table that csisim wrote") as caught:
            writing()
        assert ("remove it" in str(caught.value)) is (kind == "folder")


@pytest.mark.parametrize("footers", [True, False])
def test_advice_about_a_damaged_table_is_true(store, columns, footers, monkeypatch):
    """Records of older versions do not say what the table said of them."""
    if not footers:
        monkeypatch.setattr("csisim.records.store.table_row", lambda file: None)
    finish(store, columns, entry(1))
    store.compact([entry(1)], {}, META)
    store.cells.write_bytes(b"")
    with pytest.raises(CsisimError, match="--fresh") as caught:
        load(store.root)
    assert ("`csisim run` makes it again" in str(caught.value)) is footers
    with nullcontext() if footers else pytest.raises(CsisimError, match="--fresh"):
        assert store.rows().keys() == {entry(1).record}


def test_a_table_that_the_system_withholds_is_not_damaged(store, columns, monkeypatch):
    finish(store, columns, entry(1))
    store.compact([entry(1)], {}, META)
    before = store.cells.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(pq, "ParquetFile", lambda file: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        for refused in (store.rows, store.current, lambda: store.compact([entry(1)], {}, META)):
            with pytest.raises(CsisimError, match=r"cells.parquet: cannot be read \(Permission denied\)"):
                refused()
    assert store.cells.read_bytes() == before


@pytest.mark.parametrize("field", ["cell", "scheme", "replica", "n", "status", "log", "seconds"])
@pytest.mark.parametrize("wrong", [None, [1], {"a": 1}, True])
def test_a_line_that_does_not_fit_is_as_good_as_torn(store, columns, field, wrong):
    store.compact([entry(1)], {}, META)
    finish(store, columns, entry(1))
    (journal,) = store.journals.glob("*.jsonl")
    journal.write_text(json.dumps(json.loads(journal.read_text()) | {field: wrong}))
    assert store.rows() == {}
    store.compact([entry(1)], {}, META)
    assert len(load(store.root)) == 0


def test_files_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "scenario.yaml").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_atomic(tmp_path / "scenario.yaml", "name: x")
    assert caught.value.filename == str(tmp_path / "scenario.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["scenario.yaml"]


def test_an_unknown_table_is_refused(store):
    with pytest.raises(CsisimError, match="'cells', 'drops' and 'slots'"):
        load(store.root, "frames")
