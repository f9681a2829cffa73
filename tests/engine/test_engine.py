"""The engine: event order, timescales, the feedback link, and what ends up in the records."""

import numpy as np
import pytest

ONLINE = {"analog": {"kind": "ssca", "batch": 2, "inner_iterations": 2}, "digital": {"kind": "sca", "iterations": 3}}


def by_slot(column, drops=2):
    return column.reshape(drops, -1)


def test_ideal_feedback_without_delay_is_tdd_bit_for_bit(run, scheme):
    one = scheme(timescale="online", **ONLINE)
    tdd, fdd = run(one)["s"], run(one, duplex="fdd")["s"]
    for name in set(tdd) - {"sgcs"}:  # a number about reports
        np.testing.assert_array_equal(tdd[name], fdd[name], err_msg=name)
    assert np.isnan(tdd["sgcs"]).all()


def test_the_cosine_similarity_of_reports_rises_with_their_bits(run, scheme):
    similarity = [
        run(scheme(codec={"kind": "lloyd_max", "bits": bits}, estimator="perfect"), duplex="fdd")["s"]["sgcs"] for bits in (1, 2, 5)
    ]
    assert all((s >= 0).all() and (s <= 1 + 1e-6).all() for s in similarity)
    assert similarity[0].mean() < similarity[1].mean() < similarity[2].mean()
    assert similarity[2].mean() > 0.99


def test_schemes_share_channel_and_noise(run, scheme):
    alone = run(scheme("a"))["a"]
    beside = run(scheme("b", timescale="online", **ONLINE), scheme("a"), scheme("c", estimator="perfect"))["a"]
    for name in alone:
        np.testing.assert_array_equal(alone[name], beside[name], err_msg=name)


def test_perfect_csi_has_no_error_and_more_rate(run, scheme):
    out = run(scheme("ls"), scheme("perfect", estimator="perfect"), drops=8, system={"snr_db": 0.0})
    assert (out["perfect"]["nmse_csi"] == 0).all()
    assert (out["ls"]["nmse_csi"] > 0).all()
    assert out["perfect"]["sum_rate_bps_hz"].mean() > out["ls"]["sum_rate_bps_hz"].mean()


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_reports_arrive_after_their_delay(run, scheme, delay):
    out = run(scheme(), duplex="fdd", feedback={"delay_slots": delay})["s"]
    age, rate = by_slot(out["csi_age_slots"]), by_slot(out["sum_rate_bps_hz"])
    assert np.isnan(age[:, :delay]).all()
    assert (rate[:, :delay] == 0).all()
    assert (age[:, delay:] == delay).all()
    assert (rate[:, delay:] > 0).all()


def test_delayed_csi_is_the_older_channel(run, scheme):
    """Perfect CSI that is d slots old misses what AR(1) fading changed meanwhile.

    Backwards in time h(t-d) = c h(t) + sqrt(1 - c^2) e with c = rho^d, so the mean ratio is (1 - c)^2 + (1 - c^2) E[|e|^2] E[1/|h|^2],
    and the last factor exceeds 1/E|h|^2 by n/(n-1) for n independent entries: between n = 8 (one user's) and infinity.
    """
    many_paths = {"num_clusters": 16, "num_rays": 4}
    out = run(scheme(estimator="perfect"), duplex="fdd", feedback={"delay_slots": 2}, channel=many_paths, drops=16, clock={"frames": 40})[
        "s"
    ]
    c = 0.9**2
    low, high = ((1 - c) ** 2 + (1 - c**2) * factor for factor in (1.0, 8 / 7))
    assert 0.95 * low < np.nanmean(out["nmse_csi"]) < 1.05 * high


def test_everything_lost_means_nothing_known(run, scheme):
    out = run(scheme(), duplex="fdd", feedback={"loss": 1.0})["s"]
    assert (out["sum_rate_bps_hz"] == 0).all()
    assert np.isnan(out["csi_age_slots"]).all()
    assert np.isnan(out["nmse_csi"]).all()


def test_a_lost_report_leaves_the_newest_one_in_force(run, scheme):
    """Ages are those of the last intact report of each user: with one user, the slots since the last arrival."""
    loss = 0.5
    out = run(scheme(num_samples=0), duplex="fdd", feedback={"loss": loss}, drops=16, system={"num_users": 1}, clock={"frames": 20})["s"]
    age = by_slot(out["csi_age_slots"], 16)
    known = ~np.isnan(age)
    fresh = known & (age == 0)
    assert fresh.mean() == pytest.approx(1 - loss, abs=4 * np.sqrt(loss * (1 - loss) / age.size))
    for slot in range(1, age.shape[1]):
        stale = known[:, slot] & ~fresh[:, slot]
        np.testing.assert_array_equal(age[stale, slot], age[stale, slot - 1] + 1)


def test_loss_costs_rate(run, scheme):
    rates = [run(scheme(), duplex="fdd", feedback={"loss": p}, drops=16)["s"]["sum_rate_bps_hz"].mean() for p in (0.0, 0.3, 0.8)]
    assert rates[0] > rates[1] > rates[2]


def test_new_beams_at_frame_boundaries_only(run, scheme):
    out = run(scheme("online", timescale="online", **ONLINE), scheme("offline"), scheme("single", "single", analog="svd_phases"))
    slot = out["online"]["slot"]
    np.testing.assert_array_equal(out["online"]["analog_updated"], slot % 4 == 0)
    np.testing.assert_array_equal(out["offline"]["analog_updated"], slot == 0)
    assert out["single"]["analog_updated"].all()


def test_payload_keeps_the_old_beams_until_a_report_through_new_ones_arrives(run, scheme):
    """With a delay, the first payload slots of a frame use CSI measured through the previous frame's beams."""
    delayed = run(scheme(timescale="online", **ONLINE), duplex="fdd", feedback={"delay_slots": 2})["s"]
    age = by_slot(delayed["csi_age_slots"])
    # old reports go on arriving until the new one does, so the age never exceeds the delay
    assert (age[:, 2:] == 2).all()


def test_sampling_in_silence_earns_nothing_meanwhile(run, scheme):
    fields = {"analog": ONLINE["analog"] | {"steps": 3}, "num_samples": 4}
    out = run(scheme("silent", sampling="inside_silent", **fields), scheme("busy", sampling="inside_random_phases", **fields), drops=4)
    silent, busy = (by_slot(out[s]["sum_rate_bps_hz"], 4) for s in ("silent", "busy"))
    assert (silent[:, :4] == 0).all()
    assert (busy[:, :4] > 0).all()
    # both sampled the same four slots, so they end with the same beams and the same payload
    np.testing.assert_allclose(silent[:, 4:], busy[:, 4:], rtol=1e-5)


def test_net_rate_charges_pilot_symbols(run, scheme):
    out = run(scheme())["s"]
    np.testing.assert_allclose(out["net_rate_bps_hz"], out["sum_rate_bps_hz"] * (1 - 4 / 256))


def test_signaling_runs_from_the_superframes_start(run, scheme):
    out = run(scheme(timescale="online", **ONLINE), clock={"superframes": 2})["s"]
    for superframe in range(2):
        rows = (out["superframe"] == superframe) & (out["drop"] == 0)
        np.testing.assert_array_equal(out["signaling_bits"][rows], np.cumsum(out["pilot_bits"][rows] + out["feedback_bits"][rows]))


def test_feedback_bits_are_the_reports_bits(run, scheme):
    coded = scheme(codec={"kind": "lloyd_max", "bits": 3})
    out = run(coded, duplex="fdd")["s"]
    assert (out["feedback_bits"] == 2 * 2 * 4 * 3 + 16).all()  # two real numbers for each of 2 x 4 coefficients, and the scale
    assert (run(coded)["s"]["feedback_bits"] == 0).all()  # TDD sends no report


def test_more_feedback_bits_mean_less_csi_error(run, scheme):
    errors = [
        run(scheme(estimator="perfect", codec={"kind": "lloyd_max", "bits": b}), duplex="fdd")["s"]["nmse_csi"].mean() for b in (1, 3, 6)
    ]
    assert errors[0] > 5 * errors[1] > 5 * errors[2]


def test_a_second_user_only_costs_the_first_one(run, scheme):
    """K = 1 is a prefix of K = 2: the first user keeps its channel and gains interference."""
    one, two = (run(scheme(estimator="perfect"), system={"num_users": k}) for k in (1, 2))
    assert one["s"]["rate_user"].shape[1] == 1
    assert (two["s"]["rate_user"][:, 0] <= one["s"]["rate_user"][:, 0] + 1e-4).all()  # interference only costs


def test_blocks_of_drops_are_independent_of_how_many_follow(run, scheme):
    few, many = run(scheme(), drops=16)["s"], run(scheme(), drops=20)["s"]
    assert set(many["drop"]) == set(range(20))
    for name in few:
        np.testing.assert_array_equal(few[name], many[name][: len(few[name])], err_msg=name)


def test_finite_phase_shifters_cost_rate_and_fine_ones_do_not(run, scheme):
    ssca = scheme(analog={"kind": "ssca", "steps": 20}, estimator="perfect", digital=ONLINE["digital"])
    ideal, coarse, fine = (run(ssca, drops=8, system={"phase_bits": bits})["s"]["sum_rate_bps_hz"].mean() for bits in (None, 1, 8))
    assert coarse < ideal
    assert fine == pytest.approx(ideal, rel=0.01)


def test_statistics_change_restarts_the_online_climb(run, scheme):
    """Random and kept phases alike fall at a new superframe, and the memory is cleared."""
    for rule in ("random", "keep", "restart"):
        out = run(
            scheme(timescale="online", on_new_statistics=rule, estimator="perfect", **ONLINE),
            drops=16, clock={"superframes": 2, "frames": 6},
        )["s"]  # fmt: skip
        rate = lambda s, f, out=out: out["sum_rate_bps_hz"][(out["superframe"] == s) & (out["frame"] == f)].mean()  # noqa: E731
        assert rate(0, 5) > 1.15 * rate(0, 0)
        assert rate(1, 0) < 0.9 * rate(0, 5)
        assert rate(1, 5) > 1.15 * rate(1, 0)


def test_double_precision_agrees_with_single(run, scheme):
    """On a trace, which is the same channel in both precisions (drawn channels are not: their generators differ)."""
    system = {"num_tx": 32, "num_rf": 4, "num_rx": 1, "num_rx_rf": 1, "num_streams": 1}
    one = scheme(estimator="perfect", analog={"kind": "ssca", "steps": 4, "batch": 2}, digital=ONLINE["digital"])
    trace = {"kind": "trace", "fading": None, "num_subcarriers": 4}
    single, double = (run(one, precision=p, system=system, channel=trace)["s"]["sum_rate_bps_hz"] for p in ("single", "double"))
    np.testing.assert_allclose(single, double, rtol=1e-3)


def test_noisy_full_csi_is_as_noisy_as_it_says(run, scheme):
    from csisim.acquisition.full_csi import Noisy

    out = run(scheme("single", "single", analog="svd_phases"), full_csi=Noisy(nmse_db=-10.0), drops=8)["single"]
    assert np.mean(out["nmse_full"]) == pytest.approx(0.1, rel=0.1)
