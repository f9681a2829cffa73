"""Kang et al., "Mixed-Timescale Deep-Unfolding for Joint Channel Estimation and Hybrid Beamforming", IEEE JSAC 2022: the tables.

Conventions that fit Table I: natural logarithms under the heading bits/s/Hz, N_s units of power for every user, pilots of power P per RF
chain, complex gains of variance 0.1, fresh angles in every sample. Percentages are of RLS-SSCA with 90 pilot symbols and 70 iterations,
drop by drop on the same channels. Networks are trained for every column's own users, layers and pilots at 10 dB, in a minute or less
each (:mod:`csisim.training.native`; effort ``full`` takes four times as many steps).
"""

from csisim.papers import kang2022_fdd as fdd
from csisim.papers import kang2022_figures as figures
from csisim.papers.base import Row, Rule, Table
from csisim.papers.by_scenario import by_scenario
from csisim.papers.kang2022_figures import BLACK_BOX, LINEAR, RATE, SHARE, SHORTCUT, along, labels, linear
from csisim.papers.kang2022_speed import SIZES, Times

_NETWORK = Rule(points=0.5, more_is_better=True)
_ITERATIVE = Rule(points=2.0)

_FEWER = (
    "{} pilot symbols against 90, without the interference of eq. (4) that lends identical pilots its power: networks have what RLS and "
    "SCA have with as many symbols; with 16 (Table I, quick) joint gains 0.5 to 2 %, and for K = 4 and 6 RLS with 4 sigma^2 gains "
    "more: 101.2 and 103.8 % against 100.9 and 101.9 %"
)
_PILOTS = _FEWER.format("16")
_LENT = (
    "what is above 100 % is the pilots' gain and not the network's: RLS with the same ones has more, quick: 101.3, 105.9 and 108.6 % "
    "for K = 2, 4 and 6"
)
_BOX = (
    "quick: trained for a minute, the paper's for 350: at 27 % when it ends, a little below matched filters, and still rising "
    "(in a trial with perfect CSI 14 bit/s/Hz, matched filters 15, SCA 47). Copying SCA first, over a linear "
    "shortcut, brought it there, from 13 % with the rate alone; layers of 1024 and 2048 units and learning rates of 0.003 and "
    "0.01 did not bring it further"
)
_SAMPLES = "needs thousands of samples and hours: not trained here"
_SECONDS = "seconds of another machine, for an unstated number of slots; ours are the rows below, and only the ratio is judged"
_MINUTES = "minutes of another machine; ours, for the steps of this effort, are the rows below"
_FASTER = "converges faster here: from singular vectors or at random, 91 % and more after 10 iterations, 98 % and more after 30"
_FLATTER = "no pilot power gives this shape with its stop at 80: it lies between P per RF chain (here) and P per column (7e)"

_QUICK_USERS = (1.0, 2.0, 4.0, 6.0)
_SEPARATE = (98.33, 97.23, 97.06, 96.77, 95.60, 95.33)
_JOINT = (103.53, 102.32, 100.31, 100.07, 99.49, 98.78)


def _table1() -> Table:
    users = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    rls, perfect = along("table1", "num_users", users, "rls_ssca", "perfect_ssca")
    schemes = ("separate", "joint", "rls_sca", "rls_inflated_sca", "lmmse_sca", "hbdun", "perfect_sca", "rls_wmmse7", "rls_zf", "rls_rzf")
    separate, joint, equal, careful, lmmse, hbdun, sca, wmmse7, zf, rzf = along("networks", "num_users", users, *schemes)
    at_four = tuple(10.0 if k == 4 else None for k in users)
    (black_box,), (rls_at_four,) = along("fig10_networks", "snr_db", at_four, "black_box"), along("fig10", "snr_db", (10.0,), "rls_ssca")
    some = (2.0, 4.0, 6.0)
    eq4_separate, eq4_joint, eq4_rls = along("eq4", "num_users", some, "separate", "joint", "rls_sca")
    (reference,) = along("table1", "num_users", some, "rls_ssca")
    weak_separate, weak_joint, weak_careful = along("column", "num_users", some[:2], "separate", "joint", "rls_inflated_sca")
    (weak,) = along("column_rls", "num_users", some[:2], "rls_ssca")
    too_much = {0: "more than SSCA reaches with perfect CSI, which is 102.2 % of RLS-SSCA"}
    few, two = labels("K = {}", some), labels("K = {}", some[:2])
    return by_scenario(
        "Table I: sum rate versus the number of users",
        labels("K = {}", users),
        (Row("RLS-SSCA", RATE, (10.18, 19.55, 24.78, 29.64, 35.84, 42.63), Rule(relative=0.12, rms=0.06)), rls.nats()),
        (Row("separate", SHARE, _SEPARATE, _NETWORK, note=_PILOTS), separate.share(rls)),
        (Row("joint", SHARE, _JOINT, _NETWORK, inconsistent=too_much, note=_PILOTS), joint.share(rls)),
        (
            Row("black box", SHARE, (86.95, 85.65, 85.01, 83.99, 83.42, 81.94), _NETWORK, skipped=BLACK_BOX, note=_BOX),
            black_box.share(rls_at_four),
        ),
        (Row("perfect CSI", RATE), perfect.nats()),
        (Row("RLS, 16 pilots", SHARE), equal.share(rls)),
        (Row("RLS, 16 pilots, 4 sigma^2", SHARE), careful.share(rls)),
        (Row("LMMSE, 16 pilots", SHARE), lmmse.share(rls)),
        (Row("separate, equal pilots", "% of RLS, SCA"), separate.share(equal)),
        (Row("joint, equal pilots", "% of RLS, SCA"), joint.share(equal)),
        (Row("4 sigma^2, equal pilots", "% of RLS, SCA"), careful.share(equal)),
        (Row("WMMSE-7, equal pilots", "% of RLS, SCA"), wmmse7.share(equal)),
        (Row("ZF, equal pilots", "% of RLS, SCA"), zf.share(equal)),
        (Row("RZF, equal pilots", "% of RLS, SCA"), rzf.share(equal)),
        (Row("HBDUN, perfect CSI", "% of SCA"), hbdun.share(sca)),
        (Row("separate, eq. (4)", SHARE, _SEPARATE[1::2], _NETWORK, few, remark=_LENT), eq4_separate.share(reference)),
        (Row("joint, eq. (4)", SHARE, _JOINT[1::2], _NETWORK, few, remark=_LENT), eq4_joint.share(reference)),
        (Row("RLS, 16 pilots, eq. (4)", SHARE, columns=few), eq4_rls.share(reference)),
        (Row("separate, (7e)", "% of RLS-SSCA (7e)", columns=two), weak_separate.share(weak)),
        (Row("joint, (7e)", "% of RLS-SSCA (7e)", columns=two), weak_joint.share(weak)),
        (Row("RLS, 16 pilots, 32 sigma^2, (7e)", "% of RLS-SSCA (7e)", columns=two), weak_careful.share(weak)),
        note="With nats for the paper's bits its RLS-SSCA row is met. Rows with 16 or equal pilots share the trained phases; eq. (4) read "
        "to the letter with identical pilots is measured against the same RLS-SSCA, (7e) against RLS-SSCA with 90 pilots of its power. "
        "RLS-SSCA with 90 sends pilots as its row fits (not whitened, white noise after combining), all rows with 16 send them whitened "
        "and know the noise's colour, which would give RLS-SSCA 0.8, 1.0 and 1.7 % more for K = 2, 4 and 6 (16 drops), and the networks "
        "as much smaller shares. At equal pilots joint gains 1 % or more with six users and, within training seeds, with four (100.9 to "
        "101.1 %), not with two (100.55 to 100.6 %; 480 and 480 steps in place of 150 and 200: 100.7 %): whitened pilots leave RLS "
        "nothing to lose there, and LMMSE has 100.1 % of it. WMMSE-7 starts from singular vectors.",
        quick={"kang2022_networks": {"num_users": _QUICK_USERS}},
    )


def _table2() -> Table:
    samples = tuple(float(n) for n in range(200, 1001, 100))
    measured = tuple(n if n in (200.0, 500.0, 1000.0) else None for n in samples)
    (joint,), (reference,) = along("table2", "scheme", measured, "joint_{:g}"), along("fig10", "snr_db", (10.0,), "rls_ssca")
    return by_scenario(
        "Table II: sum rate versus training samples",
        labels("{} samples", samples),
        (
            Row(
                "joint",
                SHARE,
                (90.14, 94.41, 96.25, 98.09, 99.44, 100.11, 101.30, 101.31, 101.31),
                _NETWORK,
                skipped="networks are trained on 200, 500 and 1000 samples",
                note=_PILOTS,
            ),
            joint.share(reference),
        ),
        *linear("fig10_networks", "snr_db", (10.0,), reference, ("any samples",)),
        (
            Row(
                "black box",
                SHARE,
                (76.77, 77.59, 78.90, 80.52, 82.27, 83.22, 84.62, 85.44, 85.57),
                columns=labels("{} samples", range(2000, 10001, 1000)),
                skipped=_SAMPLES,
            ),
            None,
        ),
        note="All stages see the same samples again and again; the noise on pilots is fresh. The best iterate is chosen on "
        f"256 further channels. Table I has the network on fresh channels. {LINEAR}",
    )


def _table3() -> Table:
    iterations, layers = (30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0), tuple(float(n) for n in range(3, 10))
    (ours,), (all_of_them,) = along("table3", "iterations", iterations, "rls_ssca"), along("table3", "iterations", (70.0,), "rls_ssca")
    (joint,), (reference,) = along("table3_networks", "layers", layers, "joint"), along("fig10", "snr_db", (10.0,), "rls_ssca")
    users = (2.0, 4.0)
    forms = along("inverse", "num_users", users, "exact", "residual", "iaidnn", "diagonal")
    (perfect,) = along("table1", "num_users", users, "perfect_ssca")
    names = ("exact inverse", "residual inverse", "IAIDNN inverse", "diagonal inverse (paper)")
    published = (85.14, 92.65, 101.25, 101.79, 101.79, 100.86, 101.02)
    return by_scenario(
        "Table III: sum rate versus layers of HBDUN and iterations of SSCA",
        labels("{} iterations", iterations),
        (Row("joint", SHARE, published, _NETWORK, labels("{} layers", layers), note=_PILOTS), joint.share(reference)),
        *linear("fig10_networks", "snr_db", (10.0,), reference, ("any layers",)),
        (
            Row("RLS-SSCA", SHARE, (84.84, 89.44, 92.43, 96.99, 98.86, 100.0, 100.0), _ITERATIVE, note=_FASTER),
            ours.share(all_of_them),
        ),
        *(
            (Row(f"HBDUN, {name}", "% of SSCA", columns=labels("K = {}", users)), form.share(perfect))
            for name, form in zip(names, forms, strict=True)
        ),
        note="Iterations are those of the digital stage, from a matched filter; 100 % is 70 of them. HBDUN and SSCA with perfect CSI, five "
        "layers each trained with phases of their own: the paper's diagonal inverse does not hold, its layers need the exact one. "
        f"{LINEAR}",
        quick={"kang2022_table3_networks": {"layers": (3.0, 5.0, 7.0, 9.0)}},
    )


def _table4() -> Table:
    symbols, layers = (40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0), tuple(float(n) for n in range(8, 21, 2))
    (ours,), (reference,) = along("table4", "length", symbols, "rls_ssca"), along("table4", "length", (90.0,), "rls_ssca")
    (joint,) = along("table4_networks", "length", layers, "joint")
    published = (92.18, 95.44, 98.15, 99.09, 101.25, 101.46, 101.5)
    return by_scenario(
        "Table IV: sum rate versus layers of CEDUN and of RLS, one for each pilot symbol",
        labels("{} symbols", symbols),
        (Row("joint", SHARE, published, _NETWORK, labels("{} layers", layers), note=_FEWER.format("8 to 20")), joint.share(reference)),
        *linear("table4_networks", "length", layers, reference, labels("{} layers", layers)),
        (
            Row("RLS-SSCA", SHARE, (79.64, 86.69, 91.85, 95.47, 100.0, 100.0, 100.0), _ITERATIVE, note=_FLATTER),
            ours.share(reference),
        ),
        note=f"With fewer symbols than the 16 RF chains the channel is not determined: what is missing there has to be learned. {LINEAR}",
        quick={"kang2022_table4_networks": {"length": (8.0, 12.0, 16.0, 20.0)}},
    )


def _table5() -> Table:
    minutes, testing = "min training", "s testing"
    speed_up, million = "times as long", "million operations"
    rls, joint = (2.94, 3.11, 3.42, 11.20, 12.81, 26.45), (0.26, 0.28, 0.30, 0.96, 1.021, 1.58)
    box = (0.13, 0.14, 0.14, 0.36, 0.40, 0.76)
    trained = {
        "joint": (46.82, 59.13, 76.34, 189.23, 274.23, 394.25),
        "black box": (80.57, 96.81, 110.45, 350.41, 435.54, 740.61),
    }
    ratio = tuple(one / two for one, two in zip(rls, joint, strict=True))
    arrays = "RLS-SSCA in array operations"
    bound = "70 iterations in place of five layers bound it by 14; RLS with known pilots is a matrix product, as CEDUN is"
    tested = (("RLS-SSCA", rls), ("joint", joint), ("black box", box))
    return Table(
        "Table V: CPU running time",
        tuple(f"({num_rf},{users})" for num_rf, users in SIZES),
        (
            *(Row(f"{name}, published", minutes, values, skipped=_MINUTES) for name, values in trained.items()),
            *(Row(name, minutes, key=f"{name}, training") for name in trained),
            *(Row(f"{name}, published", testing, values, skipped=_SECONDS) for name, values in tested),
            *(Row(name, testing) for name, _ in tested),
            Row(f"{arrays} / joint", speed_up, ratio, Rule(relative=0.25, more_is_better=True), note=bound),
            Row(f"{arrays} / joint, one at a time", speed_up),
            Row("RLS-SSCA / joint", speed_up),
            *(Row(f"{name}, one at a time", testing) for name in ("RLS-SSCA", "joint", "black box")),
            Row("RLS-SSCA / joint, one at a time", speed_up),
            *(Row(f"RLS-SSCA / joint, equal rate, {length} pilots", speed_up) for length in (80, 16)),
            *(Row(f"{name}, operations", million) for name in ("RLS-SSCA", "joint", "black box")),
            Row("RLS-SSCA / joint, operations", speed_up),
        ),
        Times(),
        note="CPU seconds for a thousand slots in batches of 200, CPU minutes for the steps that this effort trains at the pace of two of "
        "them. RLS(80) with 70 iterations of SCA against CEDUN of 16 and HBDUN of five layers, both estimators as maps made beforehand; "
        "operations are those that (34) to (38) count, and the black box's also those of its linear map. RLS-SSCA runs compiled, "
        "networks in array operations. At equal rate SCA stops as "
        f"soon as it has the network's. {SHORTCUT}",
    )


TABLES = {
    "table1": _table1(),
    "table2": _table2(),
    "table3": _table3(),
    "table4": _table4(),
    "table5": _table5(),
    **figures.FIGURES,
    **fdd.FIGURES,
}
