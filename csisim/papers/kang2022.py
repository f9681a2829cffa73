"""Kang et al., "Mixed-Timescale Deep-Unfolding for Joint Channel Estimation and Hybrid Beamforming", IEEE JSAC 2022.

Conventions that fit Table I: natural logarithms under the heading bits/s/Hz, N_s units of power for every user, pilots of power P per RF
chain, complex gains of variance 0.1, fresh angles in every sample. Percentages are of RLS-SSCA with 90 pilot symbols and 70 iterations,
drop by drop on the same channels. Networks are the shipped ones: trained for six users at 10 dB, with as many pilot symbols as RF chains;
ones in the cache that were trained for a cell's own users are preferred, as in any scenario.
"""

from collections.abc import Iterable

from csisim.papers.base import Row, Rule, Table
from csisim.papers.by_scenario import Of, by_scenario

_SHARE, _RATE = "% of RLS-SSCA", "nat/s/Hz"
_NETWORK = Rule(points=0.5, at_least=True)
_ITERATIVE = Rule(points=2.0)

_BLACK_BOX = "no weights are shipped: `csisim train kang2022_black_box` trains them for four users, any other column is another training"
_PILOTS = (
    "16 pilot symbols against 90, without the interference of eq. (4) that lends identical pilots its power: trained for its own number "
    "of users the joint network has 102 % of RLS with as many pilots, 84 to 93 % of RLS with 90; fewer than six users are a mismatch"
)
_TRAINING = "every value is a training of its own: `csisim train kang2022_joint --set ...`; one network is shipped"
_SAMPLES = "training here draws fresh channels in every step; a fixed set of samples is not among its settings"
_SECONDS = (
    "seconds of another machine for an unstated number of slots; per 1000 slots in one batch, (8,2), (16,4), (32,6), RLS with SCA takes "
    "5.5, 6.4, 5.5 times as long as the networks (bound: 70 iterations / 5 layers = 14)"
)


_ALL = ("all",)  #: one line for a whole curve of which nothing is printed and nothing run
_FASTER = "converges faster here: from singular vectors or at random, 91 % and more after 10 iterations, 98 % and more after 30"
_FLATTER = "no pilot power gives this shape with its stop at 80: it lies between P per RF chain (here) and P per column (7e)"


def _along(scenario: str, axis: str, at: tuple[float | None, ...], *schemes: str) -> list[Of]:
    """Schemes of a scenario along one of its axes."""
    return [Of(f"kang2022_{scenario}", scheme, axis, at) for scheme in schemes]


def _labels(pattern: str, values: Iterable[float]) -> tuple[str, ...]:
    return tuple(pattern.format(f"{value:g}") for value in values)


def _table1() -> Table:
    users = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    rls, perfect = _along("table1", "num_users", users, "rls_ssca", "perfect_ssca")
    schemes = ("separate", "joint", "rls_sca", "lmmse_sca", "hbdun", "perfect_sca")
    separate, joint, equal, lmmse, hbdun, sca = _along("networks", "num_users", users, *schemes)
    too_much = {0: "more than SSCA reaches with perfect CSI, which is 102.2 % of RLS-SSCA"}
    return by_scenario(
        "Table I: sum rate versus the number of users",
        _labels("K = {}", users),
        (Row("RLS-SSCA", _RATE, (10.18, 19.55, 24.78, 29.64, 35.84, 42.63), Rule(relative=0.12, rms=0.06)), rls.nats()),
        (Row("separate", _SHARE, (98.33, 97.23, 97.06, 96.77, 95.60, 95.33), _NETWORK, note=_PILOTS), separate.share(rls)),
        (
            Row("joint", _SHARE, (103.53, 102.32, 100.31, 100.07, 99.49, 98.78), _NETWORK, inconsistent=too_much, note=_PILOTS),
            joint.share(rls),
        ),
        (Row("black box", _SHARE, (86.95, 85.65, 85.01, 83.99, 83.42, 81.94), skipped=_BLACK_BOX), None),
        (Row("perfect CSI", _RATE), perfect.nats()),
        (Row("RLS, 16 pilots", _SHARE), equal.share(rls)),
        (Row("LMMSE, 16 pilots", _SHARE), lmmse.share(rls)),
        (Row("separate, equal pilots", "% of RLS, SCA"), separate.share(equal)),
        (Row("joint, equal pilots", "% of RLS, SCA"), joint.share(equal)),
        (Row("HBDUN, perfect CSI", "% of SCA"), hbdun.share(sca)),
        note="With nats for the paper's bits its RLS-SSCA row is met. Rows with 16 or equal pilots share the trained phases.",
    )


def _table2() -> Table:
    return Table(
        "Table II: sum rate versus training samples",
        (),
        (
            Row(
                "joint",
                _SHARE,
                (90.14, 94.41, 96.25, 98.09, 99.44, 100.11, 101.30, 101.31, 101.31),
                columns=_labels("{} samples", range(200, 1001, 100)),
            ),
            Row(
                "black box",
                _SHARE,
                (76.77, 77.59, 78.90, 80.52, 82.27, 83.22, 84.62, 85.44, 85.57),
                columns=_labels("{} samples", range(2000, 10001, 1000)),
            ),
        ),
        skipped=_SAMPLES,
    )


def _joint_at(column: int, columns: int) -> Of:
    """The shipped joint network with four users, in the only column that it has the depth of."""
    (reference,) = _along("table1", "num_users", (4.0,), "rls_ssca")
    (joint,) = _along("networks", "num_users", tuple(4.0 if i == column else None for i in range(columns)), "joint")
    return joint.share(reference)


def _table3() -> Table:
    iterations = (30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0)
    (ours,) = _along("table3", "iterations", iterations, "rls_ssca")
    (all_of_them,) = _along("table3", "iterations", (70.0,), "rls_ssca")
    layers = _labels("{} layers", range(3, 10))
    published = (85.14, 92.65, 101.25, 101.79, 101.79, 100.86, 101.02)
    return by_scenario(
        "Table III: sum rate versus layers of HBDUN and iterations of SSCA",
        _labels("{} iterations", iterations),
        (Row("joint", _SHARE, published, _NETWORK, layers, skipped=_TRAINING, note=_PILOTS), _joint_at(2, 7)),
        (
            Row("RLS-SSCA", _SHARE, (84.84, 89.44, 92.43, 96.99, 98.86, 100.0, 100.0), _ITERATIVE, note=_FASTER),
            ours.share(all_of_them),
        ),
        note="Iterations are those of the digital stage, from a matched filter; 100 % is 70 of them.",
    )


def _table4() -> Table:
    symbols = (40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0)
    (ours,) = _along("table4", "length", symbols, "rls_ssca")
    (reference,) = _along("table4", "length", (90.0,), "rls_ssca")
    layers = _labels("{} layers", range(8, 21, 2))
    published = (92.18, 95.44, 98.15, 99.09, 101.25, 101.46, 101.5)
    return by_scenario(
        "Table IV: sum rate versus layers of CEDUN and of RLS, one for each pilot symbol",
        _labels("{} layers", symbols),
        (Row("joint", _SHARE, published, _NETWORK, layers, skipped=_TRAINING, note=_PILOTS), _joint_at(4, 7)),
        (
            Row("RLS-SSCA", _SHARE, (79.64, 86.69, 91.85, 95.47, 100.0, 100.0, 100.0), _ITERATIVE, note=_FLATTER),
            ours.share(reference),
        ),
    )


def _table5() -> Table:
    return Table(
        "Table V: CPU running time",
        ("(8,2)", "(16,2)", "(32,2)", "(16,4)", "(32,4)", "(32,6)"),
        (
            Row("joint", "min training", (46.82, 59.13, 76.34, 189.23, 274.23, 394.25)),
            Row("black box", "min training", (80.57, 96.81, 110.45, 350.41, 435.54, 740.61)),
            Row("RLS-SSCA", "s testing", (2.94, 3.11, 3.42, 11.20, 12.81, 26.45)),
            Row("joint", "s testing", (0.26, 0.28, 0.30, 0.96, 1.021, 1.58)),
            Row("black box", "s testing", (0.13, 0.14, 0.14, 0.36, 0.40, 0.76)),
        ),
        skipped=_SECONDS,
    )


def _fig9() -> Table:
    frames = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0)
    schemes = {"single": "single_rls_svd", "offline": "offline_rls_covariance", "online": "online_rls_covariance"}
    return by_scenario(
        "Fig. 9: signaling bits versus frames",
        _labels("{} frames", frames),
        *(
            (Row(name, "bit/user"), Of("kang2022_fig9", scheme, "frames", frames, metric="signaling_bits"))
            for name, scheme in schemes.items()
        ),
        note="Eq. (47) to (51). T_s = 8 and N_sample = 16, which the paper does not give, put offline first at 2 frames and level "
        "with online at 16, as the figure shows.",
    )


def _fig10() -> Table:
    snr = (-10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
    rls, zf, perfect = _along("fig10", "snr_db", snr, "rls_ssca", "rls_zf", "perfect_ssca")
    separate, joint, hbdun = _along("fig10_networks", "snr_db", snr, "separate", "joint", "hbdun")
    return by_scenario(
        "Fig. 10: sum rate versus the SNR",
        _labels("{} dB", snr),
        (Row("RLS-SSCA", _RATE), rls.nats()),
        (Row("RLS-ZF", _RATE), zf.nats()),
        (Row("separate", _RATE), separate.nats()),
        (Row("joint", _RATE), joint.nats()),
        (Row("HBDUN", _RATE), hbdun.nats()),
        (Row("black box", _RATE, columns=_ALL, skipped=_BLACK_BOX), None),
        (Row("perfect CSI", _RATE), perfect.nats()),
        note="RLS with 90 pilot symbols, networks with 16.",
    )


def _fig11() -> Table:
    chains = (8.0, 16.0, 24.0, 32.0)
    rls, perfect = _along("fig11", "num_rf", chains, "rls_ssca", "perfect_ssca")
    separate, joint, hbdun = _along("fig11_networks", "num_rf", (8.0, 16.0, None, None), "separate", "joint", "hbdun")
    shipped = "networks are shipped for 8 and 16 RF chains"
    return by_scenario(
        "Fig. 11: sum rate versus the number of RF chains",
        _labels("{} chains", chains),
        (Row("RLS-SSCA", _RATE), rls.nats()),
        (Row("separate", _RATE, skipped=shipped), separate.nats()),
        (Row("joint", _RATE, skipped=shipped), joint.nats()),
        (Row("HBDUN", _RATE, skipped=shipped), hbdun.nats()),
        (Row("black box", _RATE, columns=_ALL, skipped=_BLACK_BOX), None),
        (Row("perfect CSI", _RATE), perfect.nats()),
        note="RLS with 90 pilot symbols, networks with as many as there are RF chains.",
    )


def _fig12() -> Table:
    bits = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
    joint, hbdun = _along("fig12", "phase_bits", bits, "joint", "hbdun")
    smooth_joint, smooth_hbdun = _along("fig10_networks", "snr_db", (10.0,), "joint", "hbdun")
    return by_scenario(
        "Fig. 12: sum rate versus the bits of phase shifters, at 10 dB",
        _labels("{} bits", bits),
        (Row("joint", _RATE), joint.nats()),
        (Row("joint, share", "% of continuous"), joint.share(smooth_joint)),
        (Row("HBDUN, share", "% of continuous"), hbdun.share(smooth_hbdun)),
        note="That 8 bits are needed does not show: the channel behind rounded phases is estimated anew, and 3 to 4 bits do.",
    )


def _fig13() -> Table:
    snr = (-10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
    (rls,), (joint,) = _along("fig10", "snr_db", snr, "rls_ssca"), _along("fig10_networks", "snr_db", snr, "joint")
    return by_scenario(
        "Fig. 13: sum rate of one-stage and two-stage training versus the SNR",
        _labels("{} dB", snr),
        (Row("RLS-SSCA", _RATE), rls.nats()),
        (Row("joint", _RATE), joint.nats()),
        (Row("one-stage", _RATE, columns=_ALL, skipped="no network trained in one stage is shipped"), None),
        (Row("black box", _RATE, columns=_ALL, skipped=_BLACK_BOX), None),
    )


def _fig14() -> Table:
    users = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    joint, equal = _along("networks", "num_users", users, "joint", "rls_sca")
    return by_scenario(
        "Fig. 14: a network for six users serving fewer, at 10 dB",
        _labels("K = {}", users),
        (Row("joint (mismatch)", _RATE), joint.nats()),
        (Row("joint (mismatch), share", "% of RLS, SCA"), joint.share(equal)),
        (Row("joint", _RATE, columns=_ALL, skipped=_TRAINING), None),
        (Row("joint (mismatch of L and gain)", _RATE, columns=_ALL, skipped=_TRAINING), None),
        note="The paper's tiny gap does not show for few users: the layers expect the interference of six.",
    )


def _fig17() -> Table:
    frames = tuple(float(n) for n in range(1, 13))
    online, offline, random = _along("fig17", "frame", frames, "online_rls_ssca", "offline_rls_ssca", "offline_rls_random")
    return by_scenario(
        "Fig. 17: sum rate of online and offline optimisation versus frames",
        _labels("frame {}", frames),
        (Row("RLS-SSCA, online", _RATE), online.nats()),
        (Row("RLS-SSCA, offline", _RATE), offline.nats()),
        (Row("RLS, random phases", _RATE), random.nats()),
        (Row("online, share", "% of offline"), online.share(offline)),
        note="Of RLS-SSCA, with 50 samples in each frame; Fig. 18 has the networks.",
    )


def _fig18() -> Table:
    snr = (-10.0, 0.0, 10.0, 20.0)
    rls, joint = _along("fig18", "snr_db", snr, "online_rls_ssca", "online_joint")
    return by_scenario(
        "Fig. 18: sum rate of online optimisation versus the SNR",
        _labels("{} dB", snr),
        (Row("RLS-SSCA", _RATE), rls.nats()),
        (Row("joint", _RATE), joint.nats()),
        (Row("joint, share", _SHARE), joint.share(rls)),
        (Row("black box", _RATE, columns=_ALL, skipped=_BLACK_BOX), None),
        note="Both with 16 pilot symbols; RLS-SSCA with five iterations of its digital stage, as many as there are layers.",
    )


def _unmeasured(title: str) -> Table:
    return Table(title, (), (Row("joint", _RATE),), skipped=_TRAINING)


TABLES = {
    "table1": _table1(),
    "table2": _table2(),
    "table3": _table3(),
    "table4": _table4(),
    "table5": _table5(),
    "fig9": _fig9(),
    "fig10": _fig10(),
    "fig11": _fig11(),
    "fig12": _fig12(),
    "fig13": _fig13(),
    "fig14": _fig14(),
    "fig15": _unmeasured("Fig. 15: other angles, clusters and rays, and transfer to them"),
    "fig16": _unmeasured("Fig. 16: convergence when the statistics change"),
    "fig17": _fig17(),
    "fig18": _fig18(),
}
