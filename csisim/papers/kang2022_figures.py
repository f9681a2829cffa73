"""Kang et al., IEEE JSAC 2022: the figures, of which no numbers are printed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from csisim.papers.base import NATS, Conditions, Measured, Row, Table
from csisim.papers.by_scenario import Of, by_scenario
from csisim.papers.networks import loaded, trained

SHARE, RATE = "% of RLS-SSCA", "nat/s/Hz"
BLACK_BOX = "black boxes are trained for four users and 16 RF chains"
LINEAR = (
    "WMMSE-7, from singular vectors, RZF and ZF at equal pilots work on the estimates of RLS with the networks' pilots, behind the "
    "phases of stage one."
)
SHORTCUT = (
    "The black box is not quite the paper's: beside its layers a linear map goes from inputs to outputs, and it copies SCA before it "
    "learns the rate."
)
_SNR = (-10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
_ALL = ("all",)  #: one line for a whole curve of which nothing is printed and nothing run


def along(scenario: str, axis: str, at: tuple[float | None, ...], *schemes: str) -> list[Of]:
    """Schemes of a scenario along one of its axes."""
    return [Of(f"kang2022_{scenario}", scheme, axis, at) for scheme in schemes]


def linear(
    scenario: str, axis: str, at: tuple[float | None, ...], over: Of | None = None, columns: tuple[str, ...] = ()
) -> list[tuple[Row, Of]]:
    """Rows of WMMSE-7, RZF and ZF on the networks' pilots and behind their phases, in nats or as shares of RLS-SSCA."""
    found = zip(("WMMSE-7", "RZF", "ZF"), along(scenario, axis, at, "rls_wmmse7", "rls_rzf", "rls_zf"), strict=True)
    return [
        (Row(f"{name}, equal pilots", RATE if over is None else SHARE, columns=columns), of.nats() if over is None else of.share(over))
        for name, of in found
    ]


def labels(pattern: str, values: Iterable[float]) -> tuple[str, ...]:
    """A column's label for each value."""
    return tuple(pattern.format(f"{value:g}") for value in values)


def _fig9() -> Table:
    frames = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0)
    schemes = {"single": "single_rls_svd", "offline": "offline_rls_covariance", "online": "online_rls_covariance"}
    return by_scenario(
        "Fig. 9: signaling bits versus frames",
        labels("{} frames", frames),
        *(
            (Row(name, "bit/user"), Of("kang2022_fig9", scheme, "frames", frames, metric="signaling_bits"))
            for name, scheme in schemes.items()
        ),
        note="Eq. (47) to (51). T_s = 8 and N_sample = 16, which the paper does not give, put offline first at 2 frames and level "
        "with online at 16, as the figure shows.",
    )


def _fig10() -> Table:
    rls, zf, perfect = along("fig10", "snr_db", _SNR, "rls_ssca", "rls_zf", "perfect_ssca")
    separate, joint, hbdun, black_box = along("fig10_networks", "snr_db", _SNR, "separate", "joint", "hbdun", "black_box")
    return by_scenario(
        "Fig. 10: sum rate versus the SNR",
        labels("{} dB", _SNR),
        (Row("RLS-SSCA", RATE), rls.nats()),
        (Row("RLS-ZF", RATE), zf.nats()),
        (Row("separate", RATE), separate.nats()),
        (Row("joint", RATE), joint.nats()),
        (Row("HBDUN", RATE), hbdun.nats()),
        (Row("black box", RATE), black_box.nats()),
        *linear("fig10_networks", "snr_db", _SNR),
        (Row("perfect CSI", RATE), perfect.nats()),
        note=f"RLS with 90 pilot symbols, networks with 16, trained at 10 dB for all. {LINEAR} {SHORTCUT}",
    )


def _fig11() -> Table:
    chains = (8.0, 16.0, 24.0, 32.0)
    rls, perfect = along("fig11", "num_rf", chains, "rls_ssca", "perfect_ssca")
    separate, joint, hbdun = along("fig11_networks", "num_rf", chains, "separate", "joint", "hbdun")
    return by_scenario(
        "Fig. 11: sum rate versus the number of RF chains",
        labels("{} chains", chains),
        (Row("RLS-SSCA", RATE), rls.nats()),
        (Row("separate", RATE), separate.nats()),
        (Row("joint", RATE), joint.nats()),
        (Row("HBDUN", RATE), hbdun.nats()),
        (Row("black box", RATE, columns=_ALL, skipped=BLACK_BOX), None),
        *linear("fig11_networks", "num_rf", chains),
        (Row("perfect CSI", RATE), perfect.nats()),
        note=f"RLS with 90 pilot symbols, networks with as many as there are RF chains. {LINEAR}",
        quick={"kang2022_fig11_networks": {"num_rf": (8.0, 16.0)}},
    )


def _fig12() -> Table:
    bits = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
    joint, hbdun = along("fig12", "phase_bits", bits, "joint", "hbdun")
    smooth_joint, smooth_hbdun = along("fig10_networks", "snr_db", (10.0,), "joint", "hbdun")
    return by_scenario(
        "Fig. 12: sum rate versus the bits of phase shifters, at 10 dB",
        labels("{} bits", bits),
        (Row("joint", RATE), joint.nats()),
        (Row("joint, share", "% of continuous"), joint.share(smooth_joint)),
        (Row("HBDUN, share", "% of continuous"), hbdun.share(smooth_hbdun)),
        *linear("fig12", "phase_bits", bits),
        note=f"That 8 bits are needed does not show: the channel behind rounded phases is estimated anew, and 3 to 4 bits do. {LINEAR}",
    )


def _fig13() -> Table:
    (rls,) = along("fig10", "snr_db", _SNR, "rls_ssca")
    joint, one_stage, black_box = along("fig10_networks", "snr_db", _SNR, "joint", "one_stage", "black_box")
    return by_scenario(
        "Fig. 13: sum rate of one-stage and two-stage training versus the SNR",
        labels("{} dB", _SNR),
        (Row("RLS-SSCA", RATE), rls.nats()),
        (Row("two stages", RATE), joint.nats()),
        (Row("one stage", RATE), one_stage.nats()),
        (Row("black box", RATE), black_box.nats()),
        (Row("one stage, share", "% of two stages"), one_stage.share(joint)),
        *linear("fig10_networks", "snr_db", _SNR),
        note="RLS with 90 pilot symbols, networks with 16; quick: one stage of 300 steps, which takes as long as the two of 550 together. "
        f"{LINEAR} {SHORTCUT}",
    )


def _fig14() -> Table:
    users, symbols = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (18.0, 22.0, 26.0)
    joint, mismatch = along("networks", "num_users", users, "joint", "mismatch")
    own, longer = along("fig14b", "length", symbols, "joint", "mismatch")
    lengths = labels("L = {}", symbols)
    return by_scenario(
        "Fig. 14: a network for six users serving fewer, and one for 26 pilot symbols and stronger gains hearing fewer",
        labels("K = {}", users),
        (Row("joint", RATE), joint.nats()),
        (Row("joint (mismatch)", RATE), mismatch.nats()),
        (Row("mismatch, share", "% of joint"), mismatch.share(joint)),
        *linear("networks", "num_users", users),
        (Row("joint, K = 4", RATE, columns=lengths), own.nats()),
        (Row("joint (mismatch), K = 4", RATE, columns=lengths), longer.nats()),
        (Row("mismatch, share, K = 4", "% of joint", columns=lengths), longer.share(own)),
        note="Own networks are trained by the quick recipes. The one for six users is the shipped one, which has been trained longer and "
        "for one to six users in turn: no gap. That for 26 pilot symbols needs all of them: the paper's tiny gap does not show. "
        f"{LINEAR}",
        quick={"kang2022_networks": {"num_users": (1.0, 2.0, 4.0, 6.0)}, "kang2022_fig14b": {"length": (22.0, 26.0)}},
    )


def _fig15() -> Table:
    snr = (-10.0, 0.0, 10.0, 20.0)
    joint, transfer, mismatch = along("fig15", "snr_db", snr, "joint", "transfer", "mismatch")
    return by_scenario(
        "Fig. 15: other angles, clusters and rays, and transfer to them, versus the SNR",
        labels("{} dB", snr),
        (Row("joint (no mismatch)", RATE), joint.nats()),
        (Row("joint (mismatch)", RATE), mismatch.nats()),
        (Row("transfer", RATE), transfer.nats()),
        (Row("mismatch, share", "% of no mismatch"), mismatch.share(joint)),
        (Row("transfer, share", "% of no mismatch"), transfer.share(joint)),
        note="From four clusters of two rays within 60 degrees to three of three within 90; quick: transfer is 30 steps, no mismatch 550.",
    )


_CURVE = tuple(range(0, 31, 5))  #: steps after which Fig. 16 looks: the validations of its recipe


@dataclass(frozen=True)
class LearningCurve:
    """A source of the validation score, step by step, of the transfer of Fig. 15."""

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Rates in nats before the statistics change and after every few steps, on channels that are never trained on."""
        from csisim.training.native import orders
        from csisim.weights import read_header

        sets = ("system.snr_db=10",)
        trained("kang2022_fig15", conditions, sets)
        (cell,) = loaded("kang2022_fig15", conditions, sets).cells
        asked = orders(cell.scenario)
        before, transfer, native = (read_header(asked[scheme, "estimator"].files()[-1]) for scheme in ("mismatch", "transfer", "joint"))
        curve = dict(transfer.recipe["history"])
        scores = [before.score["trained"], *(curve[step] for step in _CURVE)]
        shares = [Measured(100.0 * score / native.score["trained"]) for score in scores[1:]]
        return {"joint": [Measured(NATS * score) for score in scores], "joint, share": [Measured(None), *shares]}


def _fig16() -> Table:
    return Table(
        "Fig. 16: sum rate in training when the statistics change",
        ("before", *labels("{} steps", _CURVE)),
        (Row("joint", RATE), Row("joint, share", "% of no mismatch", skipped="the statistics have not changed yet")),
        LearningCurve(),
        note="The transfer of Fig. 15: 48 channels in each step, scores on 256 others; quick: no mismatch is 550 steps from the beginning.",
    )


def _fig17() -> Table:
    frames = tuple(float(n) for n in range(1, 13))
    online, offline, random = along("fig17", "frame", frames, "online_rls_ssca", "offline_rls_ssca", "offline_rls_random")
    return by_scenario(
        "Fig. 17: sum rate of online and offline optimisation versus frames",
        labels("frame {}", frames),
        (Row("RLS-SSCA, online", RATE), online.nats()),
        (Row("RLS-SSCA, offline", RATE), offline.nats()),
        (Row("RLS, random phases", RATE), random.nats()),
        (Row("online, share", "% of offline"), online.share(offline)),
        note="Of RLS-SSCA, with 50 samples in each frame; Fig. 18 has the networks.",
    )


def _fig18() -> Table:
    snr = (-10.0, 0.0, 10.0, 20.0)
    rls, behind, joint = along("fig18", "snr_db", snr, "online_rls_ssca", "rls_trained_phases", "online_joint")
    return by_scenario(
        "Fig. 18: sum rate of online optimisation versus the SNR",
        labels("{} dB", snr),
        (Row("RLS-SSCA", RATE), rls.nats()),
        (Row("RLS, trained phases", RATE), behind.nats()),
        (Row("joint", RATE), joint.nats()),
        (Row("joint, share", SHARE), joint.share(rls)),
        (Row("joint, share of RLS, trained phases", "% of RLS, trained phases"), joint.share(behind)),
        (Row("black box", RATE, columns=_ALL, skipped="no black box is trained online here"), None),
        note="Rates of the last two of eight frames, all with 16 pilot symbols. RLS-SSCA starts from random phases and has five iterations "
        "of its digital stage, as many as there are layers. Joint starts from phases trained offline, which online learning no longer "
        "improves: from the first frame to the last it gains 0.6 % at 10 dB (quick), RLS behind these phases as they are 0.7 % on the "
        "same channels, RLS-SSCA 10 %. RLS behind the phases that joint starts from, with the same five iterations, shows what that "
        "start is worth.",
    )


FIGURES = {
    "fig9": _fig9(),
    "fig10": _fig10(),
    "fig11": _fig11(),
    "fig12": _fig12(),
    "fig13": _fig13(),
    "fig14": _fig14(),
    "fig15": _fig15(),
    "fig16": _fig16(),
    "fig17": _fig17(),
    "fig18": _fig18(),
}
