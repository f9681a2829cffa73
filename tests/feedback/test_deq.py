"""The deep-equilibrium codec: iterations for a budget, residuals, and its two gradients."""

import copy

import pytest

from csisim.errors import CsisimError
from csisim.registry import configure

torch = pytest.importorskip("torch")
deq = pytest.importorskip("csisim.feedback.nets.deq")
for_inference = pytest.importorskip("csisim.feedback.nets.base").for_inference


class Contraction(torch.nn.Module):
    """f(z, x) = tanh(A z + x), a contraction with a Jacobian far from zero."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        matrix = torch.randn(5, 5, dtype=torch.float64)
        self.matrix = torch.nn.Parameter(0.6 * matrix / torch.linalg.matrix_norm(matrix, 2))

    def forward(self, state, injected):
        return torch.tanh(state @ self.matrix.T + injected)


def gradients(gradient, iterations, damping=0.0):
    block = deq.Equilibrium(Contraction(), iterations, gradient, damping)
    torch.manual_seed(1)
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randn(7, 5, dtype=torch.float64)
    ((block(x) - target) ** 2).sum().backward()
    return torch.cat([block.function.matrix.grad.flatten(), x.grad.flatten()])


def unrolled(iterations):
    function = Contraction()
    torch.manual_seed(1)
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randn(7, 5, dtype=torch.float64)
    state = x
    for _ in range(iterations):
        state = function(state, x)
    ((state - target) ** 2).sum().backward()
    return torch.cat([function.matrix.grad.flatten(), x.grad.flatten()])


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_the_implicit_gradient_is_exact(damping):
    """Ma 2023, eq. 17, against differentiation through all iterations."""
    torch.testing.assert_close(gradients("implicit", 80, damping), unrolled(80), rtol=1e-8, atol=1e-10)


def test_the_jacobian_free_gradient_descends():
    """Ma 2023, eq. 18: another vector, but a descent direction."""
    exact, free = gradients("implicit", 60), gradients("jfb", 60)
    cosine = torch.dot(exact, free) / exact.norm() / free.norm()
    assert 0.5 < cosine < 0.9999


def test_the_residual_falls_towards_the_fixed_point():
    torch.manual_seed(1)
    x = torch.randn(7, 5, dtype=torch.float64)
    residuals = []
    for iterations in (2, 4, 8, 16):
        block = deq.Equilibrium(Contraction(), iterations)
        block(x)
        assert block.residual.shape == (7,)
        residuals.append(float(block.residual.max()))
    assert residuals[0] > 4 * residuals[1] > 16 * residuals[2] > 100 * residuals[3]


def test_only_the_last_pass_moves_the_statistics():
    """The passes before it normalise as they will after training, so that both see the same states."""
    torch.manual_seed(0)
    x = torch.randn(4, 2, 8, 8)
    block = deq.Equilibrium(deq.encoder_block(), 5).train()
    norms = [m for m in block.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.uniform_(norm.running_var, 0.5, 2)
        torch.nn.init.ones_(norm.weight)
    by_hand = copy.deepcopy(block)
    state = x
    with torch.no_grad():
        by_hand.eval()
        for _ in range(4):
            state = by_hand.step(state, x)
        expected = by_hand.train().step(state, x)
        torch.testing.assert_close(block(x), expected)
    assert all(norm.training for norm in norms)
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(block.state_dict()[name], value)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dilation", [1, 3])
def test_two_separable_convolutions_are_one(transposed, dilation):
    """In training, layer by layer and settled; the gradient reaches both layers as if they had been run one after the other."""
    torch.manual_seed(0)
    pair = deq.Dilated(80, dilation, transposed=transposed)[0]
    x = torch.randn(3, 2, 9, 7)
    layered = torch.nn.Sequential(*copy.deepcopy(list(pair)))
    expected = layered(x)
    torch.testing.assert_close(pair.train()(x), expected)
    torch.testing.assert_close(pair.merged()(x), expected)
    expected.square().sum().backward()
    pair(x).square().sum().backward()
    for mine, other in zip(pair.parameters(), layered.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_settled_codecs_have_no_wide_layers_left():
    settled = for_inference(configure("codec", {"kind": "deq", "reduction": 4}).network(8, 8))
    assert max(conv.out_channels for conv in settled.modules() if isinstance(conv, torch.nn.Conv2d)) == 2


@pytest.mark.parametrize("make", [deq.encoder_block, deq.decoder_block])
def test_untrained_blocks_have_a_fixed_point(make):
    """X plus twice what is injected, approached by halves; the printed sum of both shortcuts would grow in every pass."""
    torch.manual_seed(0)
    x = torch.randn(3, 2, 8, 8)
    block = deq.Equilibrium(make(), 20).eval()
    with torch.no_grad():
        state = block(x)
        torch.testing.assert_close(state, x + 2 * block.function.injection(x), rtol=1e-4, atol=1e-4)
    assert block.residual.max() < 1e-4


@pytest.mark.parametrize(("budget", "iterations"), [(2.464, 10), (2.463, 9), (0.60, 1), (0.375, 0)])
def test_iterations_for_the_users_budget(budget, iterations):
    """Ma 2023, eq. 16 at 1/16: 0.3748 million fixed, 0.2089 million per iteration."""
    net = configure("codec", {"kind": "deq", "reduction": 16, "encoder_budget_mmac": budget}).network(32, 32)
    assert net.encoder[1].iterations == iterations


def test_a_budget_below_the_fixed_layers_is_refused():
    with pytest.raises(CsisimError, match="does not pay the encoder's fixed"):
        configure("codec", {"kind": "deq", "reduction": 16, "encoder_budget_mmac": 0.37}).network(32, 32)


def test_budgets_and_costs_are_the_same_count():
    config = configure("codec", {"kind": "deq", "reduction": 16, "decoder_budget_mmac": 20.0})
    iterations = config.network(32, 32).decoder[1].iterations
    cost = config.costs(32, 32).decoder.macs["thop"]
    more = configure("codec", {"kind": "deq", "reduction": 16, "decoder_iterations": iterations + 1}).costs(32, 32).decoder.macs["thop"]
    assert cost <= 20e6 < more


def test_iterations_or_a_budget():
    with pytest.raises(ValueError, match="one decides the other"):
        configure("codec", {"kind": "deq", "encoder_iterations": 3, "encoder_budget_mmac": 3.0})


def test_iterations_need_no_other_weights():
    few, many = (configure("codec", {"kind": "deq", "encoder_iterations": t, "decoder_iterations": t}) for t in (1, 9))
    assert few.architecture == many.architecture
    assert few.network(8, 8).state_dict().keys() == many.network(8, 8).state_dict().keys()


def test_residuals_are_reported():
    net = configure("codec", {"kind": "deq", "reduction": 4}).network(8, 8).eval()
    with torch.inference_mode():
        net(torch.rand(3, 2, 8, 8))
    assert all(r.shape == (3,) and torch.isfinite(r).all() for r in net.residuals)
