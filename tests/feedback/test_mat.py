"""Files in the layout of the CsiNet data set."""

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from csisim.channel.trace import load
from csisim.errors import CsisimError
from csisim.feedback.mat import read_mat, write_mat
from csisim.random import complex_normal

ROWS = complex_normal(np.random.default_rng(0), (6, 32, 32)) * np.geomspace(1e-4, 1e4, 6)[:, None, None].astype(np.float32)


def test_files_are_invertible_and_others_can_read_them(tmp_path):
    path = tmp_path / "DATA_Htestin.mat"
    write_mat(path, ROWS)
    contents = loadmat(path)
    assert contents["HT"].shape == (6, 2048)
    assert contents["HF_all"].shape == (6, 32 * 125)
    assert 0 <= contents["HT"].min() < 0.5 < contents["HT"].max() <= 1
    rows, frequency = read_mat(path)
    assert (np.abs(rows - ROWS) < 1e-6 * np.abs(ROWS).max(axis=(1, 2), keepdims=True)).all()
    spectrum = np.fft.fft(rows.swapaxes(1, 2), 257, axis=-1)[..., :125] / contents["scale"][:, :, None]
    np.testing.assert_allclose(frequency, spectrum, atol=1e-4)


def test_delay_is_the_last_axis(tmp_path):
    """[re, im] x angle x delay; the channel kind ``trace`` reads the same file."""
    rows = np.full((1, 32, 32), 1e-3 + 0j)
    rows[0, 3, 20] = 2.0j
    write_mat(tmp_path / "one.mat", rows)
    image = loadmat(tmp_path / "one.mat")["HT"].reshape(2, 32, 32)
    assert image[1, 20, 3] == pytest.approx(1.0)
    assert np.argmax(np.abs(load(str(tmp_path / "one.mat"))[0])) == 3 * 32 + 20


def test_other_files_are_refused(tmp_path):
    savemat(tmp_path / "other.mat", {"HT": np.zeros((3, 10))})
    with pytest.raises(CsisimError, match="no key HT"):
        read_mat(tmp_path / "other.mat")
    with pytest.raises(CsisimError, match="no such file"):
        read_mat(tmp_path / "nowhere.mat")
    with pytest.raises(CsisimError, match="all zero"):
        write_mat(tmp_path / "zero.mat", np.zeros((1, 32, 32)))
