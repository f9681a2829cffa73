"""``csisim timeline``: what a superframe looks like, slot by slot, and what it costs each scheme in bits."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from csisim.records.timeline import Lanes
    from csisim.scenario.schema import Scenario

SUFFIXES = (".png", ".pdf", ".svg")
ROOM = 96  # slots that fit on a line of text


@click.command()
@click.argument("scenario")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Draw it to FILE (.png, .pdf, .svg) instead."
)
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Give a field a value, e.g. --set feedback.delay_slots=2.")
def timeline(scenario: str, output: Path | None, sets: tuple[str, ...]) -> None:
    """Show a superframe of SCENARIO, a file or the name of a shipped one, slot by slot, and its signaling bits (Kang 2022, eq. 47-51)."""
    from csisim.cli.shipped import scenario_file
    from csisim.scenario.load import load_scenario

    resolved = load_scenario(scenario_file(scenario), sets).scenario
    if output is None:
        click.echo(text(resolved))
        return
    if output.suffix not in SUFFIXES:
        raise click.UsageError(f"-o {output}: the name must end in one of {', '.join(SUFFIXES)}")
    from csisim.records.figures.style import save
    from csisim.records.figures.timeline import figure

    save(figure(resolved), output)
    click.echo(output)


def text(scenario: "Scenario") -> str:
    """The timeline as text."""
    from csisim.records.timeline import LEGEND, costs, lanes, shown, superframe

    clock = scenario.clock
    schemes = [lanes(scenario, scheme) for scheme in scenario.schemes]
    spans = shown(clock.frames, clock.slots_per_frame, ROOM)
    taken = {scheme.name: f"{scheme.before} F " if scheme.before else "" for scheme in schemes}
    margin = max(map(len, taken.values()))
    lines = [f"{scenario.name}: {superframe(scenario)}", costs(scenario), ""]
    lines.append(f"  {'slot':<8}{'':>{margin}} " + _join(spans, [str(span.start).ljust(len(span)) for span in spans]))
    for scheme in schemes:
        lines.append(scheme.name)
        for name, row in scheme.rows.items():
            before = taken[scheme.name] if name == "CSI" else ""
            lines.append(f"  {name:<8}{before:>{margin}}|" + _join(spans, [row[span.start : span.stop] for span in spans]))
    used = {letter for scheme in schemes for row in scheme.rows.values() for letter in row}
    lines.append("")
    for item in (f"{letter} {meaning}" for letter, meaning in LEGEND.items() if letter in used):
        if lines[-1] and len(lines[-1]) + len(item) < ROOM:
            lines[-1] += f"   {item}"
        else:
            lines.append(item)
    if any(scheme.before for scheme in schemes):
        lines.append("n F before the first slot: full-CSI samples taken outside the superframe, booked on its first slot")
    return "\n".join([*lines, "", *_bits_table(schemes)])


def _join(spans: Sequence[range], pieces: Sequence[str]) -> str:
    """The pieces of a line: ``|`` between neighbours, a gap where slots are left out."""
    gaps = ["|" if span.start == last.stop else "| ... |" for last, span in pairwise(spans)]
    return "".join(piece + gap for piece, gap in zip(pieces, [*gaps, "|"], strict=True))


def _bits_table(schemes: "Sequence[Lanes]") -> list[str]:
    wide = max(len("signaling bits"), *(len(scheme.name) for scheme in schemes)) + 2
    lines = [f"{'signaling bits':<{wide}}{'1st frame':>10}{'next':>10}{'pilots':>9}   superframe"]
    for scheme in schemes:
        following = str(scheme.frame_bits[1]) if len(scheme.frame_bits) > 1 else ""
        share = f"{100 * scheme.pilot_share:.1f} %"
        lines.append(f"{scheme.name:<{wide}}{scheme.frame_bits[0]:>10}{following:>10}{share:>9}   {scheme.sum_text}")
    return lines
