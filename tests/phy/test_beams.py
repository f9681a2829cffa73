"""Orthonormal coordinates of a pair of beamformers: what they keep, and what they drop."""

import numpy as np
import pytest

from csisim.phy.beams import Beams, inverse_sqrt
from csisim.phy.power import constant_modulus
from csisim.random import complex_normal

D, K, S, T, R = 3, 2, 2, 6, 3
NUM_TX, NUM_RX = 24, 12


def adjoint(a):
    return a.conj().swapaxes(-1, -2)


def normal(*shape, seed=0):
    return complex_normal(np.random.default_rng(seed), shape, np.complex128)


def identity(*shape):
    return np.broadcast_to(np.eye(shape[-1]), (*shape, shape[-1]))


def phase_shifters(drops=D, seed=0):
    """Random phases (D, t, T) and (D, K, r, R) as beamformers, complex128."""
    rng = np.random.default_rng(seed)
    shapes = (drops, NUM_TX, T), (drops, K, NUM_RX, R)
    return [constant_modulus(rng.uniform(0, 2 * np.pi, shape)) for shape in shapes]


def test_inverse_and_root_belong_to_the_matrix():
    a = normal(5, 4, 4)
    gram = adjoint(a) @ a
    inverse, root = inverse_sqrt(gram)
    np.testing.assert_allclose(root @ root, gram, atol=1e-12)
    np.testing.assert_allclose(inverse @ gram @ inverse, identity(5, 4), atol=1e-9)
    np.testing.assert_allclose(inverse @ root, identity(5, 4), atol=1e-9)
    for m in (inverse, root):  # the Hermitian positive one of all roots
        np.testing.assert_allclose(m, adjoint(m), atol=1e-12 * np.abs(m).max())
        assert np.linalg.eigvalsh(m).min() > 0


def test_single_precision_is_rooted_in_double():
    a = normal(5, 4, 4)
    gram = (adjoint(a) @ a).astype(np.complex64)
    inverse, _ = inverse_sqrt(gram)
    assert inverse.dtype == np.complex128
    np.testing.assert_allclose(inverse @ gram.astype(np.complex128) @ inverse, identity(5, 4), atol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e-5])  # the same beam twice, exactly and but for rounding in single precision
def test_collinear_beams_count_once(offset):
    f, _ = phase_shifters()
    f[..., 4] = np.exp(0.7j) * f[..., 1]  # the same beam but for a common phase
    f[:, 0, 4] *= 1 + offset
    inverse, root = inverse_sqrt(adjoint(f) @ f)
    white = f @ inverse
    assert np.all(np.isfinite(inverse))
    np.testing.assert_allclose(np.linalg.svd(white, compute_uv=False), np.broadcast_to([1, 1, 1, 1, 1, 0], (D, T)), atol=1e-3)
    assert np.all(np.linalg.matrix_rank(root, tol=1e-3, hermitian=True) == T - 1)
    projector = white @ adjoint(white)
    np.testing.assert_allclose(projector @ f, f, atol=1e-4)  # nothing is lost of what the beams can send


def test_beams_that_send_nothing_have_an_inverse_of_zero():
    for matrix in inverse_sqrt(np.zeros((2, 3, 3), np.complex64)):
        assert not matrix.any()


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_orthonormal_coordinates_are_white_and_radiate_what_they_say(dtype):
    f, w = phase_shifters()
    beams = Beams.of(f.astype(dtype), w.astype(dtype), version=7)
    tolerance = 1e-5 if dtype == np.complex64 else 1e-12
    np.testing.assert_allclose(adjoint(beams.f_orthonormal) @ beams.f_orthonormal, identity(D, T), atol=tolerance)
    np.testing.assert_allclose(adjoint(beams.w_orthonormal) @ beams.w_orthonormal, identity(D, K, R), atol=tolerance)
    np.testing.assert_allclose(beams.f @ beams.q_f, beams.f_orthonormal, atol=tolerance)
    np.testing.assert_allclose(beams.w @ beams.q_w, beams.w_orthonormal, atol=tolerance)
    assert {getattr(beams, name).dtype for name in ("f_orthonormal", "w_orthonormal", "q_f", "r_f", "q_w", "r_w")} == {np.dtype(dtype)}
    assert beams.version == 7
    x = normal(D, T, 4, seed=1).astype(dtype)
    np.testing.assert_allclose(np.linalg.norm(f @ beams.q_f @ x, axis=(1, 2)), np.linalg.norm(x, axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("drops", [D, 1])  # one pair of beams for every drop, or for all of them
def test_equivalent_is_the_papers_channel(drops):
    f, w = phase_shifters(drops)
    beams = Beams.of(f, w)
    h = normal(D, K, S, NUM_RX, NUM_TX, seed=2)
    g = adjoint(beams.w_orthonormal)[:, :, None] @ h @ beams.f_orthonormal[:, None, None]
    np.testing.assert_allclose(beams.equivalent(g), adjoint(w)[:, :, None] @ h @ f[:, None, None], atol=1e-12 * np.abs(h).max() * NUM_TX)


def test_collinear_beams_still_have_their_equivalent_channel():
    f, w = phase_shifters()
    f[..., 4], w[..., 2] = f[..., 1], w[..., 0]
    beams = Beams.of(f, w)
    h = normal(D, K, S, NUM_RX, NUM_TX, seed=2)
    g = adjoint(beams.w_orthonormal)[:, :, None] @ h @ beams.f_orthonormal[:, None, None]
    np.testing.assert_allclose(beams.equivalent(g), adjoint(w)[:, :, None] @ h @ f[:, None, None], atol=1e-9)


def test_orthonormal_beams_are_taken_as_they_are():
    f, w = np.linalg.qr(normal(D, NUM_TX, T))[0], np.linalg.qr(normal(D, K, NUM_RX, R))[0]
    beams, computed = Beams.orthonormal(f, w, version=3), Beams.of(f, w)
    assert beams.f_orthonormal is f
    assert beams.w_orthonormal is w
    assert beams.version == 3
    g = normal(D, K, S, R, T, seed=1)
    np.testing.assert_array_equal(beams.equivalent(g), g)
    for name in ("f_orthonormal", "w_orthonormal", "q_f", "r_f", "q_w", "r_w"):
        expected = getattr(computed, name)
        np.testing.assert_allclose(np.broadcast_to(getattr(beams, name), expected.shape), expected, atol=1e-12)
