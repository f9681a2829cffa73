"""IAIDNN: untrained it is WMMSE, its hand-written gradient is right, and it serves smaller systems."""

import numpy as np
import pytest

from csisim.beamforming.digital.iaidnn import Iaidnn, IaidnnConfig, forward, iaidnn, initial, parameter_dimension, weighted_rate, zf_start
from csisim.beamforming.digital.iaidnn_evaluate import evaluate
from csisim.beamforming.digital.iaidnn_tied import tied
from csisim.beamforming.digital.wmmse import wmmse
from csisim.phy.dims import PowerBudget
from csisim.weights import WeightsError

NOISE, TOTAL = 0.01, PowerBudget("total", 1.0)
DIMS = {"num_users": 4, "num_rx_rf": 2, "num_rf": 8, "num_streams": 2}
STRUCTURES = [(structure, taylor, tied) for structure in ("plain", "improved") for taylor in (False, True) for tied in (False, True)]


def disturbed(config, size=0.03, seed=1):
    """Parameters near the untrained ones, so that every kind of them plays a role."""
    rng = np.random.default_rng(seed)
    parameters = initial(config, DIMS)
    for name, value in parameters.items():
        draws = size * rng.standard_normal((2, *value.shape))
        parameters[name] = value + draws[0] + 1j * draws[1]
    return parameters


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("taylor", [False, True])
def test_untrained_it_is_wmmse(make, tied, taylor):
    channel = make.rayleigh(5, 4, 2, 8, power=2.0)
    config = IaidnnConfig(tied=tied, taylor=taylor, layers=5, weights="untrained")
    precoder, _ = Iaidnn(config).design(channel[:, :, None], NOISE, TOTAL, 2)
    reference = wmmse(channel, NOISE, 2, TOTAL, iterations=5)
    expected = make.rates(channel, reference, NOISE, "logdet")
    np.testing.assert_allclose(make.rates(channel, precoder[:, :, 0], NOISE, "logdet"), expected, rtol=1e-9)
    np.testing.assert_allclose(make.rates(channel, precoder[:, :, 0], NOISE, "per_stream"), expected, rtol=1e-6)


@pytest.mark.parametrize(("structure", "taylor", "tied"), STRUCTURES)
def test_hand_written_gradient_is_that_of_autograd(make, structure, taylor, tied):
    torch = pytest.importorskip("torch")
    config = IaidnnConfig(structure=structure, taylor=taylor, tied=tied, layers=3)
    parameters, priorities, ratio = disturbed(config), np.array([1.0, 0.5, 2.0, 1.3]), np.array([0.01, 0.02])
    seen, true = make.rayleigh(2, 4, 2, 8, power=2.0), make.rayleigh(2, 4, 2, 8, seed=7, power=2.0)
    start = zf_start(seen, 2, TOTAL)
    rates, precoder, gradients = evaluate(parameters, seen, start, ratio, structure, user_weights=priorities, true=true, gradient=True)
    learned = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    tensors = [torch.from_numpy(x) for x in (seen, start, ratio, priorities, true)]
    found = forward(learned, tensors[0], tensors[1], tensors[2], structure, tensors[3])
    rate = weighted_rate(tensors[4], found, tensors[2], tensors[3])
    rate.mean().backward()
    np.testing.assert_allclose(found.detach().numpy(), precoder, atol=1e-6)
    np.testing.assert_allclose(rate.detach().numpy(), rates, rtol=1e-6)
    for name, value in learned.items():
        slope = value.grad.numpy()
        np.testing.assert_allclose(gradients[name], slope, atol=1e-5 * np.abs(slope).max(), err_msg=name)


@pytest.mark.parametrize("structure", ["plain", "improved"])
def test_hand_written_gradient_is_that_of_finite_differences(make, structure):
    config = IaidnnConfig(structure=structure, taylor=True, tied=False, layers=3)
    parameters, channel = disturbed(config), make.rayleigh(3, 4, 2, 8, power=2.0)
    start, ratio = zf_start(channel, 2, TOTAL), np.full(3, NOISE)
    gradients = evaluate(parameters, channel, start, ratio, structure, gradient=True)[2]
    rng = np.random.default_rng(3)
    for name, slope in gradients.items():
        draws = rng.standard_normal((2, *slope.shape))
        direction = draws[0] + 1j * draws[1] + slope / np.abs(slope).max()
        step = 1e-6 / np.abs(slope).max()
        moved = (parameters | {name: parameters[name] + sign * step * direction} for sign in (1.0, -1.0))
        up, down = (evaluate(theta, channel, start, ratio, structure)[0] for theta in moved)
        expected = np.vdot(slope, direction).real
        assert abs((up - down).mean() / (2 * step) - expected) < 1e-4 * abs(expected), name


def test_parameters_are_as_many_as_printed():
    config = IaidnnConfig(structure="plain", taylor=True, tied=False, layers=7)
    for users, num_rx, num_tx in ((4, 2, 8), (3, 2, 16)):
        dims = {"num_users": users, "num_rx_rf": num_rx, "num_rf": num_tx, "num_streams": 2}
        count = sum(value.size for value in initial(config, dims).values())
        assert count == parameter_dimension(num_tx, num_rx, 2, users, 7)
    assert parameter_dimension(8, 2, 2, 4, 7) == 7 * 4 * (12 + 12 + 4) + 6 * 4 * (192 + 16)


@pytest.mark.parametrize("structure", ["plain", "improved"])
def test_a_problem_does_not_depend_on_its_batch(make, structure):
    parameters, channel = disturbed(IaidnnConfig(structure=structure, tied=False, layers=3)), make.rayleigh(18, 4, 2, 8)
    together = iaidnn(channel, NOISE, 2, TOTAL, parameters, structure)
    alone = np.concatenate([iaidnn(channel[b : b + 1], NOISE, 2, TOTAL, parameters, structure) for b in range(18)])
    np.testing.assert_array_equal(together, alone)


def test_smaller_systems_are_filled_with_zeros(make):
    """Users and chains that are not there take no part: untrained, the padded network is still WMMSE."""
    parameters = initial(IaidnnConfig(tied=False, layers=3), DIMS)
    for users, num_tx in ((3, 8), (2, 6), (4, 8)):
        channel = make.rayleigh(4, users, 2, num_tx, power=2.0)
        rates = make.rates(channel, iaidnn(channel, NOISE, 2, TOTAL, parameters, "improved"), NOISE, "logdet")
        reference = wmmse(channel, NOISE, 2, TOTAL, iterations=3)
        np.testing.assert_allclose(rates, make.rates(channel, reference, NOISE, "logdet"), rtol=1e-9)
    with pytest.raises(WeightsError, match="too small"):
        iaidnn(make.rayleigh(1, 5, 2, 8), NOISE, 2, TOTAL, parameters, "improved")


def test_scale_of_channel_and_noise_together_is_irrelevant(make):
    parameters, channel = disturbed(IaidnnConfig(tied=False, layers=3)), make.rayleigh(3, 4, 2, 8)
    one = iaidnn(channel, NOISE, 2, TOTAL, parameters, "improved")
    other = iaidnn(10.0 * channel, 100.0 * NOISE, 2, TOTAL, parameters, "improved")
    np.testing.assert_allclose(np.abs(other), np.abs(one), rtol=1e-6)


@pytest.mark.parametrize("constraint", ["total", "per_user"])
def test_power_is_met_and_priorities_are_heeded(make, constraint):
    channel, power = make.rayleigh(10, 4, 2, 8, power=2.0)[:, :, None].astype(np.complex64), PowerBudget(constraint, 4.0)
    plain, _ = Iaidnn(IaidnnConfig(weights="untrained")).design(channel, NOISE, power, 2)
    norms = (np.abs(plain) ** 2).sum(axis=(-2, -1))[:, :, 0]
    np.testing.assert_allclose(norms if constraint == "per_user" else norms.sum(axis=1) / 4, 1.0, rtol=1e-5)
    if constraint == "total":
        preferred, _ = Iaidnn(IaidnnConfig(weights="untrained", user_weights=[10.0, 1.0, 1.0, 1.0])).design(channel, NOISE, power, 2)
        share = (np.abs(preferred) ** 2).sum(axis=(-2, -1))[:, 0, 0] / 4
        assert share.mean() > 1.2 * norms[:, 0].mean() / 4


def test_tied_networks_run_in_the_receivers_dimensions(make):
    config = IaidnnConfig(layers=4)
    parameters, priorities, ratio = disturbed(config, 0.02), np.array([1.0, 0.5, 2.0, 1.3]), np.array([0.01, 0.02, 0.01])
    for num_tx in (8, 12):
        channel = make.rayleigh(3, 4, 2, num_tx, power=2.0)
        start = zf_start(channel, 2, TOTAL)
        reduced = tied(parameters, channel, start, ratio, priorities)
        full = evaluate(parameters, channel, start, ratio, "improved", user_weights=priorities)[1]
        rates = [weighted_rate(channel, precoder, ratio, priorities) for precoder in (reduced, full)]
        np.testing.assert_allclose(*rates, rtol=1e-8)


@pytest.mark.parametrize(("users", "num_tx", "snr_db"), [(4, 8, 20), (2, 8, 10), (8, 16, 20), (8, 16, 10), (12, 24, 5)])
def test_one_shipped_network_beats_seven_iterations_on_any_size(make, users, num_tx, snr_db):
    """Trained at (8, 4) alone."""
    noise, channel = 10 ** (-snr_db / 10), make.rayleigh(40, users, 2, num_tx, seed=users, power=2.0)
    precoder, _ = Iaidnn(IaidnnConfig()).design(channel[:, :, None], noise, TOTAL, 2)
    seven = wmmse(channel, noise, 2, TOTAL, iterations=7)
    assert make.rates(channel, precoder[:, :, 0], noise, "logdet").mean() > make.rates(channel, seven, noise, "logdet").mean()
