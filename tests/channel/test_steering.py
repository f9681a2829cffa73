"""Kernels against the closed form."""

import numpy as np
import pytest

from csisim.channel.base import FactoredState, Geometry, Paths
from csisim.channel.steering import RayGeometry, RayState, dense, responses
from csisim.phy.arrays import Ula, Upa, phase_steps, response
from csisim.random import complex_normal

SHAPE = (3, 2, 5)  # drops, users, paths


def angles(seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.5, 1.5, SHAPE), rng.uniform(-0.8, 0.8, SHAPE)


@pytest.mark.parametrize("num_elements", [1, 2, 3, 31, 64, 1024])
@pytest.mark.parametrize(("dtype", "bound"), [(np.complex64, 6e-7), (np.complex128, 2e-12)])
def test_doubling_keeps_its_precision(num_elements, dtype, bound):
    """The error of a unit-modulus entry grows with log2 N: below 1e-6 in complex64 at N = 1024."""
    azimuth, _ = angles(1)
    a = responses(phase_steps(Ula(), azimuth), (1, num_elements), np.dtype(dtype))
    expected = response(Ula(), num_elements, azimuth).swapaxes(-1, -2)
    assert a.dtype == dtype
    assert a.flags.c_contiguous
    assert np.abs(a - expected).max() * np.sqrt(num_elements) < bound


@pytest.mark.parametrize("array", [Upa(rows=4, columns=8), Upa(rows=5, columns=3), Upa(rows=7, columns=1), Upa(rows=1, columns=6)])
def test_planar_responses(array):
    azimuth, elevation = angles(2)
    steps = phase_steps(array, azimuth, elevation)
    a = responses(steps, (array.rows, array.columns), np.dtype(np.complex128))
    expected = response(array, array.rows * array.columns, azimuth, elevation).swapaxes(-1, -2)
    np.testing.assert_allclose(a, expected, atol=1e-14)


@pytest.mark.parametrize(
    ("rx", "tx"),
    [((1, 32), (1, 64)), ((1, 1), (1, 1)), ((1, 4), (1, 7)), ((3, 3), (3, 5)), ((2, 2), (4, 8)), ((1, 2), (7, 2)), ((5, 1), (1, 2))],
)
@pytest.mark.parametrize(("dtype", "bound"), [(np.complex64, 2e-6), (np.complex128, 1e-12)])
def test_the_fused_kernel_is_the_sum_of_paths(rx, tx, dtype, bound):
    arrays = [Upa(rows=rows, columns=columns) for rows, columns in (rx, tx)]
    steps = tuple(phase_steps(array, *angles(seed)) for seed, array in enumerate(arrays))
    gains = complex_normal(np.random.default_rng(4), (*SHAPE[:2], 2, SHAPE[2]), dtype)
    h = dense(steps, (rx, tx), gains)
    a_r, a_t = (response(array, array.rows * array.columns, *angles(seed)).swapaxes(-1, -2) for seed, array in enumerate(arrays))
    expected = FactoredState(Paths(Geometry(a_r, a_t), gains)).matrix()
    assert h.dtype == dtype
    assert h.shape == expected.shape
    assert np.abs(h - expected).max() / np.abs(expected).max() < bound


def test_power_is_the_frobenius_norm():
    grids = ((1, 8), (2, 8))
    steps = (phase_steps(Ula(), angles(1)[0]), phase_steps(Upa(rows=2, columns=8), *angles(2)))
    gains = complex_normal(np.random.default_rng(5), (*SHAPE[:2], 1, SHAPE[2]), np.complex128)
    geometry = RayGeometry(steps, grids, np.dtype(np.complex128))
    h = RayState(Paths(geometry, gains)).matrix()
    np.testing.assert_allclose(geometry.power(gains), np.linalg.norm(h, axis=(-2, -1)) ** 2)


def test_responses_are_computed_only_when_asked_for():
    geometry = RayGeometry((phase_steps(Ula(), angles(1)[0]), phase_steps(Ula(), angles(2)[0])), ((1, 4), (1, 8)), np.dtype(np.complex64))
    RayState(Paths(geometry, np.ones((*SHAPE[:2], 1, SHAPE[2]), np.complex64))).matrix()
    assert not {"rx", "tx"} & set(vars(geometry))
    assert geometry.rx is geometry.rx
