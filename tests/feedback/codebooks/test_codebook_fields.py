"""Bit strings of fields of any width, and combinatorial indices."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from csisim.feedback.codebooks.fields import Reader, Writer, combination_index, combination_members, width_of, widths_of


def test_fields_come_back_whatever_their_widths():
    rng = np.random.default_rng(0)
    widths = rng.integers(0, 7, (50, 9))
    values = rng.integers(0, 2**widths)
    writer = Writer(50, int(widths.sum(axis=1).max()) + 3)
    writer.write(values, widths)
    writer.write(np.full((50, 1), 5), 3)
    np.testing.assert_array_equal(writer.lengths, widths.sum(axis=1) + 3)
    reader = Reader(writer.bits)
    np.testing.assert_array_equal(reader.read(widths, 9), values)
    np.testing.assert_array_equal(reader.read(3, 1), 5)
    assert not any(bits[length:].any() for bits, length in zip(writer.bits, writer.lengths, strict=True))


def test_a_string_that_ends_early_reads_as_zeros():
    reader = Reader(np.ones((1, 4), np.uint8))
    assert reader.read(3, 1).tolist() == [[7]]
    assert reader.read(3, 2).tolist() == [[4, 0]]


@pytest.mark.parametrize(("size", "count"), [(2, 2), (4, 1), (6, 3), (8, 4), (16, 4)])
def test_combinations_are_counted_without_gaps(size, count):
    members = np.array(list(combinations(range(size), count)))
    index = combination_index(members, size)
    assert sorted(index) == list(range(comb(size, count)))
    np.testing.assert_array_equal(combination_members(index, size, count), members)


def test_the_standards_combinatorial_index():
    """N1 N2 = 4, L = 2: the first two beams have the highest index, C(3, 2) + C(2, 1) = 5."""
    assert combination_index(np.array([[0, 1], [2, 3]]), 4).tolist() == [5, 0]


def test_an_index_that_does_not_exist_is_the_last_one():
    np.testing.assert_array_equal(combination_members(np.array([31]), 8, 2), combination_members(np.array([27]), 8, 2))


def test_widths():
    assert [width_of(n) for n in (1, 2, 3, 4, 5, 28)] == [0, 1, 2, 2, 3, 5]
    np.testing.assert_array_equal(widths_of(np.arange(1, 300)), [width_of(n) for n in range(1, 300)])
