"""Reports of precoders in a running cell: what they cost, what they earn, and what they leave open."""

import numpy as np
import pytest

SYSTEM = {"num_tx": 16, "num_rf": 16, "num_rx": 2, "num_rx_rf": 2, "num_users": 3, "num_streams": 1}
CODECS = {"type1": "type1", "etype2": {"kind": "etype2", "combination": 2}, "type2": "type2", "ideal": "ideal"}


@pytest.fixture(name="fdd")
def fdd_fixture(run, scheme):
    def fdd(codecs=CODECS, digital="zf", system=SYSTEM, **changes):
        schemes = [scheme(n, codec=c, analog="ports", estimator="perfect", digital=digital, combiner_csi="true_channel")
                   for n, c in codecs.items()]  # fmt: skip
        return run(*schemes, duplex="fdd", system=system, drops=changes.pop("drops", 8), **changes)

    return fdd


def test_more_bits_are_worth_more(fdd):
    out = fdd()
    rate, bits, sgcs = (
        {n: np.nanmean(o[column]) for n, o in out.items()} for column in ("sum_rate_bps_hz", "feedback_bits", "sgcs")
    )  # fmt: skip
    assert rate["type1"] < rate["etype2"] < rate["type2"] < rate["ideal"]
    assert bits["type1"] < bits["etype2"] < bits["type2"]
    assert sgcs["type1"] < sgcs["etype2"] < sgcs["type2"] < 1
    assert bits["type1"] == 4 + 5 + 2  # CQI, 8 columns with 4 beams each, a co-phase


def test_precoders_have_a_similarity_and_no_error(fdd):
    out = fdd({"type2": "type2"})["type2"]
    assert np.isnan(out["nmse_csi"]).all()
    assert ((out["sgcs"] > 0.5) & (out["sgcs"] <= 1)).all()
    assert (out["nmse_estimate"] == 0).all()


def test_one_antenna_per_chain_is_fully_digital(run, scheme):
    perfect = {"estimator": "perfect", "digital": "zf"}
    out = run(scheme("ports", analog="ports", **perfect), scheme("bound", "single", analog="none", **perfect), system=SYSTEM)
    np.testing.assert_allclose(out["ports"]["sum_rate_bps_hz"], out["bound"]["sum_rate_bps_hz"], rtol=1e-3)


def test_two_layers_per_user(fdd):
    system = SYSTEM | {"num_users": 2, "num_streams": 2}
    out = fdd({k: {"kind": k, "rank": 2} for k in ("type1", "type2")} | {"ideal": "ideal"}, system=system)
    rate = [out[k]["sum_rate_bps_hz"].mean() for k in ("type1", "type2", "ideal")]
    assert rate == sorted(rate)


def test_regularisation_needs_the_gain(fdd):
    """At low SNR inversion pays for nothing; without a CQI the station does not know that the users are that far away."""
    far = {"kind": "mmwave_clusters", "normalisation": "none", "gain_variance": 0.01, "fading": {"kind": "static"}}
    told = fdd({"with": "type2", "without": {"kind": "type2", "cqi": False}}, "rzf", channel=far, drops=16)
    assert told["with"]["sum_rate_bps_hz"].mean() > 1.02 * told["without"]["sum_rate_bps_hz"].mean()


PANEL = {"kind": "mmwave_clusters", "tx_array": {"kind": "cross_polarised", "rows": 2, "columns": 4}}


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("codec", [{"kind": "type1"}, {"kind": "type2"}, *({"kind": "etype2", "combination": c} for c in (1, 6))], ids=str)
def test_lost_and_late_reports_cost_rate_and_nothing_else(fdd, codec, rank):
    """On the standard's panel of 2 x 4 x 2 ports."""
    panel, fading = {"n1": 4, "n2": 2, "rank": rank}, {"fading": {"kind": "ar1", "correlation": 0.9}}
    outs = [
        fdd({"s": codec | panel}, channel=PANEL | fading, feedback=feedback, system=SYSTEM | {"num_users": 2, "num_streams": rank})["s"]
        for feedback in ({}, {"delay_slots": 2}, {"loss": 0.5}, {"loss": 1.0})
    ]
    rates = [out["sum_rate_bps_hz"].mean() for out in outs]
    assert rates[0] > max(rates[1:3]) > rates[3] == 0
    assert all(np.isnan(out["nmse_csi"]).all() for out in outs)
    assert np.isnan(outs[3]["sgcs"]).all()  # nothing has arrived
    assert np.nanmean(outs[0]["sgcs"]) > np.nanmean(outs[1]["sgcs"]) > 0


@pytest.mark.parametrize("rank", [1, 2])
def test_every_parameter_combination_of_a_wide_band(fdd, rank):
    """Enhanced Type II on 32 ports and 8 subbands, late and lossy: what is booked grows with the combination as its lengths do."""
    codecs = {f"{c}": {"kind": "etype2", "combination": c, "n1": 4, "n2": 4, "rank": rank} for c in range(1, 9)}
    wide = {"kind": "cost2100", "num_subcarriers": 8, "fading": None} if rank == 1 else {"kind": "rayleigh", "num_subcarriers": 8}
    system = {"num_tx": 32, "num_rf": 32, "num_rx": rank, "num_rx_rf": rank, "num_users": 2, "num_streams": rank}
    out = fdd(codecs, channel=wide, system=system, feedback={"delay_slots": 1, "loss": 0.2}, drops=2)
    for name, columns in out.items():
        assert np.isnan(columns["nmse_csi"]).all()
        assert (columns["sum_rate_bps_hz"] > 0).any()
        sgcs = columns["sgcs"][~np.isnan(columns["sgcs"])]
        assert ((sgcs > 0) & (sgcs <= 1)).all(), name
    bits = [out[name]["feedback_bits"].max() for name in codecs]
    assert bits[0] < bits[1] < bits[3] < bits[4]
    assert bits[6] < bits[7]


def test_sub_arrays_are_ports_too(fdd):
    """Two neighbouring antennas per chain: half the ports, shorter reports."""
    out = fdd({"type2": "type2"}, system=SYSTEM | {"num_rf": 8})["type2"]
    assert out["feedback_bits"].max() < fdd({"type2": "type2"})["type2"]["feedback_bits"].max()
    assert out["sum_rate_bps_hz"].mean() > 1


def test_the_standards_panel(fdd):
    """2 rows and 4 columns of cross-polarised antennas: a panel of n1 = 4 and n2 = 2 hears what a wrong one does not."""
    panel = {"kind": "cross_polarised", "rows": 2, "columns": 4}
    right, wrong = {"kind": "type1", "n1": 4, "n2": 2}, {"kind": "type1", "n1": 8, "n2": 1}
    out = fdd({"right": right, "wrong": wrong}, channel={"kind": "mmwave_clusters", "tx_array": panel, "num_clusters": 1}, drops=16)
    assert np.nanmean(out["right"]["sgcs"]) > np.nanmean(out["wrong"]["sgcs"]) + 0.1


def test_beams_that_move_have_ports_too(run, scheme):
    """Online, late and lossy: reports go by the version of the beams they were measured through, as any other."""
    online = scheme("s", "online", codec="type1", analog="ssca", combiner_csi="estimate")
    out = run(online, duplex="fdd", system={"num_streams": 1}, feedback={"delay_slots": 1, "loss": 0.3}, drops=4)["s"]
    later = out["frame"] > 0
    assert (out["sum_rate_bps_hz"][later] > 0).all()
    assert np.nanmean(out["sgcs"]) > 1 / 4  # of a random direction at four chains


def test_a_wide_band_shares_precoders_in_subbands(fdd):
    rayleigh = {"kind": "rayleigh", "num_subcarriers": 6, "fading": {"kind": "static"}}
    codecs = {f"{n}": {"kind": "type2", "subbands": n} for n in (1, 6)}
    out = fdd(codecs, channel=rayleigh, drops=4)
    bits = {n: o["feedback_bits"].max() for n, o in out.items()}
    assert bits["6"] - bits["1"] == 5 * (5 * 4 + 2 * 2)  # five coefficients with 3 + 1 bits and two with 2, in every subband
    assert np.nanmean(out["6"]["sgcs"]) > np.nanmean(out["1"]["sgcs"]) + 0.2  # independent subcarriers
