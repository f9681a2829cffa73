"""What every analog designer owes: unit modulus, independence of the drops, and the point of its own idea."""

import numpy as np
import pytest

from csisim.beamforming.analog.dft import DftCodebook, DftCodebookConfig, dft_phases
from csisim.beamforming.analog.random_phases import draw_phases
from csisim.beamforming.analog.svd_phases import SvdPhases, SvdPhasesConfig
from csisim.channel.base import PathSamples, stack
from csisim.phy.dims import Dims
from csisim.phy.power import constant_modulus
from csisim.random import Streams
from csisim.registry import TABLE, component

KINDS = [kind for kind in TABLE["analog"] if component("analog", kind).phase_shifters]
FULLY_CONNECTED = [kind for kind in KINDS if kind != "ports"]


def build(kind):
    cls = component("analog", kind)
    return cls(cls.Config())


def samples_for(designer, link) -> PathSamples:
    return stack(link.slots(1)) if designer.cadence == "slot" else link.samples(6)


@pytest.mark.parametrize("kind", FULLY_CONNECTED)
@pytest.mark.parametrize("statistics", ["fixed_clusters", "iid_angles"])
def test_phase_shifters_have_constant_modulus(kind, statistics, make_link, small_size):
    link, designer = make_link(small_size(3), statistics), build(kind)
    f, w = link.design(designer, samples_for(designer, link))
    assert f.shape[1:] == (32, 8)
    assert w.shape[1:] == (2, 16, 2)
    assert f.dtype == w.dtype == np.complex64
    np.testing.assert_allclose(np.abs(f), 1 / np.sqrt(32), rtol=1e-5)
    np.testing.assert_allclose(np.abs(w), 1 / np.sqrt(16), rtol=1e-5)
    assert np.linalg.matrix_rank(f).min() == 8  # no RF chain is wasted on a copy of another


@pytest.mark.parametrize("kind", ["none", *FULLY_CONNECTED])
def test_drops_do_not_see_each_other(kind, make_link, small_size):
    link, designer = make_link(small_size(3, "double")), build(kind)
    samples = samples_for(designer, link)
    together = link.design(designer, samples)
    link.phases = tuple(p[1:2] for p in link.phases)
    alone = link.design(designer, PathSamples(samples.rx[:, 1:2], samples.tx[:, 1:2], samples.gains[:, 1:2]))
    np.testing.assert_allclose(alone[0][0], together[0][1], atol=1e-6)
    np.testing.assert_allclose(alone[1][0], together[1][1], atol=1e-6)


def test_ports_have_neighbouring_antennas_of_their_own(make_link):
    f, w = make_link(Dims(2, 2, 6, 12, 4, 4, 2)).design(build("ports"), None)
    np.testing.assert_allclose(f, np.kron(np.eye(4), np.ones((3, 1)))[None] / np.sqrt(3), atol=1e-6)
    assert w.shape == (1, 2, 6, 4)
    np.testing.assert_allclose(w.swapaxes(-1, -2) @ w, np.broadcast_to(np.eye(4), (1, 2, 4, 4)), atol=1e-6)
    assert (np.count_nonzero(w, axis=-1) == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_more_rf_chains_than_path_directions(kind, make_link):
    """A single user with few paths cannot fill sixteen chains: the rest must still be usable beams."""
    link, designer = make_link(Dims(2, 1, 16, 32, 4, 16, 2)), build(kind)
    f, w = link.design(designer, samples_for(designer, link))
    assert np.linalg.matrix_rank(f).min() == 16
    assert np.isfinite(link.rate(link.slots(1), f, w)).all()


def test_what_the_kinds_say_of_themselves():
    assert set(TABLE["analog"]) - set(KINDS) == {"none"}
    without = {kind for kind in TABLE["analog"] if component("analog", kind).designs_without_samples}
    assert without == {"random", "dft", "ports", "learned_phases"}


@pytest.mark.parametrize("kind", [kind for kind in FULLY_CONNECTED if kind != "dft"])
def test_initial_phases_are_in_force_until_the_first_sample(kind, make_link, small_size):
    link = make_link(small_size(2))
    for beamformer, phases in zip(link.design(build(kind), None), link.phases, strict=True):
        np.testing.assert_array_equal(beamformer, constant_modulus(phases, np.complex64))


def test_random_phases_are_uniform_and_prefixes_of_each_other():
    dims = Dims(16, 4, 32, 64, 4, 16, 4)
    phi_f, phi_w = draw_phases(dims, Streams(3), 0)
    fewer_f, fewer_w = draw_phases(Dims(16, 2, 32, 64, 2, 8, 2), Streams(3), 0)
    np.testing.assert_array_equal(fewer_f, phi_f[..., :8])
    np.testing.assert_array_equal(fewer_w, phi_w[:, :2, :, :2])
    assert phi_f.dtype == np.float64
    assert abs(np.exp(1j * phi_f).mean()) < 4 / np.sqrt(phi_f.size)
    assert not np.array_equal(draw_phases(dims, Streams(3), 1)[0], phi_f)


def test_dft_codebook_takes_the_strongest_beams(make_link, small_size, on_grid):
    link = make_link(small_size(1, "double"))
    columns_t, columns_r = np.array([[3, 9, 20, 30], [5, 9, 11, 28]]), np.array([[1, 4, 6, 8], [2, 3, 5, 15]])
    gains = np.array([[4, 1, 3, 2], [4, 1, 2, 3]])
    link.dims = Dims(1, 2, 16, 32, 2, 6, 2, 1, "double")
    f, w = link.design(DftCodebook(DftCodebookConfig()), stack([on_grid(columns_t, columns_r, gains)]))
    beams_t, beams_r = constant_modulus(dft_phases(32)), constant_modulus(dft_phases(16))
    chosen = np.abs(beams_t.conj().T @ f[0]).argmax(0)
    assert set(chosen) == {3, 5, 20, 28, 30, 11}  # energies 16 16 9 9 4 4; beam 9 serves both users with 1 + 1
    for user, expected in enumerate(([1, 6], [2, 15])):
        np.testing.assert_array_equal(np.abs(beams_r.conj().T @ w[0, user]).argmax(0), expected)


def test_dft_codebook_points_to_the_sector_before_it_knows(make_link, small_size):
    f, _ = make_link(small_size(2)).design(DftCodebook(DftCodebookConfig()), None)
    directions = np.angle(f[0, 1] / f[0, 0]) / np.pi
    np.testing.assert_allclose(np.diff(np.sort(directions)), 2 * np.sin(np.pi / 3) / 8, rtol=1e-4)
    assert np.abs(directions).max() < np.sin(np.pi / 3)


def test_svd_phases_share_the_chains_among_users(make_link, on_grid):
    """On orthogonal beams the singular vectors are the beams themselves, taken in turns."""
    link = make_link(Dims(1, 2, 16, 32, 2, 5, 2, 1, "double"))
    columns_t, columns_r = np.array([[3, 9, 20], [5, 11, 28]]), np.array([[1, 4, 6], [2, 3, 5]])
    f, w = link.design(SvdPhases(SvdPhasesConfig()), stack([on_grid(columns_t, columns_r, [[3, 1, 2], [1, 3, 2]])]))
    chosen = np.abs(constant_modulus(dft_phases(32)).conj().T @ f[0]).argmax(0)
    np.testing.assert_array_equal(chosen, [3, 11, 20, 28, 9])
    np.testing.assert_array_equal(np.abs(constant_modulus(dft_phases(16)).conj().T @ w[0, 1]).argmax(0), [3, 5])
