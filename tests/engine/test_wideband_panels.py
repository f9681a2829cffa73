"""Dual-polarised panels over a band: every timescale serves them, and compression over frequency meets what it was made for."""

import numpy as np
import pytest

PANEL = {"kind": "cross_polarised", "rows": 2, "columns": 4}
PAIR = {"kind": "cross_polarised", "columns": 1}
WIDE = {"tx_array": PANEL, "rx_array": PAIR, "num_subcarriers": 13, "bandwidth_hz": 9.36e6}
SYSTEM = {"num_tx": 16, "num_rf": 4, "num_rx": 2, "num_rx_rf": 2, "num_users": 4, "num_streams": 1}
SCHEMES = [
    ("single", "altmin", "rls", "rzf"),
    ("single", "none", "perfect", "zf"),
    ("offline", "covariance", "mmse", "zf"),
    ("online", "ssca", "rls", "rzf"),
]


def rates(run, scheme, **channel):
    schemes = [scheme(f"{t}_{a}", t, analog=a, estimator=e, digital=d) for t, a, e, d in SCHEMES]
    return {name: o["sum_rate_bps_hz"] for name, o in run(*schemes, channel=channel, system=SYSTEM).items()}


def test_every_timescale_serves_a_wide_band(run, scheme):
    """A flat band is one subcarrier again. One analog stage for all of a selective band follows none of it; digital stages follow all."""
    flat, selective = (rates(run, scheme, **WIDE, delay_spread_s=spread) for spread in (0.0, 1e-6))
    narrow = rates(run, scheme, tx_array=PANEL, rx_array=PAIR)
    for name, rate in flat.items():
        assert (selective[name] > 0).all()
        assert np.mean(rate) == pytest.approx(np.mean(narrow[name]), rel=0.1), name
    assert np.mean(selective["single_altmin"]) < 0.92 * np.mean(flat["single_altmin"])
    assert np.mean(selective["single_none"]) == pytest.approx(np.mean(flat["single_none"]), rel=0.04)


def test_perfectly_known_flat_bands_have_the_narrowband_rate(run, scheme):
    schemes = [scheme(a, t, analog=a, estimator="perfect", digital="zf") for t, a in (("single", "svd_phases"), ("offline", "covariance"))]
    wide = run(*schemes, channel=WIDE | {"delay_spread_s": 0.0}, system=SYSTEM, precision="double")
    one = run(*schemes, channel={"tx_array": PANEL, "rx_array": PAIR}, system=SYSTEM, precision="double")
    for name, columns in wide.items():
        np.testing.assert_allclose(columns["sum_rate_bps_hz"], one[name]["sum_rate_bps_hz"], rtol=1e-6)


def test_frequency_compression_pays_where_the_band_is_nearly_flat(run, scheme):
    """Enhanced Type II has half of Type II's bits: at a short delay spread its reports are as good, at a long one they are not."""
    ports = {"analog": "ports", "estimator": "perfect", "digital": "rzf", "combiner_csi": "true_channel"}
    codecs = {name: {"kind": name, "n1": 4, "n2": 2} for name in ("type2", "etype2")}
    sgcs, bits = {}, {}
    for spread in (10e-9, 1e-6):
        channel = WIDE | {"num_rays": 8, "delay_spread_s": spread}
        schemes = [scheme(name, codec=codec, **ports) for name, codec in codecs.items()]
        for name, out in run(*schemes, channel=channel, system=SYSTEM | {"num_rf": 16}, duplex="fdd", drops=16).items():
            sgcs[name, spread], bits[name, spread] = out["sgcs"].mean(), out["feedback_bits"].mean()
    assert max(bits["etype2", spread] / bits["type2", spread] for spread in (10e-9, 1e-6)) < 0.55
    assert sgcs["etype2", 10e-9] > sgcs["type2", 10e-9] - 0.01
    assert sgcs["etype2", 1e-6] < sgcs["type2", 1e-6] - 0.02
