"""SSCA against the starting points it should leave behind, and its step rules."""

from dataclasses import replace

import numpy as np
import pytest

from csisim.beamforming.analog.covariance import covariance_phases
from csisim.beamforming.analog.dft import DftCodebook, DftCodebookConfig, sector_phases
from csisim.beamforming.analog.ssca import Ssca, SscaConfig, minibatch
from csisim.beamforming.analog.ssca_gradient import gradient
from csisim.beamforming.analog.state import for_drops
from csisim.phy.power import constant_modulus

NOISE = 0.1


def paper_rule() -> Ssca:
    """The step of Kang 2022, eq. (22), as recommended for 10 dB."""
    return Ssca(SscaConfig(steps=70, batch=16, inner_iterations=10, rule="absolute", step_size=3.0, decay=0.0))


@pytest.fixture(scope="module")
def fresh_angles(make_link, paper_size):
    """Kang's experiment: all drops share their statistics, so one design serves them all."""
    link = make_link(paper_size(16), "iid_angles")
    return link, link.samples(1120), link.slots(24)


@pytest.fixture(scope="module")
def fresh_rate(fresh_angles):
    """Sum rate after 70 steps from random phases."""
    link, samples, slots = fresh_angles
    return link.rate(slots, *link.design(paper_rule(), samples)).mean()


def test_beats_random_and_sector_beams_where_statistics_say_little(fresh_angles, fresh_rate):
    link, _, slots = fresh_angles
    random = link.rate(slots, *(constant_modulus(p, np.complex64) for p in link.phases)).mean()  # sixteen draws of phases
    sector = link.rate(slots, *link.design(DftCodebook(DftCodebookConfig()), None)).mean()
    assert fresh_rate > 1.10 * random
    assert fresh_rate > 1.40 * sector


@pytest.mark.parametrize("start", ["covariance", "sector", "adjacent"])
def test_every_start_ends_at_the_same_rate(fresh_angles, fresh_rate, start):
    link, samples, slots = fresh_angles
    phases = for_drops(link.phases, 1)
    if start == "covariance":
        phases = covariance_phases(samples, phases)
    elif start == "sector":
        phases = sector_phases(link.dims)
    else:  # sixteen neighbouring DFT beams
        phases = np.pi * np.arange(64)[None, :, None] * np.arange(-8, 8) / 32, phases[1]
    rate = link.rate(slots, *replace(link, phases=phases).design(paper_rule(), samples)).mean()
    assert rate == pytest.approx(fresh_rate, rel=0.015)


def test_more_than_doubles_random_phases_where_clusters_stand_still(make_link, paper_size):
    link = make_link(paper_size(8))
    samples, slots = link.samples(16), link.slots(4)
    random = link.rate(slots, *(constant_modulus(p, np.complex64) for p in link.phases))
    trained = link.rate(slots, *link.design(Ssca(SscaConfig()), samples))
    assert trained.mean() > 2.3 * random.mean()
    assert np.all(trained > 2 * random)


def test_total_power_is_served_as_well(make_link, small_size):
    link = make_link(small_size(8), constraint="total")
    samples, slots = link.samples(16), link.slots(4)
    random = link.rate(slots, *(constant_modulus(p, np.complex64) for p in link.phases))
    assert np.all(link.rate(slots, *link.design(Ssca(SscaConfig()), samples)) > 1.5 * random)


def test_steps_per_update_add_up(make_link, small_size):
    """Online is offline in instalments: with the whole buffer in every batch nothing else distinguishes them."""
    link = make_link(small_size(2))
    samples = link.samples(4)
    designer = Ssca(SscaConfig(steps=5))
    state = designer.init(link.dims, link.phases)
    for steps in (2, 3):
        state = designer.update(samples, state, link.occasion(steps=steps))
    assert state.step == 5
    for ours, theirs in zip(designer.beams(state), link.design(designer, samples), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_first_normalised_step_moves_phases_by_the_step_size(make_link, small_size):
    link = make_link(small_size(3))
    designer = Ssca(SscaConfig(step_size=0.4))
    state = designer.update(link.samples(4), designer.init(link.dims, link.phases), link.occasion(steps=1))
    for new, old in zip((state.phi_f, state.phi_w), link.phases, strict=True):
        moved = np.sqrt(((new - old) ** 2).mean(tuple(range(1, old.ndim))))  # one rms for F, one for all users' W, per drop
        np.testing.assert_allclose(moved, 0.4, rtol=1e-5)


def test_absolute_rule_is_the_paper_s_step(make_link, small_size):
    link = make_link(small_size(2, "double"))
    samples, eta = link.samples(4), 3.0
    designer = Ssca(SscaConfig(rule="absolute", step_size=eta, decay=0.0))
    state = designer.update(samples, designer.init(link.dims, link.phases), link.occasion(steps=2))
    phi, direction = list(link.phases), [0.0, 0.0]
    for t in range(2):
        slopes = gradient(samples, *(constant_modulus(p) for p in phi), NOISE, link.power, 2, 3)
        rho = (t + 1) ** -0.6
        direction = [(1 - rho) * d + rho * s for d, s in zip(direction, slopes, strict=True)]
        phi = [p + eta * d for p, d in zip(phi, direction, strict=True)]
    np.testing.assert_allclose(state.phi_f, phi[0], atol=1e-9)
    np.testing.assert_allclose(state.phi_w, phi[1], atol=1e-9)


def test_shared_statistics_collapse_the_drop_axis(make_link, small_size):
    link = make_link(small_size(4), "iid_angles")
    designer = Ssca(SscaConfig(steps=1, step_size=1e-9))
    f, w = link.design(designer, link.samples(3))
    assert f.shape[0] == w.shape[0] == 1
    np.testing.assert_allclose(f, constant_modulus(link.phases[0][:1], np.complex64), atol=1e-6)


def test_no_samples_leave_the_initial_phases(make_link, small_size):
    link = make_link(small_size(2))
    f, _ = link.design(Ssca(SscaConfig()), link.samples(2).take(np.arange(0)))
    np.testing.assert_allclose(f, constant_modulus(link.phases[0], np.complex64), atol=1e-6)


def test_minibatch_holds_the_newest_sample_and_none_twice():
    rng = np.random.default_rng(0)
    drawn = np.array([minibatch(20, 8, rng) for _ in range(200)])
    assert np.all(drawn[:, -1] == 19)
    assert all(len(set(batch)) == 8 for batch in drawn)
    assert set(drawn[:, :-1].ravel()) == set(range(19))  # every other sample has its turn
    np.testing.assert_array_equal(minibatch(5, 8, rng), np.arange(5))
