r"""A black box in the place of Kang 2022, Fig. 7: a small autoencoder in the manner of CRNet, a bit for each number of its code.

The image of a channel (2, T, R), real and imaginary parts, passes a residual block of two convolutions and a fully connected layer at
the user; the signs of what comes out are the report. The base station has a fully connected layer and two residual blocks. This is not
the paper's net, whose sizes it does not print: blocks have one path of two 3 x 3 convolutions where CRNet (Lu 2020) has two of several
resolutions, there is no first 5 x 5 layer, and no batch norm, whose statistics a training for the rate would have to carry along. The
gradient of a sign is that of tanh (straight through). No scale factor is reported: that of the channels is part of the weights.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from array_api_compat import array_namespace, device
from pydantic import Field

from csisim.beamforming.digital.oracle import Array, constant
from csisim.feedback.bits import pack, unpack
from csisim.feedback.link_trained import LinkTrained, LinkTrainedState, state_of
from csisim.feedback.report import Report, check_csi
from csisim.random import stream
from csisim.weights import Circumstances, Need, Parameters

#: Sizes that weights are known by.
SIZES = ("num_rx_rf", "num_rf")
_LEAK = 0.3  # slope of every leaky ReLU in the CsiNet family


class BeamCrnetConfig(LinkTrained):
    """Convolutional autoencoder of equivalent channels, the same for every user; no scale factor."""

    kind: Literal["beam_crnet"] = "beam_crnet"
    bits: int = Field(48, ge=1, description="bits of a report, and numbers of the code")
    channels: int = Field(8, ge=1, description="channels between the two convolutions of a block")

    def need(self, circumstances: Circumstances) -> Need:
        """One network for each number of RF chains."""
        return circumstances.need("codec/beam_crnet", self.architecture, *SIZES)

    def through(self, parameters: Mapping[str, Array], csi: Array) -> Array:
        """What the base station decodes of CSI (..., R, T), differentiable straight through."""
        xp = array_namespace(csi)
        code = encoded(parameters, csi)
        soft = xp.tanh(code)
        return decoded(parameters, xp.where(code >= 0.0, 1.0, -1.0) + (soft - constant(soft)), csi.shape[-2:])


def initial(config: BeamCrnetConfig, dims: Mapping[str, int]) -> Parameters:
    """Untrained parameters; residual blocks begin as the identity, the scale as one."""
    numbers, rng = 2 * dims["num_rx_rf"] * dims["num_rf"], stream(0, 0, "beam_crnet.initial")
    layers = {"encode": (numbers, config.bits), "decode": (config.bits, numbers)}
    parameters = {name: (rng.standard_normal(size) * size[0] ** -0.5).astype(np.float32) for name, size in layers.items()}
    for block in range(3):
        first = rng.standard_normal((config.channels, 18)) * 18**-0.5
        parameters |= {f"block{block}_in": first.astype(np.float32), f"block{block}_out": np.zeros((2, 9 * config.channels), np.float32)}
    return parameters | {"scale": np.ones(1, np.float32)}


def encoded(parameters: Mapping[str, Array], csi: Array) -> Array:
    """Codes (..., bits) of CSI (..., R, T), before their signs are taken."""
    xp = array_namespace(csi)
    turned = xp.matrix_transpose(csi)
    image = xp.stack([xp.real(turned), xp.imag(turned)], axis=-3) / parameters["scale"]
    return xp.reshape(_block(parameters, 0, image), (*csi.shape[:-2], -1)) @ parameters["encode"]


def decoded(parameters: Mapping[str, Array], code: Array, size: tuple[int, int]) -> Array:
    """CSI (..., R, T) of signs (..., bits)."""
    xp = array_namespace(code)
    num_rx, num_tx = size
    image = xp.reshape(xp.astype(code, parameters["decode"].dtype) @ parameters["decode"], (*code.shape[:-1], 2, num_tx, num_rx))
    for block in (1, 2):
        image = _block(parameters, block, image)
    image = image * parameters["scale"]
    return xp.matrix_transpose(image[..., 0, :, :] + 1j * image[..., 1, :, :])


class BeamCrnet:
    """The codec: ``bits`` per user and subcarrier."""

    Config = BeamCrnetConfig
    content: ClassVar[Literal["channel", "precoder"]] = "channel"

    def __init__(self, config: BeamCrnetConfig) -> None:
        self.config = config

    def init(self, shape: tuple[int, ...], dtype: np.dtype) -> LinkTrainedState:
        """What both ends know.

        Raises
        ------
        WeightsError
            If there are no weights for these sizes.
        """
        dims = dict(zip(SIZES, shape[3:], strict=True))
        return state_of(self.config, shape, dtype, dims, lambda sizes: initial(self.config, sizes))

    def encode(self, csi: np.ndarray, state: LinkTrainedState) -> tuple[Report, LinkTrainedState]:
        """The report for ``csi`` (D, K, S, R, T).

        Raises
        ------
        CsiError
            If it is not finite, or of another shape than announced.
        """
        check_csi(csi, state.shape)
        bits = (encoded(state.parameters, csi) >= 0.0).reshape(*csi.shape[:2], -1).astype(np.uint8)
        return Report(pack(bits), bits.shape[-1]), state

    def decode(self, report: Report, state: LinkTrainedState) -> tuple[np.ndarray, LinkTrainedState]:
        """The CSI (D, K, S, R, T) that the bits describe."""
        *_, subcarriers, num_rx, num_tx = state.shape
        bits = unpack(report.payload, subcarriers * self.config.bits)
        signs = 2.0 * bits.reshape(*report.payload.shape[:2], subcarriers, -1) - 1.0
        return decoded(state.parameters, signs, (num_rx, num_tx)).astype(state.dtype, copy=False), state


def _block(parameters: Mapping[str, Array], number: int, image: Array) -> Array:
    """An image (..., 2, T, R) and what two convolutions add to it."""
    xp = array_namespace(image)
    wide = _convolved(image, parameters[f"block{number}_in"])
    return image + _convolved(xp.where(wide > 0.0, wide, _LEAK * wide), parameters[f"block{number}_out"])


def _convolved(image: Array, weight: Array) -> Array:
    """3 x 3 convolution of (..., C, T, R) with a weight (O, 9 C) that keeps the size: zeros around."""
    xp = array_namespace(image)
    *_, rows, columns = image.shape
    for axis in (-2, -1):
        edge = xp.zeros_like(image[..., :1, :] if axis == -2 else image[..., :1], device=device(image))
        image = xp.concat([edge, image, edge], axis=axis)
    views = xp.concat([image[..., i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=-3)
    return xp.reshape(weight @ xp.reshape(views, (*views.shape[:-2], -1)), (*views.shape[:-3], -1, rows, columns))
