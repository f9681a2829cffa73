"""Recorded reports are what a run's codec is given, and codecs made of them see their images as there."""

import numpy as np
import pytest
import yaml

from csisim.dataset.reports import PER_SUPERFRAME, of_scheme, record, write_reports
from csisim.engine.cell import run_cell
from csisim.errors import CsisimError
from csisim.feedback.ideal import Ideal
from csisim.feedback.sources import recorded, recorded_images
from csisim.registry import build, configure
from csisim.scenario.load import load_scenario

LINK = """
name: link
duplex: fdd
drops: 16
system: {num_tx: 16, num_rf: 6, num_rx: 4, num_rx_rf: 2, num_users: 2, num_streams: 1, snr_db: 10}
channel: {kind: mmwave_clusters, fading: {kind: ar1, correlation: 0.9}}
clock: {frames: 2, slots_per_frame: 4, superframes: 2}
feedback: {delay_slots: 1, loss: 0.2}
schemes: []
"""
SCHEMES = {
    "offline": {"timescale": "offline", "estimator": "rls", "analog": "covariance", "digital": "rzf", "num_samples": 4},
    "online": {"timescale": "online", "estimator": "rls", "analog": {"kind": "ssca", "batch": 2}, "digital": "rzf"},
    "single": {"timescale": "single", "estimator": "ls", "analog": "svd_phases", "digital": "rzf"},
}


@pytest.fixture
def scenario(tmp_path):
    def make(*names, codec="ideal", **changed):
        schemes = [{"name": name, "codec": codec, **SCHEMES[name]} for name in names]
        (tmp_path / "link.yaml").write_text(yaml.safe_dump(yaml.safe_load(LINK) | {"schemes": schemes} | changed))
        return load_scenario(tmp_path / "link.yaml", rules=False).cells[0].scenario

    return make


@pytest.mark.parametrize("name", SCHEMES)
def test_they_are_what_a_runs_codec_is_given(scenario, monkeypatch, name):
    """Whatever the link loses, and though nobody computes what the base station would have made of them."""
    given, original = [], Ideal.encode

    def listening(self, csi, state):
        given.append(csi)
        return original(self, csi, state)

    one = scenario(name)
    with monkeypatch.context() as patch:
        patch.setattr(Ideal, "encode", listening)
        run_cell(one, [name], 0, lambda *_: None)
    rows = record(of_scheme(one, name), 2 * 16 * 16, seed=one.seed)
    np.testing.assert_array_equal(rows, np.stack(given, axis=2).reshape(-1, *given[0].shape[2:]))  # drop, user, slot


def test_a_few_reports_of_a_long_superframe_are_spread_over_it(scenario):
    one = of_scheme(scenario("offline", clock={"frames": 10, "slots_per_frame": 4}), None)
    rows = record(one, 16 * 2 * PER_SUPERFRAME, seed=3).reshape(16, 2, PER_SUPERFRAME, 2, 6)
    every = record(of_scheme(scenario("offline", clock={"frames": 2, "slots_per_frame": 4}), None), 16 * 2 * 8, seed=3).reshape(
        16, 2, 8, 2, 6
    )
    np.testing.assert_array_equal(rows[:, :, 0], every[:, :, 0])
    np.testing.assert_array_equal(rows[:, :, 1], every[:, :, 6])  # 39 slots in seven strides


def test_fewer_are_the_first_of_more_and_equal_ones_make_equal_files(scenario, tmp_path):
    one = of_scheme(scenario("offline"), "offline")
    more, fewer = record(one, 600), record(one, 40)
    assert more.shape == (600, 1, 2, 6)
    assert more.dtype == np.complex64
    np.testing.assert_array_equal(more[:40], fewer)
    assert not np.array_equal(fewer, record(one, 40, seed=one.seed))  # no channels of the scenario's own
    assert len(np.unique(more.round(5), axis=0)) == len(more)
    for name in ("a.npz", "b.npz"):
        write_reports(tmp_path / name, fewer, one, 5)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    np.testing.assert_array_equal(recorded(str(tmp_path / "a.npz")), fewer)


def test_a_codec_of_which_nothing_is_there_yet_is_no_obstacle(scenario):
    one = of_scheme(scenario("offline", codec={"kind": "pca", "domain": "beams", "file": "nowhere.npz"}), None)
    assert record(one, 3).shape == (3, 1, 2, 6)


@pytest.mark.parametrize(
    ("names", "asked", "changed", "told"),
    [
        (["offline", "online"], None, {}, "which scheme.* are offline, online"),
        (["offline"], "none", {}, "none: those whose users report .* are offline"),
        (["offline"], "offline", {"duplex": "tdd", "feedback": {}}, "are none"),
        (["offline"], None, {"clock": {"frames": 0}}, "clock.frames"),
    ],
)
def test_what_cannot_be_recorded_is_told(scenario, names, asked, changed, told):
    with pytest.raises(CsisimError, match=told):
        of_scheme(scenario(*names, **changed), asked)


def karhunen_loeve(csi, count):
    """The oracle: left singular vectors of all reports of unit norm."""
    vectors = csi.transpose(0, 1, 3, 2).reshape(len(csi), -1).astype(complex)
    return np.linalg.svd((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T, full_matrices=False)[0][:, :count]


def test_principal_components_of_beams_are_the_karhunen_loeve_transform(scenario, tmp_path):
    one = of_scheme(scenario("offline"), None)
    csi, file = record(one, 500), str(tmp_path / "reports.npz")
    write_reports(tmp_path / "reports.npz", csi, one, 0)
    basis = karhunen_loeve(csi, 3)
    fresh = record(one, 64, seed=9)[None]  # (1, n, S, R, T)
    codec = build("codec", configure("codec", {"kind": "pca", "domain": "beams", "file": file, "reduction": 4}))
    report, _ = codec.encode(fresh, codec.init(fresh.shape, fresh.dtype))
    decoded, _ = codec.decode(report, codec.init(fresh.shape, fresh.dtype))
    vectors = fresh[0, :, 0].transpose(0, 2, 1).reshape(64, -1)
    projected = ((vectors @ basis.conj()) @ basis.T).reshape(64, 6, 2).transpose(0, 2, 1)
    np.testing.assert_allclose(decoded[0, :, 0], projected, atol=2e-3 * np.abs(fresh).max())


def test_images_are_those_that_a_scenarios_codec_makes(tmp_path):
    """In either domain, with the taps that the codec keeps."""
    from csisim.feedback.images import ImageLayout
    from csisim.random import complex_normal

    csi = complex_normal(np.random.default_rng(0), (5, 8, 2, 6))
    np.savez(tmp_path / "reports.npz", csi=csi)
    for domain, delays, size in (("beams", None, (40, 2, 6, 2)), ("delay_angle", None, (10, 2, 6, 8)), ("delay_angle", 3, (10, 2, 6, 3))):
        images = recorded_images(str(tmp_path / "reports.npz"), domain, delays)
        layout = ImageLayout.of((1, *csi.shape), csi.dtype, domain, delays)
        seen = layout.to_images(csi[None]).reshape(-1, *size[2:])
        assert images.shape == size
        scale = np.linalg.norm(seen, axis=(1, 2)) / np.sqrt(np.prod(size[2:]))
        np.testing.assert_allclose(images[:, 0] + 1j * images[:, 1], seen / scale[:, None, None], rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("csi", [np.zeros((3, 4)), np.full((2, 1, 1, 1), np.nan + 0j), np.zeros((0, 1, 2, 2), complex)])
def test_a_file_of_something_else_is_told(tmp_path, csi):
    np.savez(tmp_path / "reports.npz", csi=csi)
    with pytest.raises(CsisimError, match="expected finite complex numbers"):
        recorded(str(tmp_path / "reports.npz"))
