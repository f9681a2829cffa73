"""Covariance eigenvectors between the paths against those at the antennas."""

import numpy as np
import pytest

from csisim.beamforming.analog.covariance import Covariance, CovarianceConfig
from csisim.beamforming.analog.second_order import covariance_cores, dominant_directions
from csisim.channel.base import DenseState, PathSamples, stack
from csisim.phy.dims import Dims
from csisim.phy.power import constant_modulus


def antenna_covariances(samples):
    """E[H^H H] summed over users and E[H H^H] of every user, straight from the definition."""
    h = (samples.rx * samples.gains[..., None, :]) @ samples.tx.conj().swapaxes(-1, -2)
    adjoint = h.conj().swapaxes(-1, -2)
    return (adjoint @ h).mean(0).sum(1), (h @ adjoint).mean(0)


def same_up_to_a_phase(a, b):
    """Whether the columns of two constant-modulus matrices are equal up to a common phase each."""
    return np.abs((a.conj() * b).sum(-2)).min() > 1 - 1e-6


@pytest.mark.parametrize("source", ["shared responses", "fresh responses", "dense"])
def test_path_space_equals_antenna_space(make_link, source):
    link = make_link(Dims(2, 3, 12, 40, 3, 6, 2, 1, "double"), "iid_angles" if source == "fresh responses" else "fixed_clusters")
    states = link.slots(5)
    samples = stack([DenseState(s.matrix()) for s in states] if source == "dense" else states)
    f, w = link.design(Covariance(CovarianceConfig()), samples)
    transmit, receive = antenna_covariances(samples)
    eigenvectors = np.linalg.eigh(transmit)[1][..., ::-1][..., :6], np.linalg.eigh(receive)[1][..., ::-1][..., :3]
    for ours, vectors in zip((f, w), eigenvectors, strict=True):
        assert same_up_to_a_phase(ours, constant_modulus(np.angle(vectors)))


def test_eigenvalues_are_those_of_the_covariance(make_link):
    samples = make_link(Dims(2, 3, 12, 40, 3, 6, 2, 1, "double")).samples(5)
    _, receive = covariance_cores(samples)
    _, values = dominant_directions(samples.rx, receive)
    expected = np.linalg.eigvalsh(antenna_covariances(samples)[1])[..., ::-1]
    np.testing.assert_allclose(values, expected[..., : values.shape[-1]], atol=1e-12 * expected.max())


def test_thousands_of_antennas_cost_no_antenna_covariance(make_link):
    """A 16384 x 16384 covariance would take 2 GiB: the test passes because none is formed."""
    link = make_link(Dims(1, 2, 8, 16384, 2, 4, 2))
    f, _ = link.design(Covariance(CovarianceConfig()), link.samples(2))
    state = link.slots(1)[0]
    gain = lambda beams: np.abs(state.matrix()[0, :, 0] @ beams).max()  # noqa: E731
    assert gain(f[0]) > 5 * gain(constant_modulus(link.phases[0][0], np.complex64))


def test_chains_beyond_the_rank_stay_random(make_link):
    link = make_link(Dims(1, 1, 16, 32, 4, 12, 2))
    samples = link.samples(3)
    few = PathSamples(samples.rx[..., :2], samples.tx[..., :2], samples.gains[..., :2])
    f, _ = link.design(Covariance(CovarianceConfig()), few)
    np.testing.assert_allclose(f[..., 2:], constant_modulus(link.phases[0][..., 2:], np.complex64), atol=1e-6)
