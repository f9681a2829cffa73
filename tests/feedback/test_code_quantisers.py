"""Quantisers of codes: cells, bits and losses."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from csisim.errors import CsisimError
from csisim.feedback.code_quantisers import (
    CodeQuantiserConfig,
    LinearCodeQuantiserConfig,
    allocate,
    from_bits,
    gaussian_distortion,
    to_bits,
)

rng = np.random.default_rng(5)
CALIBRATION = rng.standard_normal((400, 8)) * np.geomspace(0.1, 10, 8)
CODES = rng.standard_normal((300, 8)) * np.geomspace(0.1, 10, 8)


def config(value):
    return TypeAdapter(CodeQuantiserConfig).validate_python(value)


def through(value, codes, calibration=CALIBRATION):
    quantiser = config(value).prepare(calibration)
    bits = to_bits(quantiser, codes)
    assert bits.shape == (len(codes), config(value).num_bits(codes.shape[1]))
    assert set(np.unique(bits)) <= {0, 1}
    return from_bits(quantiser, bits)


def loss(received, codes):
    return ((received - codes) ** 2).sum(axis=0) / (codes**2).sum(axis=0)


def test_floats_survive():
    codes = CODES.astype(np.float32)
    np.testing.assert_array_equal(through("float32", codes), codes)


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_uniform_cells_of_acrnet(bits):
    """Lu 2021, eq. 12; a sigmoid that is exactly 1 in floats falls into the last cell."""
    codes = np.array([[0.0, 0.24, 0.25, 0.5, 0.999, 1.0]], np.float32)
    received = through({"kind": "uniform", "bits": bits}, codes)
    expected = (np.minimum(np.floor(codes * 2**bits), 2**bits - 1) + 0.5) / 2**bits
    np.testing.assert_allclose(received, expected)
    assert np.abs(received - codes).max() <= 0.5 / 2**bits + 1e-6


def test_mu_law_resolves_small_numbers_finely():
    calibration = np.linspace(-1, 1, 1000)[:, None]
    codes = np.array([[0.003], [-0.003], [0.9]])
    errors = np.abs(through({"kind": "mu_law", "bits": 6}, codes, calibration) - codes)[:, 0]
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)
    assert errors[0] < 0.5 / 2**6 < 2 * errors[2] + 0.05
    assert np.all(np.diff(through({"kind": "mu_law", "bits": 6}, np.linspace(-2, 2, 99)[:, None], calibration)[:, 0]) >= 0)


def test_a_table_per_element_serves_elements_of_different_size():
    one = loss(through({"kind": "lloyd_max", "bits": 4}, CODES), CODES)
    own = loss(through({"kind": "lloyd_max", "bits": 4, "per_element": True}, CODES), CODES)
    assert own.max() < 0.04
    assert one[0] > 5 * own[0]


def test_vectors_beat_scalars_on_correlated_codes():
    common = rng.standard_normal((2000, 4, 1))
    codes = (common + 0.2 * rng.standard_normal((2000, 4, 2))).reshape(2000, 8)
    vector = loss(through({"kind": "vector", "bits": 8, "dim": 2}, codes[1000:], codes[:1000]), codes[1000:])
    scalar = loss(through({"kind": "lloyd_max", "bits": 4}, codes[1000:], codes[:1000]), codes[1000:])
    assert vector.mean() < 0.7 * scalar.mean()


@pytest.mark.parametrize("kind", ["lloyd_max", "mu_law", "vector", "allocated"])
def test_trained_quantisers_need_calibration(kind):
    with pytest.raises(CsisimError, match="calibration"):
        config(kind).prepare(None)


def test_a_run_must_divide_the_code():
    with pytest.raises(CsisimError, match="dim 3"):
        config({"kind": "vector", "dim": 3}).prepare(CALIBRATION)


def test_linear_codes_are_not_squashed():
    with pytest.raises(ValidationError, match="uniform"):
        TypeAdapter(LinearCodeQuantiserConfig).validate_python("uniform")


class TestAllocation:
    def test_bits_follow_the_variances(self):
        widths = allocate(np.array([100.0, 1.0, 1.0, 1e-6]), 12)
        assert widths.sum() == 12
        assert widths[0] > widths[1] == widths[2] > widths[3] == 0
        assert allocate(np.ones(4), 10).max() <= 3
        assert allocate(np.array([1e9, 1.0]), 12).tolist() == [8, 4]

    def test_distortions_are_those_of_max(self):
        assert gaussian_distortion(1) == pytest.approx(0.3634, rel=1e-3)
        assert gaussian_distortion(4) == pytest.approx(0.009497, rel=1e-3)

    def test_it_loses_less_than_equal_bits_on_unequal_elements(self):
        equal, allocated = ({"kind": "lloyd_max", "bits": 3, "per_element": True}, {"kind": "allocated", "bits": 3})
        lost = [((through(value, CODES) - CODES) ** 2).sum() for value in (allocated, equal)]
        assert lost[0] < 0.5 * lost[1]
