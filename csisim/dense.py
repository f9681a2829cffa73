"""Fully connected layers with ReLU, against the Python array API: the black boxes that unfolded networks are compared with.

Every hidden layer is normalised over its own units (Kang 2022, Sec. VII-A, normalises over the batch, which would make a sample's result
depend on the others).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from csisim.random import stream

Array = Any


def initial(sizes: Sequence[int], seed: int = 0) -> dict[str, np.ndarray]:
    """He-initialised weights (sizes[i], sizes[i + 1]) and zero biases; the last layer begins small."""
    rng = stream(seed, 0, "dense.initial")
    parameters = {}
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        scale = np.sqrt(2 / inputs) * (0.1 if i == len(sizes) - 2 else 1.0)
        parameters[f"weight{i}"] = (scale * rng.standard_normal((inputs, outputs))).astype(np.float32)
        parameters[f"bias{i}"] = np.zeros(outputs, np.float32)
    return parameters


def forward(parameters: Mapping[str, Array], x: Array) -> Array:
    """Outputs (..., sizes[-1]) for inputs (..., sizes[0])."""
    xp = array_namespace(x)
    layers = len(parameters) // 2
    for i in range(layers):
        x = x @ parameters[f"weight{i}"] + parameters[f"bias{i}"]
        if i < layers - 1:
            x = x - xp.mean(x, axis=-1, keepdims=True)
            x = xp.clip(x / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + 1e-5), min=0.0)
    return x


def to_real(z: Array, axes: int) -> Array:
    """Real and imaginary parts of the last ``axes`` axes in one row."""
    xp = array_namespace(z)
    flat = xp.reshape(z, (*z.shape[: z.ndim - axes], -1))
    return xp.concat([xp.real(flat), xp.imag(flat)], axis=-1)


def to_complex(x: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of :func:`to_real`."""
    xp = array_namespace(x)
    half = x.shape[-1] // 2
    return xp.reshape(x[..., :half] + 1j * x[..., half:], (*x.shape[:-1], *shape))
