"""Sparse estimates in a running cell."""

import pytest


@pytest.mark.parametrize("precoding", ["whitened", "none"])
def test_short_pilots_on_a_few_paths(run, scheme, precoding):
    """Half the pilots least squares needs: what the minimum-norm estimate cannot see, paths tell."""
    few = {"num_clusters": 1, "num_rays": 1}
    out = run(
        scheme("rls", estimator="rls"), scheme("omp", estimator="omp"),
        pilots={"length": 4, "precoding": precoding}, channel=few, drops=16, system={"snr_db": 20.0, "num_rf": 8, "num_streams": 1},
    )  # fmt: skip
    assert out["omp"]["nmse_estimate"].mean() < 0.4 * out["rls"]["nmse_estimate"].mean()
    assert out["omp"]["sum_rate_bps_hz"].mean() > 1.03 * out["rls"]["sum_rate_bps_hz"].mean()


def test_it_beats_least_squares_in_noise(run, scheme):
    """Eight paths against 64 coefficients per user, at the shortest pilots that least squares can use."""
    system = {"num_tx": 32, "num_rf": 16, "num_rx": 16, "num_rx_rf": 4, "snr_db": -5.0}
    out = run(scheme("ls", estimator="ls"), scheme("omp", estimator="omp"), system=system, clock={"frames": 1}, drops=8)
    assert out["omp"]["nmse_estimate"].mean() < 0.7 * out["ls"]["nmse_estimate"].mean()


@pytest.mark.parametrize("tx_array", [{"kind": "upa", "rows": 4, "columns": 4}, {"kind": "cross_polarised", "rows": 2, "columns": 4}])
def test_the_channels_array_is_the_dictionarys(run, scheme, tx_array):
    kwargs = {"drops": 16, "system": {"snr_db": 20.0, "num_rf": 8}, "pilots": {"length": 6}, "clock": {"frames": 1}}
    few = {"num_clusters": 1, "num_rays": 1, "tx_array": tx_array}
    out = run(scheme("omp", estimator="omp"), scheme("rls", estimator="rls"), channel=few, **kwargs)
    assert out["omp"]["nmse_estimate"].mean() < out["rls"]["nmse_estimate"].mean()
