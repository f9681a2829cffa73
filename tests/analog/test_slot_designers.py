"""Fully digital, PE-AltMin and OMP: what one slot's full CSI makes possible."""

import numpy as np
import pytest

from csisim.beamforming.analog.altmin import AltMin, AltMinConfig, phase_extraction
from csisim.beamforming.analog.dft import dft_phases
from csisim.beamforming.analog.digital_target import semi_unitary
from csisim.beamforming.analog.fully_digital import FullyDigital, FullyDigitalConfig
from csisim.beamforming.analog.omp import Omp, OmpConfig, matching_pursuit
from csisim.beamforming.analog.signal_space import SignalSpace
from csisim.channel.base import DenseState, FactoredState, Paths, stack
from csisim.phy.dims import Dims
from csisim.phy.power import constant_modulus

DIGITAL = FullyDigital(FullyDigitalConfig())


def antennas(dims):
    """One RF chain per antenna, at full dimension."""
    eye_t, eye_r = (np.eye(n, dtype=dims.complex_dtype) for n in (dims.num_tx, dims.num_rx))
    return eye_t[None], np.broadcast_to(eye_r, (1, dims.num_users, *eye_r.shape))


@pytest.mark.parametrize("statistics", ["fixed_clusters", "iid_angles"])
def test_signal_space_loses_nothing(make_link, small_size, statistics):
    link = make_link(small_size(3, "double"), statistics)
    slots = link.slots(1)
    f, w = link.design(DIGITAL, stack(slots))
    assert f.shape == (3, 32, 16)
    assert w.shape == (3, 2, 16, 8)
    for basis in (f, w):
        gram = basis.conj().swapaxes(-1, -2) @ basis
        np.testing.assert_allclose(gram, np.broadcast_to(np.eye(basis.shape[-1]), gram.shape), atol=1e-12)
    h = slots[0].matrix()
    inside = w[:, :, None] @ slots[0].project(w, f) @ f[:, None, None].conj().swapaxes(-1, -2)
    np.testing.assert_allclose(inside, h, atol=1e-12 * np.abs(h).max())
    np.testing.assert_allclose(link.rate(slots, f, w), link.rate(slots, *antennas(link.dims)), rtol=1e-6)


def test_dense_channels_and_wide_path_spaces_fall_back_to_the_antennas(make_link, small_size):
    link = make_link(small_size(2, "double"))
    slots = [DenseState(s.matrix()) for s in link.slots(1)]
    f, w = link.design(DIGITAL, stack(slots))
    np.testing.assert_allclose(link.rate(slots, f, w), link.rate(slots, *antennas(link.dims)), rtol=1e-6)


def test_bases_are_kept_while_the_responses_stand_still(make_link, small_size):
    link = make_link(small_size(2))
    first, second = (stack([s]) for s in link.slots(2))
    space = SignalSpace.of(first, 2)
    assert SignalSpace.follow(second, space, 2) is space
    other = make_link(small_size(2), seed=2)
    assert SignalSpace.follow(stack(other.slots(1)), space, 2) is not space


@pytest.mark.parametrize("statistics", ["fixed_clusters", "iid_angles"])
def test_hybrid_stays_below_fully_digital_at_convergence(make_link, small_size, statistics):
    """With few iterations the hybrid may win by accident; at convergence the larger space must."""
    link = make_link(small_size(8, "double"), statistics)
    slots = link.slots(1)
    bound = link.rate(slots, *link.design(DIGITAL, stack(slots)), iterations=400)
    altmin = AltMin(AltMinConfig(iterations=10, target_iterations=100))
    hybrid = link.rate(slots, *link.design(altmin, stack(slots)), iterations=400)
    assert hybrid.mean() <= bound.mean() * (1 + 1e-9)
    assert hybrid.mean() > 0.95 * bound.mean()


def test_altmin_with_one_chain_per_antenna_is_fully_digital(make_link):
    link = make_link(Dims(4, 2, 8, 16, 8, 16, 2, 1, "double"))
    slots = link.slots(1)
    hybrid = link.rate(slots, *link.design(AltMin(AltMinConfig()), stack(slots)), iterations=300)
    np.testing.assert_allclose(hybrid, link.rate(slots, *antennas(link.dims), iterations=300), rtol=1e-3)


def test_altmin_is_worth_its_full_csi_at_the_papers_size(make_link, paper_size):
    link = make_link(paper_size(4))
    slots = link.slots(1)
    rate = lambda designer: link.rate(slots, *link.design(designer, stack(slots))).mean()  # noqa: E731
    digital = rate(DIGITAL)
    assert rate(AltMin(AltMinConfig())) > 0.96 * digital
    assert rate(AltMin(AltMinConfig(iterations=10))) > rate(AltMin(AltMinConfig()))
    assert 0.92 * digital < rate(AltMin(AltMinConfig(target="svd"))) < digital
    assert rate(Omp(OmpConfig())) > 0.88 * digital


@pytest.mark.parametrize("num_rf", [3, 8, 12])
def test_alternations_never_move_away_from_the_target(num_rf):
    """The distance min_D ||T D^H - F||, D semi-unitary, falls: 8 columns on fewer, as many, and more RF chains."""
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((5, 24, 8)) + 1j * rng.standard_normal((5, 24, 8))
    target = semi_unitary(columns, num_rf)
    start = rng.uniform(0, 2 * np.pi, (24, num_rf))
    correlation = []
    for iterations in (1, 2, 4, 8, 16):
        f = constant_modulus(phase_extraction(target, start, iterations))
        correlation.append(np.linalg.svd(target.conj().swapaxes(-1, -2) @ f, compute_uv=False).sum(-1))
    assert np.all(np.diff(correlation, axis=0) > -1e-9)
    assert np.all(correlation[-1] > correlation[0])


def test_semi_unitary_keeps_streams_and_drops_silent_ones():
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((2, 20, 5)) + 1j * rng.standard_normal((2, 20, 5))
    columns[..., 3] = 0  # a stream that SCA switched off
    basis = semi_unitary(columns, 8)
    np.testing.assert_allclose(basis.conj().swapaxes(-1, -2) @ basis, np.broadcast_to(np.diag([1, 1, 1, 0, 1]), (2, 5, 5)), atol=1e-12)
    projected = basis @ (basis.conj().swapaxes(-1, -2) @ columns)
    np.testing.assert_allclose(projected, columns, atol=1e-12)
    assert semi_unitary(columns, 3).shape == (2, 20, 3)


def test_pursuit_finds_the_beams_a_target_was_made_of():
    rng = np.random.default_rng(0)
    dictionary = constant_modulus(dft_phases(32, 2))
    true = [2, 11, 30, 47]
    target = dictionary[:, true] @ (rng.standard_normal((6, 4, 3)) + 1j * rng.standard_normal((6, 4, 3)))
    chosen = matching_pursuit(target, dictionary, 6)
    for found in chosen:
        assert set(found[:4]) == set(true)
        assert len(set(found)) == 6  # beyond the target any beams will do, but no copies


def test_omp_points_to_the_paths_of_an_on_grid_channel(make_link, on_grid):
    link = make_link(Dims(1, 2, 16, 32, 2, 6, 2, 1, "double"))
    beams_t, beams_r = constant_modulus(dft_phases(32)), constant_modulus(dft_phases(16))
    columns_t, columns_r = np.array([[3, 9, 20], [5, 11, 28]]), np.array([[1, 4, 6], [2, 3, 5]])
    state = on_grid(columns_t, columns_r, 10 * np.array([[3, 0.01, 2], [0.01, 3, 2]]))
    f, w = link.design(Omp(OmpConfig()), stack([state]))
    assert set(np.abs(beams_t.conj().T @ f[0, :, :4]).argmax(0)) == {3, 20, 11, 28}
    assert set(np.abs(beams_r.conj().T @ w[0, 0]).argmax(0)) == {1, 6}


@pytest.mark.parametrize("designer", [AltMin(AltMinConfig()), Omp(OmpConfig())])
def test_subcarriers_share_one_analog_stage(make_link, small_size, designer):
    """Eight subcarriers over the same paths: one pair of beams carries most of each subcarrier's digital rate."""
    link = make_link(small_size(3))
    geometry = link.slots(1)[0].paths.geometry
    gains = np.concatenate([s.paths.gains for s in link.channel.samples(8, "subcarriers")], axis=2)
    samples = stack([FactoredState(Paths(geometry, gains))])
    assert len(samples) == 8
    f, w = link.design(designer, samples)
    single = [FactoredState(Paths(geometry, gains[:, :, s : s + 1])) for s in range(8)]
    random = link.rate(single, *(constant_modulus(p, np.complex64) for p in link.phases))
    assert np.all(link.rate(single, f, w) > 1.5 * random)
