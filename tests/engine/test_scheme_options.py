"""Every option of a scheme and of its pilots changes what it says it changes."""

import numpy as np
import pytest

from csisim.acquisition.full_csi import BeamSweep, Genie
from csisim.acquisition.observe import UnitNoise
from csisim.random import Streams
from csisim.registry import build
from csisim.scheme import Link, Scheme

SSCA = {"analog": {"kind": "ssca", "batch": 2, "inner_iterations": 2}, "digital": {"kind": "sca", "iterations": 3}}


def by_frame(columns, name="sum_rate_bps_hz", superframe=0):
    rows = columns["superframe"] == superframe
    return np.array([columns[name][rows & (columns["frame"] == frame)].mean() for frame in np.unique(columns["frame"])])


@pytest.fixture
def assembled(cell):
    """A scheme and its channel, outside the engine."""

    def assemble(config):
        physics = cell(config)
        streams, dims = Streams(physics.seed), physics.dims(physics.drops)
        link = Link(physics.system, dims, physics.pilots, physics.full_csi, streams, UnitNoise(streams, dims), fdd=False)
        return Scheme(config, link), build("channel", physics.channel, dims, streams, 1e-3)

    return assemble


def test_combiners_of_the_true_channel_age_less(run, scheme):
    stale, fresh = scheme("stale", estimator="perfect"), scheme("fresh", estimator="perfect", combiner_csi="true_channel")
    now, late = (run(stale, fresh, duplex="fdd", feedback={"delay_slots": d}, drops=8) for d in (0, 2))
    np.testing.assert_allclose(now["stale"]["sum_rate_bps_hz"], now["fresh"]["sum_rate_bps_hz"], rtol=1e-5)
    assert late["fresh"]["sum_rate_bps_hz"].mean() > 1.1 * late["stale"]["sum_rate_bps_hz"].mean()


def test_whitened_pilots_see_badly_conditioned_beams_better(run, scheme):
    """Noise of plain pilots passes (F^H F)^(-1/2): in orthonormal coordinates its power is the mean of the inverse eigenvalues."""
    crowded = scheme(**SSCA)
    rates = {
        p: run(crowded, pilots={"precoding": p}, drops=16, system={"num_rf": 8})["s"]["sum_rate_bps_hz"].mean()
        for p in ("whitened", "none")
    }
    assert rates["whitened"] > rates["none"]


@pytest.mark.parametrize("rule", ["random", "keep", "restart"])
def test_phases_at_new_statistics(rule, scheme, assembled):
    one, channel = assembled(scheme(timescale="online", on_new_statistics=rule, **SSCA))
    starts = []
    for superframe in range(2):
        channel.begin_superframe(superframe)
        one.begin_superframe(superframe, channel)
        starts.append(np.angle(one.next_beams[0]))
        one.begin_slot(channel.step(0), 0, full_csi=True)
        one.end_frame(0)
        one.begin_slot(channel.step(1), 1, full_csi=True)
    learned = np.angle(one.beams[one.version].f)
    assert len(one.memory) == 2  # both of this superframe: the first superframe's are forgotten
    same = np.allclose(np.exp(1j * starts[1]), np.exp(1j * starts[0]))
    assert same == (rule == "restart")
    assert not np.allclose(np.exp(1j * learned), np.exp(1j * starts[1]))


def test_keep_goes_on_from_the_last_beams(scheme, assembled):
    one, channel = assembled(scheme(timescale="online", on_new_statistics="keep", **SSCA))
    channel.begin_superframe(0)
    one.begin_superframe(0, channel)
    one.begin_slot(channel.step(0), 0, full_csi=True)
    one.end_frame(0)
    one.begin_slot(channel.step(1), 1, full_csi=False)
    last = one.beams[one.version].f
    channel.begin_superframe(1)
    one.begin_superframe(1, channel)
    np.testing.assert_allclose(one.next_beams[0], last, atol=1e-6)


@pytest.mark.parametrize(("memory", "kept"), [("all", 5), (3, 3), (1, 1)])
def test_memory_keeps_the_newest_samples(memory, kept, scheme, assembled):
    one, channel = assembled(scheme(timescale="online", memory=memory, **SSCA))
    channel.begin_superframe(0)
    one.begin_superframe(0, channel)
    states = [channel.step(slot) for slot in range(5)]
    for slot, state in enumerate(states):
        one.begin_slot(state, slot, full_csi=True)
    assert one.memory == states[-kept:]


def test_covariance_start_takes_over_at_the_first_frames_end(run, scheme):
    cold, warm = scheme("cold", "online", **SSCA), scheme("warm", "online", initial="covariance", **SSCA)
    out = run(cold, warm, drops=16, clock={"frames": 3})
    cold_rate, warm_rate = by_frame(out["cold"]), by_frame(out["warm"])
    assert warm_rate[0] == cold_rate[0]  # both on random phases until the first sample
    assert warm_rate[1] > cold_rate[1]


def test_dft_beams_without_samples_are_the_sector_grid(run, scheme):
    out = run(scheme("dft", analog="dft", num_samples=0), scheme("random"))
    assert not np.allclose(out["dft"]["sum_rate_bps_hz"], out["random"]["sum_rate_bps_hz"])
    assert (out["dft"]["pilot_bits"] == out["random"]["pilot_bits"]).all()


def test_tdma_sees_the_same_pilots_and_takes_more_air_time(run, scheme):
    broadcast, tdma = (run(scheme(), pilots={"access": a})["s"] for a in ("broadcast", "tdma"))
    np.testing.assert_array_equal(broadcast["sum_rate_bps_hz"], tdma["sum_rate_bps_hz"])
    np.testing.assert_allclose(tdma["net_rate_bps_hz"], tdma["sum_rate_bps_hz"] * (1 - 2 * 4 / 256))


def test_pilots_of_equation_4_need_room_for_every_user(run, scheme):
    """DFT pilots of two users with 4 RF chains are orthogonal from 8 symbols on; at 4 they alias."""
    errors = {
        length: run(scheme(), pilots={"access": "kang_eq4", "precoding": "none", "length": length}, system={"snr_db": 40.0})["s"][
            "nmse_estimate"
        ].mean()
        for length in (4, 8)
    }
    assert errors[4] > 0.5
    assert errors[8] < 1e-2


def test_white_noise_after_combining_is_the_papers_reading(run, scheme):
    """Same power on average, another realisation: N_r^RF directions of unit-norm combiners either way."""
    coloured, white = (
        run(scheme(), pilots={"precoding": "none", "combining_noise": n}, drops=16)["s"]["nmse_estimate"] for n in ("coloured", "white")
    )
    assert not np.array_equal(coloured, white)
    assert np.mean(white) == pytest.approx(np.mean(coloured), rel=0.3)


def test_a_beam_sweep_errs_by_its_pilot_noise(run, scheme):
    """Least squares through orthonormal beams: error sigma^2 / L per coefficient, of mean channel power 1."""
    out = run(scheme("single", "single", analog="svd_phases"), full_csi=BeamSweep(), drops=16, channel={"num_clusters": 16})["single"]
    assert np.mean(out["nmse_full"]) == pytest.approx(0.1 / 4, rel=0.25)


def test_a_beam_sweep_is_booked_as_one(run, scheme):
    config = scheme("single", "single", analog="svd_phases")
    bits = [run(config, full_csi=kind)["single"]["pilot_bits"][0] for kind in (Genie(), BeamSweep())]
    assert bits == [4 * 2 + 16 * 4 + 4 * 4, 2 * 4 * 2 + 4 * 16 * 4 + 2 * 4 * 4 * 4]


def test_keep_keeps_what_the_last_frame_taught(run, scheme):
    """With one frame per superframe the only design is that of the last frame's end: keep must not lose it."""
    clock, channel = {"frames": 1, "superframes": 3}, {"fading": {"kind": "static"}}
    out = run(*(scheme(rule, "online", on_new_statistics=rule, **SSCA) for rule in ("keep", "restart")), clock=clock, channel=channel)
    later = out["keep"]["superframe"] > 0
    assert not np.allclose(out["keep"]["sum_rate_bps_hz"][later], out["restart"]["sum_rate_bps_hz"][later], rtol=0.02)


def test_designers_with_combiners_obey_combiner_csi_too(run, scheme):
    stale = scheme("stale", digital="svd", estimator="perfect")
    fresh = scheme("fresh", digital="svd", estimator="perfect", combiner_csi="true_channel")
    out = run(stale, fresh, duplex="fdd", feedback={"delay_slots": 3}, system={"num_users": 1}, drops=8)
    assert out["fresh"]["sum_rate_bps_hz"].mean() > 1.05 * out["stale"]["sum_rate_bps_hz"].mean()


@pytest.mark.parametrize("fading", [{"kind": "static"}, {"kind": "ar1", "correlation": 1.0}, {"kind": "jakes", "doppler_hz": 20.0}])
def test_mmse_is_not_fooled_by_a_channel_that_stands_still(run, scheme, fading):
    """Its covariance is of the statistics, not of one lasting fade."""
    out = run(scheme("ls"), scheme("mmse", estimator="mmse"), channel={"fading": fading}, drops=16, system={"snr_db": 0.0})
    assert out["mmse"]["nmse_estimate"].mean() < out["ls"]["nmse_estimate"].mean()


def test_dft_beams_start_on_the_sector_grid_online_too(run, scheme):
    out = run(scheme("dft", "online", analog="dft"), scheme("random"))
    first = out["dft"]["frame"] == 0
    assert not np.allclose(out["dft"]["sum_rate_bps_hz"][first], out["random"]["sum_rate_bps_hz"][first])


def test_collinear_beams_waste_no_power(scheme, assembled):
    """Two equal columns in F: the estimate has nothing in the dropped direction, so the precoder radiates its whole budget."""
    one, channel = assembled(scheme())
    channel.begin_superframe(0)
    one.begin_superframe(0, channel)
    f, w = one.next_beams
    f[..., 1] = f[..., 0]
    one.next_beams = f, w
    state = channel.step(0)
    one.begin_slot(state, 0, full_csi=False)
    estimate, _ = one.sense(state, 0)
    precoder, _ = one.digital.design(estimate, one.noise_power, one.power, 2)
    radiated = (np.abs(one.beams[one.version].f_orthonormal[:, None, None] @ precoder) ** 2).sum(axis=(-1, -2))
    np.testing.assert_allclose(radiated, 2.0, rtol=1e-4)


def test_fully_digital_beams_of_a_dense_channel_stand_still(run, scheme):
    """The identity serves every slot, so lost reports leave older ones in force instead of nothing."""
    dense = {"kind": "rayleigh", "fading": {"kind": "static"}, "normalisation": "unit"}
    digital = scheme("fd", "single", estimator="perfect", analog="none")
    out = run(digital, duplex="fdd", feedback={"loss": 0.5}, channel=dense, drops=8, system={"num_users": 4})["fd"]
    assert out["analog_updated"].sum() == 8  # once per drop
    assert np.nanmean(out["csi_age_slots"]) < 1.5


@pytest.mark.parametrize("digital", ["zf", "rzf", "sca", "wmmse"])
@pytest.mark.parametrize("num_rays", [1, 3])
def test_fewer_paths_than_streams_do_not_fool_fully_digital_beams(run, scheme, digital, num_rays):
    """Bases of the signal space keep room for every stream: fully digital is not below hybrid on random phases."""
    few = {"num_clusters": 1, "num_rays": num_rays, "fading": {"kind": "static"}}
    system = {"num_streams": 4, "num_rx_rf": 4, "num_rf": 8}
    bound = scheme("bound", "single", estimator="perfect", analog="none", digital=digital)
    hybrid = scheme("hybrid", estimator="perfect", digital="rzf")
    others = [scheme(kind, "single", estimator="perfect", analog=kind) for kind in ("altmin", "svd_phases", "omp")]
    out = run(bound, hybrid, *others, channel=few, system=system, drops=8, clock={"frames": 1})
    rate = {name: columns["sum_rate_bps_hz"].mean() for name, columns in out.items()}
    assert all(np.isfinite(r) and r > 0 for r in rate.values())
    if digital in ("sca", "wmmse"):  # inversions spend power on streams that have no path, and bound nothing
        assert rate["bound"] > rate["hybrid"]


def test_reciprocity_is_tdd_beside_fdd(run, scheme):
    """On the same channel and noise, whatever the feedback link does."""
    tdd = run(scheme("s", estimator="rls"))["s"]
    both = run(
        scheme("s", estimator="rls", reciprocity=True), scheme("reports", estimator="rls", codec="lloyd_max"),
        duplex="fdd", feedback={"delay_slots": 2, "loss": 0.5},
    )  # fmt: skip
    for column in tdd:
        np.testing.assert_array_equal(both["s"][column], tdd[column], err_msg=column)
    assert both["reports"]["feedback_bits"].min() > 0
    assert np.nanmin(both["reports"]["csi_age_slots"]) >= 2


def test_the_analog_stage_rests_between_updates(run, scheme):
    """Updates after frames 0 and 3: new beams in frames 0 (random), 1 and 4, and one sample's cost in each of the two frames."""
    out = run(scheme(timescale="online", update_every=3, **SSCA), clock={"frames": 6}, drops=1)["s"]
    updated = out["analog_updated"].reshape(6, 4)
    assert np.flatnonzero(updated[:, 0]).tolist() == [0, 1, 4]
    assert not updated[:, 1:].any()
    bits = out["pilot_bits"].reshape(6, 4)
    assert np.flatnonzero(bits[:, 3] > bits[:, 0]).tolist() == [0, 3]
    assert (bits[:, :3] == bits[0, 0]).all()
    every = run(scheme(timescale="online", **SSCA), clock={"frames": 6}, drops=1)["s"]
    np.testing.assert_array_equal(every["sum_rate_bps_hz"][:8], out["sum_rate_bps_hz"][:8])
