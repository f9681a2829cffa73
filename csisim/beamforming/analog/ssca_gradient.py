r"""The gradient of the sum rate with respect to the phases of both analog beamformers, in closed form.

At the MMSE receiver the rate's gradient is minus that of the weighted error :math:`\sum \lambda_{kl} \epsilon_{kl}` with
:math:`\lambda = 1 / \epsilon`. With the digital beamformers held, and the transmit power restored after every move of the phases,
only products of small matrices remain: the formula runs on path gains, never differentiates a whitening, and multiplies by the
array responses once per drop and step while all samples share them.
"""

import numpy as np

from csisim.beamforming.analog.second_order import side_by_side
from csisim.beamforming.base import DigitalDesigner
from csisim.beamforming.digital.sca import sca
from csisim.channel.base import PathSamples
from csisim.phy.beams import inverse_sqrt
from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint
from csisim.phy.rates import mmse_combiner


def gradient(
    samples: PathSamples,
    f: np.ndarray,
    w: np.ndarray,
    noise_power: float,
    power: PowerBudget,
    num_streams: int,
    inner_iterations: int,
    digital: DigitalDesigner | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Ascent direction of the samples' mean sum rate (bit/s/Hz per radian): the gradient in Kang 2022, eq. (20).

    For every sample the digital beamformers :math:`X_k, Y_k` are those of ``inner_iterations`` SCA iterations in orthonormal
    coordinates. With :math:`G_k = L_k D_k R_k`, :math:`L_k = (W_k Q_{W,k})^H A_{r,k}`, :math:`D_k = \mathrm{diag}(g_k)`,
    :math:`R_k = A_{t,k}^H F Q_F`, all users' streams :math:`X`, :math:`S_k = Y_k^H G_k X`, the selector :math:`E_k` of the own
    streams and :math:`U_k = Y_k \Lambda_k (S_k - E_k)`,

    .. math::
        dF &= \Big[\sum_k A_{t,k} D_k^* L_k^H U_k X^H - F Q_F \sum_v \beta_v X_v X_v^H\Big] Q_F \\
        dW_k &= \big[A_{r,k} D_k R_k X U_k^H + \sigma^2 W_k Q_{W,k} Y_k \Lambda_k Y_k^H\big] Q_{W,k}

    and the phases ascend along :math:`\frac{2}{\ln 2} \mathrm{Im}(dF^* \circ F)`. The power constraint enters through
    :math:`\beta_v = \mathrm{Re}\,\mathrm{tr}(X_v^H \sum_k G_k^H U_{kv})` divided by the user's power, or through the sum of
    these traces divided by the total power if the users share it.

    Parameters
    ----------
    samples : PathSamples
        At least one sample.
    f : (D, t, T) complex
        Analog precoder, for the samples' drops.
    w : (D, K, r, R) complex
        Analog combiners.
    digital : DigitalDesigner, optional
        Designs the precoders in place of the SCA iterations; combiners are the MMSE ones, at which the formula holds.

    Returns
    -------
    (D, t, T) real, (D, K, r, R) real
    """
    q_f, q_w = (inverse_sqrt(adjoint(b) @ b)[0].astype(b.dtype) for b in (f, w))
    f_white, w_white = f @ q_f, w @ q_w
    left = adjoint(w_white) @ samples.rx  # (N|1, D, K, R, P)
    right = adjoint(samples.tx) @ f_white[:, None]  # (N|1, D, K, P, T)
    gains = samples.gains[..., None, :]
    through = left * gains
    channel = through @ right
    x, y = _digital(channel, noise_power, power, num_streams, inner_iterations, digital)

    arriving = right @ x[:, :, None]  # (N, D, K, P, K n): all streams on the paths
    received = through @ arriving
    outputs = adjoint(y) @ received  # S_k
    own = np.eye(x.shape[-1], dtype=outputs.real.dtype).reshape(-1, num_streams, x.shape[-1])  # E_k, (K, n, K n)
    error = 1 - (outputs.real * own).sum(-1)
    weighted = y / np.maximum(error, 1e-6)[..., None, :]  # no error is zero, but single precision may round it to zero
    u = weighted @ (outputs - own)

    x_adjoint = adjoint(x)
    beta = _normalisation(received, u, power, num_streams)
    d_tx = adjoint(gains) * (adjoint(left) @ (u @ x_adjoint[:, :, None]))
    d_rx = gains.swapaxes(-1, -2) * (arriving @ adjoint(u))
    rescaling = ((x * beta[..., None, :]) @ x_adjoint).mean(0)
    noise = (weighted @ adjoint(y)).mean(0)
    d_f = (_onto_users_antennas(samples.tx, d_tx) - f_white @ rescaling) @ q_f
    d_w = (_onto_antennas(samples.rx, d_rx) + noise_power * (w_white @ noise)) @ q_w
    return _phase_ascent(d_f, f), _phase_ascent(d_w, w)


def _digital(
    channel: np.ndarray, noise_power: float, power: PowerBudget, num_streams: int, iterations: int, designer: DigitalDesigner | None
) -> tuple[np.ndarray, np.ndarray]:
    """Precoders of all users side by side (N, D, T, K n) and combiners (N, D, K, R, n) for channels (N, D, K, R, T)."""
    n, d, k, r, t = channel.shape
    flat = channel.reshape(n * d, k, r, t)
    if designer is None:
        precoder = sca(flat, noise_power, num_streams, power, iterations=iterations)  # (N D, K, T, n)
    else:
        precoder = designer.design(flat[:, :, None], noise_power, power, num_streams)[0][:, :, 0]
    combiner = mmse_combiner(flat[:, :, None], precoder[:, :, None], noise_power)
    return precoder.swapaxes(1, 2).reshape(n, d, t, k * num_streams), combiner.reshape(n, d, k, r, num_streams)


def _normalisation(received: np.ndarray, u: np.ndarray, power: PowerBudget, num_streams: int) -> np.ndarray:
    """beta_v for every stream of user v, (N, D, K n)."""
    work = (received.real * u.real + received.imag * u.imag).sum((-3, -2))  # over users and RF chains
    if power.constraint == "total":
        return np.broadcast_to(work.sum(-1, keepdims=True) / power.total, work.shape)
    per_user = work.reshape(*work.shape[:-1], -1, num_streams)
    budget = power.per_user(per_user.shape[-2])
    return np.repeat(per_user.sum(-1) / budget, num_streams, axis=-1)


def _onto_antennas(responses: np.ndarray, on_paths: np.ndarray) -> np.ndarray:
    """Mean over the samples of A Z, averaged before the multiplication if all samples share A."""
    if len(responses) == 1:
        return responses[0] @ on_paths.mean(0)
    return (responses @ on_paths).mean(0)


def _onto_users_antennas(responses: np.ndarray, on_paths: np.ndarray) -> np.ndarray:
    """Mean over the samples of sum_k A_k Z_k, (D, t, T): one matrix product per drop."""
    count = len(on_paths)
    if len(responses) == 1:
        on_paths = on_paths.sum(0, keepdims=True)
    n, d, k, p, t = on_paths.shape
    stacked = on_paths.transpose(1, 2, 0, 3, 4).reshape(d, k * n * p, t)
    return side_by_side(side_by_side(responses).swapaxes(0, 1)) @ stacked / count


def _phase_ascent(derivative: np.ndarray, beamformer: np.ndarray) -> np.ndarray:
    """(2 / ln 2) Im(dB^* B): the rate's slope along each phase, from minus half its slope along the entries."""
    return float(2 / np.log(2)) * (derivative.real * beamformer.imag - derivative.imag * beamformer.real)
