"""Single precision draws other channels than double, of the same statistics: mean rates agree."""

import numpy as np

from csisim.beamforming.analog.covariance import Covariance, CovarianceConfig


def test_single_and_double_precision_agree_statistically(make_link, small_size):
    rates = []
    for precision in ("single", "double"):
        link = make_link(small_size(96, precision))
        f, w = link.design(Covariance(CovarianceConfig()), link.samples(6))
        assert f.dtype == link.dims.complex_dtype
        rates.append(link.rate(link.slots(1), f, w, iterations=5))
    single, double = rates
    error = np.sqrt(sum(np.var(r, ddof=1) / len(r) for r in rates))
    assert abs(single.mean() - double.mean()) < 3 * error
    assert error < 0.05 * double.mean()  # the comparison says something
