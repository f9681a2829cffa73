"""Streams are told apart by seed, replica, name, block and index, and by nothing else."""

import numpy as np
import pytest

from csisim.beamforming.analog.random_phases import draw_phases
from csisim.phy.dims import Dims
from csisim.random import Streams, complex_normal, stream


def first(generator):
    return generator.integers(0, 2**63, 4).tolist()


def test_golden_values():
    """Results on disk hang on these numbers: whoever changes them changes every result."""
    assert stream(7, 0, "channel").integers(0, 1000, 4).tolist() == [311, 284, 21, 232]


def test_streams_of_a_block_carry_its_number_before_the_index():
    assert first(Streams(7, 2, 5)("noise", 3, 1)) == first(stream(7, 2, "noise", 5, 3, 1))


def test_order_of_asking_and_drawing_is_irrelevant():
    streams = Streams(1)
    alone = first(streams("noise", 0))
    other = streams("gains", 0)
    other.standard_normal(1000)
    again = streams("noise", 0)
    other.standard_normal(10)
    assert first(again) == alone
    assert first(Streams(1)("noise", 0)) == alone


def test_every_part_of_the_key_tells_streams_apart():
    keys = [(root, replica, block, name, *index)
            for root in (1, 2) for replica in (0, 1) for block in (0, 1) for name in ("gains", "noise", "noise.1")
            for index in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))]  # fmt: skip
    draws = {tuple(first(Streams(*key[:3])(*key[3:]))) for key in keys}
    assert len(draws) == len(keys) == 144


def test_neighbouring_streams_are_uncorrelated():
    draws = np.array([Streams(1)("channel.gains", 0, user).standard_normal(4000) for user in range(8)])
    correlation = np.corrcoef(draws) - np.eye(8)
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


@pytest.mark.parametrize("fewer", [1, 2, 3])
def test_fewer_users_and_chains_are_a_prefix_of_more(fewer):
    more = draw_phases(Dims(2, 4, 6, 8, 4, 4, 1), Streams(3, 1, 2), 0)
    less = draw_phases(Dims(2, fewer, 6, 8, fewer, fewer, 1), Streams(3, 1, 2), 0)
    np.testing.assert_array_equal(less[0], more[0][..., :fewer])
    np.testing.assert_array_equal(less[1], more[1][:, :fewer, :, :fewer])


@pytest.mark.parametrize(("dtype", "real"), [(np.complex64, np.float32), (np.complex128, np.float64)])
def test_complex_normal_has_unit_variance_and_no_preferred_phase(dtype, real):
    z = complex_normal(np.random.default_rng(0), (400, 250), dtype)
    assert z.dtype == dtype
    assert z.shape == (400, 250)
    assert z.real.dtype == real
    bound = 5 / np.sqrt(z.size)
    assert abs(np.mean(np.abs(z.astype(complex)) ** 2) - 1) < bound
    assert abs(np.mean(z.astype(complex) ** 2)) < 2 * bound
    assert abs(np.mean(z.astype(complex))) < bound


def test_complex_normal_fills_the_leading_axis_last():
    few, many = (complex_normal(np.random.default_rng(4), (n, 3)) for n in (2, 5))
    np.testing.assert_array_equal(many[:2], few)
