"""Public conformance checks: what every component of a room must do, the shipped ones and yours.

    from csisim.testing import check_codec
    check_codec(MyCodec(MyCodecConfig(bits=4)))

Each check raises AssertionError with a sentence that says which promise is broken.
"""

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from csisim.acquisition.base import Sounding
from csisim.beamforming.base import Occasion
from csisim.channel.base import Channel, DenseState, stack
from csisim.feedback.report import Report
from csisim.phy.arrays import Ula
from csisim.phy.dims import Dims, PowerBudget
from csisim.phy.linalg import adjoint
from csisim.phy.metrics import precoder_sgcs
from csisim.random import Streams, complex_normal

DIMS = Dims(drops=3, num_users=2, num_rx=4, num_tx=16, num_rx_rf=2, num_rf=4, num_streams=2)


def _draw(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return complex_normal(np.random.default_rng(seed), shape)


def _promise(kept: bool | np.bool_, promise: str) -> None:
    if not kept:
        raise AssertionError(promise)


def _same(a: Any, b: Any) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))


def check_channel(make: Callable[[Dims, Streams, float], Channel], dims: Dims = DIMS, slots: int = 4) -> None:
    """A channel has the right shapes, is a function of its streams alone, and is not disturbed by sampling it."""
    shape = (dims.drops, dims.num_users, dims.num_subcarriers, dims.num_rx, dims.num_tx)

    def walk(streams: Streams, sample: bool) -> list[np.ndarray]:
        channel = make(dims, streams, 1e-3)
        states = []
        for superframe in range(2):
            channel.begin_superframe(superframe)
            for slot in range(slots):
                states.append(channel.step(slot).matrix().copy())
                if sample:
                    list(channel.samples(2, "check"))
        return states

    first, again, other = walk(Streams(1), False), walk(Streams(1), True), walk(Streams(2), False)
    _promise(first[0].shape == shape, f"matrix() has shape {first[0].shape}, not (D, K, S, r, t) = {shape}")
    _promise(all(np.isfinite(h).all() for h in first), "matrix() is finite")
    _promise(
        all(_same(a, b) for a, b in zip(first, again, strict=True)), "the same streams give the same channel, sampled meanwhile or not"
    )
    _promise(not _same(first[0], other[0]), "another seed gives another channel")
    _promise(not _same(first[0], first[slots]), "a new superframe has new statistics")

    channel = make(dims, Streams(1), 1e-3)
    channel.begin_superframe(0)
    state = channel.step(0)
    w, f = _draw((1, dims.num_users, dims.num_rx, dims.num_rx_rf), 1), _draw((1, dims.num_tx, dims.num_rf), 2)
    direct = adjoint(w)[:, :, None] @ state.matrix() @ f[:, None, None]
    error = np.abs(state.project(w, f) - direct).max() / np.abs(direct).max()
    _promise(error < 1e-4, f"project(w, f) is W^H H F (relative error {error:.1e})")
    one, two = ([s.matrix() for s in channel.samples(3, "a")] for _ in range(2))
    _promise(
        len(one) == 3 and all(_same(a, b) for a, b in zip(one, two, strict=True)),
        "samples(n, name) gives n states, the same for the same name",
    )
    expected = 1 if channel.shared_statistics else dims.drops
    _promise(len(one[0]) == expected, f"samples have {expected} drops when shared_statistics is {channel.shared_statistics}")


def check_estimator(estimator: Any, dims: Dims = DIMS) -> None:
    """An estimator recovers the channel when there is no noise, predicts its error, and leaves its input alone."""
    channel = _draw((dims.drops, dims.num_users, dims.num_subcarriers, dims.num_rx_rf, dims.num_rf))
    if not estimator.uses_pilots:
        return
    length = 4 * dims.num_rf
    pilots = np.exp(-2j * np.pi * np.outer(np.arange(dims.num_rf), np.arange(length)) / length)[None]
    identity = np.broadcast_to(np.eye(dims.num_rf, dtype=complex), (dims.drops, dims.num_users, dims.num_rf, dims.num_rf))
    arguments = [pilots, 1e-6, identity if estimator.needs_covariance else None]
    if getattr(estimator, "needs_sounding", False):
        arguments.append(_sounding(dims))
    state = estimator.init(*arguments)
    received = channel @ pilots[:, None].astype(np.complex64)
    before = received.copy()
    estimate, _ = estimator.update(received, state)
    _promise(_same(received, before), "update() leaves the received pilots alone")
    _promise(estimate.value.shape == channel.shape, f"the estimate has shape {estimate.value.shape}, not {channel.shape}")
    error = np.linalg.norm(estimate.value - channel) / np.linalg.norm(channel)
    _promise(error < 0.05, f"noise-free pilots identify the channel (relative error {error:.2g})")
    _promise((np.asarray(estimate.error_variance) >= 0).all(), "the predicted error variance is not negative")
    pickle.dumps(state)


def _sounding(dims: Dims) -> Sounding:
    """Random orthonormal beams between line arrays."""
    shapes = ((dims.drops, dims.num_tx, dims.num_rf), (dims.drops, dims.num_users, dims.num_rx, dims.num_rx_rf))
    f, w = (np.linalg.qr(_draw(shape, 3))[0] for shape in shapes)
    return Sounding(f, w, Ula(), Ula())


def check_codec(codec: Any, dims: Dims = DIMS, *, trained: bool = True) -> None:
    """A codec's report has the length it books and belongs to one user, decoding uses the report alone, and options work where they are.

    Parameters
    ----------
    codec : object
        As :class:`csisim.feedback.report.Codec` describes.
    dims : Dims
        Of the CSI that it is asked to report, Gaussian entries.
    trained : bool
        Whether a report has to say more than silence; untrained networks say nothing.

    Raises
    ------
    AssertionError
        With the promise that is broken.
    """
    shape = (dims.drops, dims.num_users, dims.num_subcarriers, dims.num_rx_rf, dims.num_rf)
    csi = _draw(shape)
    before = csi.copy()
    start = (shape, csi.dtype, *([_sounding(dims)] if getattr(codec, "needs_sounding", False) else []))
    report, state = codec.encode(csi, codec.init(*start))
    _promise(_same(csi, before), "encode() leaves the CSI alone")
    _promise(report.num_bits >= 0 and isinstance(report.num_bits, int | np.integer), "num_bits counts bits")
    if report.num_bits:
        payload = np.asarray(report.payload)
        _promise(payload.dtype == np.uint8 and payload.shape == (dims.drops, dims.num_users, -(-report.num_bits // 8)),
                 "the payload is (D, K, ceil(num_bits / 8)) bytes")  # fmt: skip
    decoded, _ = codec.decode(report, codec.init(*start))
    layers = decoded.shape[-1] if codec.content == "precoder" else 0
    expected = (*shape[:3], shape[-1], layers) if layers else shape
    _promise(decoded.shape == expected and np.isfinite(decoded).all(), f"decode() gives a finite {codec.content} of shape {expected}")
    again, _ = codec.decode(copy.deepcopy(report), codec.init(*start))
    _promise(_same(decoded, again), "the same bits decode to the same CSI")
    if layers:
        similarity = precoder_sgcs(decoded, csi).mean()
        _promise(similarity > 1 / shape[-1], f"a report says more than a random direction (SGCS {similarity:.2g})")
    elif trained:
        error = np.linalg.norm(decoded - csi) ** 2 / np.linalg.norm(csi) ** 2
        _promise(error < 1.0, f"a report says more than silence (NMSE {error:.2g})")
    pickle.dumps(state)
    _check_independence(codec, csi, start, report, decoded)
    spoiled = csi.copy()
    spoiled[-1, -1, -1, -1, -1] = np.nan
    _refuses(codec, spoiled, codec.init(*start), "CSI that is not finite")
    for wrong in (csi[..., :-1], csi[:, :-1], csi[0]):
        _refuses(codec, wrong, codec.init(*start), "CSI of another shape than announced")
    if hasattr(codec, "acknowledge"):
        _check_memory(codec, csi, start)
    if hasattr(codec, "allow"):
        booked = [codec.encode(csi, codec.allow(np.full(shape[:2], bits), codec.init(*start)))[0].booked for bits in (0.0, 1e9)]
        _promise((booked[0] < booked[1]).all(), "allow() makes reports shorter where it allows less")


def _check_independence(codec: Any, csi: np.ndarray, start: tuple[Any, ...], report: Report, decoded: np.ndarray) -> None:
    """Other drops and users change nothing in a report, and a drop alone reports what it reports among others."""
    others, same = 3 * _draw(csi.shape, 4), tuple(slice(min(1, size - 1), None) for size in csi.shape[:2])
    others[same] = csi[same]
    beside, _ = codec.encode(others, codec.init(*start))
    length = min(beside.payload.shape[-1], report.payload.shape[-1])  # padding follows the longest report of the batch
    kept = _same(beside.booked[same], report.booked[same])
    kept &= _same(beside.payload[same][..., :length], report.payload[same][..., :length])
    _promise(kept, "a user's report does not depend on other drops and users")

    single = [csi[-1:].shape, csi.dtype, *(replace(s, w=s.w[-1:], f=s.f[-1:]) for s in start[2:])]
    alone, _ = codec.encode(csi[-1:], codec.init(*single))
    _promise(_same(alone.booked, report.booked[-1:]), "a drop alone books what it books among others")
    said, _ = codec.decode(alone, codec.init(*single))
    error, size = np.linalg.norm(said - decoded[-1:]), np.linalg.norm(decoded[-1:])  # a silent codec reports nothing, alone or not
    _promise(error <= 0.01 * size, f"a drop alone reports what it reports among others (they differ by {error:.2g} of {size:.2g})")


def _refuses(codec: Any, csi: np.ndarray, state: Any, what: str) -> None:
    try:
        codec.encode(csi, state)
    except ValueError:
        return
    raise AssertionError(f"encode() refuses {what} with a ValueError (csisim.feedback.report.check_csi)")


def _check_memory(codec: Any, csi: np.ndarray, start: tuple[Any, ...]) -> None:
    """One report is lost, one never sent; the base station makes of the others what the users meant."""
    _promise(all(hasattr(codec, name) for name in ("sent", "intact")), "who has acknowledge() has sent() and intact() as well")
    user, station = codec.init(*start), codec.init(*start)
    everybody = np.ones(csi.shape[:2], bool)
    for event in ("arrives", "is lost", "arrives", "is not sent", "arrives"):
        report, user = codec.encode(csi, user)
        user = codec.sent(everybody & (event != "is not sent"), user)
        if event == "is not sent":
            continue
        arrived = everybody & (event == "arrives")
        decoded, station = codec.decode(replace(report, arrived=arrived), station)
        intact = codec.intact(station)
        _promise(_same(intact, arrived), "intact() says of the last report who can be used: whose arrived, whatever was lost before")
        user = codec.acknowledge(report, intact, user)
    error = np.linalg.norm(decoded - csi) ** 2 / np.linalg.norm(csi) ** 2
    _promise(error < 1.0, f"a report after a lost one says more than silence (NMSE {error:.2g})")


def check_analog(designer: Any, dims: Dims = DIMS) -> None:
    """An analog designer gives beams of the right shape and constant modulus (or orthonormal ones, for the fully digital bound)."""
    for name in ("cadence", "phase_shifters", "designs_without_samples"):
        _promise(hasattr(designer, name), f"the class says its {name} (csisim.beamforming.base)")
    rng = np.random.default_rng(1)
    states = [
        DenseState(_draw((dims.drops, dims.num_users, 1, dims.num_rx, dims.num_tx), seed))
        for seed in range(1 if designer.cadence == "slot" else 6)
    ]
    phases = (rng.uniform(0, 2 * np.pi, (dims.drops, dims.num_tx, dims.num_rf)),
              rng.uniform(0, 2 * np.pi, (dims.drops, dims.num_users, dims.num_rx, dims.num_rx_rf)))  # fmt: skip
    power = PowerBudget("per_user", float(dims.num_users * dims.num_streams))

    def design() -> tuple[np.ndarray, np.ndarray]:
        state = designer.init(dims, phases)
        if designer.cadence != "fixed":
            state = designer.update(stack(states), state, Occasion(0.1, power, np.random.default_rng(2)))
        pickle.dumps(state)
        f, w = designer.beams(state)
        return f, w

    (f, w), (f2, w2) = design(), design()
    _promise(_same(f, f2) and _same(w, w2), "the same samples and stream give the same beams")
    _promise(f.shape[-2] == dims.num_tx and w.shape[-2] == dims.num_rx, "beams are as long as their arrays")
    _promise(f.ndim == 3 and w.ndim == 4 and w.shape[1] == dims.num_users, "f is (D|1, t, T), w is (D|1, K, r, R)")
    if f.shape[-1] != dims.num_rf or not np.allclose(np.abs(f), np.abs(f).flat[0], rtol=1e-4):
        gram = adjoint(f) @ f
        _promise(np.allclose(gram, np.eye(f.shape[-1]), atol=1e-4), "beams without constant modulus are orthonormal")
        return
    _promise(np.allclose(np.abs(f), dims.num_tx**-0.5, rtol=1e-4), "|F_RF| is 1/sqrt(N_t)")
    _promise(np.allclose(np.abs(w), dims.num_rx**-0.5, rtol=1e-4), "|W_RF| is 1/sqrt(N_r)")
    _promise(w.shape[-1] == dims.num_rx_rf, "w has num_rx_rf columns")


def check_digital(designer: Any, dims: Dims = DIMS) -> None:
    """A digital designer meets the power constraint exactly and does not mix the problems of a batch."""
    _promise(hasattr(designer, "single_user"), "the class says whether it serves a single_user (csisim.beamforming.base)")
    channel = _draw((dims.drops, dims.num_users, 2, dims.num_rx_rf, dims.num_rf))
    constraints: tuple[Literal["per_user", "total"], ...] = ("per_user", "total")
    for constraint in constraints:
        power = PowerBudget(constraint, float(dims.num_users * dims.num_streams))
        precoder, combiner = designer.design(channel, 0.1, power, dims.num_streams)
        expected = (*channel.shape[:3], dims.num_rf, dims.num_streams)
        _promise(precoder.shape == expected, f"the precoder has shape {precoder.shape}, not (D, K, S, T, n) = {expected}")
        norms = (np.abs(precoder) ** 2).sum(axis=(-1, -2))
        if constraint == "total":
            norms = norms.sum(axis=1)
        budget = power.total if constraint == "total" else power.per_user(dims.num_users)
        _promise(np.allclose(norms, budget, rtol=1e-3), f"the {constraint} power constraint holds with equality on every subcarrier")
        alone, _ = designer.design(channel[-1:], 0.1, power, dims.num_streams)
        _promise(np.allclose(alone, precoder[-1:], rtol=1e-3, atol=1e-4), "a drop's precoder does not depend on the other drops")
        if combiner is not None:
            _promise(combiner.shape == (*channel.shape[:4], dims.num_streams), "the combiner is (D, K, S, R, n)")
