"""Every shipped component keeps the promises that csisim.testing asks of third-party ones."""

from dataclasses import replace

import numpy as np
import pytest

from csisim import testing
from csisim.feedback.differential import Differential
from csisim.feedback.lloyd_max import LloydMax
from csisim.phy.dims import Dims
from csisim.registry import TABLE, component, configure
from csisim.testing.checks import DIMS

ONE_USER = Dims(drops=3, num_users=1, num_rx=4, num_tx=16, num_rx_rf=2, num_rf=4, num_streams=2)

PORTS = replace(DIMS, num_rf=8)  # the smallest panel on which every codebook's defaults are allowed


def make(room: str, kind: str, **fields):
    weights = component(room, kind).Config.model_fields.get("weights")
    if weights is not None and weights.default is None:  # a learned component
        fields.setdefault("weights", "untrained")
    return component(room, kind)(configure(room, {"kind": kind, **fields}))


@pytest.mark.parametrize("kind", sorted(set(TABLE["estimator"]) - {"fc_net"}))  # a black box estimates nothing before it is trained
def test_estimators(kind):
    testing.check_estimator(make("estimator", kind))


@pytest.mark.parametrize("kind", ["fista", "ideal", "ista", "lloyd_max", "paths", "topk"])  # the others need weights or a trace
def test_codecs(kind):
    codec = make("codec", kind)
    testing.check_codec(codec, PORTS if codec.content == "precoder" else DIMS)


@pytest.mark.parametrize("kind", sorted(TABLE["analog"]))
def test_analog(kind):
    testing.check_analog(make("analog", kind))


@pytest.mark.parametrize("kind", sorted(TABLE["digital"]))
def test_digital(kind):
    testing.check_digital(make("digital", kind), ONE_USER if kind == "svd" else DIMS)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "mmwave_clusters"},
        {"kind": "mmwave_clusters", "statistics": "iid_angles"},
        {"kind": "rayleigh"},
        {"kind": "rayleigh", "tx_correlation": 0.5, "rx_correlation": 0.3},
    ],
)
def test_channels(fields):
    config = configure("channel", fields)
    testing.check_channel(lambda dims, streams, slot_s: component("channel", config.kind)(config, dims, streams, slot_s))


def test_a_broken_component_is_told_which_promise_it_breaks():
    class Loud:
        single_user = False

        def design(self, channel, noise_power, power, num_streams):
            return np.ones((*channel.shape[:3], channel.shape[-1], num_streams), dtype=complex), None

    with pytest.raises(AssertionError, match="power constraint"):
        testing.check_digital(Loud())


def codec(base="lloyd_max", **methods):
    """A shipped codec with some methods spoiled."""
    shipped = {"lloyd_max": {"kind": "lloyd_max"}, "differential": {"kind": "differential", "inner": "lloyd_max"},
               "adaptive": {"kind": "adaptive", "ladder": [{"kind": "lloyd_max", "bits": bits} for bits in (1, 4)]}}[base]  # fmt: skip
    config = configure("codec", shipped)
    return type("Spoiled", (component("codec", base),), methods)(config)


@pytest.mark.parametrize("base", ["lloyd_max", "differential", "adaptive"])
def test_what_is_optional_in_a_codec_is_checked_where_it_is_there(base):
    testing.check_codec(codec(base))


def _rash(self, report, intact, state):
    """Builds on whatever was sent."""
    return Differential.acknowledge(self, report, np.ones_like(intact), state)


def _gullible(self, csi, state):
    return LloydMax.encode(self, np.nan_to_num(csi), state)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (codec("differential", acknowledge=_rash), "intact"),
        (codec("adaptive", allow=lambda self, bits, state: state), "shorter"),
        (codec("lloyd_max", encode=_gullible), "not finite"),
    ],
    ids=["acknowledge", "allow", "encode"],
)
def test_a_broken_codec_is_told_which_promise_it_breaks(broken, promise):
    with pytest.raises(AssertionError, match=promise):
        testing.check_codec(broken)
