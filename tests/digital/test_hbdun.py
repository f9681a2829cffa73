"""The digital half of HBDUN: untrained it is SCA, trained it is differentiable, and one network serves fewer users."""

import array_api_strict
import numpy as np
import pytest

from csisim import weights
from csisim.beamforming.digital import oracle
from csisim.beamforming.digital.hbdun import Hbdun, HbdunConfig, dual_update, first_users, forward, initial, singular_start
from csisim.weights import Header, WeightsError

NOISE = 0.1
DIMS = {"num_users": 4, "num_rx_rf": 4, "num_rf": 16, "num_streams": 4}
KINDS = ("exact", "residual", "iaidnn", "diagonal")


def stirred(parameters, size=0.02, seed=0):
    """Parameters that training has been at."""
    rng = np.random.default_rng(seed)

    def noise(value):
        real = rng.standard_normal(value.shape) * size
        return value + (real + 1j * rng.standard_normal(value.shape) * size if np.iscomplexobj(value) else real)

    return {name: noise(value.astype(np.result_type(value, np.float64))) for name, value in parameters.items()}


@pytest.mark.parametrize("constraint", ["per_user", "total"])
@pytest.mark.parametrize("layers", [1, 5])
@pytest.mark.parametrize("dual", ["mmse", "recursion"])
def test_untrained_it_is_truncated_sca(make, constraint, layers, dual):
    channel, power = make.kang(6), make.budget(constraint, 4, 4)
    start = singular_start(channel, 4, power)
    precoder, combiner = forward(initial(HbdunConfig(layers=layers, dual=dual), DIMS), channel, start, NOISE, power)
    expected = oracle.sca(channel, start, NOISE, power, layers, dual)
    np.testing.assert_allclose(precoder, expected, atol=1e-5)
    np.testing.assert_allclose(combiner, oracle.mmse_combiner(channel, expected, NOISE), atol=1e-5)


def algorithm_2(t, errors, alpha):
    """Step 8 of Kang 2022, Algorithm 2, as printed."""
    return t + (1 - errors * alpha**t) / np.log(alpha)


@pytest.mark.parametrize("alpha", [1.5, np.e, 10.0])
@pytest.mark.parametrize("held", [True, False])
def test_one_layer_with_eq_41_is_two_iterations_of_algorithm_2(alpha, held):
    """Kang 2022, VII-C: (40) with the parameters (41) is (39). With W and F held both errors are the same, as (39) needs them."""
    rng = np.random.default_rng(0)
    t, first = rng.normal(size=(3, 4, 4)), rng.uniform(0.05, 1, (3, 4, 4))
    second = first if held else rng.uniform(0.05, 1, (3, 4, 4))
    twice = algorithm_2(algorithm_2(t, first, alpha), second, alpha)
    printed = 1 + alpha ** ((1 - second * alpha**t) / np.log(alpha))  # (41c) times log alpha
    exact = 1 + second / first * alpha ** ((1 - first * alpha**t) / np.log(alpha))
    ones = np.broadcast_to(np.eye(4), (4, 4, 4))
    s = t * np.log(alpha)

    def layer(mu):
        return dual_update(s, first, mu, ones, 2 - mu) / np.log(alpha)  # (41a), (41b)

    np.testing.assert_allclose(layer(exact), twice, rtol=0, atol=1e-10)
    np.testing.assert_allclose(dual_update(s, first, 1.0, ones, 0.0) / np.log(alpha), algorithm_2(t, first, alpha), rtol=0, atol=1e-12)
    assert (np.abs(layer(printed) - twice).max() < 1e-10) == held


@pytest.mark.parametrize("inverse", KINDS)
def test_power_constraint_holds_whatever_the_parameters(make, inverse):
    channel, power = make.kang(4), make.budget("per_user", 4, 4)
    config = HbdunConfig(inverse=inverse)
    precoder, _ = forward(stirred(initial(config, DIMS), 0.3), channel, singular_start(channel, 4, power), NOISE, power, inverse)
    np.testing.assert_allclose(np.linalg.norm(precoder, axis=(-2, -1)) ** 2, 4.0, rtol=1e-6)


def test_the_paper_s_diagonal_inverse_is_far_from_the_exact_one(make):
    channel, power = make.kang(100), make.budget("per_user", 4, 4)
    start = singular_start(channel, 4, power)

    def rate(inverse):
        precoder, _ = forward(initial(HbdunConfig(inverse=inverse), DIMS), channel, start, NOISE, power, inverse)
        return make.rates(channel, precoder, NOISE).mean()

    exact = rate("exact")
    assert 0.4 < rate("diagonal") / exact < 0.7
    assert 0.7 < rate("residual") / exact < 1.0


@pytest.mark.parametrize("inverse", KINDS)
def test_libraries_agree_and_a_sample_does_not_depend_on_its_batch(make, inverse):
    torch = pytest.importorskip("torch")
    channel, power = make.kang(3), make.budget("per_user", 4, 4)
    parameters = stirred(initial(HbdunConfig(inverse=inverse), DIMS))

    def run(convert, channel):
        converted = {name: convert(value) for name, value in parameters.items()}
        channel = convert(channel)
        return np.asarray(forward(converted, channel, singular_start(channel, 4, power), NOISE, power, inverse)[0])

    ours = run(np.asarray, channel)
    np.testing.assert_allclose(run(torch.tensor, channel), ours, atol=1e-8)
    np.testing.assert_allclose(run(array_api_strict.asarray, channel), ours, atol=1e-8)
    np.testing.assert_allclose(run(np.asarray, channel[1:2]), ours[1:2], atol=1e-10)


@pytest.mark.parametrize(("inverse", "dual"), [*((kind, "mmse") for kind in KINDS), ("exact", "recursion")])
def test_gradients_are_those_of_finite_differences(make, inverse, dual):
    torch = pytest.importorskip("torch")
    channel, power = make.kang(2), make.budget("per_user", 4, 4)
    start = singular_start(channel, 4, power)
    values = stirred(initial(HbdunConfig(layers=2, inverse=inverse, dual=dual), DIMS), 0.01)
    direction = stirred({name: np.zeros_like(value) for name, value in values.items()}, 1.0, seed=1)

    def rate(convert, parameters):
        f, w = forward(parameters, convert(channel), convert(start), NOISE, power, inverse)
        return oracle.sum_rate(convert(channel), f, w, NOISE).sum()

    learned = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    rate(torch.tensor, learned).backward()
    along = sum(float(np.sum((value.grad.numpy().conj() * direction[name]).real)) for name, value in learned.items())
    up, down = (rate(np.asarray, {name: value + step * direction[name] for name, value in values.items()}) for step in (1e-6, -1e-6))
    assert (up - down) / 2e-6 == pytest.approx(along, rel=1e-4)


def test_the_start_is_the_same_in_every_library(make):
    torch = pytest.importorskip("torch")
    channel, power = make.kang(3).astype(np.complex64), make.budget("per_user", 4, 4)
    np.testing.assert_allclose(singular_start(torch.tensor(channel), 4, power).numpy(), singular_start(channel, 4, power), atol=1e-4)


@pytest.fixture
def trained(tmp_path):
    """A file with six users' parameters."""
    dims = DIMS | {"num_users": 6}
    parameters = {
        name: value.astype(np.complex64 if np.iscomplexobj(value) else np.float32)
        for name, value in stirred(initial(HbdunConfig(), dims)).items()
    }
    header = Header("digital/hbdun", HbdunConfig().architecture, dims, {}, 10.0, {}, 7, {})
    return weights.write(tmp_path / "six.safetensors", parameters, header), parameters


def test_fewer_users_take_the_first_users_parameters(make, trained):
    file, parameters = trained
    channel, power = make.kang(3).astype(np.complex64), make.budget("per_user", 4, 4)
    precoder, combiner = Hbdun(HbdunConfig(weights=str(file))).design(channel[:, :, None], NOISE, power, 4)
    expected = forward(first_users(parameters, 4), channel, singular_start(channel, 4, power), NOISE, power)
    np.testing.assert_allclose(precoder[:, :, 0], expected[0], atol=1e-5)
    np.testing.assert_allclose(combiner[:, :, 0], expected[1], atol=1e-4)
    assert precoder.dtype == np.complex64


def test_weights_for_something_else_are_refused(make, trained):
    channel, power = make.kang(2), make.budget("per_user", 4, 4)
    with pytest.raises(WeightsError, match="layers"):
        Hbdun(HbdunConfig(weights=str(trained[0]), layers=4)).design(channel[:, :, None], NOISE, power, 4)
    with pytest.raises(WeightsError, match="num_streams"):
        Hbdun(HbdunConfig(weights=str(trained[0]))).design(channel[:, :, None], NOISE, power, 3)


def test_streams_without_a_direction_of_their_own_stay_finite():
    channel = np.zeros((1, 2, 2, 4), complex)
    channel[0, :, 0, 0] = 1.0
    power = oracle.PowerBudget("per_user", 4.0)
    start = singular_start(channel, 2, power)
    precoder, combiner = forward(
        initial(HbdunConfig(), {"num_users": 2, "num_rx_rf": 2, "num_rf": 4, "num_streams": 2}), channel, start, NOISE, power
    )
    assert np.isfinite(precoder).all()
    assert np.isfinite(combiner).all()


def test_simulating_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from csisim.registry import build, configure; from csisim.phy.dims import PowerBudget;"
        "d = build('digital', configure('digital', {'kind': 'hbdun', 'weights': 'untrained'}));"
        "d.design(np.ones((1, 2, 1, 2, 4), np.complex64), 0.1, PowerBudget('per_user', 4.0), 2);"
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
