"""``csisim trace inspect``: what is in a trace file, against what the public MATLAB code gives."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from csisim.dataset.contents import Contents

SUFFIXES = (".png", ".pdf", ".svg")


@click.command()
@click.argument("file")
@click.option("--preset", metavar="NAME", help="Compare with this preset instead of the one in the file's recipe.")
@click.option(
    "-o", "--output", metavar="PICTURE", type=click.Path(dir_okay=False, path_type=Path), help="Draw samples to PICTURE (.png, .pdf, .svg)."
)
def inspect(file: str, preset: str | None, output: Path | None) -> None:
    """Say what is in FILE: a trace as .npz, CsiNet .mat or .parquet, a packaged trace, or reports of `csisim trace record`.

    Its means stand beside those of the public MATLAB code's drops for the same preset, with the difference in combined standard errors.
    """
    from csisim.channel.cost2100.presets import preset as known
    from csisim.dataset.contents import read_contents

    if output is not None and output.suffix not in SUFFIXES:
        raise click.UsageError(f"-o {output}: the name must end in one of {', '.join(SUFFIXES)}")
    if preset is not None:
        known(preset)
    contents = read_contents(file)
    if not len(contents.delay_angle):
        if output is not None:
            held = "frequency responses" if contents.csi is None else "reports"
            raise click.UsageError(f"-o {output}: {file} holds {held}, there are no images to draw")
        click.echo("\n".join(_description(contents) if contents.csi is None else _reports(contents)))
        return
    chosen, why = _reference(contents, preset)
    click.echo("\n".join([*_description(contents), "", *_comparison(contents, chosen, why)]))
    if output is not None:
        from csisim.dataset.picture import draw_samples
        from csisim.records.figures.style import save

        save(draw_samples(contents, chosen), output)
        click.echo(f"\n{output}")


def _reference(contents: "Contents", asked: str | None) -> tuple[str | None, str]:
    """The preset to compare with, and why it is this one."""
    from csisim.channel.cost2100.published import REFERENCES, nearest

    if asked is not None:
        return asked, "asked for"
    if contents.recipe:
        name = contents.recipe.get("preset")
        return (name, "the recipe's preset") if name in REFERENCES else (None, f"preset {name}: there are no reference drops of it")
    if contents.delay_angle.shape[1:] != (32, 32):
        return None, "no recipe inside"
    return nearest(contents.delay_angle), "no recipe inside: the preset whose energy per delay is nearest"


def _description(contents: "Contents") -> list[str]:
    recipe, (looked, delays, angles) = contents.recipe, contents.delay_angle.shape
    size = f"{delays} delays x {angles} angles" if looked else "frequency responses of every angle"
    lines = [
        f"{contents.path}: {contents.count} drops, {size}, {contents.path.stat().st_size / 1e6:.1f} MB",
        *(f"  {name:26s} {shape}" for name, shape in contents.arrays.items()),
        f"  {'orientation':26s} {_orientation(contents)}",
        f"  {'normalisation':26s} {_normalisation(contents)}",
    ]
    if recipe:
        known = {name: recipe.get(name, "?") for name in ("preset", "seed", "count", "csisim", "model")}
        made = "preset {preset}, seed {seed}, {count} drops in all, csisim {csisim}, model version {model}".format(**known)
        lines.append(f"  {'recipe':26s} {made}")
    else:
        lines.append(f"  {'recipe':26s} none inside")
    return [*lines, f"  {'note':26s} {contents.note}"] if contents.note else lines


def _reports(contents: "Contents") -> list[str]:
    """Whose reports, of which size, and how much of their energy a linear code of which length could hold."""
    import numpy as np

    from csisim.feedback.images import normalise, scale_of
    from csisim.feedback.pca import as_vectors

    csi, recipe = contents.csi, contents.recipe
    assert csi is not None
    subcarriers, receive, transmit = csi.shape[1:]
    images = csi.reshape(-1, receive, transmit)
    vectors = as_vectors(normalise(images, scale_of(images, "unit"), "unit"), real=False)
    energy = np.cumsum(np.linalg.eigvalsh(vectors.T @ vectors.conj())[::-1])
    needed = ", ".join(f"{share} % in {1 + int(np.searchsorted(energy, share / 100 * energy[-1]))}" for share in (50, 90, 99))
    size = f"{subcarriers} subcarriers, {receive} receive x {transmit} transmit chains"
    lines = [
        f"{contents.path}: {contents.count} reports, {size}, {contents.path.stat().st_size / 1e6:.1f} MB",
        *(f"  {name:26s} {shape}" for name, shape in contents.arrays.items()),
        f"  {'principal components':26s} {needed} of {receive * transmit} hold the energy of a subcarrier",
    ]
    if recipe:
        known = {name: recipe.get(name, "?") for name in ("scenario", "scheme", "seed", "csisim", "model")}
        made = "scenario {scenario}, scheme {scheme}, seed {seed}, csisim {csisim}, model version {model}".format(**known)
        lines.append(f"  {'recipe':26s} {made}")
    return lines


def _orientation(contents: "Contents") -> str:
    """What the recipe says of the axes, or what the file's format and energy tell."""
    if {"angles", "frequencies"} <= contents.recipe.keys():
        angles, points = contents.recipe["angles"], contents.recipe["frequencies"]
        centred = contents.path.suffix == ".mat" or angles["centred"]
        return (
            f"exp({'+' if angles['steering_sign'] > 0 else '-'}j pi k cos AoD), angle zero {'in the middle' if centred else 'first'}; "
            f"{points['count']} frequencies spaced {points['spacing_hz'] / 1e3:g} kHz"
        )
    if contents.path.suffix == ".mat":
        return "CsiNet image, angle zero in the middle of its axis"
    from csisim.channel.cost2100.published import profiles

    return f"not said; of the angles, index {int(profiles(contents.delay_angle)[1].argmax())} has most energy"


def _normalisation(contents: "Contents") -> str:
    import numpy as np

    if not len(contents.delay_angle):
        return "of every drop's image"
    if contents.path.suffix == ".mat":
        return "image: 0.5 + h / (2 max|h|) of every drop"
    largest = np.abs(contents.delay_angle).max(axis=(1, 2))
    energy = 10 * np.log10((np.abs(contents.delay_angle).astype(float) ** 2).sum(axis=(1, 2)))
    for name, value in (("largest entry", largest), ("energy", 10 ** (energy / 10))):
        if np.ptp(value) < 1e-4 * value.mean():
            return f"every drop has {name} {value.mean():.4g}"
    return f"none; energy of a drop {energy.min():.1f} to {energy.max():.1f} dB, mean of the dB {energy.mean():.1f}"


def _comparison(contents: "Contents", chosen: str | None, why: str) -> list[str]:
    """The table of means."""
    from csisim.channel.cost2100.published import LABELS, REFERENCES, compare_means, quantities

    table = quantities(contents.delay_angle, contents.stats, contents.columns)
    looked = f"the first {len(contents.delay_angle)} drops" if contents.count > len(contents.delay_angle) else "all drops"
    if chosen is None:
        rows = [(*LABELS[name], table[name].mean()) for name in LABELS if name in table]
        return [f"means of {looked} ({why})", *(f"  {label:36s} {mean:10.{digits}f}" for label, digits, mean in rows)]
    reference = REFERENCES[chosen]
    lines = [
        f"means of {looked} against {reference.drops} drops of the public MATLAB code, {chosen} ({why}); +- 95 % interval",
        f"  {'':36s} {'here':>18s} {'reference':>18s}   apart",
    ]
    compared = {row.name: row for row in compare_means(table, reference)}
    for name, (label, digits) in LABELS.items():
        if name in compared:
            row = compared[name]
            here, there = (f"{mean:.{digits}f} +-{1.96 * error:.{digits}f}" for mean, error in (row[1:3], row[3:5]))
            lines.append(f"  {label:36s} {here:>18s} {there:>18s}  {row.apart:+5.1f} s.e.")
        elif name in table:
            lines.append(f"  {label:36s} {table[name].mean():18.{digits}f}")
    return [*lines, *_energies(contents, chosen)]


def _energies(contents: "Contents", chosen: str, shown: int = 8) -> list[str]:
    """Energy in each of the first delays, and where it lies."""
    from csisim.channel.cost2100.published import REFERENCES, profiles

    reference = REFERENCES[chosen]
    if len(reference.delay_profile) != contents.delay_angle.shape[1]:
        return []
    profile, _ = profiles(contents.delay_angle)
    first = max(0, min(int(profile.argmax()) - shown // 2, len(profile) - shown))
    places = range(first, first + shown)
    row = lambda values: "".join(f"{100 * values[place]:7.2f}" for place in places)  # noqa: E731
    return [
        "",
        "energy per delay, % of a drop's",
        f"  {'delay':10s}" + "".join(f"{place:7d}" for place in places),
        f"  {'here':10s}" + row(profile),
        f"  {'reference':10s}" + row(reference.delay_profile) + f"   ({reference.profile_drops} drops)",
    ]
