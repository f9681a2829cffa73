"""Fig. 19 of Kang 2022: every curve at the bits that it says."""

import numpy as np
import pytest

from csisim.acquisition.base import Sounding
from csisim.cli.shipped import shipped
from csisim.papers.kang2022 import TABLES
from csisim.phy.arrays import Ula
from csisim.random import complex_normal, stream
from csisim.registry import build
from csisim.scenario.load import load_scenario

SCHEMES = {scheme.name: scheme for scheme in load_scenario(shipped() / "papers" / "kang2022_fig19.yaml").scenario.schemes}


def report_bits(codec):
    shape = (1, 2, 1, 4, 16)
    csi, f, w = (complex_normal(stream(0, 0, name), size) for name, size in (("c", shape), ("f", (1, 64, 16)), ("w", (1, 2, 32, 4))))
    model = build("codec", codec.model_copy(update={"weights": "untrained"}) if hasattr(codec, "weights") else codec)
    through = (Sounding(f, w, Ula(), Ula()),) if getattr(model, "needs_sounding", False) else ()
    return model.encode(csi, model.init(shape, np.dtype(complex), *through))[0].num_bits


@pytest.mark.parametrize("name", [name for name in SCHEMES if name[-1].isdigit()])
def test_a_report_has_the_bits_that_the_scheme_is_named_by(name):
    allowed, bits = int(name.rsplit("_", 1)[1]), report_bits(SCHEMES[name].codec)
    assert bits == (allowed if SCHEMES[name].codec.kind == "beam_crnet" else {64: 63, 112: 110}.get(allowed, allowed))


def test_separate_and_joint_differ_in_the_last_stage_alone():
    for bits in (16, 32, 48, 64, 112):
        separate, joint = SCHEMES[f"separate_{bits}"], SCHEMES[f"joint_{bits}"]
        assert separate.codec.model_copy(update={"training": "joint"}) == joint.codec
        assert separate.analog == joint.analog
        assert (separate.estimator.weights, separate.digital.weights) == ("kang2022_pair", "kang2022_pair")
        assert (joint.estimator.weights, joint.digital.weights) == ("kang2022_fdd", "kang2022_fdd")


def test_the_published_claim_is_judged_against_a_conventional_scheme_that_lacks_nothing():
    rows = {row.name: row for row in TABLES["fig19"].rows}
    assert [name for name, row in rows.items() if row.published] == ["joint with 48 bits"]
    judged, beside = (TABLES["fig19"].source.rows[name] for name in ("joint with 48 bits", "black box, joint with 48 bits"))
    assert (judged.scheme, judged.over.scheme.format(112)) == ("joint_48", "conventional_112")
    assert (beside.scheme, beside.over) == ("black_box_joint_48", judged.over)
    for bits in (16, 32, 48, 64, 112):
        scheme = SCHEMES[f"conventional_{bits}"]
        assert (scheme.digital.kind, scheme.digital.iterations) == ("sca", 70)
        assert scheme.codec.scale != "report"  # as trained codecs, which spend nothing on it either
        assert SCHEMES[f"networks_paths_{bits}"].codec == scheme.codec
