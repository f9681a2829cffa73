r"""SCA, WMMSE, MMSE combiners and rates, written once against the Python array API and close to the papers' equations.

NumPy, torch (differentiable, on any device) and every other array-API library run the same code. The running path on the CPU
is :mod:`csisim.beamforming.digital.alternating`, which the tests hold equal to this page; unfolded networks start from here.

Channels are (..., K, R, T), precoders (..., K, T, n), combiners (..., K, R, n), any leading axes.
"""

from typing import Any, Literal

from array_api_compat import array_namespace, device

from csisim.phy.dims import PowerBudget
from csisim.phy.linalg import adjoint

Array = Any

#: smallest mean square error that a weight may see
_SMALLEST_ERROR = 1e-12


def mmse_combiner(channel: Array, precoder: Array, noise_power: float | Array) -> Array:
    r""":math:`W_k = (\sum_v H_k F_v F_v^H H_k^H + \sigma^2 I)^{-1} H_k F_k` (Kang 2022, eq. 24)."""
    xp = array_namespace(channel)
    received = channel @ all_streams(precoder)
    covariance = received @ adjoint(received) + noise_power * identity(channel, channel.shape[-2])
    return xp.linalg.solve(covariance, channel @ precoder)


def stream_mse(channel: Array, precoder: Array, combiner: Array, noise_power: float | Array) -> Array:
    r"""Mean square errors (..., K, n), Kang 2022, eq. 23 with the second sum over :math:`(m, n) \ne (k, l)`:

    .. math:: \epsilon_{kl} = |1 - w_{kl}^H H_k f_{kl}|^2 + \sum_{(m,n) \ne (k,l)} |w_{kl}^H H_k f_{mn}|^2 + \sigma^2 \|w_{kl}\|^2
    """
    xp = array_namespace(channel)
    gains = adjoint(combiner) @ (channel @ all_streams(precoder))
    return xp.sum(squared(own_streams(precoder) - gains), axis=-1) + noise_power * xp.sum(squared(combiner), axis=-2)


def stream_sinr(channel: Array, precoder: Array, combiner: Array, noise_power: float) -> Array:
    r"""SINR (..., K, n), Kang 2022, eq. 3 with the interference summed over :math:`(m, n) \ne (k, l)`."""
    xp = array_namespace(channel)
    powers = squared(adjoint(combiner) @ (channel @ all_streams(precoder)))
    own = xp.real(own_streams(precoder))
    disturbance = xp.sum((1.0 - own) * powers, axis=-1) + noise_power * xp.sum(squared(combiner), axis=-2)
    return xp.sum(own * powers, axis=-1) / (disturbance + 1e-30)  # a stream that is switched off: 0 / 0


def sum_rate(channel: Array, precoder: Array, combiner: Array, noise_power: float) -> Array:
    """Sum of log2(1 + SINR) over users and streams in bit/s/Hz, (...)."""
    xp = array_namespace(channel)
    return xp.sum(xp.log2(1.0 + stream_sinr(channel, precoder, combiner, noise_power)), axis=(-2, -1))


def normalise(precoder: Array, power: PowerBudget) -> Array:
    """Meet the power constraint with equality (Kang 2022, eq. 7d; Hu 2021, eq. 5b); zero stays zero."""
    xp = array_namespace(precoder)
    norm = _norm(precoder, power)
    scale = xp.sqrt(_budget(precoder, power) / xp.where(norm > 0.0, norm, 1.0))
    return precoder * xp.astype(scale, precoder.dtype)


def sca(
    channel: Array,
    start: Array,
    noise_power: float,
    power: PowerBudget,
    iterations: int,
    weights: Literal["mmse", "recursion"] = "mmse",
    tau: Literal["closed", "bisection"] = "closed",
) -> Array:
    r"""Successive convex approximation (Kang 2022, Algorithm 2, corrected) from a start that meets the constraint.

    Step 6 reads :math:`f_{kl} = \lambda_{kl} (\sum_{mn} \lambda_{mn} H_m^H w_{mn} w_{mn}^H H_m + \tau_k I)^{-1} H_k^H w_{kl}`.
    The base :math:`\alpha` of the dual variables is irrelevant: :math:`s = t \ln \alpha` obeys
    :math:`s \leftarrow s + 1 - \epsilon e^s` whatever it is, and a common factor of :math:`\lambda` goes into :math:`\tau`.
    """
    xp = array_namespace(channel)
    precoder = start
    dual = 0.0 * xp.real(xp.sum(start, axis=-2))
    for _ in range(iterations):
        combiner = mmse_combiner(channel, precoder, noise_power)
        if weights == "mmse":
            weight = 1.0 / xp.clip(stream_mse(channel, precoder, combiner, noise_power), min=_SMALLEST_ERROR)
        else:
            weight = xp.exp(dual)
        weighted = combiner * xp.astype(weight, channel.dtype)[..., None, :]
        precoder = best_precoder(channel, combiner, weighted, noise_power, power, tau)
        if weights == "recursion":
            errors = stream_mse(channel, precoder, combiner, noise_power)
            dual = xp.clip(dual + 1.0 - errors * xp.exp(dual), min=-10.0, max=12.0)
    return precoder


def wmmse(
    channel: Array,
    start: Array,
    noise_power: float,
    power: PowerBudget,
    iterations: int,
    tau: Literal["closed", "bisection"] = "closed",
    tolerance: float = 0.0,
    user_weights: Array | None = None,
) -> Array:
    r"""Weighted MMSE (Hu 2021, Algorithm 1) in the full dimension T, from a start that meets the constraint.

    :math:`U_k` as :func:`mmse_combiner`, :math:`W_k = (I - U_k^H H_k V_k)^{-1}`,
    :math:`V_k = (\sum_m H_m^H U_m W_m U_m^H H_m + \tau_k I)^{-1} H_k^H U_k W_k`. With a total power constraint the closed
    :math:`\tau` is exact; with one per user ``bisection`` finds the multipliers. Stops, after 20 iterations at the earliest,
    when no problem of the batch gains more than the fraction ``tolerance`` any longer. ``user_weights`` (K,) stand before the
    users' rates and :math:`W_k`.
    """
    xp = array_namespace(channel)
    precoder, before = start, None
    priority = 1.0 if user_weights is None else xp.astype(user_weights, channel.dtype)[:, None, None]
    for iteration in range(iterations):
        combiner = mmse_combiner(channel, precoder, noise_power)
        errors = identity(channel, start.shape[-1]) - adjoint(combiner) @ (channel @ precoder)
        if tolerance > 0.0:
            rate = -xp.sum(xp.linalg.slogdet(errors)[1] * (1.0 if user_weights is None else user_weights), axis=-1)
            if iteration >= 20 and bool(xp.all(rate - before < tolerance * rate)):
                break
            before = rate
        precoder = best_precoder(channel, combiner, priority * (combiner @ xp.linalg.inv(errors)), noise_power, power, tau)
    return precoder


def wmmse_reduced(channel: Array, start: Array, noise_power: float, total: float, iterations: int) -> Array:
    r""":func:`wmmse` under a total power constraint, exactly, in the K R dimensions of the receivers.

    :math:`V = H^H X` with :math:`X = U (U^H G U + \mu W^{-1})^{-1}`, U and W block diagonal, :math:`G = H H^H`: the number of
    transmit chains T enters only before the first and after the last iteration. Nothing is rescaled on the way, the noise
    grows with the power :math:`p = \mathrm{tr}\, X^H G X` instead (Hu 2021, eq. 16).
    """
    xp = array_namespace(channel)
    *batch, num_users, num_rx, num_tx = channel.shape
    num_streams = start.shape[-1]
    rows, columns = num_users * num_rx, num_users * num_streams
    h = xp.reshape(channel, (*batch, rows, num_tx))
    gram = h @ adjoint(h)
    gram_by_user = xp.reshape(gram, (*batch, num_users, num_rx, rows))
    one_rx, one_stream, one_user = (identity(channel, size) for size in (num_rx, num_streams, num_users))
    own_block = xp.repeat(xp.repeat(one_user, num_streams, axis=0), num_streams, axis=1)
    x, received = None, channel @ all_streams(start)
    power = inner(start, start)
    for _ in range(iterations):
        own = xp.stack([received[..., k, :, k * num_streams : (k + 1) * num_streams] for k in range(num_users)], axis=-3)
        noise = xp.astype(noise_power / total * power, channel.dtype)
        combiner = inverse(received @ adjoint(received) + noise * one_rx) @ own
        u = adjoint(combiner)
        # U^H G, U^H (H V) and U^H U in one product: many small ones cost more than what they compute
        projected = u @ xp.concat([gram_by_user, own, combiner], axis=-1)
        errors = one_stream - projected[..., rows : rows + num_streams]
        leak = inner(inverse(errors), projected[..., rows + num_streams :])
        mu = xp.astype(noise_power / total * leak, channel.dtype)
        # (U^H G)^H = G U and then U^H G U, user by user
        half = xp.matrix_transpose(xp.reshape(xp.conj(projected[..., :rows]), (*batch, columns, rows)))
        system = xp.reshape(u @ xp.reshape(half, (*batch, num_users, num_rx, columns)), (*batch, columns, columns))
        system = system + own_block * xp.reshape(xp.concat([mu * errors] * num_users, axis=-1), system.shape)
        inverted = xp.linalg.inv(system)
        x = combiner @ xp.reshape(inverted, (*batch, num_users, num_streams, columns))
        received = xp.reshape(gram @ xp.reshape(x, (*batch, rows, columns)), x.shape)
        power = inner(x, received)
    if x is None:
        return start
    precoder = adjoint(h) @ xp.reshape(x, (*batch, rows, columns))
    precoder = xp.moveaxis(xp.reshape(precoder, (*batch, num_tx, num_users, num_streams)), -2, -3)
    return normalise(precoder, PowerBudget("total", total))


def best_precoder(
    channel: Array, combiner: Array, weighted: Array, noise_power: float, power: PowerBudget, tau: Literal["closed", "bisection"]
) -> Array:
    """The precoder of least weighted error for given combiners and weights; ``weighted`` is combiner times weight."""
    xp = array_namespace(channel)
    target = adjoint(channel) @ weighted
    curvature = xp.sum(target @ adjoint(adjoint(channel) @ combiner), axis=-3, keepdims=True)
    if tau == "bisection":
        return _bisect(curvature, target, power)
    loading = noise_power / power.total * inner(combiner, weighted)
    system = curvature + xp.astype(loading, channel.dtype) * identity(channel, channel.shape[-1])
    return normalise(xp.linalg.solve(system, target), power)


def _bisect(curvature: Array, target: Array, power: PowerBudget) -> Array:
    """(curvature + tau I)^-1 target with the smallest tau >= 0 that meets the power constraint, per user or in total."""
    xp = array_namespace(target)
    values, vectors = xp.linalg.eigh(curvature)
    strongest = xp.max(values, axis=-1, keepdims=True)
    values = xp.maximum(values, 1e-12 * xp.where(strongest > 0.0, strongest, 1.0))
    coordinates = adjoint(vectors) @ target
    energy = xp.sum(squared(coordinates), axis=-1)
    if power.constraint == "total":
        energy = xp.sum(energy, axis=-2, keepdims=True)
    budget = _budget(target, power)
    low = 0.0 * xp.sum(energy, axis=-1, keepdims=True)
    high = xp.sqrt(xp.sum(energy, axis=-1, keepdims=True) / budget)
    for _ in range(60):
        middle = 0.5 * (low + high)
        excessive = xp.sum(energy / (values + middle) ** 2, axis=-1, keepdims=True) > budget
        low, high = xp.where(excessive, middle, low), xp.where(excessive, high, middle)
    return vectors @ (coordinates / xp.astype(values + high, target.dtype)[..., None])


def squared(a: Array) -> Array:
    """|a|^2 of complex entries, differentiable at zero."""
    xp = array_namespace(a)
    return xp.real(a) ** 2 + xp.imag(a) ** 2


def constant(a: Array) -> Array:
    """Outside the gradient, where the library keeps one."""
    return a.detach() if hasattr(a, "detach") else a


def identity(like: Array, size: int) -> Array:
    """Identity matrix of the type and on the device of ``like``."""
    return array_namespace(like).eye(size, dtype=like.dtype, device=device(like))


def all_streams(precoder: Array) -> Array:
    """Precoders of all users side by side, (..., 1, T, K n), to multiply every user's channel with."""
    xp = array_namespace(precoder)
    *batch, num_users, num_tx, num_streams = precoder.shape
    return xp.reshape(xp.moveaxis(precoder, -3, -2), (*batch, 1, num_tx, num_users * num_streams))


def own_streams(precoder: Array) -> Array:
    """Selector (K, n, K n) of stream (k, l) among all streams."""
    *_, num_users, _, num_streams = precoder.shape
    size = num_users * num_streams
    return array_namespace(precoder).reshape(identity(precoder, size), (num_users, num_streams, size))


def inverse(a: Array) -> Array:
    """Inverse of small matrices: for two receive antennas a library call per matrix costs more than everything else."""
    xp = array_namespace(a)
    if a.shape[-1] != 2:
        return xp.linalg.inv(a)
    adjugate = xp.stack([a[..., 1, 1], -a[..., 0, 1], -a[..., 1, 0], a[..., 0, 0]], axis=-1)
    determinant = a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]
    return xp.reshape(adjugate / determinant[..., None], a.shape)


def inner(a: Array, b: Array) -> Array:
    r""":math:`\sum_k \mathrm{Re}\,\mathrm{tr}\, A_k^H B_k`, (..., 1, 1, 1)."""
    xp = array_namespace(a)
    return xp.sum(xp.real(xp.conj(a) * b), axis=(-3, -2, -1), keepdims=True)


def _norm(precoder: Array, power: PowerBudget) -> Array:
    """Squared norm of every user's precoder, or of all together, with kept axes."""
    xp = array_namespace(precoder)
    axes = (-2, -1) if power.constraint == "per_user" else (-3, -2, -1)
    return xp.sum(squared(precoder), axis=axes, keepdims=True)


def _budget(precoder: Array, power: PowerBudget) -> float:
    return power.per_user(precoder.shape[-3]) if power.constraint == "per_user" else power.total
