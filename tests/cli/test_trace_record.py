"""From a scenario to reports, from reports to codecs on the equivalent channel, and back into the scenario."""

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from csisim import load
from csisim.cli import main

LINK = {
    "name": "link",
    "duplex": "fdd",
    "drops": 4,
    "system": {"num_tx": 16, "num_rf": 8, "num_rx": 4, "num_rx_rf": 2, "num_users": 2, "num_streams": 1, "snr_db": 10},
    "channel": {"kind": "mmwave_clusters", "num_clusters": 2, "num_rays": 1, "fading": {"kind": "ar1", "correlation": 0.9}},
    "clock": {"frames": 2, "slots_per_frame": 4},
}
WHERE = {"timescale": "offline", "estimator": "perfect", "analog": "covariance", "digital": "rzf"}
PCA = {"kind": "pca", "domain": "beams", "reduction": 1, "file": "reports.npz", "quantiser": {"kind": "allocated", "bits": 2}}
NET = {"kind": "csinet_res", "domain": "beams", "reduction": 2, "weights": "net.safetensors", "quantiser": {"kind": "allocated", "bits": 4}}


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path / "cache"))

    def write(name="link.yaml", /, where=None, *, system=None, **codecs):
        schemes = [{"name": scheme, "codec": codec, **(where or WHERE)} for scheme, codec in codecs.items()]
        document = LINK | {"system": LINK["system"] | (system or {}), "schemes": schemes}
        (tmp_path / name).write_text(yaml.safe_dump(document))

    return write


def test_codecs_on_the_equivalent_channel_end_to_end(write, tmp_path):
    pytest.importorskip("torch")
    write(pca=PCA, net=NET, plain={"kind": "lloyd_max", "bits": 2})
    assert (
        "reports.npz: 1500 reports of pca"
        in call("trace", "record", "link.yaml", "--scheme", "pca", "--count", 1500, "-o", "reports.npz").stderr
    )
    codec = yaml.safe_dump(NET | {"weights": None}, default_flow_style=True).strip()
    sets = ["link.images=reports.npz", f"link.codec={codec}", "stages.0.schedule.steps=3", "stages.0.schedule.validate_every=3"]
    made = call("train", "codec_csinet_res", "-o", "nets", "-q", *(item for one in sets for item in ("--set", one))).stdout.split()
    (tmp_path / made[0]).rename(tmp_path / "net.safetensors")
    call("validate", "link.yaml")
    call("run", "link.yaml", "-j", 1, "-q")
    table = load("results/link").set_index("scheme")
    assert set(table.feedback_bits) == {8 * (16 + 32 * 2)}  # the same for all of them
    error = 10 * np.log10(table.nmse_csi_mean)
    assert error["pca"] < error["plain"] - 3
    assert error["net"] < error["plain"] - 3
    assert table.sum_rate_bps_hz_mean["pca"] > table.sum_rate_bps_hz_mean["plain"]


def test_what_does_not_fit_is_one_sentence(write):
    write(pca=PCA)
    call("trace", "record", "link.yaml", "--count", 300, "-o", "reports.npz", "-q")
    call("validate", "link.yaml")
    for changed, system, told in (
        ({}, {"num_rx_rf": 4}, "reports.npz has images of 8 x 2, the scheme's are 8 x 4"),
        ({}, {"num_rf": 4}, "reports.npz has 8 angles, the images have 4"),
        ({"file": "cost2100_indoor"}, {}, "cost2100_indoor has delays and angles; domain beams takes a file of `csisim trace record`"),
        ({"file": "indoor_paper"}, {}, "indoor_paper has delays and angles; domain beams takes a file of `csisim trace record`"),
        ({"delays": 1}, {}, "delays: images of beams have no taps"),
        ({"centred_angles": True}, {}, "centred_angles is about traces of delays and angles"),
    ):
        write("wrong.yaml", system=system, pca=PCA | changed)
        lines = [line for line in call("validate", "wrong.yaml", status=2).stderr.splitlines() if line.startswith("wrong.yaml")]
        assert len(lines) == 1
        assert told in lines[0]


def test_the_command_for_missing_weights_is_told(write):
    pytest.importorskip("torch")
    write(net={name: value for name, value in NET.items() if name != "weights"})
    told = call("validate", "link.yaml", status=2).stderr
    assert "`csisim train codec_csinet_res --set 'link.codec=" in told
    assert "--set link.images=REPORTS.npz` on what `csisim trace record SCENARIO --count 20000 -o REPORTS.npz` makes some" in told


def test_inspect_knows_reports(write):
    write(pca=PCA)
    call("trace", "record", "link.yaml", "--count", 300, "-o", "reports.npz", "-q")
    told = call("trace", "inspect", "reports.npz").stdout
    assert "300 reports, 1 subcarriers, 2 receive x 8 transmit chains" in told
    assert "scenario link, scheme pca" in told
    assert "of 16 hold the energy" in told
    assert "holds reports" in call("trace", "inspect", "reports.npz", "-o", "a.png", status=2).stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "reports.mat"], "must end in .npz"),
        (["-o", "reports.npz", "--scheme", "other"], "other: those whose users report (duplex: fdd) are pca"),
        (["-o", "reports.npz", "--set", "duplex=tdd"], "are none"),
        (["-o", "nowhere/reports.npz"], "nowhere"),
    ],
)
def test_wrong_input_ends_with_two(write, options, told):
    write(pca=PCA)
    assert told in call("trace", "record", "link.yaml", "--count", 20, *options, status=2).stderr
