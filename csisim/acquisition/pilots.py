r"""Pilots: what is sent, with which power, and how many symbols it takes.

Three ways to share the air (``access``):

``broadcast``
    The base station sends one block of L symbols that every user listens to; nobody interferes. With the common analog
    precoder this is the reading that fits Kang 2022, Table I.
``tdma``
    One block of L symbols per user, K L symbols in all; the observation is the same as for ``broadcast``.
``kang_eq4``
    Kang 2022, eq. (4) to the letter: all users' pilots are on the air at once and every one of them reaches user k through
    user k's own channel, :math:`Y_k = C_k \sum_u X_u + Z`.

Two readings of the pilot power P (``power``): ``per_column`` is the paper's text, :math:`\|x_l\|^2 = P` in eq. (7e);
``per_rf_chain`` is what its Table I needs, :math:`\|x_l\|^2 = N_{RF} P`, that is :math:`|x_{il}|^2 = P` for DFT pilots.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from csisim.random import complex_normal
from csisim.registry import Component


class PilotConfig(Component):
    """Known symbols that the base station sends through its beams, block by block."""

    kind: Literal["dft", "gaussian", "orthogonal", "identical"] = "dft"
    length: Literal["num_rf"] | Annotated[int, Field(gt=0)] = Field("num_rf", description="pilot symbols L of one block")
    power: Literal["per_rf_chain", "per_column"] = Field("per_rf_chain", description="what has power P: |x_il|^2, or ||x_l||^2 (eq. 7e)")
    precoding: Literal["whitened", "none"] = Field("whitened", description="sent through F (F^H F)^(-1/2), or through F")
    access: Literal["broadcast", "tdma", "kang_eq4"] = Field("broadcast", description="one block for all users, one each, or all at once")
    combining_noise: Literal["coloured", "white"] = Field("coloured", description="noise W^H Z, or CN(0, sigma^2) after combining")


def pilot_length(config: PilotConfig, num_rf: int) -> int:
    """Symbols L of one pilot block."""
    return num_rf if config.length == "num_rf" else config.length


def pilot_symbols(config: PilotConfig, num_rf: int, num_users: int) -> int:
    """Symbols on the air until every user has heard its pilots: L, or K L with ``tdma``."""
    return pilot_length(config, num_rf) * (num_users if config.access == "tdma" else 1)


def pilot_matrix(config: PilotConfig, num_rf: int, num_users: int, rng: np.random.Generator) -> np.ndarray:
    r"""Pilot matrices X for P = 1.

    ``dft``
        Row i of user u is row u T + i (modulo the size) of a DFT of size max(L, T). With ``kang_eq4`` the users are exactly
        orthogonal if and only if L >= K T; below that their rows alias (L = T: all users send the same pilots).
    ``gaussian``
        Independent complex normal entries, columns scaled to the exact power.
    ``orthogonal``
        The DFT rows of each user mixed by that user's random unitary matrix: X X^H and the power of every column stay exact.
    ``identical``
        Every user sends the same DFT pilots. Under ``kang_eq4`` they add up to one pilot of K times the amplitude (K^2 times
        the power), and that sum is what is returned, so an estimator that knows it returns C and not K C.

    Parameters
    ----------
    config : PilotConfig
    num_rf, num_users : int
        T and K.
    rng : numpy.random.Generator
        Used by ``gaussian`` and ``orthogonal``.

    Returns
    -------
    (K|1, T, L) complex128
        One matrix per user for ``kang_eq4`` with distinct pilots, else one for all (leading axis 1).
        Orthogonal rows have :math:`X X^H = L I` (``per_rf_chain``) or :math:`(L / T) I` (``per_column``).
    """
    length = pilot_length(config, num_rf)
    distinct = config.access == "kang_eq4" and config.kind != "identical"
    users = num_users if distinct else 1
    if config.kind == "gaussian":
        pilots = complex_normal(rng, (users, length, num_rf), np.complex128).swapaxes(-1, -2)
        pilots = pilots * np.sqrt(num_rf) / np.linalg.norm(pilots, axis=-2, keepdims=True)
    else:
        size = max(length, num_rf)
        rows = np.arange(users * num_rf).reshape(users, num_rf, 1)
        turns = rows * np.arange(length) % size / size  # reduced to one turn as integers: exact phases at any length
        pilots = np.exp(-2j * np.pi * turns)
        if config.kind == "orthogonal":
            mixing, _ = np.linalg.qr(complex_normal(rng, (users, num_rf, num_rf), np.complex128))
            pilots = mixing @ pilots
    if config.kind == "identical" and config.access == "kang_eq4":
        pilots = num_users * pilots
    return pilots / np.sqrt(num_rf) if config.power == "per_column" else pilots
