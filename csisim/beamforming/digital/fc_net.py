"""A fully connected network from channels to precoders (Kang 2022, Sec. VII-A): the black box beside HBDUN."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from array_api_compat import array_namespace
from pydantic import Field

from csisim import dense
from csisim.beamforming.digital.linear import fold, unfold
from csisim.beamforming.digital.oracle import Array, normalise
from csisim.phy.dims import PowerBudget
from csisim.weights import Circumstances, Learned, Need, Parameters, parameters_of

SIZES = ("num_users", "num_rx_rf", "num_rf", "num_streams")


class FcPrecoderConfig(Learned):
    """Precoder by fully connected layers (Kang 2022, Sec. VII-A)."""

    kind: Literal["fc_net"] = "fc_net"
    hidden: int = Field(512, ge=1, description="units of each of the two hidden layers")

    def need(self, circumstances: Circumstances) -> Need:
        """One network for each number of RF chains; it serves fewer users, whose channels are zero."""
        return circumstances.need("digital/fc_net", self.architecture, *SIZES)


def initial(config: FcPrecoderConfig, dims: Mapping[str, int]) -> Parameters:
    """Untrained parameters; beside the layers a linear map goes from inputs to outputs."""
    users, num_rx, num_tx, streams = (dims[name] for name in SIZES)
    inputs, outputs = 2 * users * num_rx * num_tx, 2 * users * num_tx * streams
    layers = dense.initial((inputs, config.hidden, config.hidden, outputs))
    return layers | {"shortcut": np.zeros((inputs, outputs), np.float32)}


def forward(parameters: Mapping[str, Array], channel: Array, num_streams: int, power: PowerBudget) -> Array:
    """Precoders (..., K, T, n) for channels (..., K, R, T) that are scaled to one mean power first."""
    xp = array_namespace(channel)
    *_, users, num_rx, num_tx = channel.shape
    inputs = dense.to_real(channel, 3)
    inputs = inputs / xp.sqrt(xp.mean(inputs * inputs, axis=-1, keepdims=True) + 1e-12)
    missing = (parameters["weight0"].shape[0] // (2 * num_rx * num_tx)) - users
    if missing:
        inputs = _padded(inputs, missing * num_rx * num_tx)
    layers = {name: value for name, value in parameters.items() if name != "shortcut"}
    precoder = dense.forward(layers, inputs) + inputs @ parameters["shortcut"]
    half = precoder.shape[-1] // 2
    kept = users * num_tx * num_streams
    precoder = xp.concat([precoder[..., :kept], precoder[..., half : half + kept]], axis=-1)
    return normalise(xp.astype(dense.to_complex(precoder, (users, num_tx, num_streams)), channel.dtype), power)


def _padded(inputs: Array, count: int) -> Array:
    """Zeros after the real and after the imaginary parts: users that are not there."""
    xp = array_namespace(inputs)
    half = inputs.shape[-1] // 2
    real, imaginary = inputs[..., :half], inputs[..., half:]
    nothing = xp.zeros((*inputs.shape[:-1], count), dtype=inputs.dtype)
    return xp.concat([real, nothing, imaginary, nothing], axis=-1)


class FcPrecoder:
    """Fully connected layers on all users' channels at once; combiners are the MMSE ones."""

    Config = FcPrecoderConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config: FcPrecoderConfig) -> None:
        self.config = config
        self._ready: tuple[tuple[int, ...], Parameters] | None = None

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T).

        Raises
        ------
        WeightsError
            If there are no weights for these sizes.
        """
        flat = fold(channel)
        sizes = (*flat.shape[1:], num_streams)
        if self._ready is None or self._ready[0] != sizes:
            dims = dict(zip(SIZES, sizes, strict=True))
            self._ready = (sizes, parameters_of(self.config, "digital", dims, lambda found: initial(self.config, found)))
        precoder = forward(self._ready[1], flat, num_streams, power)
        return unfold(precoder.astype(channel.dtype, copy=False), channel.shape[2]), None
