"""Cross-polarised arrays: two polarisations on one place, a gain for every pair."""

import numpy as np
import pytest

from csisim.channel.mmwave import MmwaveClusters, MmwaveClustersConfig
from csisim.errors import CsisimError
from csisim.phy.arrays import CrossPolarised
from csisim.phy.dims import Dims
from csisim.random import Streams
from csisim.testing import check_channel

PANEL = {"kind": "cross_polarised", "rows": 2, "columns": 4}
PAIR = {"kind": "cross_polarised", "columns": 1}
ENDS = {"base station": {"tx_array": PANEL}, "user": {"rx_array": PAIR}, "both": {"tx_array": PANEL, "rx_array": PAIR}}


def make(drops=3, num_rx=2, **fields):
    dims = Dims(drops=drops, num_users=2, num_rx=num_rx, num_tx=16, num_rx_rf=2, num_rf=4, num_streams=1)
    channel = MmwaveClusters(MmwaveClustersConfig(**fields), dims, Streams(1), 1e-3)
    channel.begin_superframe(0)
    return channel


@pytest.mark.parametrize("statistics", ["fixed_clusters", "iid_angles"])
@pytest.mark.parametrize("ends", ENDS)
def test_it_is_a_channel(ends, statistics):
    dims = Dims(drops=3, num_users=2, num_rx=2, num_tx=16, num_rx_rf=2, num_rf=4, num_streams=1)
    check_channel(lambda *args: MmwaveClusters(MmwaveClustersConfig(statistics=statistics, **ENDS[ends]), *args), dims)


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("normalisation", ["unit", "per_drop"])
def test_the_mean_power_is_that_of_any_array(ends, normalisation):
    h = make(400, statistics="iid_angles", normalisation=normalisation, **ENDS[ends]).step(0).matrix()
    assert np.mean(np.abs(h) ** 2) == pytest.approx(1.0, rel=0.05 if normalisation == "unit" else 1e-4)


def test_polarisations_share_the_angles_and_not_the_gains():
    """One ray: within a polarisation a plane wave, between them an independent phase."""
    h = make(200, num_clusters=1, num_rays=1, tx_array=PANEL).step(0).matrix()[:, :, 0].reshape(200, 2, 2, 2, 8)
    waves = h / h[..., :1]
    np.testing.assert_allclose(waves[:, :, :, 0], waves[:, :, :, 1], atol=1e-4)
    between = h[..., 0, 1, 0] / h[..., 0, 0, 0]
    assert abs(np.mean(between / np.abs(between))) < 0.1


@pytest.mark.parametrize("xpr_db", [-3.0, 0.0, 10.0])
def test_crossed_pairs_are_weaker_by_the_ratio(xpr_db):
    h = make(600, statistics="iid_angles", tx_array=PANEL, rx_array=PAIR, xpr_db=xpr_db).step(0).matrix()
    power = np.mean(np.abs(h.reshape(600, 2, 2, 2, 8)) ** 2, axis=(0, 1, 4))
    assert 10 * np.log10((power[0, 0] + power[1, 1]) / (power[0, 1] + power[1, 0])) == pytest.approx(xpr_db, abs=0.4)


def test_a_grid_that_does_not_fit_is_refused():
    assert CrossPolarised(rows=2, columns=4).grid(16) == (2, 4)
    with pytest.raises(CsisimError, match="choose 2 \\* rows \\* columns = 8"):
        CrossPolarised(rows=2, columns=4).grid(8)


def test_a_line_of_sight_has_no_polarisation():
    with pytest.raises(ValueError, match="cross_polarised arrays need rays alone"):
        MmwaveClustersConfig(k_factor_db=3.0, tx_array=PANEL)
