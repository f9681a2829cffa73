"""Random numbers inside kernels: SplitMix64, keyed so that every cluster has its own numbers wherever it is built.

A key names a stream. ``child`` makes a key's descendants, so a cluster is a pure function of (environment, cluster number) and only
visible clusters need to be built, whichever they are and in whatever order.
"""

import math

import numpy as np
from numba import njit

kernel = njit(cache=True, error_model="numpy")

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@kernel
def child(key, index):
    """The key of a key's descendant number ``index``; works on arrays of keys in plain NumPy too (``child.py_func``)."""
    z = key + _GOLDEN * (np.uint64(index) + np.uint64(1))
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@kernel
def uniform(state):
    """Uniform in (0, 1]; ``state`` (1,) uint64 moves on."""
    z = state[0] + _GOLDEN
    state[0] = z
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    z = z ^ (z >> _31)
    return (np.float64(z >> _11) + 1.0) * 1.1102230246251565e-16


@kernel
def pair(state):
    """Two independent standard normal numbers (Box-Muller)."""
    radius = math.sqrt(-2.0 * math.log(uniform(state)))
    angle = 2.0 * math.pi * uniform(state)
    return radius * math.cos(angle), radius * math.sin(angle)


@kernel
def poisson(state, mean):
    """Poisson number by multiplication of uniforms: for small means."""
    limit, product, count = math.exp(-mean), uniform(state), 0
    while product > limit:
        product *= uniform(state)
        count += 1
    return count


@kernel
def in_disc(state, radius):
    """A point uniform in a disc around the origin."""
    while True:
        x, y = 2.0 * uniform(state) - 1.0, 2.0 * uniform(state) - 1.0
        if x * x + y * y <= 1.0:
            return radius * x, radius * y


def keys(root: np.random.Generator | np.uint64, indices: np.ndarray) -> np.ndarray:
    """Keys (n,) uint64 of the numbered descendants of a root key (drawn when a generator is given)."""
    if isinstance(root, np.random.Generator):
        root = root.integers(0, 2**64, dtype=np.uint64)
    return np.asarray(child.py_func(np.full(np.shape(indices), root, np.uint64), np.asarray(indices).astype(np.uint64)))
