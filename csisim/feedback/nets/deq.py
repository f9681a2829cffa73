"""The deep-equilibrium codec (Ma 2023): one block iterated to its fixed point at either end, as often as the budget allows.

The encoder's layers reproduce every published cost (Ma 2023, Table I). The decoder's cost was never published; its layout is our
reading of section III-B: two parallel branches of dilated convolutions through 80 channels, and an injection of four convolutions.
Nothing is between the two convolutions of a pair, so the 80 channels add parameters and no capacity.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from csisim.errors import CsisimError
from csisim.feedback.nets.base import Autoencoder, NetConfig, NeuralCodec
from csisim.feedback.nets.blocks import Image, Separable, pass_through, put_rows

DILATIONS = (1, 2, 3)
DECODER_CHANNELS = 80

Gradient = Literal["jfb", "implicit"]


class Equilibrium(nn.Module):
    r"""A block iterated towards :math:`Z^* = f(Z^*, X)`, starting from its injection X.

    In training only the last of ``iterations`` passes is differentiated (``jfb``, Ma 2023, eq. 18: Jacobian-free), and only that
    pass updates the batch norms' statistics. ``implicit`` solves eq. (17) for the exact gradient at the fixed point.

    Attributes
    ----------
    residual : (n,)
        :math:`\|Z_t - Z_{t-1}\| / \|Z_t\|` of the last call's last pass.
    """

    def __init__(self, function: nn.Module, iterations: int, gradient: Gradient = "jfb", damping: float = 0.0) -> None:
        super().__init__()
        self.function, self.iterations, self.gradient, self.damping = function, iterations, gradient, damping
        self.residual = torch.zeros(0)

    def step(self, state: Tensor, injection: Tensor) -> Tensor:
        """One pass; damping moves only part of the way and leaves the fixed point where it is."""
        moved: Tensor = self.function(state, injection)
        return moved if not self.damping else torch.lerp(moved, state, self.damping)

    def forward(self, injection: Tensor) -> Tensor:
        """The state after all passes."""
        state = injection
        if not self.iterations:
            return state
        with torch.no_grad(), evaluated(self.function):
            for _ in range(self.iterations - 1):
                state = self.step(state, injection)
        last = self.step(state.detach() if self.iterations > 1 else state, injection)
        difference = (last - state).detach().flatten(1).norm(dim=1)
        self.residual = difference / last.detach().flatten(1).norm(dim=1).clamp_min(torch.finfo(last.dtype).tiny)
        if self.gradient == "implicit" and last.requires_grad:
            last.register_hook(self._implicit(last.detach(), injection.detach()))
        return last

    def _implicit(self, fixed_point: Tensor, injection: Tensor):
        """Turns dl/dZ* into dl/dZ* (I - J)^-1 by the iteration g <- g J + dl/dZ*."""
        with torch.enable_grad():
            at = fixed_point.requires_grad_()
            image = self.step(at, injection)

        def solve(grad: Tensor) -> Tensor:
            solution = grad
            for _ in range(4 * self.iterations):
                solution = torch.autograd.grad(image, at, solution, retain_graph=True)[0] + grad
            return solution

        return solve


@contextmanager
def evaluated(module: nn.Module) -> Iterator[None]:
    """Passes within the context normalise by the running statistics, as they will after training, and leave them alone."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d) and m.training]
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.train()


class Dilated(nn.Sequential):
    """A 3 x 1 and a 1 x 3 convolution of one dilation through ``channels``, batch norm and PReLU."""

    def __init__(self, channels: int, dilation: int, *, transposed: bool = False) -> None:
        super().__init__(Separable(2, channels, 2, (1, 3) if transposed else (3, 1), dilation), nn.BatchNorm2d(2), nn.PReLU(2))


class Block(nn.Module):
    """f(Z, X) = PReLU((Z + X) / 2 + branches(Z) + injection(X)).

    Both identity shortcuts of Ma 2023, section III-B, are there as their mean: the plain sum grows by X in every pass and has no
    fixed point. Branches start at zero and the activation as the identity, so that untrained Z* is X plus what is injected.
    """

    def __init__(self, branches: list[nn.Sequential], injection: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.injection = injection
        self.activation = nn.PReLU(2, init=1.0)
        for branch in branches:
            nn.init.zeros_(branch[-1][1].weight)  # type: ignore[index]  # the last module's batch norm

    def forward(self, state: Tensor, injected: Tensor) -> Tensor:
        """The next state."""
        total = (state + injected) / 2 + self.injection(injected)
        for branch in self.branches:
            total = total + branch(state)
        moved: Tensor = self.activation(total)
        return moved


def conv5() -> nn.Conv2d:
    """A 5 x 5 convolution without bias between two channels."""
    return nn.Conv2d(2, 2, 5, padding=2, bias=False)


def encoder_block() -> Block:
    """Three dilated modules in a row; the injection is one convolution."""
    return Block([nn.Sequential(*(Dilated(2, d) for d in DILATIONS))], conv5())


def decoder_block() -> Block:
    """Two parallel branches, one transposed, through 80 channels; the injection is four convolutions in a row."""
    branches = [nn.Sequential(*(Dilated(DECODER_CHANNELS, d, transposed=turned) for d in DILATIONS)) for turned in (False, True)]
    return Block(branches, nn.Sequential(conv5(), conv5(), conv5(), conv5()))


class Deq(Autoencoder):
    """Equilibrium blocks between a convolution and a fully connected layer (user) or after one (base station)."""

    channels_last = True

    def __init__(self, angles: int, delays: int, code_length: int, output: nn.Module, iterations: tuple[int, int], damping: float) -> None:
        super().__init__()
        numbers = 2 * angles * delays
        pre = nn.Sequential(conv5(), nn.BatchNorm2d(2), nn.PReLU(2))
        down = nn.Sequential(nn.Flatten(), nn.Linear(numbers, code_length))
        up = nn.Sequential(nn.Linear(code_length, numbers), Image(2, angles, delays))
        self.encoder = nn.Sequential(pre, Equilibrium(encoder_block(), iterations[0], damping=damping), down)
        self.decoder = nn.Sequential(up, Equilibrium(decoder_block(), iterations[1], damping=damping), output)

    def start_from(self, components: np.ndarray, images: Tensor) -> bool:
        """With injections of zero every fixed point is its injection: nothing but the fully connected layers is left."""
        user: Any = self.encoder
        station: Any = self.decoder
        (pre, encoder, down), (up, decoder, _) = user, station
        put_rows(down[1], up[0], components)
        pass_through(pre[0], pre[1], images)
        nn.init.ones_(pre[2].weight)
        nn.init.zeros_(encoder.function.injection.weight)
        nn.init.zeros_(decoder.function.injection[-1].weight)
        return True

    @property
    def residuals(self) -> tuple[Tensor, Tensor]:
        """Fixed-point residuals of the last encoding and decoding, (n,) each."""
        return self.encoder[1].residual, self.decoder[1].residual  # type: ignore[index]

    def affordable(self, side: Literal["encoder", "decoder"], budget: float) -> int:
        """Iterations within a budget of multiply-accumulates, counted as ``thop`` does (Ma 2023, eq. 16, in MAC instead of 2 MAC).

        Raises
        ------
        CsisimError
            If it does not even pay for the layers around the block.
        """
        parts = self.encoder if side == "encoder" else self.decoder
        fixed, per_iteration = block_costs(parts, self.encoder[2][1].in_features, side)  # type: ignore[index]
        if budget < fixed:
            raise CsisimError(f"deq: a budget of {budget / 1e6:g} MMAC does not pay the {side}'s fixed {fixed / 1e6:.3f} MMAC")
        return int((budget - fixed) // per_iteration)


def block_costs(parts: nn.Module, numbers: int, side: str) -> tuple[int, int]:
    """(fixed, per iteration) multiply-accumulates of one side, convention ``thop``."""
    from csisim.feedback.nets.complexity import thop_macs

    before, equilibrium, after = parts.children()
    if side == "encoder":
        image = torch.zeros(1, 2, *_shape(parts, numbers))
        fixed = thop_macs(before, image) + thop_macs(after, image)
    else:
        code = torch.zeros(1, before[0].in_features)  # type: ignore[index]
        image = torch.zeros(1, *before[1].shape)  # type: ignore[index]
        fixed = thop_macs(before, code) + thop_macs(after, image)
    return fixed, thop_macs(equilibrium.function, image, image)  # type: ignore[arg-type]


def _shape(parts: nn.Module, numbers: int) -> tuple[int, int]:
    return 1, numbers // 2  # convolutions that keep the size cost the same for every shape of an image


class DeqConfig(NetConfig):
    """Deep-equilibrium codec (Ma 2023); iterations or budgets are chosen at run time, without new weights."""

    kind: Literal["deq"] = "deq"
    encoder_iterations: int = Field(10, ge=0, description="T_e, passes through the user's block")
    decoder_iterations: int = Field(5, ge=0, description="T_d, passes through the base station's block")
    encoder_budget_mmac: float | None = Field(None, gt=0, description="million multiply-accumulates for the encoder: sets T_e by eq. 16")
    decoder_budget_mmac: float | None = Field(None, gt=0, description="million multiply-accumulates for the decoder: sets T_d by eq. 16")
    damping: float = Field(0.0, ge=0, lt=1, description="share of the old state that every pass keeps")

    run_time: ClassVar[frozenset[str]] = NetConfig.run_time | {
        "encoder_iterations",
        "decoder_iterations",
        "encoder_budget_mmac",
        "decoder_budget_mmac",
    }

    @model_validator(mode="after")
    def _one_of_each(self) -> "DeqConfig":
        for side in ("encoder", "decoder"):
            if {f"{side}_iterations", f"{side}_budget_mmac"} <= self.model_fields_set:
                raise ValueError(f"{side}_iterations and {side}_budget_mmac: one decides the other")
        return self

    def network(self, angles: int, delays: int) -> Deq:
        """The network, untrained, with the iterations that the budgets allow."""
        length = self.code_length(angles, delays)
        net = Deq(angles, delays, length, self.output(), (self.encoder_iterations, self.decoder_iterations), self.damping)
        if self.encoder_budget_mmac is not None:
            net.encoder[1].iterations = net.affordable("encoder", 1e6 * self.encoder_budget_mmac)  # type: ignore[index]
        if self.decoder_budget_mmac is not None:
            net.decoder[1].iterations = net.affordable("decoder", 1e6 * self.decoder_budget_mmac)  # type: ignore[index]
        return net


class DeqCodec(NeuralCodec):
    """Deep-equilibrium learning as a codec."""

    Config = DeqConfig
