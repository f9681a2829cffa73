"""IAIDNN run by its compiled kernel: named parameters in, rates, precoders and named gradients out."""

from typing import Literal, NamedTuple

import numpy as np

from csisim.beamforming.digital.iaidnn_kernel import backwards, forwards

#: reciprocals of diagonals (Hu 2021, eq. 15), or inverses (Section VI-E)
Structure = Literal["plain", "improved"]
#: trainable matrices of each approximate inverse, in the kernel's order
_KINDS = ("x", "z", "y", "p")
#: problems whose intermediate results are in memory at once
_CHUNK = 16


class _State(NamedTuple):
    """Everything on the way forwards that the way back needs, of a few problems; layer L is the network's end."""

    v: np.ndarray  # (B, L + 1, K, T, n) precoders in front of each layer
    f: np.ndarray  # (B, L + 1, K, K, R, n) what user k receives of user m, H_k V_m
    a: np.ndarray  # (B, L + 1, K, R, R)
    a_inverse: np.ndarray
    u: np.ndarray  # (B, L, K, R, n)
    e: np.ndarray  # (B, L, K, n, n)
    e_inverse: np.ndarray
    w: np.ndarray  # (B, L, K, n, n)
    r: np.ndarray  # (B, L, K, T, n) H_k^H U_k
    s: np.ndarray  # (B, L, K, T, n) omega_k H_k^H U_k W_k
    b: np.ndarray  # (B, L, T, T)
    b_inverse: np.ndarray
    c_inverse: np.ndarray  # (B, K, R, R) of interference plus noise
    norm: np.ndarray  # (B, L) scale of each layer's precoders
    mean: np.ndarray  # (B, L) mean eigenvalue of B where the users are

    @classmethod
    def empty(cls, batch: int, layers: int, users: int, num_rx: int, num_tx: int, n: int) -> "_State":
        shapes = (
            (layers + 1, users, num_tx, n),
            (layers + 1, users, users, num_rx, n),
            *[(layers + 1, users, num_rx, num_rx)] * 2,
            (layers, users, num_rx, n),
            *[(layers, users, n, n)] * 3,
            *[(layers, users, num_tx, n)] * 2,
            *[(layers, num_tx, num_tx)] * 2,
            (users, num_rx, num_rx),
        )
        matrices = [np.empty((batch, *shape), np.complex128) for shape in shapes]
        return cls._make([*matrices, np.empty((batch, layers)), np.empty((batch, layers), np.complex128)])


def evaluate(
    parameters: dict[str, np.ndarray],
    channel: np.ndarray,
    start: np.ndarray,
    ratio: np.ndarray,
    structure: Structure,
    *,
    user_weights: np.ndarray | None = None,
    true: np.ndarray | None = None,
    gradient: bool = False,
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Run the network of :func:`csisim.beamforming.digital.iaidnn.forward`, and differentiate the mean rate.

    Parameters
    ----------
    channel : (B, K, R, T) complex
        What the network sees.
    start : (B, K, T, n) complex
        First precoders, of any norm.
    ratio : (B,) real
        Noise over transmit power.
    user_weights : (K,), optional
    true : (B, K, R, T) complex, optional
        What the rate is measured on; by default what the network sees.

    Returns
    -------
    rates : (B,)
        Weighted sum rates in nats.
    precoder : (B, K, T, n) complex128
        Of squared norm K R / (2 T).
    gradients : dict
        Of the mean rate, named as the parameters; empty without ``gradient``.
    """
    batch, users, num_rx, num_tx = channel.shape
    n = start.shape[-1]
    power = users * num_rx / (2.0 * num_tx)
    norm = np.sum(start.real**2 + start.imag**2, axis=(1, 2, 3), keepdims=True)
    first = start * np.sqrt(power / norm)
    seen, measured = (np.ascontiguousarray(h, np.complex128) for h in (channel, channel if true is None else true))
    ratios = np.ascontiguousarray(np.broadcast_to(ratio, (batch,)), np.float64)
    omega = np.ones(users) if user_weights is None else np.ascontiguousarray(user_weights, np.float64)
    theta = _pack(parameters, users, num_rx, num_tx, n)
    flags = structure == "improved", "u_y" in parameters, parameters["u_x"].ndim == 1
    slopes = tuple(np.zeros_like(p) for p in theta) if gradient else ()
    rates, precoder = np.empty(batch), np.empty((batch, users, num_tx, n), np.complex128)
    state = _State.empty(min(batch, _CHUNK), len(theta[0]), users, num_rx, num_tx, n)
    for begin in range(0, batch, _CHUNK):
        part = slice(begin, min(begin + _CHUNK, batch))
        state.v[: part.stop - begin, 0] = first[part]
        problem = seen[part], measured[part], ratios[part], omega
        forwards(*problem, power, *flags, *theta, *state, rates[part])
        precoder[part] = state.v[: part.stop - begin, -1]
        if gradient:
            backwards(*problem, *flags, *theta, *state, *slopes)
    return rates, precoder, _unpack(slopes, parameters, batch) if gradient else {}


def _pack(parameters: dict[str, np.ndarray], users: int, num_rx: int, num_tx: int, n: int) -> tuple[np.ndarray, ...]:
    """The kernel's arrays; scalars of a tied network become multiples of the identity, what is absent stays neutral."""
    packed: list[np.ndarray] = []
    for stage, size in (("u", num_rx), ("w", n), ("v", num_tx)):
        layers = len(parameters[f"{stage}_x"])
        theta = np.zeros((layers, users, 4, size, size), np.complex128)
        theta[:, :, 3] = np.eye(size)
        for i, name in enumerate(_KINDS):
            value = parameters.get(f"{stage}_{name}")
            if value is not None:
                theta[:, :, i] = value if value.ndim == 4 else value[:, None, None, None] * np.eye(size)
        packed.append(theta)
        if stage != "w":
            offset = np.zeros((layers, users, size, n), np.complex128)
            offset += parameters.get(f"{stage}_o", 0.0)
            packed.append(offset)
    return tuple(packed)


def _unpack(slopes: tuple[np.ndarray, ...], parameters: dict[str, np.ndarray], batch: int) -> dict[str, np.ndarray]:
    gu, guo, gw, gv, gvo = slopes
    gradients = {"u_o": guo, "v_o": gvo}
    for stage, slope in (("u", gu), ("w", gw), ("v", gv)):
        gradients |= {f"{stage}_{name}": slope[:, :, i] for i, name in enumerate(_KINDS)}
    result = {}
    for name, value in parameters.items():
        slope = gradients[name] / batch
        if value.ndim == 1:  # a multiple of the identity, the same for all users
            slope = np.trace(slope, axis1=-2, axis2=-1).sum(axis=-1)
        result[name] = slope
    return result
