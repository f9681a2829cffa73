"""Full CSI from one block: untrained it is least squares through its beams, and a scheme learns its phases from such blocks."""

import numpy as np
import pytest

from csisim import weights
from csisim.acquisition.full_csi import acquire
from csisim.acquisition.long_term import LongTermCedun, LongTermConfig, initial, recover
from csisim.acquisition.ls import least_squares
from csisim.acquisition.pilots import PilotConfig, pilot_matrix
from csisim.channel.base import DenseState
from csisim.engine.cell import Physics, run_cell
from csisim.phy.dims import Dims
from csisim.phy.metrics import nmse
from csisim.random import complex_normal
from csisim.training.recipe import Recipe, run_recipe
from csisim.weights import WeightsError

DIMS = Dims(drops=3, num_users=2, num_rx=8, num_tx=16, num_rx_rf=2, num_rf=4, num_streams=2, precision="double")
SIZES = {"num_tx": 16, "num_rf": 4, "num_rx": 8, "num_rx_rf": 2, "num_users": 2}
PILOTS = pilot_matrix(PilotConfig(), 4, 2, np.random.default_rng(0))
SYSTEM = SIZES | {"num_streams": 2, "snr_db": 10.0}


def state(seed=0, users=2):
    return DenseState(complex_normal(np.random.default_rng(seed), (users, 3, 1, 8, 16), np.complex128).swapaxes(0, 1))


def test_untrained_it_is_least_squares_through_its_beams():
    h = state().h[:, :, 0]
    noise = 0.3 * complex_normal(np.random.default_rng(1), (3, 2, 2, 4), np.complex128)
    rx, tx = (np.fft.ifft(np.eye(n), norm="ortho") for n in (8, 16))
    w, f = rx[:, 2:4], tx[:, 8:12]
    ours = recover(initial(SIZES, PILOTS[0], 2, 8), w.conj().T @ h @ f, noise, 2.0, 1e-9)
    np.testing.assert_allclose(ours, w @ least_squares(w.conj().T @ h @ f @ PILOTS[0] + noise, PILOTS[0]) @ f.conj().T, atol=1e-5)


def test_a_block_sees_its_beams_and_nothing_else():
    """Without noise a block recovers the share R T / (r t) of a white channel's power exactly."""
    network = LongTermCedun(LongTermConfig(loading=1e-9), DIMS, PILOTS, 0.0)
    seen = np.stack([network.acquire(state(), np.random.default_rng(seed)).matrix() for seed in range(40)])
    inside = np.sum(np.abs(seen) ** 2, axis=(-2, -1)) / np.sum(np.abs(state().h) ** 2, axis=(-2, -1))
    assert np.mean(inside) == pytest.approx(2 * 4 / (8 * 16), rel=0.2)
    np.testing.assert_allclose(np.mean([nmse(one, state().h) for one in seen]), 1 - 2 * 4 / (8 * 16), atol=0.01)
    assert np.linalg.matrix_rank(seen[:, 0, 0, 0].reshape(40, -1), tol=1e-6) > 8  # others in every acquisition


def test_the_first_users_block_does_not_depend_on_how_many_follow():
    few = LongTermCedun(LongTermConfig(), DIMS, PILOTS, 0.1).acquire(state(), np.random.default_rng(2)).matrix()
    three = Dims(3, 3, 8, 16, 2, 4, 2, precision="double")
    many = LongTermCedun(LongTermConfig(), three, PILOTS, 0.1).acquire(state(users=3), np.random.default_rng(2)).matrix()
    np.testing.assert_allclose(many[:, :2], few, atol=1e-12)


def test_it_has_a_class_of_its_own():
    with pytest.raises(ValueError, match="LongTermCedun"):
        acquire(state(), LongTermConfig(), np.random.default_rng(0))


@pytest.fixture
def trained(tmp_path):
    """Weights for a narrow sector, in which trained beams see what DFT beams at random do not."""
    channel = {"kind": "mmwave_clusters", "statistics": "iid_angles", "max_angle_deg": 20, "num_clusters": 3, "num_rays": 1}
    schedule = {"steps": 40, "learning_rate": 0.01, "validate_every": 20, "rates": {"phi_f": 0.03, "phi_w": 0.03}}
    stage = {"task": "long_term", "schedule": schedule, "settings": {"batch": 16, "validation": 64}}
    recipe = Recipe.model_validate({"link": {"system": SYSTEM | {"num_users": 3}, "channel": channel}, "stages": [stage]})
    return run_recipe(recipe, tmp_path)[0]


def test_training_aims_the_beams_and_keeps_the_constraints(trained):
    header, parameters = weights.read(trained)
    assert header.component == "full_csi/cedun"
    assert header.score["trained"] > header.score["reference"] + 0.3
    assert all(np.isrealobj(parameters[name]) for name in ("phi_w", "phi_f"))  # phases: unit modulus whatever they are
    config = LongTermConfig(weights=str(trained))
    seen = LongTermCedun(config, DIMS, PILOTS, 0.1).acquire(state(), np.random.default_rng(0)).matrix()  # of the first two users
    assert seen.shape == state().h.shape
    with pytest.raises(WeightsError, match="num_rf"):
        LongTermCedun(config, Dims(3, 2, 8, 16, 2, 8, 2), pilot_matrix(PilotConfig(), 8, 2, np.random.default_rng(0)), 0.1)


def rates(full_csi, **scheme):
    """Sum rates frame by frame of phases that learn online through frozen digital layers."""
    learned = {"name": "online", "timescale": "online", "analog": {"kind": "learned_phases"}, "estimator": "rls", "steps_per_frame": 6}
    physics = Physics.model_validate(
        {
            "drops": 8,
            "system": SYSTEM,
            "channel": {"kind": "mmwave_clusters", "statistics": "fixed_clusters", "angular_spread_deg": 2.0},
            "full_csi": full_csi,
            "clock": {"slots_per_frame": 4, "frames": 16},
            "schemes": [learned | {"digital": {"kind": "hbdun", "weights": "untrained"}, "samples_per_frame": 4} | scheme],
        }
    )
    got = []
    run_cell(physics, ["online"], 0, lambda name, superframe, columns: got.append(columns))
    return got[0]["sum_rate_bps_hz"].reshape(8, 16, 4).mean(axis=(0, 2)), got[0]["nmse_full"], got[0]["pilot_bits"]


def test_phases_learn_online_from_single_blocks():
    block, error, block_bits = rates("cedun")
    genie, _, genie_bits = rates("genie")
    assert block[-4:].mean() > 1.1 * block[0]
    assert block[-4:].mean() < genie[-4:].mean()
    np.testing.assert_array_equal(block_bits, genie_bits)  # Q_f for a block (eq. 47)
    assert 0.8 < np.nanmean(error) < 1.05  # one block leaves most of the channel unseen
