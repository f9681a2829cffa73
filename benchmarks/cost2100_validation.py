"""Are our COST 2100 drops those of the public MATLAB code? Two-sample tests, means, and a figure.

    python benchmarks/cost2100_validation.py REFERENCE_FOLDER [--count 2200] [-o PICTURE]

REFERENCE_FOLDER holds cost2100_{indoor,outdoor,indoor_public}_reference.npz, drops of that code.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from scipy.stats import ks_2samp, kstwobign

from csisim.channel.cost2100.presets import generate, preset
from csisim.channel.cost2100.published import LABELS, REFERENCES, compare_means, quantities
from csisim.records.figures.style import COLOURS, RC, save

LEVEL, LIMIT = 0.05 / 12, 3.3
TESTED = (
    "rms_delay_spread_s", "rms_bs_azimuth_spread_deg", "mean_excess_delay_s", "n_visible_far_clusters", "pathloss_dB(neg)",
    "strongest_share",
)  # fmt: skip
#: Quantities of files without statistics.
OF_MATRICES = ("strongest_share", "entries_90", "entries_95", "entries_99", "energy_dB")
DRAWN = ("rms_delay_spread_s", "rms_bs_azimuth_spread_deg", "n_visible_far_clusters", "strongest_share")
#: Deciles of all 2200 reference drops, of which the file has about half.
DECILES = {
    "indoor_paper": {
        "rms_delay_spread_s": (14.93, 24.98, 29.85, 34.47, 38.37, 41.80, 44.88, 48.99, 53.65),
        "rms_bs_azimuth_spread_deg": (35.0, 42.7, 49.6, 55.9, 61.4, 68.2, 75.7, 85.1, 96.4),
    },
    "outdoor_paper": {
        "rms_delay_spread_s": (207.9, 243.8, 269.7, 293.3, 317.7, 346.0, 374.4, 414.7, 475.1),
        "rms_bs_azimuth_spread_deg": (8.4, 11.2, 13.8, 16.7, 19.6, 22.9, 27.3, 32.5, 40.8),
    },
}
FILES = {"indoor_paper": "indoor", "outdoor_paper": "outdoor", "indoor_public": "indoor_public"}

Table = dict[str, np.ndarray]


def reference(file: Path) -> Table:
    """Every compared quantity of the reference's drops."""
    data = np.load(file)
    known = (data["stats"], tuple(map(str, data["stats_columns"]))) if "stats" in data else (None, ())
    return quantities(data["delay_angle"], *known) | {"energy_dB": _energy_db(data["delay_angle"])}


def ours(name: str, seed: int | None, count: int) -> Table:
    """Every compared quantity of our drops."""
    drops = generate(preset(name, seed), count)
    return quantities(drops.delay_angle, drops.stats, drops.stats_columns) | {"energy_dB": _energy_db(drops.delay_angle)}


def _energy_db(delay_angle: np.ndarray) -> np.ndarray:
    return 10 * np.log10((np.abs(delay_angle).astype(float) ** 2).sum(axis=(1, 2)))


def label(name: str) -> str:
    """How a quantity is called."""
    return LABELS[name][0] if name in LABELS else "energy of the matrix, dB"


def print_tests(mine: Table, theirs: Table) -> None:
    """Two-sample Kolmogorov-Smirnov tests."""
    names = [name for name in TESTED if name in theirs]
    names = names if len(names) > 1 else list(OF_MATRICES)
    print(f"  two-sample Kolmogorov-Smirnov against {len(theirs['strongest_share'])} reference drops, level {LEVEL:.4f}")
    for name in names:
        test = ks_2samp(mine[name], theirs[name])
        verdict = "ok" if test.pvalue > LEVEL else "DIFFERS"
        medians = f"medians {np.median(mine[name]):9.4f} {np.median(theirs[name]):9.4f}"
        print(f"    {label(name):36s} D {test.statistic:.4f}  p {test.pvalue:.4f}  {medians}  {verdict}")


def print_means(mine: Table, name: str) -> None:
    """Means against those of all reference drops, in combined standard errors."""
    known = REFERENCES[name]
    print(f"  means against {known.drops} reference drops, limit {LIMIT} combined standard errors")
    for row in compare_means(mine, known):
        verdict = "ok" if abs(row.apart) <= LIMIT else "DIFFERS"
        print(f"    {label(row.name):36s} {row.mean:9.4f} {row.reference:9.4f}  {row.apart:+5.2f} s.e.  {verdict}")


def print_deciles(mine: Table, theirs: Table, name: str) -> None:
    """Distribution functions at the deciles of all reference drops: ours, the file's, and those of the drops that it does not have."""
    known = REFERENCES[name].drops
    print(f"  at the deciles of all {known} reference drops: largest difference of distribution functions, and p if it were D")
    for quantity, deciles in DECILES.get(name, {}).items():
        levels = np.arange(1, 10) / 10
        ours_below, here_below = (np.searchsorted(np.sort(table[quantity]), deciles) / len(table[quantity]) for table in (mine, theirs))
        here, we = len(theirs[quantity]), len(mine[quantity])
        rest = known - here
        rest_below = (known * levels - here * here_below) / rest
        pairs = {
            f"our {we}, all {known}": (ours_below - levels, we, known),
            f"our {we}, the {here} here": (ours_below - here_below, we, here),
            f"our {we}, the {rest} others": (ours_below - rest_below, we, rest),
            f"the {here} here, the {rest} others": (here_below - rest_below, here, rest),
        }
        print(f"    {label(quantity)}")
        for what, (difference, n, m) in pairs.items():
            largest = np.abs(difference).max()
            print(f"      {what:36s} {largest:.4f}  p {kstwobign.sf(largest * (n * m / (n + m)) ** 0.5):.4f}")


def draw(tables: dict[str, tuple[Table, Table]]) -> Figure:
    """Distribution functions, ours over the reference's, a row for each preset."""
    with rc_context(RC):
        figure = Figure(figsize=(7.0, 1.75 * len(tables) + 0.25), layout="constrained")
        grid = figure.subplots(len(tables), len(DRAWN), squeeze=False, sharey=True)
        for row, (name, (mine, theirs)) in zip(grid, tables.items(), strict=True):
            for axes, quantity in zip(row, DRAWN, strict=True):
                _draw_distributions(axes, mine[quantity], theirs[quantity])
                axes.set_xlabel(label(quantity).replace("strongest entry's share of energy", "strongest entry's share"))
            row[0].set_ylabel(f"{name.split('_')[0]}\nshare of drops")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def _draw_distributions(axes, mine: np.ndarray, theirs: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    for values, look in (
        (
            theirs,
            {"color": "#222222", "linewidth": 2.2, "alpha": 0.45, "label": f"public MATLAB code, about {round(len(theirs), -2)} drops"},
        ),
        (mine, {"color": COLOURS[0], "linewidth": 1.0, "label": f"csisim, {len(mine)} drops"}),
    ):
        axes.step(np.sort(values), np.arange(1, len(values) + 1) / len(values), where="post", **look)
    low, high = np.percentile(np.concatenate([mine, theirs]), (0.0, 99.3))
    axes.set(xlim=(low, high), ylim=(0, 1))
    axes.text(0.95, 0.07, f"$D$ = {ks_2samp(mine, theirs).statistic:.3f}", transform=axes.transAxes, ha="right")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2200)
    parser.add_argument("--seed", type=int, help="instead of the presets' own")
    parser.add_argument("-o", "--output", type=Path, help="draw distribution functions to this file")
    arguments = parser.parse_args()
    tables = {}
    for name, stem in FILES.items():
        mine, theirs = ours(name, arguments.seed, arguments.count), reference(arguments.folder / f"cost2100_{stem}_reference.npz")
        print(f"{name} (seed {preset(name, arguments.seed).seed}): {arguments.count} drops")
        print_tests(mine, theirs)
        print_means(mine, name)
        if name in DECILES:
            print_deciles(mine, theirs, name)
        if set(DRAWN) <= theirs.keys():
            tables[name] = mine, theirs
    if arguments.output is not None:
        save(draw(tables), arguments.output)


if __name__ == "__main__":
    main()
