"""The array-API page runs on every library and can be differentiated."""

import array_api_strict
import numpy as np
import pytest

from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.linear import start_precoder

NOISE = 0.1


def everything(channel, start, power):
    """One of each, as NumPy arrays."""
    results = [
        oracle.sca(channel, start, NOISE, power, 3),
        oracle.sca(channel, start, NOISE, power, 3, "recursion", "bisection"),
        oracle.wmmse(channel, start, NOISE, power, 3, tolerance=1e-3),
        oracle.wmmse(channel, start, NOISE, power, 3, "bisection"),
        oracle.wmmse_reduced(channel, start, NOISE, power.total, 3),
    ]
    rates = [oracle.sum_rate(channel, f, oracle.mmse_combiner(channel, f, NOISE), NOISE) for f in results]
    return [np.asarray(result) for result in (*results, *rates)]


@pytest.mark.parametrize("library", ["array_api_strict", "torch"])
@pytest.mark.parametrize("constraint", ["per_user", "total"])
def test_libraries_agree(make, library, constraint):
    channel, power = make.rayleigh(3, 3, 2, 8), make.budget(constraint, 3, 2)
    start = start_precoder(channel, 2, power, "svd")
    convert = pytest.importorskip("torch").from_numpy if library == "torch" else array_api_strict.asarray
    for expected, actual in zip(everything(channel, start, power), everything(convert(channel), convert(start), power), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-12)


def test_rate_after_five_iterations_is_differentiable(make):
    torch = pytest.importorskip("torch")
    channel, power = make.rayleigh(2, 3, 2, 8), make.budget("per_user", 3, 2)
    start = torch.from_numpy(start_precoder(channel, 2, power, "svd"))
    direction = torch.from_numpy(make.rayleigh(2, 3, 2, 8, seed=1))

    def rate(step):
        h = torch.from_numpy(channel) + step * direction
        f = oracle.sca(h, start, NOISE, power, 5)
        return oracle.sum_rate(h, f, oracle.mmse_combiner(h, f, NOISE), NOISE).sum()

    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    rate(step).backward()
    difference = (rate(1e-5) - rate(-1e-5)) / 2e-5
    assert torch.isfinite(step.grad)
    assert abs(step.grad - difference) < 1e-6 * abs(difference)


def test_bisection_meets_both_constraints_exactly(make):
    channel = make.kang(5)
    for constraint in ("per_user", "total"):
        power = make.budget(constraint, 4, 4)
        precoder = oracle.sca(channel, start_precoder(channel, 4, power, "svd"), NOISE, power, 4, tau="bisection")
        norm = (np.abs(precoder) ** 2).sum(axis=(2, 3))
        np.testing.assert_allclose(norm.mean(axis=1) if constraint == "total" else norm, 4.0, rtol=1e-9)
