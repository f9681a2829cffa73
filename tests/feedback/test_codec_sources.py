"""Where codecs' images come from, and that principal components see them as a scenario does."""

import numpy as np

from csisim.feedback.nets.base import CALIBRATION_ROWS, condensed
from csisim.feedback.sources import channels, trace_images
from csisim.registry import build, configure


def csi_of(rows, centred, subcarriers=32):
    from csisim.phy.transforms import delay_angle_to_frequency

    return delay_angle_to_frequency(rows, subcarriers, np.arange(subcarriers), centred=centred)[:, None, :, None]


def error(codec, csi):
    built = build("codec", configure("codec", codec))
    report, _ = built.encode(csi, built.init(csi.shape, csi.dtype))
    decoded, _ = built.decode(report, built.init(csi.shape, csi.dtype))
    return 10 * np.log10(np.mean(np.sum(np.abs(decoded - csi) ** 2, (1, 2, 3, 4)) / np.sum(np.abs(csi) ** 2, (1, 2, 3, 4))))


def test_components_of_a_preset_serve_the_packaged_trace():
    """The packaged rows come from the public MATLAB code, the preset's from csisim."""
    csi = csi_of(*channels("cost2100_indoor", 1))
    assert error({"kind": "pca", "file": "indoor_paper", "reduction": 16}, csi) < -10.5


def test_components_are_of_the_taps_that_are_kept():
    """Not of all taps folded onto as many."""
    rows, centred = channels("indoor_paper", 200, 5)
    kept = error({"kind": "pca", "file": "indoor_paper", "delays": 16, "reduction": 8}, csi_of(rows, centred))
    assert kept < error({"kind": "pca", "file": "indoor_paper", "reduction": 16}, csi_of(rows, centred)) + 0.3
    np.testing.assert_allclose(trace_images(rows[:3], 32, centred=centred, delays=32), trace_images(rows[:3], 32, centred=centred))


def test_a_made_trace_knows_where_angle_zero_is(tmp_path):
    import json

    rows, centred = channels("indoor_public", 60)
    assert centred
    recipe = json.dumps({"angles": {"centred": True}})
    np.savez(tmp_path / "trace.npz", delay_angle=rows, recipe=recipe)
    assert error({"kind": "pca", "file": str(tmp_path / "trace.npz"), "reduction": 32}, csi_of(rows, True)) < -10


def test_condensed_codes_keep_every_elements_distribution():
    codes = np.random.default_rng(0).laplace(size=(21 * CALIBRATION_ROWS, 3)) * [1.0, 5.0, 0.1]
    few = condensed(codes)
    assert few.shape == (CALIBRATION_ROWS, 3)
    np.testing.assert_allclose(few.mean(axis=0), codes.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(few.std(axis=0), codes.std(axis=0), rtol=0.02)
    assert np.abs(np.corrcoef(few.T) - np.eye(3)).max() < 0.3
    np.testing.assert_array_equal(condensed(codes[:100]), codes[:100])
