"""The LSTM that chooses a step for every coordinate (Ma 2024, eq. 20): by far the most work of a learned optimiser.

Coordinates lie side by side, (numbers, coordinates), and go through in pieces that stay in the cache, forwards and backwards: every
gate of a layer is one product and one sigmoid, as tanh(z) = 2 sigmoid(2 z) - 1, and what the backward pass needs of a piece it
computes again.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

HIDDEN = 20
PIECE = 4096  # coordinates


class Weights(NamedTuple):
    """Per-coordinate parameters of one iteration, (n, N) each: preconditioner, accelerator, balance and two offsets."""

    p: Tensor
    a: Tensor
    b: Tensor
    b1: Tensor
    b2: Tensor


class CoordinateLstm(nn.Module):
    """The same LSTM for every coordinate: from (x, gradient) to :class:`Weights` (Ma 2024, eq. 20).

    Two layers of 20, as in MS4L2O, whose published cost it reproduces; the paper's text says "hidden size two", its parameter
    count fits one layer. The initial state is zero: a random one, as published, would make decoding differ from call to call.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTMCell(2, HIDDEN), nn.LSTMCell(HIDDEN, HIDDEN)])
        self.trunk = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.ReLU())
        heads = [nn.Linear(HIDDEN, 1) for _ in range(5)]
        self.heads = nn.ModuleList(heads)
        for head in heads[3:]:  # offsets start at zero: untrained, the rule is a preconditioned accelerated ISTA
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, x: Tensor, gradient: Tensor, state: Tensor | None = None) -> tuple[Weights, Tensor]:
        """Parameters for coordinates x (n, N) and the new state (4, 20, n N): output and cell of either layer."""
        seen = torch.stack([x.flatten(), gradient.flatten()])
        if state is None:
            state = seen.new_zeros(4, HIDDEN, seen.shape[1])
        told, state = _Pieces.apply(seen, state, *self._layers())
        p, a, b, b1, b2 = (row.reshape(x.shape) for row in told)
        return Weights(2 * p.sigmoid(), a.sigmoid(), b.sigmoid(), b1, b2), state

    def steady(self) -> None:
        """Say the same for every coordinate: a full step of the gradient, half of either point, no offsets."""
        for head in self.heads:
            nn.init.zeros_(head.weight)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    def _layers(self) -> list[Tensor]:
        """Matrix and column of every layer; those of the candidate, the third gate, doubled for its tanh."""
        doubled = self.trunk[0].weight.new_ones(4, HIDDEN, 1)  # type: ignore[operator]
        doubled[2] = 2
        doubled = doubled.flatten(0, 1)
        layers: list[Any] = []
        for cell in self.cells:
            layers += [torch.cat([cell.weight_ih, cell.weight_hh], dim=1) * doubled, (cell.bias_ih + cell.bias_hh)[:, None] * doubled]  # type: ignore[list-item,operator]
        layers += [self.trunk[0].weight, self.trunk[0].bias[:, None]]  # type: ignore[index]
        return [*layers, *(torch.cat([getattr(head, name) for head in self.heads]).reshape(5, -1) for name in ("weight", "bias"))]


class _Pieces(torch.autograd.Function):
    """Both layers, trunk and heads for coordinates (2, C) with their state (4, 20, C)."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda", cast_inputs=torch.float32)
    def forward(ctx: Any, seen: Tensor, state: Tensor, *layers: Tensor) -> tuple[Tensor, Tensor]:
        matrix1, column1, matrix2, column2, *ends = layers
        new, told = torch.empty_like(state), seen.new_empty(5, seen.shape[1])
        for piece in _pieces(seen):
            output1, cell1, output2, cell2 = state[:, :, piece]
            _advance(torch.addmm(column1, matrix1, torch.cat([seen[:, piece], output1])), cell1, new[:2, :, piece])
            _advance(torch.addmm(column2, matrix2, torch.cat([new[0, :, piece], output2])), cell2, new[2:, :, piece])
            told[:, piece] = _ends(new[2, :, piece], *ends)[1]
        ctx.save_for_backward(seen, state, new, *layers)
        return told, new

    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, ...]:
        slope_told, slope_new = slopes
        seen, state, new, *layers = ctx.saved_tensors
        matrix1, column1, matrix2, column2, trunk, bias, heads, _ = layers
        slope_seen, slope_state = torch.empty_like(seen), torch.empty_like(state)
        found = [torch.zeros_like(layer) for layer in layers]
        for piece in _pieces(seen):
            output1, cell1, output2, cell2 = state[:, :, piece]
            hidden = torch.addmm(bias, trunk, new[2, :, piece]).relu_()
            slope = slope_told[:, piece]
            _add(found[6:], slope, hidden)
            slope = (heads.T @ slope).mul_(hidden > 0)
            _add(found[4:6], slope, new[2, :, piece])
            into = torch.cat([new[0, :, piece], output2])
            slope, slope_state[3, :, piece] = _gate_slopes(
                torch.addmm(column2, matrix2, into),
                cell2,
                new[3, :, piece],
                slope_new[2, :, piece] + trunk.T @ slope,
                slope_new[3, :, piece],
            )
            _add(found[2:4], slope, into)
            below, slope_state[2, :, piece] = (matrix2.T @ slope).split(HIDDEN)
            into = torch.cat([seen[:, piece], output1])
            slope, slope_state[1, :, piece] = _gate_slopes(
                torch.addmm(column1, matrix1, into), cell1, new[1, :, piece], slope_new[0, :, piece] + below, slope_new[1, :, piece]
            )
            _add(found[:2], slope, into)
            slope_seen[:, piece], slope_state[0, :, piece] = (matrix1.T @ slope).split([2, HIDDEN])
        return slope_seen, slope_state, *found


def _pieces(seen: Tensor) -> list[slice]:
    return [slice(start, start + PIECE) for start in range(0, seen.shape[1], PIECE)]


def _ends(output: Tensor, trunk: Tensor, bias: Tensor, heads: Tensor, biases: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden numbers and what the heads say."""
    hidden = torch.addmm(bias, trunk, output).relu_()
    return hidden, torch.addmm(biases, heads, hidden)


def _advance(gates: Tensor, cell: Tensor, new: Tensor) -> None:
    """Write output and cell of the next state; ``gates`` (80, C) before their sigmoid, the candidate's argument doubled."""
    entered, kept, candidate, shown = gates.sigmoid_().split(HIDDEN)
    output, after = new
    torch.mul(entered, candidate, out=after)
    after.mul_(2).sub_(entered).addcmul_(kept, cell)
    torch.mul(shown, _tanh(after), out=output)


def _gate_slopes(gates: Tensor, cell: Tensor, after: Tensor, slope_output: Tensor, slope_after: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes with respect to what the gates' sigmoids take, (80, C), and to the cell before."""
    entered, kept, candidate, shown = gates.sigmoid_().split(HIDDEN)
    bounded = _tanh(after)
    slope = (1 - bounded.square()).mul_(shown).mul_(slope_output).add_(slope_after)
    slopes = gates * (1 - gates)
    for part, factor in zip(
        slopes.split(HIDDEN), (slope * (2 * candidate - 1), slope * cell, 2 * slope * entered, slope_output * bounded), strict=True
    ):
        part.mul_(factor)
    return slopes, slope.mul_(kept)


def _tanh(z: Tensor) -> Tensor:
    """The hyperbolic tangent, from a sigmoid, which takes a sixth of the time."""
    return (2 * z).sigmoid_().mul_(2).sub_(1)


def _add(found: list[Tensor], slope: Tensor, into: Tensor) -> None:
    """Add the slopes of a layer's matrix and column."""
    found[0].addmm_(slope, into.T)
    found[1] += slope.sum(dim=1, keepdim=True)
