"""Weights are found by what they are for, and refused when they are for something else or damaged."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from pydantic import ValidationError

from csisim import weights
from csisim.beamforming.digital.hbdun import HbdunConfig
from csisim.channel.mmwave import MmwaveClustersConfig
from csisim.weights import Header, Need, WeightsError

HEADER = Header("digital/net", {"layers": 2}, {"num_rf": 8, "num_users": 6}, {"kind": "rayleigh"}, 10.0, {"steps": 3}, 7, {"trained": 1.0})
NEED = Need("digital/net", {"layers": 2}, {"num_rf": 8, "num_users": 4})


def parameters(dims):
    rng = np.random.default_rng(0)
    return {"T": (rng.normal(size=(dims["num_users"], 3)) * (1 + 1j)).astype(np.complex64), "mu": np.ones(2, np.float32)}


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
    return weights.write(tmp_path / "net.safetensors", parameters(HEADER.dims), HEADER)


def test_what_is_written_is_read(file):
    read = weights.load(file, NEED, parameters)
    assert read["T"].dtype == np.complex64
    assert all(np.array_equal(read[name], value) for name, value in parameters(HEADER.dims).items())
    assert weights.read_header(file) == HEADER


@pytest.mark.parametrize(
    ("need", "said"),
    [
        (replace(NEED, component="digital/other"), "digital/net"),
        (replace(NEED, architecture={"layers": 3}), "layers"),
        (replace(NEED, dims={"num_rf": 16}), "num_rf 8, wanted is 16"),
        (replace(NEED, dims={"num_users": 7}), "num_users"),
        (replace(NEED, statistics={"kind": "trace"}), "kind"),
    ],
)
def test_a_mismatch_is_refused_with_its_reason(file, need, said):
    with pytest.raises(WeightsError, match=said):
        weights.load(file, need, parameters)
    assert weights.find(need) != file


def test_damaged_and_foreign_files_are_refused(file, tmp_path):
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) - 7])
    with pytest.raises(WeightsError, match="damaged"):
        weights.load(file, NEED, parameters)
    file.write_bytes(b"\x80\x04pickle" * 20)
    with pytest.raises(WeightsError, match="damaged"):
        weights.read_header(file)
    with pytest.raises(WeightsError, match="no such file"):
        weights.read_header(tmp_path / "nothing.safetensors")
    assert weights.find(NEED) is None


def test_a_changed_number_is_noticed(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="not those that were written"):
        weights.load(file, NEED, parameters)
    with pytest.raises(WeightsError, match="not those that were written"):
        weights.read_header(file)
    assert weights.find(NEED) is None  # trained anew instead of found again and again


def test_weights_from_before_a_field_of_the_channel_have_its_default():
    whole = MmwaveClustersConfig().model_dump(mode="json", exclude={"fading"})
    older = replace(HEADER, statistics={name: value for name, value in whole.items() if name != "k_factor_db"})
    assert replace(NEED, statistics=whole).complaint(older) is None
    usual, other = ({"power": power, "add_up": False} for power in ("per_rf_chain", "per_column"))
    assert replace(NEED, statistics=whole | {"pilots": usual}).complaint(older) is None
    assert "pilots" in replace(NEED, statistics=whole | {"pilots": other}).complaint(older)
    assert "k_factor_db" in replace(NEED, statistics=whole | {"k_factor_db": 3.0}).complaint(older)


@pytest.mark.parametrize("name", ["net", "net.pt", "net.yml"])
def test_weights_are_files_by_their_suffix(name):
    with pytest.raises(ValidationError, match="safetensors"):
        HbdunConfig(weights=name)


def test_parameters_of_other_names_or_shapes_are_refused(file):
    with pytest.raises(WeightsError, match="another version of csisim: mu has shape"):
        weights.load(file, NEED, lambda dims: parameters(dims) | {"mu": np.ones(3, np.float32)})
    with pytest.raises(WeightsError, match="another version of csisim: its parameters are T, mu, not T"):
        weights.load(file, NEED, lambda dims: {"T": parameters(dims)["T"]})
    broken = parameters(HEADER.dims) | {"mu": np.array([1, np.nan], np.float32)}
    weights.write(file, broken, HEADER)
    with pytest.raises(WeightsError, match="finite"):
        weights.load(file, NEED, parameters)


def test_the_nearest_snr_is_found(file, tmp_path):
    weights.write(tmp_path / "low.safetensors", parameters(HEADER.dims), replace(HEADER, snr_db=0.0))
    assert weights.find(replace(NEED, snr_db=2.0)).name == "low.safetensors"
    assert weights.find(replace(NEED, snr_db=20.0)).name == "net.safetensors"


def test_what_is_shipped_comes_before_what_was_trained_here(file, tmp_path, monkeypatch):
    assert weights.find(NEED) == file
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(weights, "SHIPPED", shipped)
    shipped.mkdir()
    far = weights.write(shipped / "far.safetensors", weights.load(file, NEED, parameters), replace(weights.read_header(file), snr_db=30.0))
    assert weights.find(NEED) == far


def test_what_another_version_has_trained_here_is_passed_over_and_what_it_ships_is_not(file, tmp_path, monkeypatch):
    for version in (0, weights.TRAINING_VERSION + 1):
        weights.write(file, parameters(HEADER.dims), replace(HEADER, training_version=version))
        assert weights.find(NEED) is None
        assert weights.load(file, NEED, parameters)  # whoever names it has it
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path / "empty"))
    assert weights.find(NEED) == file


def test_shipped_files_are_from_before_there_was_a_number(file):
    assert weights.read_header(file).training_version == weights.TRAINING_VERSION
    assert weights.read_header(next(weights.SHIPPED.glob("*.safetensors"))).training_version == 0


def test_the_same_weights_are_the_same_file(file):
    """Records and trainings that go on from it know a file by its content."""
    assert {weights.write(file, parameters(HEADER.dims), HEADER).read_bytes() for _ in range(20)} == {file.read_bytes()}


def test_a_checksum_beside_the_header_is_checked_too(file):
    from safetensors.numpy import save

    arrays, header = parameters(HEADER.dims), json.dumps(asdict(HEADER))
    file.write_bytes(save(arrays, metadata={"csisim": header, "sha256": "0"}))
    with pytest.raises(WeightsError, match="not those that were written"):
        weights.read_header(file)
    file.write_bytes(save(arrays, metadata={"csisim": header}))
    assert weights.read_header(file) == HEADER
