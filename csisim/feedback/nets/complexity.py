"""Counting what a network does, in the conventions of :mod:`csisim.feedback.costs`, and timing it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from csisim.feedback.costs import Costs, Side
from csisim.feedback.nets.base import Autoencoder, NetConfig, for_inference
from csisim.feedback.nets.blocks import BinaryLinear
from csisim.feedback.nets.cs_csinet import Projection
from csisim.feedback.nets.l2o import LinearEncoder

_PER_ELEMENT: list[tuple[tuple[type[nn.Module], ...], int]] = [
    ((nn.BatchNorm2d, nn.LayerNorm), 4),
    ((nn.PReLU, nn.AvgPool2d), 1),
]


def complexity(config: NetConfig, angles: int, delays: int) -> Costs:
    """What a configured network costs at either end."""
    network = config.network(angles, delays).eval()
    image = torch.zeros(1, 2, angles, delays)
    code = network.encode(image).detach()
    network.decode(code)  # what depends on the weights alone is computed once and not counted
    return Costs(_side(network.encoder, lambda: network.encode(image)), _side(network.decoder, lambda: network.decode(code)))


def _side(module: nn.Module, run: Callable[[], Tensor]) -> Side:
    params = sum(parameter.numel() for parameter in module.parameters())
    binary = sum(m.weight.numel() for m in module.modules() if isinstance(m, BinaryLinear))
    with counted(module) as seen:
        run()
    counter = FlopCounterMode(display=False)
    with counter:
        run()  # with gradients: inference shortcuts would hide attention from the counter
    return Side(params, binary, {"mac": counter.get_total_flops() // 2, "layers": seen.layers, "thop": seen.layers + seen.others})


@dataclass
class Seen:
    """Running counts of :func:`counted`."""

    layers: int = 0
    others: int = 0


@contextmanager
def counted(module: nn.Module) -> Iterator[Seen]:
    """Count, within the context, what the modules inside ``module`` do."""
    seen = Seen()

    def hook(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(part, nn.Conv2d):
            seen.layers += output.numel() * part.weight[0].numel()
        elif isinstance(part, nn.Linear):
            seen.layers += output.numel() * part.in_features
        elif isinstance(part, LinearEncoder | Projection):
            seen.layers += output.numel() * part.matrix.shape[1]
        else:
            seen.others += sum(weight * output.numel() for kinds, weight in _PER_ELEMENT if isinstance(part, kinds))

    handles = [part.register_forward_hook(hook) for part in module.modules()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def thop_macs(module: nn.Module, *inputs: Tensor) -> int:
    """Multiply-accumulates of one call of a module in convention ``thop``."""
    training = module.training
    with counted(module) as seen, torch.no_grad():
        module.eval()(*inputs)
    module.train(training)
    return seen.layers + seen.others


def latency(network: Autoencoder, angles: int, delays: int, repeats: int = 20) -> tuple[float, float]:
    """Median seconds of one image's encoding and decoding, as the simulator runs them."""
    network = for_inference(network)
    with torch.inference_mode():
        image = torch.zeros(1, 2, angles, delays)
        code = network.encode(image)
        return _median(lambda: network.encode(image), repeats), _median(lambda: network.decode(code), repeats)


def _median(run: Callable[[], Tensor], repeats: int) -> float:
    times = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times[3:]))
