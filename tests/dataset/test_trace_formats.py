"""The three formats hold the same drops, as other programs read them, and are written without holding the data in memory."""

import json
import os
import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.io import loadmat

from csisim.channel.cost2100.presets import generate, preset
from csisim.channel.cost2100.statistics import COLUMNS
from csisim.channel.trace import load
from csisim.dataset.blocks import Block, Rows, Series, make_block
from csisim.dataset.csinet import images
from csisim.dataset.make import make_trace, outputs
from csisim.dataset.mat import Matrix, write_images
from csisim.dataset.npz import write_npz
from csisim.errors import CsisimError

COUNT = 130
pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.fixture(params=["indoor_public", "indoor_paper"])
def made(request, recipe, tmp_path):
    wanted = recipe(COUNT, request.param)
    make_trace(wanted, tmp_path / "t", ("npz", "mat", "parquet"))
    return tmp_path / "t", wanted, generate(preset(request.param), COUNT)


def test_npz_shards_hold_the_drops_as_the_reference_files_do(made):
    root, recipe, drops = made
    shards = [np.load(path) for path in sorted(root.glob("*.npz"))]
    assert [len(shard["drop"]) for shard in shards] == [50, 50, 30]
    for name, dtype in {"delay_angle": np.complex64, "user_pos_xy_m": np.float32, "stats": np.float64}.items():
        whole = np.concatenate([shard[name] for shard in shards])
        assert whole.dtype == dtype
        np.testing.assert_array_equal(whole, getattr(drops, name))
    assert np.concatenate([shard["split"] for shard in shards]).tolist() == recipe.split_of(np.arange(COUNT)).tolist()
    assert tuple(shards[0]["stats_columns"]) == COLUMNS
    assert str(shards[1]["note"]) == drops.note
    assert json.loads(str(shards[1]["recipe"])) == recipe.document() == json.loads((root / "recipe.json").read_text())


def test_parquet_holds_the_same(made):
    root, recipe, drops = made
    table = pq.read_table(root / "trace.parquet")
    matrix = [np.stack(table[f"delay_angle_{part}"].to_numpy()).reshape(-1, 32, 32) for part in ("real", "imag")]
    np.testing.assert_array_equal(matrix[0] + 1j * matrix[1], drops.delay_angle)
    np.testing.assert_array_equal(np.stack([table["user_x_m"], table["user_y_m"]], axis=1), drops.user_pos_xy_m)
    np.testing.assert_array_equal(np.stack([table[name] for name in COLUMNS], axis=1), drops.stats)
    assert table["split"].to_pylist() == recipe.split_of(np.arange(COUNT)).tolist()
    assert json.loads(table.schema.metadata[b"recipe"]) == recipe.document()
    test = pq.read_table(root / "trace.parquet", filters=[("split", "==", "test")])
    assert test["drop"].to_pylist() == list(recipe.splits["test"])


def test_mat_images_are_the_drops_scaled_to_their_largest_entry(made):
    root, recipe, drops = made
    centred = recipe.preset.convention.centred
    for split, name in {"train": "train", "validation": "val", "test": "test"}.items():
        contents = loadmat(root / f"DATA_H{name}in.mat")
        part = recipe.splits[split]
        image = contents["HT"]
        assert image.dtype == np.float32
        assert image.shape == (len(part), 2048)
        assert image.min() >= 0
        assert image.max() <= 1
        assert json.loads(contents["recipe"][0]) == recipe.document()
        h = drops.delay_angle[part.start : part.stop]
        h = (h if centred else np.fft.fftshift(h, axes=-1)) / (2 * np.abs(h).max(axis=(1, 2), keepdims=True))
        written = image.reshape(-1, 2, 32, 32) - 0.5
        np.testing.assert_allclose(written[:, 0] + 1j * written[:, 1], h.swapaxes(1, 2), atol=1e-6)


def test_frequency_rows_are_what_the_scripts_compare_with(made):
    """Pad the image to 257 delays, transform, keep 125 frequencies: HF_all, but for the delays that were cut off."""
    root, *_ = made
    image = loadmat(root / "DATA_Htestin.mat")["HT"].reshape(-1, 2, 32, 32) - 0.5
    ours = np.fft.fft(image[:, 0] + 1j * image[:, 1], 257, axis=-1)[..., :125]
    truth = loadmat(root / "DATA_HtestFin_all.mat")["HF_all"].reshape(-1, 32, 125)
    assert truth.dtype == np.complex64
    rho = np.abs((truth.conj() * ours).sum(1)) / np.linalg.norm(truth, axis=1) / np.linalg.norm(ours, axis=1)
    assert rho.mean() > 0.99
    # energy of all 1024 or 257 delays is that on all frequencies: 5 to 10 % lie beyond the first 32
    ratio = (np.abs(ours) ** 2).sum() / (np.abs(truth) ** 2).sum()
    assert 0.85 < ratio < 1.0


def test_the_trace_reader_reads_all(made):
    root, recipe, drops = made
    shard, image = load(str(root / "trace-0000.npz")), load(str(root / "DATA_Htrainin.mat"))
    np.testing.assert_array_equal(shard, drops.delay_angle[:50])
    shifted = shard if recipe.preset.convention.centred else np.fft.fftshift(shard, axes=-1)
    scale = 2 * np.abs(shard).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(image[:50] * scale, shifted, atol=2e-7 * scale.max())


@pytest.mark.parametrize("file", ["trace.npz", "DATA_Htrainin.mat"])
def test_a_scenario_runs_on_a_written_file(recipe, tmp_path, file):
    from csisim.records.load import load as results
    from csisim.runner.sweep import run_sweep
    from csisim.scenario.load import load_scenario

    make_trace(recipe(40, "indoor_paper"), tmp_path, ("npz", "mat"))
    (tmp_path / "s.yaml").write_text(f"""
name: on_a_trace
drops: 4
system: {{num_tx: 32, num_rf: 4, num_rx: 1, num_rx_rf: 1, num_users: 2, num_streams: 1, snr_db: 10}}
channel: {{kind: trace, file: {file}, num_subcarriers: 2}}
clock: {{slots_per_frame: 2, frames: 1}}
schemes: [{{name: zf, timescale: single, estimator: perfect, analog: none, digital: zf}}]
""")
    run_sweep(load_scenario(tmp_path / "s.yaml"), tmp_path / "r")
    assert results(tmp_path / "r")["sum_rate_bps_hz_mean"].item() > 5  # two users, 32 antennas, 10 dB


def test_memory_does_not_hold_the_data(recipe, tmp_path, monkeypatch):
    """8000 drops are 66 MB of matrices; one block, links to which stand for all, is 2 MB."""
    monkeypatch.setattr("csisim.dataset.blocks.ROWS", 250)
    wanted, series = recipe(8000), Series("drops", 0, 8000)
    blocks = series.blocks(range(8000))
    make_block(blocks[0], wanted.preset, tmp_path)
    for block in blocks[1:]:
        os.link(tmp_path / blocks[0].name, tmp_path / block.name)
    for write in (write_npz, write_images):
        tracemalloc.start()
        write(tmp_path / "out", Rows(tmp_path, series, range(8000)), wanted)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (tmp_path / "out").stat().st_size > 65e6
        assert peak < 20e6


def test_images_keep_their_zero_at_one_half():
    h = np.zeros((1, 32, 32), np.complex64)
    h[0, 3, 5] = -2j
    image = images(h, centred=True).reshape(2, 32, 32)
    assert image[1, 5, 3] == 0.0
    assert (np.delete(image.ravel(), 1024 + 5 * 32 + 3) == 0.5).all()
    assert images(h, centred=False).reshape(2, 32, 32)[1, 21, 3] == 0.0


def test_what_matlab_cannot_read_is_refused_before_anything_is_drawn(recipe):
    with pytest.raises(CsisimError, match="2 GB per variable"):
        outputs(recipe(400_000), ("mat",))
    with pytest.raises(CsisimError, match="at least 8"):
        outputs(recipe(7), ("mat",))
    assert len(outputs(recipe(8), ("mat",))) == 4
    assert Matrix("HT", 262_143, 2048).rows == 262_143


def test_blocks_cover_what_is_wanted():
    series = Series("frequency", 130, 195)
    assert series.blocks(range(150, 175)) == [Block("frequency", 150, 170), Block("frequency", 170, 190)]
    assert series.blocks(range(130, 195))[-1] == Block("frequency", 190, 195)
