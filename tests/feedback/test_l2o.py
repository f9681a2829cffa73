"""Learned optimisers: Theorem 1 of Ma 2024, and the pieces of Csi-L2O."""

import numpy as np
import pytest

from csisim.registry import configure

torch = pytest.importorskip("torch")
l2o = pytest.importorskip("csisim.feedback.nets.l2o")
csi_l2o = pytest.importorskip("csisim.feedback.nets.csi_l2o")
coordinate_lstm = pytest.importorskip("csisim.feedback.nets.coordinate_lstm")

PENALTY = 0.05


@pytest.fixture(scope="module")
def problem():
    """A lasso with 96 unknowns and its solution by many ISTA steps, in double precision."""
    net = configure("codec", {"kind": "ms4l2o", "reduction": 2, "penalty": PENALTY}).network(8, 6).double()
    torch.manual_seed(0)
    truth = torch.zeros(4, 96, dtype=torch.float64)
    truth[:, torch.randperm(96)[:10]] = torch.randn(4, 10, dtype=torch.float64)
    matrix = net.encoder.matrix
    code = truth @ matrix.T
    step = 1 / l2o.largest_eigenvalue(matrix)
    x = torch.zeros_like(truth)
    for _ in range(20_000):
        x = l2o.soft_threshold(x - step * ((x @ matrix.T - code) @ matrix), step * PENALTY)
    return net, matrix, code, x


def objective(x, matrix, code):
    return 0.5 * ((x @ matrix.T - code) ** 2).sum() + PENALTY * x.abs().sum()


def with_rule(seed, iterations):
    """A decoder whose LSTM has random weights, offsets included."""
    torch.manual_seed(seed)
    decoder = configure("codec", {"kind": "ms4l2o", "reduction": 2, "penalty": PENALTY, "iterations": iterations}).network(8, 6).decoder
    return decoder.double()


@pytest.mark.parametrize("seed", range(4))
def test_a_solution_stays(problem, seed):
    """Theorem 1, eq. 21: whatever the LSTM says, as long as its offsets are gone."""
    _, matrix, code, solution = problem
    with torch.inference_mode():
        moved = with_rule(seed, 5).solve(code, matrix, start=solution)
    assert (moved - solution).norm() < 1e-6 * solution.norm()


@pytest.mark.parametrize("seed", range(3))
def test_the_residual_falls_beyond_the_trained_iterations(problem, seed):
    """Offsets of the LSTM fade after the trained ten iterations, and the iteration converges to the solution."""
    _, matrix, code, solution = problem
    decoder = with_rule(seed, 400)
    for head in decoder.rule.lstm.heads[3:]:
        torch.nn.init.normal_(head.weight, std=0.05)
    with torch.inference_mode():
        end = decoder.solve(code, matrix)
    residuals = decoder.rule.residuals
    assert residuals[39] < 0.5 * residuals[9]
    assert residuals[-1] < 1e-3 * residuals[9]
    best = objective(solution, matrix, code)
    assert objective(end, matrix, code) < best * 1.001


def test_untrained_it_beats_ista_with_as_many_iterations(problem):
    _, matrix, code, solution = problem
    with torch.inference_mode():
        learned = with_rule(0, 10).solve(code, matrix)
        step = 1 / l2o.largest_eigenvalue(matrix)
        x = step * code @ matrix
        for _ in range(10):
            x = l2o.soft_threshold(x - step * ((x @ matrix.T - code) @ matrix), step * PENALTY)
    best = objective(solution, matrix, code)
    assert objective(learned, matrix, code) - best < objective(x, matrix, code) - best


def test_every_coordinate_has_the_same_rule():
    """The LSTM knows no positions: permuted coordinates give permuted parameters, and problems of any size fit."""
    lstm = coordinate_lstm.CoordinateLstm()
    torch.manual_seed(0)
    x, gradient = torch.randn(2, 3, 20)
    order = torch.randperm(20)
    with torch.inference_mode():
        straight, _ = lstm(x, gradient)
        permuted, _ = lstm(x[:, order], gradient[:, order])
        lstm(torch.randn(1, 777), torch.randn(1, 777))
    for a, b in zip(straight, permuted, strict=True):
        torch.testing.assert_close(a[:, order], b)
    assert (straight.p > 0).all()
    assert (straight.a > 0).all()


def test_the_largest_eigenvalue_is_not_underestimated():
    for shape in ((8, 96), (48, 96)):
        matrix = torch.from_numpy(np.random.default_rng(0).standard_normal(shape))
        exact = torch.linalg.matrix_norm(matrix, 2) ** 2
        assert exact <= l2o.largest_eigenvalue(matrix) < 1.2 * exact


def test_the_step_belongs_to_the_matrix_whatever_its_address():
    """Another matrix at the same address has its own, and what a validation computed others can compute gradients with."""
    scale = l2o.OfMatrix(l2o.step_of).eval()
    values = np.eye(4, 8, dtype=np.float32)
    with torch.inference_mode():
        before = scale(torch.from_numpy(values))
    values *= 2
    after = scale(torch.from_numpy(values).requires_grad_()[:4])
    assert float(after) == pytest.approx(float(before) / 4)
    (after * torch.ones(3, requires_grad=True)).sum().backward()
    matrix = torch.from_numpy(values)
    first = scale(matrix)
    assert scale(matrix[:4]) is first or float(scale(matrix[:4])) == float(first)
    matrix.mul_(2)
    assert float(scale(matrix)) == pytest.approx(float(first) / 4)


def test_what_follows_from_the_matrix_is_differentiated_in_training():
    matrix = torch.randn(3, 8, requires_grad=True)
    inverse = l2o.OfMatrix(csi_l2o.gram_inverse)
    assert inverse.train()(matrix).requires_grad
    assert not inverse.eval()(matrix).requires_grad


class TestPieces:
    """The fused passes against PyTorch's own cells."""

    @staticmethod
    def cells(lstm, x, gradient, state):
        seen = torch.stack([x, gradient], dim=-1).reshape(-1, 2)
        state = state or [(seen.new_zeros(len(seen), 20),) * 2] * 2
        new = []
        for cell, old in zip(lstm.cells, state, strict=True):
            new.append(cell(seen, old))
            seen = new[-1][0]
        hidden = lstm.trunk(seen)
        p, a, b, b1, b2 = (head(hidden).reshape(x.shape) for head in lstm.heads)
        return coordinate_lstm.Weights(2 * p.sigmoid(), a.sigmoid(), b.sigmoid(), b1, b2), new

    @staticmethod
    def run(step, x, gradient, count=3):
        """A recursion through the state and through x; its last x and a loss."""
        state, loss = None, 0.0
        for _ in range(count):
            w, state = step(x, gradient, state)
            x = x - w.p * gradient + w.a * w.b1 - w.b * w.b2
            loss = loss + x.square().mean()
        return x, loss

    @pytest.fixture
    def lstm(self, monkeypatch):
        torch.manual_seed(0)
        monkeypatch.setattr(coordinate_lstm, "PIECE", 7)  # several of them, the last one short
        lstm = coordinate_lstm.CoordinateLstm().double()
        for head in lstm.heads[3:]:
            torch.nn.init.normal_(head.weight, std=0.3)
        return lstm

    def test_they_say_the_same(self, lstm):
        x, gradient = torch.randn(2, 3, 11, dtype=torch.float64)
        with torch.inference_mode():
            fused, cells = self.run(lstm, x, gradient)[0], self.run(lambda *now: self.cells(lstm, *now), x, gradient)[0]
        torch.testing.assert_close(fused, cells, rtol=1e-12, atol=1e-12)

    def test_they_have_the_same_gradients(self, lstm):
        x, gradient = (torch.randn(3, 11, dtype=torch.float64, requires_grad=True) for _ in range(2))
        wanted = [x, gradient, *lstm.parameters()]
        fused = torch.autograd.grad(self.run(lstm, x, gradient)[1], wanted)
        cells = torch.autograd.grad(self.run(lambda *now: self.cells(lstm, *now), x, gradient)[1], wanted)
        for a, b in zip(fused, cells, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return configure("codec", {"kind": "csi_l2o", "reduction": 4, "iterations": 3, "trained_iterations": 3}).network(8, 6)


class TestCsiL2o:
    def test_rows_are_delays(self, net):
        image = torch.arange(2 * 8 * 6.0).reshape(1, 2, 8, 6)
        rows = net.decoder.rows(image.flatten(1))
        assert rows.shape == (1, 6, 16)
        torch.testing.assert_close(rows[0, 4], torch.cat([image[0, 0, :, 4], image[0, 1, :, 4]]))
        torch.testing.assert_close(net.decoder.unrowed(rows), image.flatten(1))

    def test_the_transform_keeps_a_fifth(self):
        transform = configure("codec", {"kind": "csi_l2o"}).network(32, 32).decoder.transform
        assert transform.kept == 51
        seen = []
        transform.inverse_net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        with torch.inference_mode():
            transform(torch.randn(2, 32, 64), torch.tensor(0.0))
        assert ((seen[0] != 0).sum(dim=-1) <= 51).all()

    def test_the_encoder_is_one_matrix_with_rows_of_length_one(self, net):
        x = torch.randn(3, 2, 8, 6)
        rows = torch.nn.functional.normalize(net.encoder.matrix)
        torch.testing.assert_close(net.encode(x), x.flatten(1) @ rows.T)

    def test_what_is_decoded_has_the_code_that_was_sent(self):
        """Whatever the learned steps do, after any number of them."""
        torch.manual_seed(1)
        for iterations in (1, 3, 8):
            settings = {"kind": "csi_l2o", "reduction": 4, "iterations": iterations, "trained_iterations": 3}
            other = configure("codec", settings).network(8, 6).double()
            for head in other.decoder.rule.lstm.heads:
                torch.nn.init.normal_(head.weight, std=0.3)
            code = torch.randn(5, 24, dtype=torch.float64)
            with torch.inference_mode():
                torch.testing.assert_close(other.encode(other.decode(code)), code, rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("reduction", [2, 8])
    def test_it_begins_as_the_linear_code_of_every_length(self, reduction):
        """Exactly, and with a gradient that the LSTM can learn from."""
        rows = torch.linalg.qr(torch.randn(96, 48))[0].T
        settings = {"kind": "csi_l2o", "reduction": reduction, "longest": 2, "iterations": 2, "trained_iterations": 2}
        started = configure("codec", settings).network(8, 6)
        images = (torch.randn(50, 48) * torch.linspace(3, 0.1, 48)) @ rows + 0.1 * torch.randn(50, 96)
        assert started.start_from(rows.numpy(), images.reshape(-1, 2, 8, 6))
        code = started.encode(images.reshape(-1, 2, 8, 6))
        used = rows[: 96 // reduction]
        torch.testing.assert_close(code, images @ used.T, rtol=1e-4, atol=1e-4)
        decoded = started.decode(code).flatten(1)
        torch.testing.assert_close(decoded, code @ used, rtol=1e-3, atol=1e-3)
        (decoded - images).square().sum().backward()
        assert float(started.decoder.rule.lstm.heads[3].weight.grad.norm()) > 0.0

    def test_left_to_itself_it_iterates_as_often_as_it_was_trained_to(self):
        assert configure("codec", {"kind": "csi_l2o", "trained_iterations": 2}).network(8, 6).decoder.rule.iterations == 2
