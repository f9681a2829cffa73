"""Channels from files: what they mean, and what is said when they are wrong."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csr_matrix

from csisim.channel.trace import PACKAGED, Trace, TraceConfig, centred, distinct, load
from csisim.errors import CsisimError
from csisim.phy.dims import Dims
from csisim.random import Streams, complex_normal

DIMS = Dims(drops=5, num_users=3, num_rx=1, num_tx=32, num_rx_rf=1, num_rf=4, num_streams=1, num_subcarriers=8)


def dims(**changes):
    return Dims(**{**{name: getattr(DIMS, name) for name in DIMS.__dataclass_fields__}, **changes})


def build(dims=DIMS, **settings):
    channel = Trace(TraceConfig(num_subcarriers=dims.num_subcarriers, **settings), dims, Streams(1), 1e-3)
    channel.begin_superframe(0)
    return channel


def save(path, rows):
    np.savez(path, delay_angle=rows)
    return str(path)


@pytest.fixture
def rows():
    return complex_normal(np.random.default_rng(1), (6, 4, 8)) * np.float32(1e-6)


@pytest.fixture
def small(tmp_path, rows):
    return save(tmp_path / "rows.npz", rows)


SMALL = dims(num_tx=8, num_subcarriers=4)


def test_the_packaged_trace_is_small_and_says_where_it_is_from():
    assert load("cost2100_indoor").shape == (116, 32, 32)
    assert (PACKAGED / "cost2100_indoor.npz").stat().st_size < 1_000_000
    with np.load(PACKAGED / "cost2100_indoor.npz") as archive:
        assert "COST 2100" in str(archive["note"])
    assert build().step(0).matrix().shape == (5, 3, 8, 1, 32)


@pytest.mark.parametrize(("centred", "angle"), [(None, 2), (True, 6), (False, 2)])
def test_one_tap_is_a_plane_wave(tmp_path, centred, angle):
    """Delay l turns subcarrier s by exp(-j 2 pi l s / S), angle a turns antenna n by exp(+j 2 pi n a / A)."""
    taps = np.zeros((3, 4, 8), np.complex64)
    taps[:, 3, angle] = 2e-5j
    channel = build(SMALL, file=save(tmp_path / "tap.npz", taps), centred_angles=centred)
    s, n = np.arange(4)[:, None], np.arange(8)
    expected = 1j * np.exp(-2j * np.pi * s * 3 / 4) * np.exp(2j * np.pi * n * 2 / 8)
    np.testing.assert_allclose(channel.step(0).matrix()[0, 0, :, 0], expected, atol=1e-6)


@pytest.mark.parametrize(("normalisation", "mean_power"), [("unit", 1.0), ("kang", 0.1), ("hu", 2.0)])
def test_every_row_has_the_configured_power_over_the_band(small, normalisation, mean_power):
    h = build(SMALL, file=small, normalisation=normalisation).step(0).matrix()
    np.testing.assert_allclose((np.abs(h) ** 2).sum(axis=(-2, -1)).mean(axis=-1), 8 * mean_power, rtol=1e-5)


def test_ensemble_normalisation_keeps_path_losses(tmp_path, rows):
    rows[0] *= 10
    h = (
        build(dims(num_tx=8, num_subcarriers=4, num_users=6), file=save(tmp_path / "rows.npz", rows), normalisation="ensemble")
        .step(0)
        .matrix()
    )
    power = (np.abs(h) ** 2).sum(axis=(-2, -1)).mean(axis=-1)  # six users have the six rows
    energy = np.linalg.norm(rows, axis=(1, 2)) ** 2
    np.testing.assert_allclose(np.sort(power[0]), np.sort(8 * energy / energy.mean()), rtol=1e-5)


def test_per_drop_normalisation_is_exact():
    h = build(normalisation="per_drop").step(0).matrix()
    np.testing.assert_allclose((np.abs(h) ** 2).sum(axis=(-2, -1)).mean(axis=(1, 2)), 32, rtol=1e-5)


def test_few_subcarriers_sample_the_band_of_many():
    few, many = build(), build(dims(num_subcarriers=64))
    np.testing.assert_allclose(few.step(0).matrix(), many.step(0).matrix()[:, :, ::8], atol=1e-5)


def test_static_users_keep_their_rows_for_a_superframe():
    channel = build()
    first = channel.step(0).matrix()
    assert not channel.shared_statistics
    assert (channel.step(1).matrix() == first).all()
    assert all((s.matrix() == first).all() for s in channel.samples(2, "a"))
    channel.begin_superframe(1)
    assert not np.allclose(channel.step(0).matrix(), first)


def test_iid_users_change_rows_in_every_slot():
    channel = build(evolution="iid")
    first, second = channel.step(0).matrix(), channel.step(1).matrix()
    one, again = ([s.matrix() for s in channel.samples(2, "a")] for _ in range(2))
    assert channel.shared_statistics
    assert not np.allclose(first, second)
    assert np.array_equal(one, again)
    assert one[0].shape == (1, 3, 8, 1, 32)


@pytest.mark.parametrize("evolution", ["static", "iid"])
def test_users_are_a_prefix(evolution):
    few, many = build(evolution=evolution), build(dims(num_users=5), evolution=evolution)
    for slot in range(2):
        assert (few.step(slot).matrix() == many.step(slot).matrix()[:, :3]).all()


def test_users_of_a_drop_never_share_a_row():
    chosen = distinct(np.random.default_rng(1).random((2000, 4)), 6)
    assert all(len(set(rows)) == 4 for rows in chosen.tolist())
    counts = np.stack([(chosen == row).sum(axis=0) for row in range(6)])
    assert np.abs(counts / 2000 - 1 / 6).max() < 4 * np.sqrt(5 / 36 / 2000)


@pytest.mark.parametrize("flat", [True, False])
def test_csinet_images_are_transposed_and_centred(tmp_path, flat):
    """HT holds [re, im] x angle x delay in [0, 1], zero at 0.5."""
    delay_angle = complex_normal(np.random.default_rng(1), (3, 32, 32)) * np.float32(0.05)
    image = np.stack([delay_angle.real, delay_angle.imag], axis=1).swapaxes(-1, -2) + 0.5
    path = tmp_path / "DATA_Htestin.mat"
    savemat(path, {"HT": image.reshape(3, -1) if flat else image})
    np.testing.assert_allclose(load(str(path)), delay_angle, atol=1e-7)
    settings = {"dims": dims(drops=1, num_users=3), "file": str(path)}
    h = build(**settings).step(0).matrix()
    assert np.array_equal(h, build(**settings, centred_angles=True).step(0).matrix())
    assert not np.allclose(h, build(**settings, centred_angles=False).step(0).matrix())


def wrong_file(tmp_path, content):
    path = tmp_path / "trace.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    return str(path)


BROKEN = np.ones((2, 4, 8), np.complex64)
BROKEN[1] = 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a zip", r"not a readable .npz file.*'delay_angle', complex"),
        (b"PK\x03\x04 cut off", "not a readable .npz file"),
        (b"", "not a readable .npz file"),
        ({"channels": np.ones(3)}, r"no key 'delay_angle' \(keys: channels\).*rows, delays, angles"),
        ({"delay_angle": np.ones((2, 4, 8))}, r"'delay_angle' is float64 of shape \(2, 4, 8\)"),
        ({"delay_angle": np.ones((4, 8), complex)}, r"of shape \(4, 8\); expected"),
        ({"delay_angle": np.full((2, 4, 8), np.nan + 0j)}, "not finite"),
        ({"delay_angle": BROKEN}, "row 1 is all zero"),
        ({"delay_angle": np.array([{}])}, "not a readable .npz file"),
    ],
)
def test_wrong_npz_files(tmp_path, content, message):
    with pytest.raises(CsisimError, match=message) as caught:
        load(wrong_file(tmp_path, content))
    assert "trace.npz" in str(caught.value)


def test_archives_of_anything_else(tmp_path):
    path = tmp_path / "trace.npz"
    for name, content, message in (
        ("delay_angle", b"hello", "'delay_angle' is .* of shape"),
        ("delay_angle.npy", header((10**7, 1000, 1000)), "not a readable .npz file"),  # more than any memory
        ("delay_angle.npy", header((-1, 4, 8)), "not a readable .npz file"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)
        with pytest.raises(CsisimError, match=message):
            load(str(path))


def header(shape):
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(text, {"descr": "<c8", "fortran_order": False, "shape": shape})
    return text.getvalue()


def test_names_that_no_file_can_have():
    with pytest.raises(CsisimError, match="no such trace file"):
        load("x" * 5000 + ".npz")


def test_wrong_mat_files(tmp_path):
    path = tmp_path / "trace.mat"
    for content, message in (
        ({"H": np.ones(3)}, "no key 'HT'"),
        ({"HT": np.ones((3, 100))}, r"\(3, 100\); expected key 'HT' of shape"),
        ({"HT": csr_matrix(np.ones((3, 2048)))}, "key 'HT' is object"),
        ({"HT": np.array(["a" * 2048] * 3)}, "key 'HT' is <U2048"),
    ):
        savemat(path, content)
        with pytest.raises(CsisimError, match=message):
            load(str(path))
    path.write_bytes(b"MATLAB 5.0 MAT-file, cut off")
    with pytest.raises(CsisimError, match=r"trace\.mat: not a readable \.mat file"):
        load(str(path))
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + bytes(512))
    with pytest.raises(CsisimError, match=r"version 7\.3.*save -v7"):
        load(str(path))


def test_missing_files_and_names(tmp_path):
    with pytest.raises(CsisimError, match="no such trace file"):
        load(str(tmp_path / "absent.npz"))
    with pytest.raises(CsisimError, match="a packaged trace: cost2100_indoor"):
        load("cost2100_outdoors")


def test_the_link_must_fit_the_trace(small):
    with pytest.raises(CsisimError, match=r"num_tx must be 8 \(not 16\)"):
        build(dims(num_tx=16), file=small)
    with pytest.raises(CsisimError, match=r"num_rx 1 \(not 2\)"):
        build(dims(num_tx=8, num_rx=2), file=small)
    with pytest.raises(CsisimError, match="6 rows cannot give 7 users"):
        build(dims(num_tx=8, num_users=7), file=small)
    with pytest.raises(CsisimError, match="4 subcarriers configured"):
        Trace(TraceConfig(num_subcarriers=4), DIMS, Streams(1), 1e-3)


def test_a_changed_file_is_read_again(tmp_path, rows):
    path = tmp_path / "rows.npz"
    before = load(save(path, rows))
    np.savez(path, delay_angle=2 * rows)
    later = Path(path).stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))
    np.testing.assert_allclose(load(str(path)), 2 * before)


@pytest.mark.parametrize("said", [True, False])
def test_angles_are_as_the_files_recipe_says(tmp_path, rows, said):
    path = tmp_path / "told.npz"
    np.savez(path, delay_angle=rows, recipe=json.dumps({"angles": {"centred": said}}))
    plain = save(tmp_path / "rows.npz", rows)
    for asked, same in ((None, said), (not said, not said)):  # a hint of one's own goes before
        told = build(SMALL, file=str(path), centred_angles=asked)
        assert np.array_equal(told.step(0).matrix(), build(SMALL, file=plain, centred_angles=same).step(0).matrix())


@pytest.mark.parametrize("recipe", ["{", "[1]", "soup", '{"angles": 3}', '{"angles": {"centred": "yes"}}', np.arange(3), np.array({})])
def test_somebody_elses_recipe_says_nothing_of_angles(tmp_path, rows, recipe):
    np.savez(tmp_path / "rows.npz", delay_angle=rows, recipe=recipe)
    assert not centred(str(tmp_path / "rows.npz"))
