"""Bit strings: what goes in comes out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from csisim.feedback.bits import bits_to_integers, integers_to_bits, pack, unpack


@st.composite
def fields(draw):
    width = draw(st.integers(1, 32))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=9))
    return draw(hnp.arrays(np.uint32, shape, elements=st.integers(0, 2**width - 1))), width


@settings(max_examples=60, deadline=None)
@given(fields())
def test_integers_survive_the_trip_through_bytes(field):
    values, width = field
    bits = integers_to_bits(values, width)
    assert bits.shape == (*values.shape[:-1], values.shape[-1] * width)
    payload = pack(bits)
    assert payload.shape[-1] == -(-bits.shape[-1] // 8)
    np.testing.assert_array_equal(bits_to_integers(unpack(payload, bits.shape[-1]), width), values)


@settings(max_examples=30, deadline=None)
@given(fields(), st.data())
def test_every_bit_belongs_to_one_integer(field, data):
    values, width = field
    bits = integers_to_bits(values, width)
    place = data.draw(st.integers(0, bits.shape[-1] - 1))
    bits[..., place] ^= 1
    changed = bits_to_integers(bits, width) != values
    assert np.all(changed.sum(axis=-1) == 1)
    assert np.all(changed[..., place // width])


def test_the_most_significant_bit_comes_first():
    np.testing.assert_array_equal(integers_to_bits(np.array([5, 1]), 3), [1, 0, 1, 0, 0, 1])
    np.testing.assert_array_equal(pack(integers_to_bits(np.array([5, 1]), 3)), [0b10100100])


@pytest.mark.parametrize(("values", "width"), [([4], 2), ([-1], 8), ([0], 0), ([0], 33)])
def test_what_does_not_fit_is_refused(values, width):
    with pytest.raises(ValueError, match="bits"):
        integers_to_bits(np.array(values), width)
