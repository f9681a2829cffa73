"""Kang et al., IEEE JSAC 2022, Fig. 19: FDD, of which one pair of numbers is printed, in the text."""

from csisim.papers.base import Row, Rule, Table
from csisim.papers.by_scenario import Of, by_scenario

RATE = "nat/s/Hz"
_BITS = (16.0, 32.0, 48.0, 64.0, 112.0)
_BOX = (48.0, 112.0)


def _of(scheme: str, *bits: float | None, metric: str = "sum_rate_bps_hz") -> Of:
    """A scheme in every column; its name ends with the bits that a report may have, or it has nothing to do with them."""
    return Of("kang2022_fig19", scheme, "scheme", bits, metric)


def fig19() -> Table:
    """The table of Fig. 19."""
    names = ("conventional", "networks_paths", "separate", "joint")
    conventional, networks, separate, joint = (_of(f"{name}_{{:g}}", *_BITS) for name in names)
    box, few = (_of(f"black_box_{name}_{{:g}}", *_BOX) for name in ("separate", "joint")), ("48 bits", "112 bits")
    strongest = _of("conventional_112", 112.0)
    return by_scenario(
        "Fig. 19: sum rate versus the bits of a user's report in FDD",
        tuple(f"{bits:g} bits" for bits in _BITS),
        (Row("conventional", RATE), conventional.nats()),
        (Row("networks, conventional report", RATE), networks.nats()),
        (Row("separate", RATE), separate.nats()),
        (Row("joint", RATE), joint.nats()),
        *((Row(f"black box, {name}", RATE, columns=few), of.nats()) for name, of in zip(("separate", "joint"), box, strict=True)),
        (Row("conventional, unquantised", RATE), _of("conventional_ideal", *_BITS).nats()),
        (Row("networks, unquantised", RATE), _of("networks_ideal", *_BITS).nats()),
        (Row("joint, share", "% of separate"), joint.share(separate)),
        (Row("joint, against conventional", "% of conventional"), joint.share(conventional)),
        (Row("separate, against conventional", "% of conventional"), separate.share(conventional)),
        (Row("separate, codec alone", "% of networks with the conventional report"), separate.share(networks)),
        (Row("networks alone", "% of conventional with the same report"), networks.share(conventional)),
        (
            Row(
                "joint with 48 bits",
                "% of conventional with 112",
                (100.0,),
                Rule(relative=0.05, more_is_better=True),
                ("48 bits",),
                note="joint has trained paths for a codec here, not the paper's autoencoder (ours: next row); conventional is the best "
                "of 22 reports, its scales known for free, with 70 SCA iterations",
            ),
            _of("joint_48", 48.0).share(strongest),
        ),
        (
            Row("black box, joint with 48 bits", "% of conventional with 112", columns=("48 bits",)),
            _of("black_box_joint_48", 48.0).share(strongest),
        ),
        note="16 pilot symbols; phases of 4 bits. conventional: RLS, SSCA, 70 iterations of SCA, and paths by matching pursuit, 16, 32, "
        "48, 63 and 110 bits. separate: networks of Sec. III-A and trained paths of as many bits; joint: all trained on for the "
        "rate. black box: a small autoencoder in the manner of CRNet, trained for a minute.",
    )


FIGURES = {"fig19": fig19()}
