"""``csisim train``: weights for learned components, from a recipe or for a scenario."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from csisim.training.base import Progress

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType):
    """Seconds, written as 90, 90s, 2m or 1h."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value).strip())
        if match is None or float(match[1]) == 0.0:
            self.fail(f"{value!r} is no time such as 90s, 2m or 1h", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


@click.command()
@click.argument("recipe")
@click.option("--budget", type=Duration(), metavar="TIME", help="Stop in time for this: 90s, 2m, 1h (default: all steps of the recipe).")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where torch computes.")
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Give a field a value, e.g. --set link.system.num_rf=8.")
@click.option("--seed", type=click.IntRange(min=0), help="Another seed of phases and training data; recipes in `weights` add it.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for the weights (default: the cache).")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but the paths of the weights, and warnings.")
def train(
    recipe: str, budget: float | None, device: str, sets: tuple[str, ...], seed: int | None, output: Path | None, quiet: bool
) -> None:
    """Train RECIPE: a packaged recipe by its name, a recipe file, or a scenario whose learned components lack weights.

    The best iterate on a validation set is kept, and never less than the untrained network; with --budget, also never less than what
    the same recipe has led to before. A training that was interrupted goes on
    where it was when the same command is given again. The paths of the weights go to standard output.

    Exit status: 0 done, 2 the recipe is not valid, 130 interrupted.
    """
    from csisim.runner.work import one_thread_per_process
    from csisim.training.recipe import run_recipe

    recipes = wanted(recipe, sets, seed)
    by_recipes = train_by_recipes(recipe, sets, seed or 0, device, output or budget, quiet) if is_scenario(recipe) else []
    if not recipes and not by_recipes:
        click.echo(f"{recipe}: all weights are there", err=True)
    for one in recipes:
        with one_thread_per_process():
            share = None if budget is None else budget / len(recipes)
            told, say = (None, None) if quiet else (tell, lambda line: click.echo(line, err=True))
            paths = run_recipe(one, output, device=device, budget_s=share, told=told, say=say)
        by_recipes += paths
    for path in by_recipes:
        warning = warned(path)
        if warning is not None:
            click.echo(f"warning: {path}: {warning}", err=True)
        click.echo(f"{path}  {scores(path)}" if not quiet else str(path))


def wanted(name: str, sets: tuple[str, ...], seed: int | None) -> list[Any]:
    """The recipes that the argument means: itself, or one for each scheme of a scenario that lacks weights."""
    from csisim.training.recipe import read_recipe

    if is_scenario(name):
        from csisim.scenario.load import load_scenario
        from csisim.training.supply import missing, recipe_for

        cells = [cell.scenario for cell in load_scenario(name, sets).cells]
        found = [recipe_for(scenario, scheme) for scenario in cells for scheme, _ in missing(scenario)]
    else:
        found = [read_recipe(name, sets)]
    if seed is not None:  # a digest is made once, so the seed comes before it
        found = [one.model_copy(update={"seed": seed}) for one in found]
    return list({one.digest: one for one in found}.values())


def train_by_recipes(name: str, sets: tuple[str, ...], seed: int, device: str, departs: Any, quiet: bool) -> list[Path]:
    """Train what the recipes in a scenario's ``weights`` have not led to yet, with all their steps; the files that have come."""
    from csisim.runner.networks import train_networks
    from csisim.scenario.load import load_scenario
    from csisim.training.native import orders

    loaded = load_scenario(name, sets)
    asked = [one for cell in loaded.cells for order in orders(cell.scenario, seed=seed).values() for one in order.chain()]
    if asked and departs:
        raise click.UsageError("-o and --budget: networks by recipes in `weights` are kept in the cache and trained with all their steps")
    before = {path for order in asked for path in order.files()}
    train_networks(loaded, 1, None if quiet else lambda line: click.echo(line, err=True), seed=seed, device=device)
    return [path for path in dict.fromkeys(path for order in asked for path in order.files()) if path not in before]


def is_scenario(name: str) -> bool:
    """Whether a file has schemes, as scenarios do and recipes do not."""
    path = Path(name)
    return path.is_file() and re.search(r"^(schemes|extends)\s*:", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def tell(stage: int, task: str, progress: "Progress") -> None:
    """One line after every validation, on standard error."""
    skipped = f", {progress.skipped} steps skipped" if progress.skipped else ""
    click.echo(
        f"{stage + 1} {task}  step {progress.step}/{progress.steps}  {progress.seconds:.0f} s  "
        f"validation {progress.score:.3f}, best {progress.best:.3f}, untrained {progress.untrained:.3f}{skipped}",
        err=True,
    )


def scores(path: Path) -> str:
    """What training brought, from the header."""
    from csisim.weights import read_header

    score = read_header(path).score
    reference = f", {score['reference_is']} {score['reference']:.3f}" if "reference" in score else ""
    return f"untrained {score['untrained']:.3f}, trained {score['trained']:.3f}{reference} ({score['unit']})"


def warned(path: Path) -> str | None:
    """What is wrong with a training that has ended, from the header: not begun, or a codec worse than one that needs no training.

    Other networks are measured against iterative algorithms that cost more than they do: to be behind those is no fault.
    """
    from csisim.training.tasks.codec import Codec
    from csisim.weights import read_header

    header = read_header(path)
    if header.recipe.get("steps") == 0:
        return "not trained at all, the time ended before the first step"
    score = header.score
    if score.get("reference_is") == Codec.reference_is and score["trained"] < score["reference"]:
        return f"worse than {score['reference_is']} ({score['trained']:.3f}, {score['reference']:.3f} {score['unit']})"
    return None
