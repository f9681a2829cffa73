"""The black box of Kang's FDD: its bits, its convolution, and the gradient that passes the signs."""

import numpy as np
import pytest

from csisim.feedback.beam_crnet import BeamCrnet, BeamCrnetConfig, _convolved, initial
from csisim.feedback.report import Report
from csisim.random import complex_normal, stream

CONFIG = BeamCrnetConfig(bits=20, weights="untrained")
DIMS = {"num_rx_rf": 2, "num_rf": 8}


def channels(*shape):
    return complex_normal(stream(0, 0, "test"), shape).astype(np.complex64)


def trained():
    """Parameters in which every layer does something."""
    rng = np.random.default_rng(0)
    return {name: (value + 0.1 * rng.standard_normal(value.shape)).astype(np.float32) for name, value in initial(CONFIG, DIMS).items()}


def test_a_report_has_a_bit_for_each_number_and_says_what_training_sees():
    codec, csi, parameters = BeamCrnet(CONFIG), channels(4, 3, 5, 2, 8), trained()
    user, station = (codec.init(csi.shape, csi.dtype)._replace(parameters=parameters) for _ in range(2))
    report, _ = codec.encode(csi, user)
    assert report.num_bits == 5 * 20
    assert report.payload.shape == (4, 3, 13)
    decoded, _ = codec.decode(report, station)
    assert decoded.dtype == csi.dtype
    np.testing.assert_allclose(decoded, CONFIG.through(parameters, csi), atol=1e-5)
    flipped, _ = codec.decode(Report(~report.payload, report.num_bits), station)
    assert np.isfinite(flipped).all()
    assert np.abs(flipped - decoded).min(axis=(2, 3, 4)).max() > 0


def test_the_gradient_passes_the_signs():
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in trained().items()}
    csi = torch.tensor(channels(6, 3, 2, 8), requires_grad=True)
    value = CONFIG.through(tensors, csi)
    np.testing.assert_allclose(value.detach(), CONFIG.through(trained(), csi.detach().numpy()), atol=1e-5)
    (value - csi.detach()).abs().square().sum().backward()
    for tensor in (*tensors.values(), csi):
        assert tensor.grad.abs().max() > 0


def test_its_convolution_is_the_usual_one():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    image, weight = rng.standard_normal((5, 3, 6, 4)), rng.standard_normal((7, 3, 3, 3))
    usual = torch.nn.functional.conv2d(torch.from_numpy(image), torch.from_numpy(weight), padding=1)
    np.testing.assert_allclose(_convolved(image, weight.transpose(0, 2, 3, 1).reshape(7, -1)), usual, atol=1e-12)
