"""One step of Adam, for parameters that torch differentiates and for those whose gradient is written by hand.

Both clip the gradient, leave out steps whose gradient is not finite or explodes, and can be put back where they were.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from csisim.errors import CsisimError
from csisim.training.base import Parameters, Task

_BETA = (0.9, 0.999)
_EPSILON = 1e-8


class Stepper(Protocol):
    """Parameters under training with the optimiser's memory of them."""

    def step(self, batch: tuple[np.ndarray, ...], rates: Mapping[str, float], clip: float, limit: float) -> tuple[float, bool]:
        """Norm of the gradient before clipping, and whether the step was taken (the norm is finite and below ``limit``)."""

    def parameters(self) -> Parameters:
        """Copies of the parameters."""

    def memory(self) -> Parameters:
        """Copies of everything else that the next step depends on."""

    def restore(self, parameters: Parameters, memory: Parameters) -> None:
        """Go on from there."""


class NumpyStepper:
    """Adam in NumPy, for a task with ``gradient``."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.values: Parameters = {name: np.array(value) for name, value in task.initial().items()}
        self.first = {name: np.zeros_like(value) for name, value in self.values.items()}
        self.second = {name: np.zeros_like(value) for name, value in self.values.items()}
        self.taken = 0

    def step(self, batch: tuple[np.ndarray, ...], rates: Mapping[str, float], clip: float, limit: float) -> tuple[float, bool]:
        _, gradients = self.task.gradient(self.values, batch)
        norm = float(np.sqrt(sum(float(np.vdot(g, g).real) for g in gradients.values())))
        if not norm < limit:
            return norm, False
        self.taken += 1
        scale = min(1.0, clip / (norm + 1e-6))
        for name, gradient in gradients.items():
            value, first, second = (_reals(a[name]) for a in (self.values, self.first, self.second))
            slope = _reals(np.asarray(gradient, self.values[name].dtype)) * np.float32(scale)
            first += (1 - _BETA[0]) * (slope - first)
            second += (1 - _BETA[1]) * (slope * slope - second)
            spread = np.sqrt(second / (1 - _BETA[1] ** self.taken)) + _EPSILON
            value -= rates[name] / (1 - _BETA[0] ** self.taken) * first / spread
        return norm, True

    def parameters(self) -> Parameters:
        return {name: value.copy() for name, value in self.values.items()}

    def memory(self) -> Parameters:
        first = {f"first.{name}": value.copy() for name, value in self.first.items()}
        return first | {f"second.{name}": value.copy() for name, value in self.second.items()} | {"taken": np.array([self.taken])}

    def restore(self, parameters: Parameters, memory: Parameters) -> None:
        for name in self.values:
            self.values[name] = parameters[name].copy()
            self.first[name] = memory[f"first.{name}"].copy()
            self.second[name] = memory[f"second.{name}"].copy()
        self.taken = int(memory["taken"][0])


class TorchStepper:
    """Adam in torch on Lightning Fabric, for a task with ``loss``; complex parameters stay complex."""

    def __init__(self, task: Task, device: str = "cpu") -> None:
        import torch
        from lightning_fabric import Fabric

        if device != "cpu" and not torch.cuda.is_available():
            raise CsisimError(f"--device {device}: there is no such device here (cpu)")
        self.torch = torch
        self.fabric = Fabric(accelerator=device, devices=1)
        self.module, self.optimiser = self._set_up(task, {name: torch.tensor(value) for name, value in task.initial().items()})

    def _set_up(self, task: Task, tensors: dict[str, Any]) -> tuple[Any, Any]:
        torch = self.torch

        class Loss(torch.nn.Module):  # type: ignore[name-defined]
            """The task's loss as a module, which is what Fabric knows."""

            def __init__(self) -> None:
                super().__init__()
                self.learned = torch.nn.ParameterDict({name: torch.nn.Parameter(value) for name, value in tensors.items()})

            def forward(self, batch: tuple[Any, ...]) -> Any:
                return task.loss(dict(self.learned.items()), batch)

        module = Loss()
        groups = [{"params": [module.learned[name]], "lr": 0.0} for name in tensors]
        self.names = list(tensors)
        return self.fabric.setup(module, torch.optim.Adam(groups, betas=_BETA, eps=_EPSILON))

    def step(self, batch: tuple[np.ndarray, ...], rates: Mapping[str, float], clip: float, limit: float) -> tuple[float, bool]:
        torch = self.torch
        tensors = tuple(self.fabric.to_device(torch.tensor(item)) for item in batch)
        self.optimiser.zero_grad()
        self.fabric.backward(self.module(tensors))
        gradients = [value.grad for value in self._learned() if value.grad is not None]
        norm = float(sum(torch.sum(torch.abs(gradient) ** 2) for gradient in gradients)) ** 0.5
        if not norm < limit:
            return norm, False
        for gradient in gradients:
            gradient.mul_(min(1.0, clip / (norm + 1e-6)))
        for name, group in zip(self.names, self.optimiser.param_groups, strict=True):
            group["lr"] = rates[name]
        self.optimiser.step()
        return norm, True

    def parameters(self) -> Parameters:
        return {name: value.detach().cpu().numpy().copy() for name, value in zip(self.names, self._learned(), strict=True)}

    def memory(self) -> Parameters:
        found = {}
        for name, value in zip(self.names, self._learned(), strict=True):
            for key, item in self.optimiser.state.get(value, {}).items():
                found[f"{key}.{name}"] = item.detach().cpu().numpy().copy()
        return found

    def restore(self, parameters: Parameters, memory: Parameters) -> None:
        torch = self.torch
        with torch.no_grad():
            for name, value in zip(self.names, self._learned(), strict=True):
                value.copy_(torch.tensor(parameters[name]))
                keys = [key for key in memory if key.endswith(f".{name}") and key.split(".", 1)[1] == name]
                if keys:
                    state = {key.split(".", 1)[0]: torch.tensor(memory[key]) for key in keys}
                    self.optimiser.state[value] = {k: v if k == "step" else v.to(value.device) for k, v in state.items()}

    def _learned(self) -> list[Any]:
        return [self.module.learned[name] for name in self.names]


def _reals(a: np.ndarray) -> np.ndarray:
    """A view in which the real and imaginary parts of complex entries are entries of their own, as Adam treats them."""
    return a.view(a.real.dtype) if np.iscomplexobj(a) else a


def stepper(task: Any, device: str = "cpu") -> Stepper:
    """The stepper that suits a task: NumPy for one with a gradient of its own, otherwise torch."""
    if hasattr(task, "stepper"):  # a task that knows better steps than Adam's
        own: Stepper = task.stepper()
        return own
    return NumpyStepper(task) if hasattr(task, "gradient") else TorchStepper(task, device)
