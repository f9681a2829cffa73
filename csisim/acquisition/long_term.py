r"""Full CSI from one pilot block: the long-term CEDUN of the online framework (Kang 2022, Sec. VI-A and Fig. 6a).

A block is sent through :math:`\tilde F_{RF}` and heard through :math:`\tilde W_{RF}`,

.. math:: Y_k = \tilde W_k^H H_k \tilde F \tilde X + \tilde W_k^H Z_k,

in orthonormal beam coordinates. The layers of :mod:`csisim.acquisition.cedun` estimate :math:`\tilde W_k^H H_k \tilde F` from it, and
:math:`\hat H_k = B_k (\cdot) A_k` goes back to the antennas. One block has R T numbers for the r t coefficients of a channel: whatever
lies outside its beams is unknown, and for known statistics nothing beats the LMMSE estimate of the whole channel from the block. The
books have Q_f for a block (eq. 47), which pays for new pilots each time.

Untrained, the layers are RLS, every acquisition has DFT beams of its own, drawn at random, and the way back is their adjoint: least
squares through the beams. A scheme that collects acquisitions thus sees one part of the beam space after the other. Trained
(task ``long_term``), beams, pilots, layers and the way back are those of least error, the same in every acquisition: worth it where the
statistics are narrow. For angles in a whole sector the trained block gains 0.14 dB on knowing nothing, the untrained one 0.13 (one
user, 64 and 32 antennas, 16 and 4 chains, 10 dB, one training of 100 steps); within 20 degrees of broadside it has 2.5 dB where DFT beams
at broadside have 1.7 (three users, 16 and 8 antennas, 4 and 2 chains, 80 steps). Validation scores.

For four users of the main job's channel, eight acquisitions a frame and shipped layers, learned phases climb from 32 to 62 bit/s/Hz in
16 frames of untrained blocks (error 0.97 of each channel), to 90 with the genie's CSI (four drops, one seed).
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from csisim.acquisition import cedun
from csisim.acquisition.cedun import affine_map, amplitude, unit_pilots
from csisim.beamforming.digital.oracle import Array
from csisim.channel.base import ChannelState, DenseState
from csisim.phy.beams import Beams
from csisim.phy.dims import Dims
from csisim.phy.power import constant_modulus
from csisim.random import complex_normal
from csisim.registry import Component
from csisim.weights import Need, Parameters, load

#: Sizes that weights are known by, beside the length of the block.
SIZES = ("num_tx", "num_rf", "num_rx", "num_rx_rf", "num_users")


class LongTermConfig(Component):
    """One block through pilots and unfolded RLS, and what it tells of the whole channel (Kang 2022, Fig. 6a)."""

    kind: Literal["cedun"] = "cedun"
    weights: str | None = Field(None, description="file of weights; null is untrained, through other DFT beams in every acquisition")
    loading: float = Field(0.1, gt=0, description="initial loading delta, relative to the power of one pilot symbol")

    @field_validator("weights")
    @classmethod
    def _is_a_file(cls, weights: str | None) -> str | None:
        if weights is not None and not weights.endswith(".safetensors"):
            raise ValueError(f"{weights!r} is no .safetensors file")
        return weights


def need(config: LongTermConfig, dims: Mapping[str, int]) -> Need:
    """The weights that a configuration asks for; fewer users than trained are served."""
    return Need("full_csi/cedun", {"loading": config.loading}, {name: dims[name] for name in (*SIZES, "pilot_length")})


def initial(dims: Mapping[str, int], pilots: np.ndarray, rx_first: int = 0, tx_first: int = 0) -> Parameters:
    """Untrained parameters around pilots (T, L): DFT beams from ``rx_first`` and ``tx_first`` on, RLS, and their adjoints."""
    phi_w, phi_f = (
        _dft_phases(dims[n], dims[chains], first)
        for n, chains, first in (("num_rx", "num_rx_rf", rx_first), ("num_tx", "num_rf", tx_first))
    )
    users = (dims["num_users"], 1, 1)
    return cedun.initial(dims, pilots) | {
        "phi_w": np.tile(phi_w, users),
        "phi_f": phi_f,
        "back_rx": np.tile(constant_modulus(phi_w, np.dtype(np.complex64)), users),
        "back_tx": np.tile(constant_modulus(phi_f, np.dtype(np.complex64)).conj().T, users),
    }


def recover(parameters: Mapping[str, Array], channel: Array, noise: Array, size: float, loading: float) -> Array:
    """The whole channels (..., K, r, t) from a block.

    Parameters
    ----------
    parameters : dict
        For exactly K users.
    channel : (..., K, R, T) complex
        The channel in orthonormal coordinates of the block's beams.
    noise : (..., K, R, L) complex
    size : float
        Norm of a pilot symbol.
    loading : float
    """
    layers = {name: value for name, value in parameters.items() if name not in ("phi_w", "phi_f", "back_rx", "back_tx")}
    x = unit_pilots(layers)
    matrix, offset = affine_map({name: value for name, value in layers.items() if name != "pilots"}, x, size, loading)
    return parameters["back_rx"] @ ((size * (channel @ x) + noise) @ matrix + offset) @ parameters["back_tx"]


def first_users(parameters: Mapping[str, np.ndarray], num_users: int) -> Parameters:
    """The parameters of the first users."""
    return {name: value if name in ("pilots", "phi_f") else value[:num_users] for name, value in parameters.items()}


class LongTermCedun:
    """Full CSI of one link from single pilot blocks.

    Parameters
    ----------
    config : LongTermConfig
    dims : Dims
    pilots : (K|1, T, L) complex
        The scenario's: they say how long a block is and what a symbol may radiate.
    noise_power : float

    Raises
    ------
    WeightsError
        If the file of weights does not fit.
    """

    def __init__(self, config: LongTermConfig, dims: Dims, pilots: np.ndarray, noise_power: float) -> None:
        self.config, self.dims, self.noise_power = config, dims, noise_power
        self.size, self.sent = amplitude(pilots[:1]), pilots[0]
        self.sizes = {name: getattr(dims, name) for name in SIZES} | {"pilot_length": pilots.shape[-1]}
        self.trained: Parameters | None = None
        if config.weights is not None:
            trained = load(config.weights, need(config, self.sizes), lambda sizes: initial(sizes, self.sent))
            self.trained = first_users(trained, dims.num_users)

    def acquire(self, state: ChannelState, rng: np.random.Generator) -> ChannelState:
        """What one block tells of a state; ``rng`` chooses untrained beams and draws the noise, user axis first."""
        first = [int(chains * rng.integers(-(-n // chains))) for n, chains in self._ends()]
        parameters = self.trained or initial(self.sizes, self.sent, *first)
        beams = Beams.of(constant_modulus(parameters["phi_f"][None]), constant_modulus(parameters["phi_w"][None]))
        dtype = self.dims.complex_dtype
        seen = state.project(beams.w_orthonormal.astype(dtype), beams.f_orthonormal.astype(dtype))  # (D, K, S, R, T)
        drops, users, subcarriers, num_rx, _ = seen.shape
        noise = complex_normal(rng, (users, drops, subcarriers, num_rx, self.sent.shape[-1]), dtype)
        at_antennas = recover(
            parameters, seen.swapaxes(1, 2), self.noise_power**0.5 * np.moveaxis(noise, 0, 2), self.size, self.config.loading
        )
        return DenseState(at_antennas.swapaxes(1, 2).astype(dtype))

    def _ends(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.dims.num_rx, self.dims.num_rx_rf), (self.dims.num_tx, self.dims.num_rf)


def _dft_phases(antennas: int, chains: int, first: int) -> np.ndarray:
    """Phases (antennas, chains) of neighbouring DFT beams, float32."""
    beams = (first + np.arange(chains)) % antennas
    turns = np.arange(antennas)[:, None] * beams % antennas / antennas
    return (2 * np.pi * turns).astype(np.float32)
