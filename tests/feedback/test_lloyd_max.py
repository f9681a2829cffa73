"""The Lloyd-Max codec and the ideal one."""

import numpy as np
import pytest

from csisim.feedback.ideal import Ideal, IdealConfig
from csisim.feedback.lloyd_max import LloydMax, LloydMaxConfig
from csisim.feedback.report import Report
from csisim.phy.metrics import nmse
from csisim.random import complex_normal

SHAPE = (16, 4, 3, 4, 16)
DISTORTION = {1: 0.3634, 2: 0.1175, 3: 0.03454, 4: 0.009497}  # Max 1960


def channel(seed=0, dtype=np.complex64):
    h = complex_normal(np.random.default_rng(seed), SHAPE, dtype)
    return h * np.array([1e-3, 0.1, 1, 50], h.real.dtype)[:, None, None, None]  # users at different distances


def round_trip(h, **fields):
    codec = LloydMax(LloydMaxConfig(**fields))
    report, state = codec.encode(h, codec.init(h.shape, h.dtype))
    return codec.decode(report, state)[0], report


@pytest.mark.parametrize(("bits", "expected"), DISTORTION.items())
def test_gaussian_channels_lose_the_distortion_of_the_quantiser(bits, expected):
    h = channel()
    decoded, _ = round_trip(h, bits=bits)
    per_user = nmse(np.moveaxis(decoded, 1, 0), np.moveaxis(h, 1, 0))
    np.testing.assert_allclose(per_user, expected, rtol=0.06)


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_booked_bits_are_the_bits_of_the_string(bits):
    _, report = round_trip(channel(), bits=bits)
    assert report.num_bits == 2 * 3 * 4 * 16 * bits + 16
    assert report.payload.shape == (16, 4, -(-report.num_bits // 8))
    assert report.payload.dtype == np.uint8
    assert report.content == "channel"


def test_a_genie_scale_is_used_but_not_booked():
    h = channel()
    booked, free = round_trip(h), round_trip(h, scale="genie")
    assert free[1].num_bits == booked[1].num_bits - 16
    np.testing.assert_array_equal(free[0], booked[0])


def test_the_decoder_sees_the_bits_alone():
    h = channel()
    codec = LloydMax(LloydMaxConfig(bits=3))
    report, state = codec.encode(h, codec.init(SHAPE, np.complex64))
    decoded, _ = codec.decode(report, state)
    codec.encode(channel(seed=1), state)  # nothing is remembered
    np.testing.assert_array_equal(codec.decode(Report(report.payload.copy(), report.num_bits), codec.init(SHAPE, np.complex64))[0], decoded)


def test_one_flipped_bit_changes_one_real_dimension():
    h = channel()
    codec = LloydMax(LloydMaxConfig(bits=4))
    report, state = codec.encode(h, codec.init(SHAPE, np.complex64))
    decoded, _ = codec.decode(report, state)
    payload = report.payload.copy()
    payload[2, 1, 2 + 5] ^= 0b1000_0000  # behind the scale: the first bit of index 10, the real part of entry 5
    changed = codec.decode(Report(payload, report.num_bits), state)[0] != decoded
    assert changed.sum() == 1
    assert changed[2, 1].reshape(-1)[5]


def test_a_flipped_scale_bit_rescales_that_user_only():
    codec = LloydMax(LloydMaxConfig())
    report, state = codec.encode(channel(), codec.init(SHAPE, np.complex64))
    decoded, _ = codec.decode(report, state)
    payload = report.payload.copy()
    payload[0, 2, 0] ^= 0b0000_0100  # the lowest exponent bit: twice or half the scale
    other, _ = codec.decode(Report(payload, report.num_bits), state)
    factor = (other[0, 2] / decoded[0, 2]).real.mean()
    assert round(float(factor), 4) in (0.5, 2.0)
    decoded[0, 2] *= factor
    np.testing.assert_allclose(other, decoded, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_the_decoded_channel_keeps_the_precision_of_the_run(dtype):
    assert round_trip(channel(dtype=dtype))[0].dtype == dtype


@pytest.mark.parametrize("level", [0.0, 1e-9, 1e6])
def test_channels_beyond_the_range_of_the_scale_stay_finite(level):
    decoded, _ = round_trip(np.full((1, 1, 1, 2, 2), level, np.complex64))
    assert np.all(np.isfinite(decoded))
    assert np.abs(decoded).max() <= max(1.01 * level * np.sqrt(2), 1e-6)


def test_the_ideal_report_is_the_channel_for_free():
    codec = Ideal(IdealConfig())
    h = channel()
    report, state = codec.encode(h, codec.init(SHAPE, np.complex64))
    assert report.num_bits == 0
    np.testing.assert_array_equal(codec.decode(report, state)[0], h)
