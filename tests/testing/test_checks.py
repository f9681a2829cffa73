"""Every shipped component keeps the promises that csisim.testing asks of third-party ones."""

from dataclasses import replace

import numpy as np
import pytest

from csisim import testing
from csisim.feedback.differential import Differential
from csisim.feedback.lloyd_max import LloydMax
from csisim.feedback.report import Report
from csisim.phy.dims import Dims
from csisim.registry import TABLE, component, configure
from csisim.testing.checks import DIMS

ONE_USER = Dims(drops=3, num_users=1, num_rx=4, num_tx=16, num_rx_rf=2, num_rf=4, num_streams=2)

PORTS = replace(DIMS, num_rf=8)  # the smallest panel on which every codebook's defaults are allowed
IMAGES = replace(DIMS, num_rx=16, num_rx_rf=16, num_rf=16)  # the smallest images that every network takes
TRACE = replace(DIMS, num_tx=32, num_rf=32, num_rx=1, num_rx_rf=1, num_subcarriers=32)  # those of the packaged trace


def make(room: str, kind: str, **fields):
    weights = component(room, kind).Config.model_fields.get("weights")
    if weights is not None and weights.default is None:  # a learned component
        fields.setdefault("weights", "untrained")
    return component(room, kind)(configure(room, {"kind": kind, **fields}))


@pytest.mark.parametrize("kind", sorted(set(TABLE["estimator"]) - {"fc_net"}))  # a black box estimates nothing before it is trained
def test_estimators(kind):
    testing.check_estimator(make("estimator", kind))


LADDER = [{"kind": "lloyd_max", "bits": bits} for bits in (1, 4)]
#: Settings that a kind cannot do without.
NEEDED = {"differential": {"inner": "lloyd_max"}, "adaptive": {"ladder": LADDER}, "pca": {"reduction": 32}}


@pytest.mark.parametrize("kind", sorted(TABLE["codec"]))
def test_codecs(kind):
    if ".nets." in TABLE["codec"][kind][0]:
        pytest.importorskip("torch")
        testing.check_codec(make("codec", kind, domain="beams"), IMAGES, trained=False)
        return
    codec = make("codec", kind, **NEEDED.get(kind, {}))
    dims = PORTS if codec.content == "precoder" else TRACE if kind == "pca" else DIMS
    testing.check_codec(codec, dims, trained=kind not in ("beam_crnet", "learned_paths"))  # these two are here without weights


@pytest.mark.parametrize("users", [1, 2])
def test_one_drop_is_enough_to_check_codecs_and_digital_designers(users):
    dims = replace(DIMS, drops=1, num_users=users)
    testing.check_codec(make("codec", "lloyd_max"), dims)
    testing.check_digital(make("digital", "zf"), dims)


def test_an_untrained_codec_may_be_silent():
    silent = codec("lloyd_max", decode=lambda self, report, state: (0 * LloydMax.decode(self, report, state)[0], state))
    testing.check_codec(silent, trained=False)
    with pytest.raises(AssertionError, match="silence"):
        testing.check_codec(silent)


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


def codec(base, **methods):
    """A shipped codec with some methods spoiled."""
    config = configure("codec", {"kind": base, **NEEDED.get(base, {})})
    return type("Spoiled", (component("codec", base),), methods)(config)


def _rash(self, report, intact, state):
    """Builds on whatever was sent."""
    return Differential.acknowledge(self, report, np.ones_like(intact), state)


def _gullible(self, csi, state):
    return LloydMax.encode(self, np.nan_to_num(csi), state)


def _shapeless(self, csi, state):
    return Report(csi, 0), state


def _sociable(self, csi, state):
    """Takes the mean of whoever is in the batch out of everybody's channel."""
    return LloydMax.encode(self, csi - csi.mean(axis=(0, 1)), state)


def _gregarious(self, csi, state):
    """A drop alone has another scale than drops together."""
    return LloydMax.encode(self, csi * np.float32(1 + len(csi) / 10), state)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (codec("differential", acknowledge=_rash), "intact"),
        (codec("adaptive", allow=lambda self, bits, state: state), "shorter"),
        (codec("lloyd_max", encode=_gullible), "not finite"),
        (codec("ideal", encode=_shapeless), "not finite"),
        (codec("lloyd_max", encode=_sociable), "other drops and users"),
        (codec("lloyd_max", encode=_gregarious), "alone"),
    ],
    ids=["acknowledge", "allow", "encode", "shapeless", "sociable", "gregarious"],
)
def test_a_broken_codec_is_told_which_promise_it_breaks(broken, promise):
    with pytest.raises(AssertionError, match=promise):
        testing.check_codec(broken)
