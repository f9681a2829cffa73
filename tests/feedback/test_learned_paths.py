"""Trained path feedback: what the bits say, and the gradient that passes them."""

import numpy as np
import pytest

from csisim import weights
from csisim.acquisition.base import Sounding
from csisim.feedback import learned_paths
from csisim.feedback.learned_paths import LearnedPaths, LearnedPathsConfig, described, initial, pursue, strongest
from csisim.feedback.path_parameters import Paths, PathsConfig
from csisim.feedback.quantiser import gaussian_quantiser
from csisim.feedback.report import CsiError, Report
from csisim.phy.arrays import Ula
from csisim.random import complex_normal, stream
from csisim.weights import Header, WeightsError

DIMS = {"num_users": 3, "num_rx_rf": 2, "num_rf": 8}


def config(**fields):
    return LearnedPathsConfig(**{"num_paths": 3, "receive_bits": 2, "transmit_bits": 5, "weights": "untrained", **fields})


def channels(*shape, seed=0):
    return complex_normal(stream(seed, 0, "test"), shape).astype(np.complex64)


def through(codec, csi):
    user, station = (codec.init(csi.shape, csi.dtype) for _ in range(2))
    report, _ = codec.encode(csi, user)
    return report, codec.decode(report, station)[0]


def test_a_report_has_the_bits_of_its_paths_and_says_what_the_user_chose():
    csi = channels(4, 3, 5, 2, 8)  # five subcarriers
    report, decoded = through(LearnedPaths(config()), csi)
    assert report.num_bits == 5 * 3 * (2 + 5 + 3)
    assert (report.booked == report.num_bits).all()
    assert report.payload.shape == (4, 3, -(-report.num_bits // 8))
    chosen = pursue(initial(config(), DIMS), csi.swapaxes(1, 2))[1].swapaxes(1, 2)
    np.testing.assert_allclose(decoded, chosen, atol=1e-6)
    assert decoded.dtype == csi.dtype


def test_many_subcarriers_are_reported_piece_by_piece(monkeypatch):
    csi = channels(4, 3, 5, 2, 8)
    whole = through(LearnedPaths(config()), csi)[0]
    monkeypatch.setattr(learned_paths, "LIKENESSES", 1)
    assert (through(LearnedPaths(config()), csi)[0].payload == whole.payload).all()


def test_double_precision_is_kept():
    csi = channels(2, 3, 1, 2, 8).astype(np.complex128)
    assert through(LearnedPaths(config()), csi)[1].dtype == np.complex128


def test_whatever_the_bits_are_they_can_be_decoded():
    codec, csi = LearnedPaths(config()), channels(4, 3, 1, 2, 8)
    report, _ = codec.encode(csi, codec.init(csi.shape, csi.dtype))
    noise = np.random.default_rng(0).integers(0, 256, report.payload.shape, np.uint8)
    assert np.isfinite(codec.decode(Report(noise, report.num_bits), codec.init(csi.shape, csi.dtype))[0]).all()


def test_a_channel_made_of_its_directions_is_reported_exactly():
    parameters = initial(config(num_paths=1), DIMS)
    index = np.array([[[9 * 8 + 5], [70 * 8], [127 * 8 + 7]]])  # path and gain of every user
    exact = described(parameters, index)
    found, value = pursue(parameters, exact)
    assert (found == index).all()
    np.testing.assert_allclose(value, exact, atol=1e-6)


def test_the_first_path_is_the_best_of_all_and_its_gain_the_nearest_one():
    parameters, csi = initial(config(num_paths=1), DIMS), channels(6, 3, 2, 8)
    (chosen,) = np.moveaxis(pursue(parameters, csi)[0], -1, 0)
    unit = {name: value / np.linalg.norm(value, axis=-1, keepdims=True) for name, value in parameters.items()}
    every = np.einsum("kqr,bkrt,pt->bkqp", unit["receive"].conj(), csi, unit["transmit"].conj()).reshape(6, 3, -1)
    best = np.abs(every).argmax(-1)
    gain = np.take_along_axis(every, best[..., None], axis=-1)
    assert (chosen == best * 8 + np.abs(gain - parameters["gain"][0]).argmin(-1)).all()


def test_paths_after_one_another_leave_what_no_combination_of_them_explains():
    parameters, csi = initial(config(), DIMS), channels(6, 3, 2, 8)
    pair, gain, basis = strongest(parameters, csi, 3)
    flat = basis.reshape(6, 3, 3, -1)
    np.testing.assert_allclose(flat.conj() @ flat.swapaxes(-1, -2), np.broadcast_to(np.eye(3), (6, 3, 3, 3)), atol=1e-5)
    alone = parameters | {"gain": np.ones((1, 1))}
    atoms = np.stack([described(alone, pair[..., n : n + 1]) for n in range(3)], axis=2).reshape(flat.shape)
    fit = np.linalg.pinv(atoms.swapaxes(-1, -2)) @ csi.reshape(6, 3, -1, 1)
    np.testing.assert_allclose(np.sum(gain[..., None] * flat, axis=2), (atoms.swapaxes(-1, -2) @ fit)[..., 0], atol=1e-4)


def test_directions_on_a_grid_and_gains_by_lloyd_and_max_are_the_conventional_report():
    f, w = (complex_normal(stream(0, 0, name), size) for name, size in (("f", (1, 16, 8)), ("w", (1, 3, 8, 2))))
    csi, scale = channels(4, 3, 1, 2, 8).astype(complex), [1.4, 0.9, 0.7]
    conventional = Paths(PathsConfig(num_paths=3, oversampling=2, bits=2, scale=scale))
    state = conventional.init(csi.shape, csi.dtype, Sounding(f, w, Ula(), Ula()))
    told = conventional.decode(conventional.encode(csi, state)[0], state)[0]
    levels = gaussian_quantiser(2).levels
    gain = np.multiply.outer(scale, np.add.outer(levels, 1j * levels).reshape(-1))
    same = {"receive": state.left[0].swapaxes(-1, -2), "transmit": state.right[0, 0], "gain": gain}
    np.testing.assert_allclose(pursue(same, csi[:, :, 0])[1], told[:, :, 0], atol=1e-6)


def test_the_gradient_passes_the_quantiser():
    torch = pytest.importorskip("torch")
    parameters, csi = initial(config(), DIMS), channels(6, 3, 2, 8)
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    seen = torch.tensor(csi, requires_grad=True)
    index, value = pursue(tensors, seen)
    assert (index.numpy() == pursue(parameters, csi)[0]).all()
    (value - seen.detach()).abs().square().sum().backward()
    for tensor in (*tensors.values(), seen):
        assert torch.isfinite(torch.view_as_real(tensor.grad) if tensor.grad.is_complex() else tensor.grad).all()
        assert tensor.grad.abs().max() > 0
    before = float((value - seen).detach().abs().square().sum())
    with torch.no_grad():
        stepped = {name: tensor - 1e-3 * tensor.grad for name, tensor in tensors.items()}
        assert float((pursue(stepped, seen)[1] - seen).abs().square().sum()) < before


def test_what_is_straight_through_is_the_part_of_a_change_along_the_chosen_path():
    torch = pytest.importorskip("torch")
    parameters = {name: torch.tensor(value) for name, value in initial(config(num_paths=1), DIMS).items()}
    csi = torch.tensor(channels(1, 3, 2, 8), requires_grad=True)
    index, value = pursue(parameters, csi)
    direction = torch.tensor(channels(1, 3, 2, 8, seed=1))
    (direction.conj() * value).sum().real.backward()
    path = described(parameters | {"gain": torch.ones(1, 8)}, index)
    along = (path.conj() * direction).sum((-2, -1), keepdim=True) * path
    torch.testing.assert_close(csi.grad, along)


def test_it_refuses_what_it_cannot_report():
    codec, csi = LearnedPaths(config()), channels(2, 3, 1, 2, 8)
    state = codec.init(csi.shape, csi.dtype)
    with pytest.raises(CsiError, match="made for"):
        codec.encode(csi[..., :4], state)
    with pytest.raises(CsiError, match="not finite"):
        codec.encode(csi * np.nan, state)


def test_weights_of_more_users_serve_the_first_ones_and_others_are_refused(tmp_path):
    wanted, path = config(weights=None), tmp_path / "codec.safetensors"
    header = Header("codec/learned_paths", wanted.architecture, DIMS, {}, 10.0, {}, 0, {})
    weights.write(path, initial(wanted, DIMS), header)
    csi = channels(2, 3, 1, 2, 8)
    three = through(LearnedPaths(config(weights=str(path))), csi)[1]
    two = through(LearnedPaths(config(weights=str(path))), csi[:, :2])[1]
    np.testing.assert_array_equal(two, three[:, :2])
    with pytest.raises(WeightsError, match="num_paths is 3, wanted is 4"):
        through(LearnedPaths(config(weights=str(path), num_paths=4)), csi)
    with pytest.raises(WeightsError, match="num_rf 8, wanted is 4"):
        through(LearnedPaths(config(weights=str(path))), csi[..., :4])
