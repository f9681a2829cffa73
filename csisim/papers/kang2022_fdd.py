"""Kang et al., IEEE JSAC 2022, Fig. 19: FDD, of which one pair of numbers is printed, in the text."""

from csisim.papers.base import Row, Rule, Table
from csisim.papers.by_scenario import Of, by_scenario

RATE = "nat/s/Hz"
_BITS = (16.0, 32.0, 48.0, 64.0, 112.0)
_TOO_FEW = "a scale factor, two angles and a gain take more than 16 bits"


def _of(scheme: str, *bits: float | None) -> Of:
    """A scheme in every column; its name ends with the bits of a report, or it has nothing to do with them."""
    return Of("kang2022_fig19", scheme, "scheme", bits)


def fig19() -> Table:
    """The table of Fig. 19."""
    conventional, reported = _of("conventional_{:g}", None, *_BITS[1:]), _of("conventional_{:g}", *_BITS[1:])
    separate, joint = (_of(f"{name}_{{:g}}", *_BITS) for name in ("separate", "joint"))
    columns = tuple(f"{bits:g} bits" for bits in _BITS)
    return by_scenario(
        "Fig. 19: sum rate versus the bits of a user's report in FDD",
        columns,
        (Row("conventional", RATE, skipped=_TOO_FEW), conventional.nats()),
        (Row("networks, conventional report", RATE, columns=columns[1:]), _of("networks_paths_{:g}", *_BITS[1:]).nats()),
        (Row("separate", RATE), separate.nats()),
        (Row("joint", RATE), joint.nats()),
        *(
            (Row(f"black box, {name}", RATE, columns=("48 bits", "112 bits")), _of(f"black_box{scheme}_{{:g}}", 48.0, 112.0).nats())
            for name, scheme in (("separate", "_separate"), ("joint", ""))
        ),
        (Row("conventional, unquantised", RATE), _of("conventional_ideal", *_BITS).nats()),
        (Row("networks, unquantised", RATE), _of("networks_ideal", *_BITS).nats()),
        (Row("joint, share", "% of separate"), joint.share(separate)),
        (Row("separate, share", "% of conventional", columns=columns[1:]), _of("separate_{:g}", *_BITS[1:]).share(reported)),
        (
            Row(
                "joint with 48 bits",
                "% of conventional with 112",
                (100.0,),
                Rule(relative=0.05, more_is_better=True),
                ("48 bits",),
                note="the conventional report here puts its 108 bits into four paths on a grid of eighths of a beam",
            ),
            _of("joint_48", 48.0).share(_of("conventional_112", 112.0)),
        ),
        (
            Row("joint with 48 bits, paths on whole beams", "% of conventional with 112", columns=("48 bits",)),
            _of("joint_48", 48.0).share(_of("on_beams_112", 112.0)),
        ),
        note="16 pilot symbols; phases of 4 bits. conventional: RLS, SSCA, SCA, and paths by matching pursuit, 31, 47, 62 and 108 bits. "
        "separate: networks of Sec. III-A and trained directions of paths, 16 bits each; joint: both trained on for the rate.",
    )


FIGURES = {"fig19": fig19()}
