"""A fully connected network from received pilots to the channel (Kang 2022, Sec. VII-A): the black box beside CEDUN."""

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from array_api_compat import array_namespace
from pydantic import Field

from csisim import dense
from csisim.acquisition.base import Estimate
from csisim.weights import Circumstances, Learned, Need, Parameters, parameters_of

SIZES = ("num_rx_rf", "num_rf", "pilot_length")


class FcEstimatorConfig(Learned):
    """Channel estimate by fully connected layers, the same for every user (Kang 2022, Sec. VII-A)."""

    kind: Literal["fc_net"] = "fc_net"
    hidden: int = Field(256, ge=1, description="units of each of the two hidden layers")

    def need(self, circumstances: Circumstances) -> Need:
        """One network for each number of RF chains and length of the pilots."""
        return circumstances.need("estimator/fc_net", self.architecture, *SIZES, pilots=True)


class FcState(NamedTuple):
    """Parameters, the pilots' amplitude and the sizes of what is estimated."""

    parameters: Parameters
    amplitude: float
    num_rf: int
    length: int


def initial(config: FcEstimatorConfig, dims: Mapping[str, int]) -> Parameters:
    """Untrained parameters."""
    num_rx, num_rf, length = (dims[name] for name in SIZES)
    return dense.initial((2 * num_rx * length, config.hidden, config.hidden, 2 * num_rx * num_rf))


def forward(parameters: Mapping[str, dense.Array], received: dense.Array, amplitude: float, num_rf: int) -> dense.Array:
    """Channels (..., R, T) from received pilots (..., R, L) whose symbols have this norm."""
    xp = array_namespace(received)
    num_rx = received.shape[-2]
    estimate = dense.to_complex(dense.forward(parameters, dense.to_real(received / amplitude, 2)), (num_rx, num_rf))
    return xp.astype(estimate, received.dtype)


class FcEstimator:
    """Fully connected layers behind the scenario's own pilots."""

    Config = FcEstimatorConfig
    uses_pilots: ClassVar[bool] = True
    needs_covariance: ClassVar[bool] = False

    def __init__(self, config: FcEstimatorConfig) -> None:
        self.config = config

    def init(self, pilots: np.ndarray, noise_power: float, covariance: np.ndarray | None = None) -> FcState:
        """State for pilots (K|1, T, L)."""
        amplitude = float(np.linalg.norm(pilots.sum(0), axis=-2).mean())
        return FcState({}, amplitude, *pilots.shape[-2:])

    def update(self, received: np.ndarray, state: FcState) -> tuple[Estimate, FcState]:
        """The estimate from received pilots (D, K, S, R, L); no error is predicted.

        Raises
        ------
        WeightsError
            If there are no weights for these sizes.
        """
        if not state.parameters:
            dims = dict(zip(SIZES, (received.shape[-2], state.num_rf, state.length), strict=True))
            state = state._replace(parameters=parameters_of(self.config, "estimator", dims, lambda sizes: initial(self.config, sizes)))
        estimate = forward(state.parameters, received, state.amplitude, state.num_rf).astype(received.dtype, copy=False)
        return Estimate(estimate, np.zeros((1, 1))), state
