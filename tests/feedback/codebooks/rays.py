"""Wideband channels of a few rays at a cross-polarised panel."""

import numpy as np

from csisim.feedback.codebooks.panel import Panel


def channels(panel: Panel, subbands: int, batch: int = 12, paths: int = 5, receive: int = 2, seed: int = 0) -> np.ndarray:
    """(B, N3, R, P) in the standard's port order; delays up to 0.15 of what the subbands resolve."""
    rng = np.random.default_rng(seed)
    steps = np.pi * rng.uniform(-1, 1, (2, batch, paths, 1, 1))
    phase = steps[0] * np.arange(panel.n1)[:, None] + steps[1] * np.arange(panel.n2)
    polarised = np.exp(2j * np.pi * rng.random((batch, paths, 2, 1))) * np.exp(1j * phase).reshape(batch, paths, 1, -1)
    waves = np.exp(-2j * np.pi * rng.uniform(0, 0.15, (batch, paths, 1)) * np.arange(subbands))
    at_user = rng.standard_normal((batch, paths, receive, 2)).view(complex)[..., 0]
    return np.einsum("bpk,bpr,bpt->bkrt", waves, at_user, polarised.reshape(batch, paths, -1).conj())


def similarity(directions: np.ndarray, precoder: np.ndarray) -> float:
    """Mean SGCS."""
    inner = np.abs(np.sum(directions.conj() * precoder, axis=-2)) ** 2
    return float(np.mean(inner / np.sum(np.abs(precoder) ** 2, axis=-2)))
