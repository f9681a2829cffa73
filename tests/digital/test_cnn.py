"""The black box: untrained it is regularised zero forcing, on any array library, and a sample stays by itself."""

import numpy as np
import pytest

from csisim.beamforming.digital.cnn import Cnn, CnnConfig, _convolve, guess, initial, outputs, parameter_dimension
from csisim.beamforming.digital.rzf import RegularisedZeroForcing, RegularisedZeroForcingConfig
from csisim.phy.dims import PowerBudget

NOISE, TOTAL = 0.01, PowerBudget("total", 1.0)
DIMS = {"num_users": 3, "num_rx_rf": 2, "num_rf": 8, "num_streams": 2}
CONFIG = CnnConfig(convolutions=2, kernel=3, channels=4, hidden=16, weights="untrained")


def disturbed():
    parameters = initial(CONFIG, DIMS)
    rng = np.random.default_rng(1)
    parameters["out"] = rng.standard_normal(parameters["out"].shape).astype(np.float32) * 0.1
    return parameters


def test_untrained_it_is_regularised_zero_forcing(make):
    channel = make.rayleigh(10, 3, 2, 8, power=2.0)[:, :, None]
    box, _ = Cnn(CONFIG).design(channel, NOISE, TOTAL, 2)
    rzf, _ = RegularisedZeroForcing(RegularisedZeroForcingConfig()).design(channel, NOISE, TOTAL, 2)
    expected = make.rates(channel[:, :, 0], rzf[:, :, 0], NOISE, "logdet")
    np.testing.assert_allclose(make.rates(channel[:, :, 0], box[:, :, 0], NOISE, "logdet"), expected, rtol=1e-4)


def test_convolution_is_that_of_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((3 * 25, 4))
    kernel = torch.from_numpy(weights.T.reshape(4, 3, 5, 5).copy())
    expected = torch.nn.functional.conv2d(torch.from_numpy(x), kernel, padding=2)
    np.testing.assert_allclose(_convolve(x, weights), expected.numpy(), atol=1e-12)


def test_weights_are_hermitian_and_positive_and_samples_are_by_themselves(make):
    parameters, channel = disturbed(), make.rayleigh(5, 3, 2, 8, power=2.0)
    u, w = guess(parameters, channel, 2)
    np.testing.assert_allclose(w, w.conj().swapaxes(-1, -2), atol=1e-12)
    assert np.linalg.eigvalsh(w).min() > 0.0
    alone = guess(parameters, channel[2:3], 2)
    np.testing.assert_allclose(u[2:3], alone[0], atol=1e-5)
    np.testing.assert_allclose(w[2:3], alone[1], atol=1e-5)


def test_torch_runs_the_same_code_and_differentiates_it(make):
    torch = pytest.importorskip("torch")
    parameters, channel = disturbed(), make.rayleigh(2, 3, 2, 8, power=2.0)
    learned = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    u, w = guess(learned, torch.from_numpy(channel), 2)
    for ours, theirs in zip(guess(parameters, channel, 2), (u, w), strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=1e-4)
    (u.abs().sum() + w.abs().sum()).backward()
    assert all(torch.isfinite(value.grad).all() and value.grad.abs().sum() > 0 for value in learned.values())


def test_sizes():
    assert outputs(3, 2, 2) == 3 * (8 + 4)
    assert sum(value.size for value in initial(CONFIG, DIMS).values()) == sum(
        (2 * 9 * 4 + 4 + 4, 4 * 9 * 4 + 4 + 4, 36 * 4 * 16 + 16, 16 * 36 + 36)
    )
    # Hu 2021, Section V-B: two 5 x 5 convolutions of 32 channels and K R T 32 x 1024
    assert parameter_dimension(8, 2, 4) == 25 * 32 + 25 * 32 * 32 + 4 * 2 * 8 * 32 * 1024
