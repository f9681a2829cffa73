"""Phases as parameters: a gradient that repeated eigenvalues do not harm, and learning in the engine through the digital layers."""

import numpy as np
import pytest

from csisim import weights
from csisim.beamforming.analog.learned_phases import LearnedPhases, LearnedPhasesConfig
from csisim.beamforming.analog.projection import beamformer, inverse_sqrt, project
from csisim.beamforming.analog.ssca_gradient import gradient
from csisim.beamforming.base import Occasion
from csisim.beamforming.digital.hbdun import Hbdun, HbdunConfig
from csisim.channel.base import PathSamples
from csisim.phy import beams
from csisim.phy.dims import Dims, PowerBudget
from csisim.phy.power import constant_modulus
from csisim.phy.rates import mmse_combiner, rate_per_user
from csisim.random import complex_normal
from csisim.weights import Header, WeightsError

DIMS = Dims(drops=2, num_users=2, num_rx=8, num_tx=16, num_rx_rf=2, num_rf=4, num_streams=2, precision="double")
POWER, NOISE = PowerBudget("per_user", 4.0), 0.1
PATHS = 3


def problem(count=6, drops=2, seed=0):
    """Samples of channels with fixed paths, and random phases."""
    rng = np.random.default_rng(seed)

    def responses(antennas):
        return np.exp(1j * np.pi * np.arange(antennas)[:, None] * rng.uniform(-1, 1, (1, drops, 2, 1, PATHS))) / np.sqrt(antennas)

    rx, tx = responses(DIMS.num_rx), responses(DIMS.num_tx)
    gains = 5 * complex_normal(rng, (count, drops, 2, PATHS), np.complex128)
    return PathSamples(rx, tx, gains), (rng.uniform(0, 6.3, (drops, 16, 4)), rng.uniform(0, 6.3, (drops, 2, 8, 2)))


def mean_rate(samples, f, w, digital):
    """Mean sum rate of every drop's samples with a digital designer on perfect equivalent CSI."""
    pair = beams.Beams.of(f, w)
    left, right = pair.w_orthonormal.conj().swapaxes(-1, -2) @ samples.rx, samples.tx.conj().swapaxes(-1, -2) @ pair.f_orthonormal[:, None]
    channel = ((left * samples.gains[..., None, :]) @ right).reshape(-1, 2, 2, 4)[:, :, None]
    precoder = digital.design(channel, NOISE, POWER, 2)[0]
    return rate_per_user(channel, precoder, mmse_combiner(channel, precoder, NOISE), NOISE).sum(1).mean()


def test_projection_is_that_of_the_beams():
    samples, (phi_f, phi_w) = problem()
    ours = project(phi_f[0], phi_w[0], samples.rx[0, 0], samples.tx[0, 0], samples.gains[0, 0])
    pair = beams.Beams.of(constant_modulus(phi_f[:1]), constant_modulus(phi_w[:1]))
    h = (samples.rx[0, 0] * samples.gains[0, 0][:, None]) @ samples.tx[0, 0].conj().swapaxes(-1, -2)
    np.testing.assert_allclose(ours, pair.w_orthonormal[0].conj().swapaxes(-1, -2) @ h @ pair.f_orthonormal[0], atol=1e-10)
    np.testing.assert_allclose(np.abs(beamformer(phi_f)), 0.25)


@pytest.mark.parametrize("repeated", [False, True])
def test_the_inverse_square_root_has_its_own_gradient(repeated):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    root = complex_normal(rng, (6, 4), np.complex128)
    gram = np.eye(4, dtype=complex) if repeated else root.conj().T @ root
    change, weight = complex_normal(rng, (4, 4), np.complex128), complex_normal(rng, (4, 4), np.complex128)
    change = change + change.conj().T
    learned = torch.tensor(gram, requires_grad=True)
    (inverse_sqrt(learned) * torch.tensor(weight)).sum().real.backward()
    along = float(np.sum((learned.grad.numpy().conj() * change).real))
    up, down = (np.sum(beams.inverse_sqrt(gram + step * change)[0] * weight).real for step in (1e-6, -1e-6))
    assert (up - down) / 2e-6 == pytest.approx(along, rel=1e-5)


def test_the_held_gradient_through_the_layers_is_nearly_the_whole_one():
    samples, (phi_f, phi_w) = problem()
    digital = Hbdun(HbdunConfig(weights="untrained", layers=20))
    slope, _ = gradient(samples, constant_modulus(phi_f), constant_modulus(phi_w), NOISE, POWER, 2, 0, digital)
    direction = np.random.default_rng(1).standard_normal(phi_f.shape)
    direction[1] = 0.0  # the mean over drops halves the first drop's rate
    up, down = (mean_rate(samples, constant_modulus(phi_f + step * direction), constant_modulus(phi_w), digital) for step in (1e-5, -1e-5))
    assert (up - down) / 1e-5 == pytest.approx(float(np.sum(slope * direction)), rel=0.1)


def occasion(digital=None):
    return Occasion(NOISE, POWER, np.random.default_rng(0), digital=digital)


def test_updates_raise_the_rate_of_every_drop_through_the_scheme_s_layers():
    samples, phases = problem(24)
    designer, digital = LearnedPhases(LearnedPhasesConfig(steps=30)), Hbdun(HbdunConfig(weights="untrained"))
    begun = designer.init(DIMS, phases)
    learned = designer.update(samples, begun, occasion(digital))
    f, w = designer.beams(learned)
    assert mean_rate(samples, f, w, digital) > 1.1 * mean_rate(samples, *designer.beams(begun), digital)
    np.testing.assert_allclose(np.abs(f), 0.25, rtol=1e-12)
    np.testing.assert_allclose(np.abs(w), 8**-0.5, rtol=1e-12)
    alone = PathSamples(samples.rx[:, 1:], samples.tx[:, 1:], samples.gains[:, 1:])
    second = designer.init(DIMS, (phases[0][1:], phases[1][1:]))
    again = designer.update(alone, second, occasion(digital))
    np.testing.assert_allclose(again.phases[0][0], learned.phases[0][1], atol=1e-6)


def test_trained_phases_serve_every_drop_and_go_on_learning(tmp_path):
    samples, phases = problem()
    trained = {"phi_f": phases[0][0].astype(np.float32), "phi_w": np.concatenate([phases[1][0], phases[1][1]]).astype(np.float32)}
    dims = {"num_tx": 16, "num_rf": 4, "num_rx": 8, "num_rx_rf": 2, "num_users": 4}
    file = weights.write(tmp_path / "phases.safetensors", trained, Header("analog/learned_phases", {}, dims, {}, 10.0, {}, 7, {}))
    designer = LearnedPhases(LearnedPhasesConfig(weights=str(file), steps=2))
    state = designer.init(DIMS, phases)
    f, w = designer.beams(state)
    assert f.shape == (1, 16, 4)
    np.testing.assert_allclose(w[0], constant_modulus(trained["phi_w"][:2]), atol=1e-6)
    updated = designer.update(samples, state, occasion())
    assert updated.phases[0].shape == (2, 16, 4)
    with pytest.raises(WeightsError, match="num_tx"):
        designer.init(Dims(2, 2, 8, 32, 2, 4, 2), phases)
