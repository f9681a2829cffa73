"""The feedback link as a whole: what is booked, what delay and loss cost, and that nothing on it breaks a scheme."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import t as student

from csisim.engine.link import FeedbackLink
from csisim.feedback.exchange import Exchange
from csisim.scheme import Scheme

FAST = {"slot_s": 0.125e-3, "slots_per_frame": 4, "symbols_per_slot": 256}
DIFFERENTIAL = {"kind": "differential", "inner": {"kind": "lloyd_max", "bits": 2}}
ADAPTIVE = {"kind": "adaptive", "ladder": [{"kind": "lloyd_max", "bits": bits} for bits in (1, 3, 6)]}
PORTS = {"num_tx": 8, "num_rf": 8, "num_rx": 2, "num_rx_rf": 2, "num_users": 2, "num_streams": 1}


def drop_means(out, drops=16):
    return np.nan_to_num(out["sum_rate_bps_hz"]).reshape(drops, -1).mean(axis=1)


def certainly_less(less, more):
    """The paired difference is negative beyond its 95 % confidence interval."""
    difference = less - more
    half = student.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / np.sqrt(len(difference))
    return difference.mean() + half < 0


@pytest.mark.parametrize("codec", ["ideal", {"kind": "lloyd_max", "bits": 4}, DIFFERENTIAL, "type2"], ids=str)
@pytest.mark.parametrize("worse", [{"delay_slots": [0, 1, 3, 6]}, {"loss": [0.0, 0.2, 0.5, 0.9]}], ids=["delay", "loss"])
def test_the_rate_falls_with_delay_and_with_loss(run, scheme, codec, worse):
    """Paired drop by drop on the same channel, noise and losses; the first report is given its time."""
    (name, values), = worse.items()  # fmt: skip
    config = scheme(codec=codec, analog="ports", digital="rzf", combiner_csi="true_channel")
    rates = []
    for value in values:
        out = run(config, duplex="fdd", feedback={name: value}, drops=16, system=PORTS, clock={"frames": 8})["s"]
        late = out["slot"] >= 6
        rates.append(drop_means({"sum_rate_bps_hz": out["sum_rate_bps_hz"][late]}))
    for better, worse_rate in pairwise(rates):
        assert certainly_less(worse_rate, better)


TYPE2 = {"kind": "type2", "rank": 2}
WAYS = ["lloyd_max", DIFFERENTIAL, ADAPTIVE, "paths", {"kind": "topk", "domain": "beams", "reduction": 2}, TYPE2,
        {"kind": "type1", "rank": 2}, {"kind": "etype2", "rank": 2, "combination": 2}]  # fmt: skip


@pytest.mark.parametrize(
    ("timescale", "analog", "codecs"),
    [
        ("single", "svd_phases", ["lloyd_max", TYPE2]),
        ("offline", "ports", WAYS),
        ("online", {"kind": "ssca", "batch": 2, "inner_iterations": 1, "steps": 1}, ["lloyd_max", DIFFERENTIAL, TYPE2]),
    ],
)
@pytest.mark.parametrize("worse", [{"delay_slots": 3}, {"loss": 0.6}], ids=str)
def test_nothing_earns_more_with_worse_feedback(run, scheme, timescale, analog, codecs, worse):
    """Two layers per user, in every timescale. Type I is too coarse to lose anything that is certain in 16 drops, but gains nothing."""
    schemes = [scheme(f"s{i}", timescale, codec=codec, analog=analog, combiner_csi="true_channel") for i, codec in enumerate(codecs)]
    system = {"num_tx": 16, "num_rf": 8, "num_rx": 4, "num_rx_rf": 2, "num_users": 2, "num_streams": 2}
    out = [run(*schemes, duplex="fdd", feedback=feedback, drops=16, system=system, clock={"frames": 4}) for feedback in ({}, worse)]
    for name, codec in zip(out[0], codecs, strict=True):
        good, bad = (drop_means({"sum_rate_bps_hz": o[name]["sum_rate_bps_hz"][o[name]["slot"] >= 6]}) for o in out)
        assert bad.mean() < good.mean(), codec
        assert certainly_less(bad, good) or "type1" in str(codec), codec


def test_worse_feedback_costs_rate_on_cost2100_too(run, scheme):
    """Users of 3 m/s on a wide band, where a report waits for 6 ms, or three in five are lost."""
    codecs = [{"kind": "lloyd_max", "bits": 4}, "type2", {"kind": "etype2", "combination": 4}, DIFFERENTIAL]
    schemes = [scheme(f"s{i}", codec=codec, analog="ports", digital="zf", combiner_csi="true_channel") for i, codec in enumerate(codecs)]
    walking = {"kind": "cost2100", "num_subcarriers": 4, "speed_mps": 3.0, "fading": None}
    fixed = {"duplex": "fdd", "channel": walking, "system": PORTS | {"num_rx": 1, "num_rx_rf": 1}, "drops": 16,
             "clock": {"slot_s": 1e-3, "frames": 6}}  # fmt: skip
    good, late, lossy = (run(*schemes, feedback=feedback, **fixed) for feedback in ({}, {"delay_slots": 6}, {"loss": 0.6}))
    for name, codec in zip(good, codecs, strict=True):
        best, *worse = (drop_means({"sum_rate_bps_hz": o[name]["sum_rate_bps_hz"][o[name]["slot"] >= 8]}) for o in (good, late, lossy))
        assert all(certainly_less(rate, best) for rate in worse), codec


@pytest.mark.parametrize("timescale", ["single", "offline", "online"])
def test_perfect_feedback_is_tdd_bit_for_bit(run, scheme, timescale):
    analog = {"single": "svd_phases", "offline": "covariance", "online": {"kind": "ssca", "batch": 2, "inner_iterations": 2}}[timescale]
    config = scheme(timescale=timescale, analog=analog)
    tdd, fdd = run(config, drops=4)["s"], run(config, duplex="fdd", drops=4, feedback={"delay_slots": 0, "loss": 0.0})["s"]
    for column in set(tdd) - {"sgcs"}:  # a number about reports
        np.testing.assert_array_equal(tdd[column], fdd[column], err_msg=column)


@pytest.mark.parametrize("codec", ["type1", "type2", {"kind": "etype2", "combination": 2}, "lloyd_max", DIFFERENTIAL, ADAPTIVE], ids=str)
@pytest.mark.parametrize("feedback", [{}, {"budget_bits": 300}, {"loss": 0.3, "delay_slots": 2}], ids=str)
@pytest.mark.parametrize(("timescale", "analog"), [("single", "svd_phases"), ("offline", "ports"), ("online", "covariance")])
def test_the_ledger_is_the_sum_of_the_reports(run, scheme, monkeypatch, codec, feedback, timescale, analog):
    sent = []
    original = Exchange.report
    monkeypatch.setattr(Exchange, "report", lambda *args: sent.append(original(*args)) or sent[-1])
    out = run(scheme("s", timescale, codec=codec, analog=analog), duplex="fdd", feedback=feedback, system=PORTS)["s"]
    bits = np.stack([np.where(s.senders, s.report.booked, 0).mean(axis=1) for s in sent], axis=1)
    np.testing.assert_array_equal(out["feedback_bits"].reshape(2, -1), bits)
    np.testing.assert_array_equal(out["signaling_bits"].reshape(2, -1), np.cumsum(out["pilot_bits"].reshape(2, -1) + bits, axis=1))
    if "budget_bits" in feedback:
        assert 0 < sum(np.where(s.senders, s.report.booked, 0) for s in sent).max() <= 300


def test_reports_of_precoders_are_as_long_as_they_are(run, scheme):
    """Amplitudes of zero have no phase: type II reports differ in length from user to user, and from the longest there is."""
    out = run(scheme(codec="type2", analog="ports"), duplex="fdd", system=PORTS, drops=8)["s"]["feedback_bits"]
    assert len(np.unique(out)) > 3


def test_adaptation_spends_the_budget_evenly(run, scheme):
    config = {"duplex": "fdd", "system": PORTS, "clock": {"frames": 5}}
    rich, poor = (run(scheme(codec=ADAPTIVE, analog="ports"), feedback={"budget_bits": b}, **config)["s"] for b in (4000, 900))
    fixed = run(scheme(codec=ADAPTIVE["ladder"][2], analog="ports"), feedback={"budget_bits": 900}, **config)["s"]
    for out, budget in ((rich, 4000), (poor, 900), (fixed, 900)):
        total = out["feedback_bits"].reshape(2, -1).sum(axis=1)
        assert (total <= budget).all()
        assert (total > 0.6 * budget).all()
    assert np.nanmean(poor["csi_age_slots"]) < np.nanmean(fixed["csi_age_slots"])  # a long report that is seldom, or short ones
    assert np.nanmean(rich["nmse_csi"]) < np.nanmean(poor["nmse_csi"])


def test_a_budget_below_one_report_leaves_nothing_known(run, scheme):
    out = run(scheme(codec="lloyd_max"), duplex="fdd", feedback={"budget_bits": 10})["s"]
    assert (out["feedback_bits"] == 0).all()
    assert (out["sum_rate_bps_hz"] == 0).all()


def test_prediction_earns_more_with_as_many_bits(run, scheme):
    """Two bits of change beat three bits of the channel itself where it changes slowly."""
    slow = {"channel": {"fading": {"kind": "ar1", "correlation": 0.99}}, "clock": {"frames": 8}, "duplex": "fdd", "drops": 16}
    system = PORTS | {"num_rx": 4, "num_rx_rf": 4, "num_tx": 16, "num_rf": 16}  # 2 x 4 x 16 numbers: 28 bits of header are few
    plain = scheme("plain", codec={"kind": "lloyd_max", "bits": 3}, analog="ports", combiner_csi="true_channel")
    predicted = scheme("predicted", codec=DIFFERENTIAL, analog="ports", combiner_csi="true_channel")
    out = run(plain, predicted, system=system, **slow)
    assert out["predicted"]["feedback_bits"].mean() < out["plain"]["feedback_bits"].mean()
    assert certainly_less(drop_means(out["plain"]), drop_means(out["predicted"]))


def test_prediction_begins_anew_with_new_beams(run, scheme):
    """Online and late: a report through the old beams is never built on through the new ones."""
    online = {"analog": {"kind": "ssca", "batch": 2, "inner_iterations": 2}, "digital": {"kind": "sca", "iterations": 3}}
    feedback = {"delay_slots": 2, "loss": 0.2}
    configs = [scheme(n, "online", codec=c, **online) for n, c in (("diff", DIFFERENTIAL), ("plain", DIFFERENTIAL["inner"]))]
    out = run(*configs, duplex="fdd", feedback=feedback, drops=8, clock={"frames": 4, "superframes": 2})
    assert np.nanmean(out["diff"]["nmse_csi"]) < 1.1 * np.nanmean(out["plain"]["nmse_csi"])


def test_prediction_pays_under_a_budget(run, scheme):
    """Reports far apart, as a small budget has them, still build on each other."""
    setting = {"channel": {"fading": {"kind": "ar1", "correlation": 0.999}}, "clock": {"frames": 24}, "duplex": "fdd", "drops": 4}
    codecs = {"plain": DIFFERENTIAL["inner"], "predicted": DIFFERENTIAL}
    schemes = [scheme(name, codec=codec, analog="ports", combiner_csi="true_channel") for name, codec in codecs.items()]
    out = run(*schemes, system=PORTS, feedback={"budget_bits": 600, "delay_slots": 1}, **setting)
    gaps = np.diff(np.flatnonzero(out["predicted"]["feedback_bits"][:96]))
    assert gaps.min() > 15
    plain, predicted = (out[name]["nmse_csi"][out[name]["slot"] > 1] for name in codecs)
    assert np.nanmean(predicted) < 0.8 * np.nanmean(plain)


def test_a_budget_leaves_reports_in_step_with_the_beams(run, scheme):
    """New beams in every slot, reports of different length: a drop's users report through the same beams, or none would be used."""
    single = scheme(timescale="single", analog="svd_phases", codec="type2")
    out = run(single, duplex="fdd", system=PORTS | {"num_users": 4}, feedback={"budget_bits": 900}, clock={"frames": 24})["s"]
    age = out["csi_age_slots"].reshape(2, -1)
    assert np.nanmean(age[:, -24:]) < 1.5 * np.nanmean(age[:, 24:48])
    assert np.nanmax(age) < 16


@pytest.mark.parametrize(("timescale", "analog", "users"), [("single", "svd_phases", 3), ("offline", "covariance", 1)])
def test_new_beams_need_all_reports_of_a_slot(run, scheme, timescale, analog, users):
    """Geometric ages: of a slot's three reports all must come where every slot has beams of its own, else each counts for itself."""
    loss = 0.3
    out = run(scheme(timescale=timescale, analog=analog), duplex="fdd", feedback={"loss": loss}, system={"num_users": 3},
              clock={"frames": 40}, drops=8)["s"]  # fmt: skip
    kept = (1 - loss) ** users
    assert np.nanmean(out["csi_age_slots"][out["slot"] > 40]) == pytest.approx((1 - kept) / kept, rel=0.15)


@pytest.mark.parametrize("codec", ["lloyd_max", DIFFERENTIAL], ids=str)
def test_what_never_completes_is_not_kept(run, scheme, monkeypatch, codec):
    """New beams in every slot and hardly a drop whose reports all arrive: only what serves or is under way is remembered."""
    kept = []
    original = Scheme.receive

    def receive(self, sent, arrived):
        original(self, sent, arrived)
        kept.append(max(len(self.beams), len(self.known), len(self.exchange._station)))

    monkeypatch.setattr(Scheme, "receive", receive)
    out = run(scheme(timescale="single", analog="svd_phases", codec=codec), duplex="fdd", feedback={"loss": 0.9, "delay_slots": 2},
              clock={"frames": 10})["s"]  # fmt: skip
    assert max(kept) <= 2 + 3  # drops, the present beams, and those with reports under way
    assert np.nanmax(out["csi_age_slots"]) > 5


class Harmed(FeedbackLink):
    """Losses that end: from slot 8 on everything arrives."""

    def arrivals(self, superframe, slot):
        return super().arrivals(superframe, slot) | (slot >= 8)


CODED = ["lloyd_max", DIFFERENTIAL, {"kind": "differential", "inner": ADAPTIVE}, "type2"]


@pytest.mark.parametrize(
    ("codec", "damage"), [("ideal", 0.0), *((codec, damage) for codec in CODED for damage in (0.0, 0.01, 0.5))], ids=str
)
def test_harm_ends_with_the_next_intact_report(run, scheme, monkeypatch, codec, damage):
    """After slot 8 nothing is lost or damaged: the station soon knows what an unharmed one knows."""
    rng = np.random.default_rng(1)
    original = Exchange.receive

    def receive(self, sent, arrived):
        if sent.slot < 8 and damage:
            payload = np.frombuffer(sent.report.payload.tobytes(), np.uint8).reshape(sent.report.payload.shape)
            flips = np.packbits(rng.random((*payload.shape[:-1], 8 * payload.shape[-1])) < damage, axis=-1)
            sent.report.payload[...] = payload ^ flips
        return original(self, sent, arrived)

    config = scheme(codec=codec, analog="ports", estimator="perfect", combiner_csi="true_channel")
    setting = {"duplex": "fdd", "system": PORTS, "channel": {"fading": {"kind": "static"}}, "clock": {"frames": 4}, "drops": 8}
    clean = run(config, **setting)["s"]
    monkeypatch.setattr(Exchange, "receive", receive)
    monkeypatch.setattr("csisim.engine.cell.FeedbackLink", Harmed)
    harmed = run(config, feedback={"loss": 0.4}, **setting)["s"]
    assert np.isfinite(harmed["sum_rate_bps_hz"]).all()
    after = harmed["slot"] >= 8
    assert (harmed["csi_age_slots"][after] == 0).all()
    lasting = ("differential",) if isinstance(codec, dict) else ()
    for column in ("nmse_csi", "sgcs"):
        if lasting:  # it knows as well as after as many intact reports
            assert np.nanmean(harmed[column][harmed["slot"] >= 12]) == pytest.approx(
                np.nanmean(clean[column][clean["slot"] >= 4]), rel=0.5, abs=1e-2)  # fmt: skip
        else:
            np.testing.assert_array_equal(harmed[column][after], clean[column][after])
