"""No codec is shipped that a linear code of its length beats."""

import numpy as np
import pytest

from csisim import weights
from csisim.feedback.sources import channels
from csisim.phy.transforms import delay_angle_to_frequency
from csisim.registry import build, configure

pytest.importorskip("torch")
SHIPPED = sorted(weights.SHIPPED.glob("codec_*.safetensors"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_it_is_small_and_beats_principal_components_where_it_was_validated(path):
    score = weights.read_header(path).score
    assert score["trained"] > score["reference"] + 0.3
    assert path.stat().st_size < 600e3


RESIDUAL, LEARNED = {"kind": "csinet_res"}, {"kind": "csi_l2o", "trained_iterations": 1}


@pytest.mark.parametrize(
    ("net", "rate", "bits", "least_gain"), [(RESIDUAL, 16, 2, 0.1), (RESIDUAL, 16, 4, 0.1), (RESIDUAL, 64, 3, 0.5), (LEARNED, 16, 4, 0.1)]
)
def test_it_beats_principal_components_bit_for_bit_on_the_packaged_trace(net, rate, bits, least_gain, tmp_path, monkeypatch):
    """Channels of the public MATLAB code, which neither of them has seen."""
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
    rows, centred = channels("cost2100_indoor", 1)
    csi = delay_angle_to_frequency(rows, 32, np.arange(32), centred=centred)[:, None, :, None]
    quantiser = {"kind": "allocated", "bits": bits}
    found = []
    for codec in ({"kind": "pca", "file": "indoor_paper", "reduction": rate}, net | {"delays": 16, "reduction": rate // 2}):
        built = build("codec", configure("codec", codec | {"quantiser": quantiser}))
        state = built.init(csi.shape, csi.dtype)
        report, _ = built.encode(csi, state)
        decoded, _ = built.decode(report, state)
        error = np.sum(np.abs(decoded - csi) ** 2, axis=(1, 2, 3, 4)) / np.sum(np.abs(csi) ** 2, axis=(1, 2, 3, 4))
        found.append((report.num_bits, 10 * np.log10(error.mean())))
    (pca_bits, pca), (net_bits, net) = found
    assert net_bits == pca_bits == 16 + 2048 // rate * bits
    assert net < pca - least_gain
