r"""The black box: a convolutional network that guesses WMMSE's combiners and weights (Hu 2021, Section V-A).

Its picture is the Gram matrix :math:`G = H H^H / (2 T)` of the stacked channel (K R x K R), real and imaginary part; then
convolutions with normalisation and leaky ReLU, a hidden layer, and a last one whose outputs are :math:`U_k` and the Cholesky
factors of :math:`W_k`. The precoder follows from them as in WMMSE's last step (eq. 17). Its bias starts at U = I and W = I, so
that the untrained network is regularised zero forcing.

Instead of batch normalisation every sample is normalised by itself: a result must not depend on the rest of its batch.
Everything is written against the array API; a scenario that runs it needs no torch.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array
from pydantic import Field

from csisim.beamforming.digital.iaidnn import SIZES, scaled
from csisim.beamforming.digital.linear import fold, unfold
from csisim.beamforming.digital.oracle import Array, best_precoder, identity
from csisim.beamforming.digital.wmmse import separate
from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint
from csisim.phy.power import normalise
from csisim.weights import Circumstances, Learned, Need, parameters_of

Parameters = dict[str, Any]

_LEAK = 0.3  # of the leaky ReLU, as in the authors' code
_TOTAL = PowerBudget("total", 1.0)


class CnnConfig(Learned):
    """Black-box precoder: a convolutional network from the Gram matrix to WMMSE's combiners and weights (Hu 2021)."""

    kind: Literal["cnn"] = "cnn"
    convolutions: int = Field(3, ge=1, description="convolutional layers")
    kernel: int = Field(5, ge=1, description="side of their kernels, odd")
    channels: int = Field(32, ge=1, description="their channels")
    hidden: int = Field(1024, ge=1, description="size of the fully connected layer")

    def need(self, circumstances: Circumstances) -> Need:
        """Weights for this size and channel."""
        return circumstances.need("digital/cnn", self.architecture, *SIZES)


class Cnn:
    """Black-box precoder for a total power constraint; one per user is met by scaling every user's precoder."""

    Config = CnnConfig
    single_user: ClassVar[bool] = False

    def __init__(self, config: CnnConfig) -> None:
        self.config = config
        self._parameters: dict[tuple[int, ...], Parameters] = {}

    def design(self, channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int) -> tuple[np.ndarray, None]:
        """Precoder (D, K, S, T, n) for a channel (D, K, S, R, T); combiners are the MMSE ones."""
        h = fold(channel).astype(np.complex128)
        _, users, num_rx, num_tx = h.shape
        size = (users, num_rx, num_tx, num_streams)
        if size not in self._parameters:
            dims = dict(zip(SIZES, size, strict=True))
            self._parameters[size] = parameters_of(self.config, "digital", dims, lambda there: initial(self.config, there))
        trained = self._parameters[size]["b_out"].shape[0] // outputs(1, num_rx, num_streams)
        unit, ratio = scaled(h, noise_power / power.total)
        # users that it was trained for and that are not there are zeros in its picture
        u, w = guess(self._parameters[size], np.pad(unit, ((0, 0), (0, trained - users), (0, 0), (0, 0))), num_streams)
        precoder = precode(unit, u[:, :users], w[:, :users], ratio)
        precoder = normalise(precoder, PowerBudget("total", power.total))
        return unfold(normalise(separate(h, precoder, noise_power), power).astype(channel.dtype), channel.shape[2]), None


def parameter_dimension(
    num_tx: int, num_rx: int, num_users: int, kernel: int = 5, channels: int = 32, layers: int = 4, out: int = 1024
) -> int:
    """Real parameters as the paper counts them, sum of S^2 C_{l-1} C_l over L - 2 convolutions, and K R T C_{L-2} C_out."""
    sizes = [1, *[channels] * (layers - 2)]
    convolutions = sum(kernel**2 * a * b for a, b in pairwise(sizes))
    return convolutions + num_users * num_rx * num_tx * sizes[-1] * out


def outputs(num_users: int, num_rx: int, num_streams: int) -> int:
    """Real outputs: U_k, and as many for W_k as a Hermitian matrix has."""
    return num_users * (2 * num_rx * num_streams + num_streams**2)


def initial(config: CnnConfig, dims: Mapping[str, int], rng: np.random.Generator | None = None) -> Parameters:
    """Random parameters, float32, but for the last bias (U = I, W = I) and the last matrix, which is zero."""
    users, num_rx, n = dims["num_users"], dims["num_rx_rf"], dims["num_streams"]
    rng = np.random.default_rng(0) if rng is None else rng
    pixels, parameters, there = (users * num_rx) ** 2, {}, 2
    for i in range(config.convolutions):
        fan_in = there * config.kernel**2
        parameters[f"c{i}"] = rng.standard_normal((fan_in, config.channels)) * np.sqrt(2.0 / fan_in)
        parameters[f"g{i}"], parameters[f"b{i}"] = np.ones(config.channels), np.zeros(config.channels)
        there = config.channels
    parameters["hidden"] = rng.standard_normal((there * pixels, config.hidden)) * np.sqrt(2.0 / (there * pixels))
    parameters["b_hidden"] = np.zeros(config.hidden)
    parameters["out"] = np.zeros((config.hidden, outputs(users, num_rx, n)))
    bias = np.zeros((users, 2 * num_rx * n + n * n))
    bias[:, : num_rx * n] = np.eye(num_rx, n).ravel()
    bias[:, 2 * num_rx * n :] = np.eye(n).ravel()
    parameters["b_out"] = bias.ravel()
    return {name: value.astype(np.float32) for name, value in parameters.items()}


def precode(channel: Array, u: Array, w: Array, ratio: Array) -> Array:
    """Precoders (B, K, T, n) of unit power from combiners and weights, for noise over transmit power (B,) (Hu 2021, eq. 17)."""
    return best_precoder(channel, u, u @ w, ratio[:, None, None, None], _TOTAL, "closed")


def guess(parameters: Parameters, channel: Array, num_streams: int) -> tuple[Array, Array]:
    """Combiners U (B, K, R, n) and weights W (B, K, n, n), positive definite, of the channel's type."""
    xp = array_namespace(channel)
    batch, users, num_rx, num_tx = channel.shape
    side, n = users * num_rx, num_streams
    h = xp.reshape(channel, (batch, side, num_tx))
    gram = h @ adjoint(h) / (2.0 * num_tx)
    x = xp.astype(xp.stack([xp.real(gram), xp.imag(gram)], axis=1), parameters["b_out"].dtype)  # (B, 2, M, M)
    layer = 0
    while f"c{layer}" in parameters:
        x = _convolve(x, parameters[f"c{layer}"])
        x = x - xp.mean(x, axis=(1, 2, 3), keepdims=True)
        x = x / xp.sqrt(xp.mean(x**2, axis=(1, 2, 3), keepdims=True) + 1e-5)
        x = _leaky(x * parameters[f"g{layer}"][:, None, None] + parameters[f"b{layer}"][:, None, None])
        layer += 1
    x = _leaky(xp.reshape(x, (batch, -1)) @ parameters["hidden"] + parameters["b_hidden"])
    y = xp.astype(x @ parameters["out"] + parameters["b_out"], xp.real(channel).dtype)
    y = xp.reshape(y, (batch, users, -1))
    size = num_rx * n
    u = xp.reshape(y[..., :size] + 1j * y[..., size : 2 * size], (batch, users, num_rx, n))
    entries = xp.reshape(y[..., 2 * size :], (batch, users, n, n))
    # the lower triangle holds real parts, the upper one the imaginary parts of the factor below the diagonal
    factor = xp.tril(entries) + 1j * xp.matrix_transpose(xp.triu(entries, k=1))
    w = factor @ adjoint(factor) + 1e-3 * identity(factor, n)
    return xp.astype(u, channel.dtype), xp.astype(w, channel.dtype)


def _convolve(x: Array, weights: Array) -> Array:
    """'Same' convolution of (B, C, M, M) with (C s s, C'): torch's own, a third of the time to train, or gathered neighbourhoods."""
    xp = array_namespace(x)
    batch, channels, side, _ = x.shape
    size = round((weights.shape[0] / channels) ** 0.5)
    margin = size // 2
    if is_torch_array(x):
        return xp.nn.functional.conv2d(x, xp.reshape(weights.T, (-1, channels, size, size)), padding=margin)
    wide = side + 2 * margin
    rows = xp.zeros((batch, channels, margin, side), dtype=x.dtype, device=device(x))
    columns = xp.zeros((batch, channels, wide, margin), dtype=x.dtype, device=device(x))
    x = xp.concat([columns, xp.concat([rows, x, rows], axis=2), columns], axis=3)
    pixel = np.arange(side)[:, None] * wide + np.arange(side)
    window = np.arange(size)[:, None] * wide + np.arange(size)
    index = xp.asarray((pixel.reshape(-1, 1) + window.reshape(-1)).reshape(-1), device=device(x))
    patches = xp.reshape(xp.take(xp.reshape(x, (batch, channels, -1)), index, axis=2), (batch, channels, side * side, size * size))
    patches = xp.reshape(xp.permute_dims(patches, (0, 2, 1, 3)), (batch, side * side, -1))
    return xp.reshape(xp.matrix_transpose(patches @ weights), (batch, -1, side, side))


def _leaky(x: Array) -> Array:
    return array_namespace(x).where(x > 0.0, x, _LEAK * x)
