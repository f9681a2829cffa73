"""CEDUN: untrained it is RLS, its affine map is its recursion, and its pilots keep the power constraint."""

import numpy as np
import pytest

from csisim import weights
from csisim.acquisition import cedun
from csisim.acquisition.cedun import Cedun, CedunConfig, affine_map, cedun_recursion, initial, unit_pilots
from csisim.acquisition.observe import observe
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.acquisition.rls import rls_map, rls_recursion
from csisim.errors import PilotError
from csisim.random import complex_normal
from csisim.weights import Header, WeightsError

K, R, T, L = 3, 2, 8, 8
DIMS = {"num_users": K, "num_rx_rf": R, "num_rf": T}


def sent(length=L, **fields):
    return pilot_matrix(PilotConfig(length=length, **fields), T, K, np.random.default_rng(0))


def stirred(parameters, size=0.05):
    rng = np.random.default_rng(1)
    return {
        name: value + size * (rng.standard_normal(value.shape) + (1j * rng.standard_normal(value.shape) if np.iscomplexobj(value) else 0))
        for name, value in parameters.items()
    }


def trained_file(tmp_path, parameters, length=L):
    header = Header("estimator/cedun", CedunConfig().architecture, DIMS | {"pilot_length": length}, {}, 10.0, {}, 7, {})
    return weights.write(tmp_path / "cedun.safetensors", parameters, header)


@pytest.mark.parametrize("length", [4, 8, 24])
@pytest.mark.parametrize("kind", ["dft", "gaussian"])
def test_untrained_it_is_rls(kind, length):
    x = sent(length, kind=kind)
    estimator = Cedun(CedunConfig(weights="untrained", loading=0.03))
    pilots = estimator.pilots(x)
    np.testing.assert_allclose(pilots, x, atol=1e-5)
    y = complex_normal(np.random.default_rng(2), (2, K, 1, R, length), np.complex128)
    estimate, _ = estimator.update(y, estimator.init(pilots, 0.1))
    np.testing.assert_allclose(estimate.value, y @ rls_map(x, loading=0.03), atol=1e-5)
    np.testing.assert_allclose(estimate.value, rls_recursion(y, x[:, None], loading=0.03), atol=1e-5)


def test_the_affine_map_is_the_recursion():
    parameters = stirred(initial(DIMS, sent()[0]))
    x = unit_pilots(parameters)
    y = complex_normal(np.random.default_rng(2), (5, K, R, L), np.complex128)
    matrix, offset = affine_map(parameters, x, 2.5, 0.1)
    np.testing.assert_allclose(y @ matrix + offset, cedun_recursion(parameters, y, x, 2.5, 0.1), atol=1e-12)


@pytest.mark.parametrize("fields", [{}, {"power": "per_column"}, {"access": "kang_eq4", "kind": "identical"}, {"access": "kang_eq4"}])
def test_trained_pilots_have_the_scenario_s_power(tmp_path, fields):
    file = trained_file(tmp_path, stirred(initial(DIMS, sent()[0]), 0.3))
    x = sent(**fields)
    pilots = Cedun(CedunConfig(weights=str(file))).pilots(x)
    assert pilots.shape == (1, T, L)
    norms = np.linalg.norm(x, axis=-2).sum(0)  # of all users together: theirs add up under eq. (4)
    np.testing.assert_allclose(np.linalg.norm(pilots[0], axis=-2), norms, rtol=1e-5)


def test_untrained_pilots_of_users_that_add_up_are_the_first_user_s():
    x = sent(length=K * T, access="kang_eq4")  # orthogonal: all of them together cancel out in most symbols
    pilots = Cedun(CedunConfig(weights="untrained")).pilots(x)
    np.testing.assert_allclose(pilots[0], K * x[0], atol=1e-5)


def test_the_predicted_error_is_the_measured_one(tmp_path):
    """Noise and bias of a map that is off, on white channels."""
    file = trained_file(tmp_path, stirred(initial(DIMS, sent()[0]), 0.02) | {"q_w": np.zeros((K, L, T, R), np.complex64)})
    estimator = Cedun(CedunConfig(weights=str(file)))
    pilots = estimator.pilots(sent())
    rng = np.random.default_rng(3)
    channel, noise = complex_normal(rng, (4000, K, 1, R, T)), complex_normal(rng, (4000, K, 1, R, L))
    estimate, _ = estimator.update(observe(channel, pilots, noise, 0.1), estimator.init(pilots, 0.1))
    measured = np.mean(np.abs(estimate.value - channel) ** 2, axis=(0, 2, 3, 4))
    np.testing.assert_allclose(estimate.error_variance.mean(0), measured, rtol=0.05)


def test_fewer_pilots_and_users_than_trained_are_served_more_are_not(tmp_path):
    file = trained_file(tmp_path, stirred(initial(DIMS, sent()[0])))
    estimator = Cedun(CedunConfig(weights=str(file)))
    pilots = estimator.pilots(sent(6))
    assert pilots.shape == (1, T, 6)
    state = estimator.init(pilots, 0.1)
    y = complex_normal(np.random.default_rng(0), (2, K, 1, R, 6))
    whole = estimator.update(y, state)[0].value
    np.testing.assert_allclose(estimator.update(y[:, :2], state)[0].value, whole[:, :2])
    with pytest.raises(PilotError, match="layer for 8"):
        estimator.pilots(sent(9))
    with pytest.raises(WeightsError, match="serve 3 users"):
        estimator.update(np.zeros((2, 4, 1, R, 6), np.complex64), state)


def test_gradients_are_those_of_finite_differences():
    torch = pytest.importorskip("torch")
    values = stirred(initial(DIMS, sent()[0]))
    values = {name: value.astype(np.complex128 if np.iscomplexobj(value) else np.float64) for name, value in values.items()}
    direction = stirred({name: np.zeros_like(value) for name, value in values.items()}, 1.0)
    y = complex_normal(np.random.default_rng(2), (5, K, R, L), np.complex128)

    def cost(parameters, y):
        matrix, offset = affine_map(parameters, unit_pilots(parameters), 2.0, 0.1)
        return (abs(y @ matrix + offset) ** 2).sum()

    learned = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    cost(learned, torch.tensor(y)).backward()
    along = sum(float(np.sum((value.grad.numpy().conj() * direction[name]).real)) for name, value in learned.items())
    up, down = (cost({name: value + step * direction[name] for name, value in values.items()}, y) for step in (1e-6, -1e-6))
    assert (up - down) / 2e-6 == pytest.approx(along, rel=1e-4)


def test_every_parameter_has_a_layer():
    parameters = initial(DIMS, sent()[0])
    shorter = cedun.truncated(parameters, 2, 5)
    assert shorter["pilots"].shape == (T, 5)
    assert all(value.shape[:2] == (2, 5) for name, value in shorter.items() if name != "pilots")
