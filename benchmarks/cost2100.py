"""Are our COST 2100 drops those of the reference code? Two-sample tests, means, and drops per second.

    python benchmarks/cost2100.py REFERENCE_FOLDER [--count 2200]

REFERENCE_FOLDER holds cost2100_{indoor,outdoor,indoor_public}_reference.npz, drops of the public MATLAB code.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp

from csisim.channel.cost2100.presets import Drops, Preset, generate, preset
from csisim.channel.cost2100.statistics import sparsity

LEVEL = 0.05 / 12
TESTED = {
    "rms_delay_spread_s": 1e9,
    "rms_bs_azimuth_spread_deg": 1,
    "mean_excess_delay_s": 1e9,
    "n_visible_far_clusters": 1,
    "pathloss_dB(neg)": 1,
}
#: Means of 2200 reference drops and their 95 % intervals (nanoseconds, degrees, counts, shares).
MEANS = {
    "indoor_paper": {
        "rms_delay_spread_s": (36.32, 35.73, 36.93),
        "rms_bs_azimuth_spread_deg": (64.12, 63.12, 65.13),
        "n_visible_far_clusters": (9.59, 9.37, 9.83),
        "n_mpc_nonLOS": (34.8, 34.1, 35.5),
        "n_mpc_within_30dB": (16.1, 15.9, 16.4),
        "mean_excess_delay_s": (11.0, 10.7, 11.3),
        "rms_bs_elevation_deg": (2.36, 2.26, 2.47),
        "entries_90": (0.0197, 0.0194, 0.0201),
        "entries_95": (0.0373, 0.0366, 0.0379),
        "entries_99": (0.1142, 0.1126, 0.1157),
        "strongest_share": (0.287, 0.283, 0.292),
    },
    "outdoor_paper": {
        "rms_delay_spread_s": (333.7, 329.2, 338.6),
        "rms_bs_azimuth_spread_deg": (22.44, 21.93, 22.98),
        "n_visible_far_clusters": (25.17, 24.97, 25.37),
        "n_mpc_nonLOS": (706.5, 701.0, 712.2),
        "n_mpc_within_30dB": (97.4, 95.8, 99.0),
        "mean_excess_delay_s": (106.8, 103.0, 110.5),
        "K_dB": (-4.754, -4.842, -4.669),
        "rms_bs_elevation_deg": (8.60, 8.42, 8.78),
        "entries_90": (0.0300, 0.0292, 0.0308),
        "entries_95": (0.0595, 0.0581, 0.0608),
        "entries_99": (0.1843, 0.1813, 0.1875),
        "strongest_share": (0.331, 0.324, 0.338),
    },
}


def quantities(drops: Drops) -> dict[str, np.ndarray]:
    """Every compared quantity of our drops, delays in ns."""
    table = {name: drops.stats[:, i] * (1e9 if name.endswith("_s") else 1) for i, name in enumerate(drops.stats_columns)}
    if (table["K_los_over_rest"] > 0).all():
        table["K_dB"] = 10 * np.log10(table["K_los_over_rest"])
    return table | sparsity(drops.delay_angle)


def against_drops(ours: Drops, file: Path) -> None:
    """Two-sample Kolmogorov-Smirnov tests against the reference's drops."""
    reference, mine = np.load(file), quantities(ours)
    pairs = {"strongest_share": (mine["strongest_share"], sparsity(reference["delay_angle"])["strongest_share"])}
    if "stats" in reference:
        columns = list(reference["stats_columns"])
        for name, unit in TESTED.items():
            pairs[name] = (mine[name], unit * reference["stats"][:, columns.index(name)])
    else:
        for name in ("entries_90", "entries_95", "entries_99"):
            pairs[name] = (mine[name], sparsity(reference["delay_angle"])[name])
        pairs["energy_dB"] = tuple(10 * np.log10((np.abs(x) ** 2).sum((1, 2))) for x in (ours.delay_angle, reference["delay_angle"]))
    print(f"  two-sample KS against {len(reference['delay_angle'])} reference drops, level {LEVEL:.4f}")
    for name, (a, b) in pairs.items():
        test = ks_2samp(a, b)
        verdict = "ok" if test.pvalue > LEVEL else "DIFFERS"
        print(f"    {name:28s} D {test.statistic:.4f}  p {test.pvalue:.4f}  means {a.mean():9.4f} {b.mean():9.4f}  {verdict}")


def against_means(ours: Drops, expected: dict[str, tuple[float, float, float]]) -> None:
    """Means against those of the reference's 2200 drops, in combined standard errors."""
    table = quantities(ours)
    print("  means against 2200 reference drops, limit 3.3 combined standard errors")
    for name, (mean, low, high) in expected.items():
        mine = table[name]
        error = np.hypot((high - low) / 3.92, mine.std(ddof=1) / len(mine) ** 0.5)
        apart = (mine.mean() - mean) / error
        print(f"    {name:28s} {mine.mean():9.4f} {mean:9.4f}  {apart:+5.2f} s.e.  {'ok' if abs(apart) <= 3.3 else 'DIFFERS'}")


def compare(config: Preset, count: int, file: Path) -> None:
    """One preset against its reference."""
    generate(config, 2)  # compiles
    start = time.process_time()
    ours = generate(config, count)
    seconds = time.process_time() - start
    print(f"{config.name} (seed {config.seed}): {count} drops, {count / seconds:.0f} drops per CPU second")
    against_drops(ours, file)
    if config.name in MEANS:
        against_means(ours, MEANS[config.name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2200)
    parser.add_argument("--seed", type=int, help="instead of the presets' own")
    arguments = parser.parse_args()
    files = {"indoor_paper": "indoor", "outdoor_paper": "outdoor", "indoor_public": "indoor_public"}
    for name, stem in files.items():
        compare(preset(name, arguments.seed), arguments.count, arguments.folder / f"cost2100_{stem}_reference.npz")


if __name__ == "__main__":
    main()
