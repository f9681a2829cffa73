"""The closed-form gradient against finite differences, automatic differentiation, and itself."""

from dataclasses import dataclass

import numpy as np
import pytest

from csisim.beamforming.analog.ssca_gradient import gradient
from csisim.beamforming.digital.sca import sca
from csisim.channel.base import DenseState, PathSamples, stack
from csisim.phy.beams import Beams
from csisim.phy.dims import Dims, PowerBudget
from csisim.phy.power import constant_modulus
from csisim.phy.rates import mmse_combiner

NOISE, INNER = 0.1, 3
SIZE = Dims(drops=2, num_users=3, num_rx=6, num_tx=12, num_rx_rf=3, num_rf=7, num_streams=2, precision="double")


@dataclass
class Point:
    """Phases, samples, and the digital beamformers that the gradient holds."""

    samples: PathSamples
    phi_f: np.ndarray
    phi_w: np.ndarray
    f_bb: np.ndarray  # (N, D, K, T, n), not whitened
    w_bb: np.ndarray  # (N, D, K, R, n)
    power: PowerBudget

    @property
    def h(self):
        s = self.samples
        return (s.rx * s.gains[..., None, :]) @ s.tx.conj().swapaxes(-1, -2)

    def gradient(self):
        return gradient(self.samples, constant_modulus(self.phi_f), constant_modulus(self.phi_w), NOISE, self.power, 2, INNER)


def true_rate(xp, point: Point, phi_f, phi_w):
    """Mean over the samples, sum over the drops, of the sum rate (bit/s/Hz) with F_BB rescaled to its power and W_BB held.

    The un-whitened definition of Kang 2022, eq. (3), written once for NumPy and torch; one loop per user for transparency.
    """
    array = lambda a: xp.asarray(a)  # noqa: E731
    f_rf = xp.exp(1j * phi_f) / phi_f.shape[-2] ** 0.5
    w_rf = xp.exp(1j * phi_w) / phi_w.shape[-2] ** 0.5
    users, streams = point.f_bb.shape[2], point.f_bb.shape[-1]
    radiated = [f_rf @ array(point.f_bb[:, :, k]) for k in range(users)]
    squares = [(xp.abs(x) ** 2).sum((-2, -1))[..., None, None] for x in radiated]
    if point.power.constraint == "total":
        squares = [sum(squares) / users] * users
    radiated = [x * (point.power.total / users / s) ** 0.5 for x, s in zip(radiated, squares, strict=True)]
    total = 0.0
    for k in range(users):
        filters = w_rf[:, k] @ array(point.w_bb[:, :, k])
        adjoint = xp.conj(filters).swapaxes(-1, -2)
        outputs = [xp.abs(adjoint @ array(point.h[:, :, k]) @ x) ** 2 for x in radiated]
        everything = sum(o.sum(-1) for o in outputs) + NOISE * (xp.abs(filters) ** 2).sum(-2)
        for n in range(streams):
            signal = outputs[k][..., n, n]
            total = total + xp.log2(everything[..., n] / (everything[..., n] - signal)).sum()
    return total / len(point.samples)


@pytest.fixture(params=[("per_user", "fixed_clusters"), ("total", "fixed_clusters"), ("per_user", "fresh"), ("total", "fresh")])
def point(request, make_link) -> Point:
    constraint, statistics = request.param
    link = make_link(SIZE, "iid_angles" if statistics == "fresh" else statistics, constraint)
    samples = stack(link.slots(3))  # with fresh angles every slot has its own responses, in every drop
    beams = Beams.of(*(constant_modulus(phases) for phases in link.phases))
    h = (samples.rx * samples.gains[..., None, :]) @ samples.tx.conj().swapaxes(-1, -2)
    g = beams.w_orthonormal.conj().swapaxes(-1, -2) @ h @ beams.f_orthonormal[:, None]
    n, d, k, r, t = g.shape
    x = sca(g.reshape(n * d, k, r, t), NOISE, 2, link.power, iterations=INNER)[:, :, None]
    y = mmse_combiner(g.reshape(n * d, k, 1, r, t), x, NOISE)
    return Point(samples, *link.phases, beams.q_f[:, None] @ x.reshape(n, d, k, t, 2), beams.q_w @ y.reshape(n, d, k, r, 2), link.power)


def test_matches_finite_differences(point):
    rng, step = np.random.default_rng(0), 1e-5
    g_f, g_w = point.gradient()
    for _ in range(3):
        d_f, d_w = rng.standard_normal(g_f.shape), rng.standard_normal(g_w.shape)
        ahead, behind = (true_rate(np, point, point.phi_f + s * d_f, point.phi_w + s * d_w) for s in (step, -step))
        np.testing.assert_allclose(np.vdot(g_f, d_f) + np.vdot(g_w, d_w), (ahead - behind) / (2 * step), rtol=1e-5)


def test_matches_automatic_differentiation(point):
    torch = pytest.importorskip("torch")
    phi_f, phi_w = (torch.asarray(p, dtype=torch.float64).requires_grad_() for p in (point.phi_f, point.phi_w))
    true_rate(torch, point, phi_f, phi_w).backward()
    for ours, theirs in zip(point.gradient(), (phi_f.grad.numpy(), phi_w.grad.numpy()), strict=True):
        assert np.abs(ours - theirs).max() < 1e-10 * np.abs(theirs).max()


def test_shared_responses_are_only_a_shortcut(make_link):
    link = make_link(SIZE)
    shared = link.samples(4)
    assert len(shared.rx) == len(shared.tx) == 1
    each = PathSamples(np.repeat(shared.rx, 4, axis=0), np.repeat(shared.tx, 4, axis=0), shared.gains)
    dense = stack([DenseState(state.matrix()) for state in link.channel.samples(4, "test")])
    f, w = (constant_modulus(p) for p in link.phases)
    expected = gradient(shared, f, w, NOISE, link.power, 2, INNER)
    for other in (each, dense):
        for ours, theirs in zip(gradient(other, f, w, NOISE, link.power, 2, INNER), expected, strict=True):
            assert np.abs(ours - theirs).max() < 1e-9 * np.abs(theirs).max()


def test_drops_do_not_see_each_other(make_link):
    link = make_link(SIZE)
    samples = link.samples(4)
    alone = PathSamples(samples.rx[:, 1:], samples.tx[:, 1:], samples.gains[:, 1:])
    f, w = (constant_modulus(p) for p in link.phases)
    together = gradient(samples, f, w, NOISE, link.power, 2, INNER)
    for ours, theirs in zip(gradient(alone, f[1:], w[1:], NOISE, link.power, 2, INNER), together, strict=True):
        np.testing.assert_allclose(ours[0], theirs[1], rtol=1e-9, atol=1e-12)


def test_single_precision_follows_double(make_link):
    link = make_link(SIZE)
    samples = link.samples(4)
    f, w = (constant_modulus(p) for p in link.phases)
    single = PathSamples(*(a.astype(np.complex64) for a in (samples.rx, samples.tx, samples.gains)))
    fast = gradient(single, f.astype(np.complex64), w.astype(np.complex64), NOISE, link.power, 2, INNER)
    for ours, theirs in zip(fast, gradient(samples, f, w, NOISE, link.power, 2, INNER), strict=True):
        assert ours.dtype == np.float32
        assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()
