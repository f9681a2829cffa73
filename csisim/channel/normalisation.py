"""How strong a channel is: the mean of ||H||_F^2 / (N_r N_t) behind each name."""

from typing import Literal

import numpy as np

Normalisation = Literal["unit", "kang", "hu", "per_drop"]

#: ``per_drop`` scales every realisation to this mean over a drop's users and subcarriers; the others hold for the ensemble.
MEAN_POWER = {"unit": 1.0, "kang": 0.1, "hu": 2.0, "per_drop": 1.0}


def per_drop_scale(power: np.ndarray, target: float) -> np.ndarray:
    """Amplitude (D, 1, 1, 1) that brings each drop's mean of ``power`` = ||H||_F^2 (D, K, S) to ``target``."""
    return np.sqrt(target / power.mean(axis=(1, 2)))[:, None, None, None]


def scaled_per_drop(h: np.ndarray, target: float) -> np.ndarray:
    """Dense channels (D, K, S, r, t), each drop's mean of ||H||_F^2 scaled to ``target``."""
    power = np.einsum("dksrt,dksrt->dks", h, h.conj()).real
    return h * per_drop_scale(power, target)[..., None]
