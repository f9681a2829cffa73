"""Differential reports: better for their bits where the channel lasts, and never out of step for longer than the next intact report."""

import numpy as np
import pytest
from pydantic import ValidationError

from csisim.feedback.differential import Differential, checksum
from csisim.feedback.report import CsiError, Report
from csisim.random import complex_normal
from csisim.registry import build, configure
from csisim.testing import check_codec

SHAPE = (3, 2, 2, 2, 4)


def make(**fields) -> Differential:
    return build("codec", configure("codec", {"kind": "differential", "inner": {"kind": "lloyd_max", "bits": 2}, **fields}))


def fading(slots, correlation, seed=0):
    rng = np.random.default_rng(seed)
    h = complex_normal(rng, SHAPE, np.complex128)
    for _ in range(slots):
        yield h
        h = correlation * h + np.sqrt(1 - correlation**2) * complex_normal(rng, SHAPE, np.complex128)


def everybody(value=True):
    return np.full(SHAPE[:2], value)


class Link:
    """Both ends with a delay in between, and whatever ``harm`` does to a report on its way."""

    def __init__(self, codec, delay=0, harm=lambda slot, report: report):
        self.codec, self.delay, self.harm = codec, delay, harm
        self.user, self.station = (codec.init(SHAPE, np.dtype(np.complex128)) for _ in range(2))

    def run(self, channels):
        """Decoded CSI and whose part of it was intact, report by report."""
        flying, out = [], []
        for slot, h in enumerate(channels):
            report, self.user = self.codec.encode(h, self.user)
            flying.append((slot, h, report))
            if len(flying) <= self.delay:
                continue
            sent, measured, report = flying.pop(0)
            value, self.station = self.codec.decode(self.harm(sent, report), self.station)
            intact = self.codec.intact(self.station)
            self.user = self.codec.acknowledge(report, intact, self.user)
            out.append((np.sum(np.abs(value - measured) ** 2, axis=(2, 3, 4)) / np.sum(np.abs(measured) ** 2, axis=(2, 3, 4)), intact))
        error, intact = (np.array(parts) for parts in zip(*out, strict=True))
        return error, intact


def lost(*slots, users=None):
    whose = everybody(False) if users is None else ~np.isin(np.arange(SHAPE[1]), users) & everybody()
    return lambda slot, r: Report(r.payload, r.num_bits, arrived=whose, number=r.number) if slot in slots else r


def test_it_is_a_codec():
    check_codec(make())


def test_a_channel_that_lasts_is_known_ever_better():
    error, intact = Link(make()).run(fading(12, 1.0))
    assert intact.all()
    assert error[0].mean() > 0.05  # two bits
    assert (error[11] < 1e-3).all()


def test_prediction_pays_where_the_channel_lasts_and_costs_nothing_where_it_does_not():
    plain = Link(make()).run([h for h in fading(1, 0.0)])[0].mean()
    slow, fast = (Link(make()).run(fading(60, rho))[0][20:].mean() for rho in (0.98, 0.0))
    assert slow < 0.25 * plain
    assert fast < 1.1 * plain


def test_late_answers_are_built_on_as_soon_as_they_are_there():
    error = [Link(make(), delay).run(fading(60, 0.99))[0][30:].mean() for delay in (0, 2, 8)]
    assert error[0] < error[1] < error[2] < 0.1


def test_beyond_the_window_reports_stand_alone():
    error, intact = Link(make(window=4), delay=6).run(fading(40, 1.0))
    assert intact.all()
    assert (error > 0.02).all()


@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("gone", [(0,), (5,), (5, 6, 7, 8), tuple(range(5, 30))])
def test_loss_costs_the_lost_reports_alone(delay, gone):
    channels = list(fading(60, 0.99))
    error, intact = Link(make(), delay, lost(*gone)).run(channels)
    clean, _ = Link(make(), delay).run(channels)
    assert not intact[list(gone)].any()
    kept = np.setdiff1d(np.arange(len(error)), gone)
    assert intact[kept].all()
    assert (error[kept] < 0.3).all()  # in step with the first that arrives
    recovered = max(gone) + 2 * delay + 8
    np.testing.assert_array_less(error[recovered:], 3 * clean[recovered:].max() + 1e-9)


def test_one_users_loss_is_nobody_elses():
    channels = list(fading(12, 0.99))
    error, intact = Link(make(), harm=lost(4, 5, users=[0])).run(channels)
    clean, _ = Link(make()).run(channels)
    assert not intact[4:6, :, 0].any()
    np.testing.assert_array_equal(error[:, :, 1], clean[:, :, 1])


def test_any_damage_ends_with_the_next_intact_report():
    rng = np.random.default_rng(7)

    def damage(slot, report):
        if rng.random() > 0.5:
            return report
        payload = report.payload.copy()
        bits = np.unpackbits(payload, axis=-1)
        flips = rng.random(bits.shape) < rng.choice([0.5, 0.02])
        flips[..., report.num_bits :] = False
        spoiled.append((slot, flips.any(axis=-1)))
        return Report(np.packbits(bits ^ flips, axis=-1), report.num_bits, number=report.number)

    spoiled = []
    error, intact = Link(make(), 2, damage).run(fading(200, 0.995))
    harmed = np.zeros_like(intact)
    for slot, whose in spoiled:
        harmed[slot] = whose
    np.testing.assert_array_equal(intact, ~harmed)  # 16 bits of checksum, some 400 damaged strings
    assert (error[intact] < 0.3).all()
    assert harmed.any()


def test_the_checksum_is_crc_16():
    text = np.frombuffer(b"123456789", np.uint8)
    assert np.packbits(1 - checksum(np.unpackbits(text)[::-1])).tobytes().hex() == "31c3"  # CRC-16/XMODEM's check value
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, 300).astype(np.uint8)
    for _ in range(50):
        burst = np.zeros(300, np.uint8)
        start = rng.integers(0, 284)
        burst[start : start + 16] = rng.integers(0, 2, 16)
        assert not burst.any() or (checksum(bits ^ burst) != checksum(bits)).any()


def test_the_bits_are_the_header_and_the_inner_report():
    codec, h = make(), next(fading(1, 1.0))
    inner = build("codec", configure("codec", {"kind": "lloyd_max", "bits": 2}))
    alone, _ = inner.encode(h, inner.init(SHAPE, h.dtype))
    report, _ = codec.encode(h, codec.init(SHAPE, h.dtype))
    assert report.num_bits == alone.num_bits + 16 + 4 + 8
    assert report.payload.shape[-1] == -(-report.num_bits // 8)


@pytest.mark.parametrize("inner", ["ideal", "type2", {"kind": "differential", "inner": "lloyd_max"}])
def test_what_cannot_be_inside(inner):
    with pytest.raises(ValidationError, match="differential:"):
        configure("codec", {"kind": "differential", "inner": inner})


def test_a_users_bits_are_its_own():
    """Whatever the length of the others' strings: zeros that fill up its own count for nothing."""
    ladder = [{"kind": "lloyd_max", "bits": bits} for bits in (1, 6)]
    codec, h = make(inner={"kind": "adaptive", "ladder": ladder}), next(fading(1, 1.0))
    short = np.zeros(SHAPE[:2])
    mixed = np.where(np.arange(SHAPE[1]) == 0, short, 1e6)
    one, other = (codec.encode(h, codec.allow(bits, codec.init(SHAPE, h.dtype)))[0] for bits in (short, mixed))
    assert other.payload.shape[-1] > one.payload.shape[-1]
    np.testing.assert_array_equal(other.payload[:, 0, : one.payload.shape[-1]], one.payload[:, 0])
    assert not other.payload[:, 0, one.payload.shape[-1] :].any()


def test_a_string_of_zeros_is_damaged():
    codec, h = make(), next(fading(1, 1.0))
    report, _ = codec.encode(h, codec.init(SHAPE, h.dtype))
    nothing = Report(np.zeros_like(report.payload), report.num_bits, number=report.number)
    assert not codec.intact(codec.decode(nothing, codec.init(SHAPE, h.dtype))[1]).any()


@pytest.mark.parametrize("bad", ["not finite", "shape"])
def test_what_is_no_channel_is_refused(bad):
    codec, h = make(), next(fading(1, 1.0))
    state = codec.init(SHAPE, h.dtype)
    h = np.full_like(h, np.nan) if bad == "not finite" else h[..., :-1]
    with pytest.raises(CsiError, match=bad):
        codec.encode(h, state)


@pytest.mark.parametrize("delay", [0, 2])
def test_slots_without_a_report_age_nothing(delay):
    """Users who send in every fifth and in every seventh slot only, far beyond a window of slots apart, still predict."""
    codec = make(window=4)
    user, station = (codec.init(SHAPE, np.dtype(np.complex128)) for _ in range(2))
    h, flying, error = next(fading(1, 1.0)), [], np.full(SHAPE[:2], np.inf)
    for slot in range(60):
        senders = np.where(np.arange(SHAPE[1]) == 0, slot % 5 == 0, slot % 7 == 0) & everybody()
        report, user = codec.encode(h, user)
        user = codec.sent(senders, user)
        flying.append((report, senders))
        if slot < delay:
            continue
        report, senders = flying.pop(0)
        if not senders.any():
            continue
        report = Report(report.payload, report.num_bits, arrived=senders, number=report.number)
        value, station = codec.decode(report, station)
        np.testing.assert_array_equal(codec.intact(station), senders)
        user = codec.acknowledge(report, senders, user)
        now = np.sum(np.abs(value - h) ** 2, axis=(2, 3, 4)) / np.sum(np.abs(h) ** 2, axis=(2, 3, 4))
        error = np.where(senders, now, error)
    assert (error < 1e-3).all()
    assert len(station.history) <= 4
    assert len(user.history) <= delay
