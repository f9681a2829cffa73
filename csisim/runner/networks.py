"""Networks of scenarios and of papers' tables, several trainings side by side."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from csisim.errors import CsisimError
from csisim.records.identity import canonical_json
from csisim.runner.interrupts import ctrl_c_waits, end_with_the_parent
from csisim.runner.work import one_thread_per_process
from csisim.training.native import due, folder, orders, with_networks
from csisim.training.recipe import Recipe, run_recipe

if TYPE_CHECKING:
    from csisim.scenario.load import Loaded


def train_networks(loaded: "Loaded", jobs: int, say: Callable[[str], None] | None = None, seed: int = 0, device: str = "cpu") -> "Loaded":
    """Train what the recipes in a scenario's ``weights`` have not led to yet, and name the files of weights in its cells.

    Parameters
    ----------
    loaded : Loaded
    jobs : int
        Trainings at a time; 1 trains in this process. Every training has one thread, so results do not depend on their number.
    say : callable, optional
        Is told of every training that begins.
    seed : int
        Added to their seeds.
    device : {"cpu", "cuda"}
        Where torch computes.

    Raises
    ------
    CsisimError
        If a recipe is not valid.
    """
    wanted = [order for cell in loaded.cells for order in orders(cell.scenario, seed).values()]
    if not wanted:
        return loaded
    labels: dict[str, str] = {}

    def ready() -> dict[str, Recipe]:
        found = due(wanted)
        labels.update((digest, f"{order.name} for {_told(recipe)}") for digest, (order, recipe) in found.items())
        return {digest: recipe for digest, (_, recipe) in found.items()}

    def begun(digest: str) -> None:
        if say is not None:
            say(f"training {labels[digest]}")

    lacking = {canonical_json([str(order.path), order.fields]) for one in wanted for order in one.chain() if not order.files()}
    side_by_side(ready, folder(), min(jobs, max(len(lacking), 1)), device, begun)  # no worker without a training
    return replace(loaded, cells=[replace(cell, scenario=with_networks(cell.scenario, seed)) for cell in loaded.cells])


def side_by_side(
    ready: Callable[[], Mapping[str, Recipe]],
    into: Path,
    jobs: int,
    device: str = "cpu",
    begun: Callable[[str], None] = lambda digest: None,
    ended: Callable[[str], None] = lambda digest: None,
) -> None:
    """Run recipes until none is left, in worker processes of one thread, or in this process if one is enough.

    Every training depends on its recipe alone: the number of processes changes no result. One that is ended too early is resumed by
    the next call.

    Parameters
    ----------
    ready : callable
        Recipes by their digest that can begin now and have not led to weights; is asked whenever one has ended, until
        it returns none.
    into : path
        Folder of the weights.
    jobs : int
        Trainings at a time.
    device : {"cpu", "cuda"}
        Where torch computes.
    begun, ended : callable, optional
        Are told the digest of every training that is taken up, or has ended.

    Raises
    ------
    CsisimError
        If a training has ended and its weights are not there.
    """
    running: dict[str, Future] = {}
    over: set[str] = set()
    with one_thread_per_process(), _starter(jobs, into, device) as start:
        while (due := ready()) or running:
            for digest, recipe in due.items():
                if digest in over:  # it would be trained for ever
                    raise CsisimError(f"training {digest} has ended, but its weights are not in {into}")
                if digest not in running:
                    begun(digest)
                    running[digest] = start(recipe)
                    if jobs == 1:
                        break
            wait(running.values(), return_when=FIRST_COMPLETED)
            for digest in [digest for digest, future in running.items() if future.done()]:
                running.pop(digest).result()
                over.add(digest)
                ended(digest)


@contextmanager
def _starter(jobs: int, into: Path, device: str) -> Iterator[Callable[[Recipe], Future]]:
    """How a training is begun: at once and to its end, or as soon as a worker is free; what still runs in the end is stopped."""
    if jobs == 1:
        yield lambda recipe: _done(recipe, into, device)
        return
    from pebble import ProcessPool

    pool = ProcessPool(max_workers=jobs, initializer=end_with_the_parent, context=multiprocessing.get_context("spawn"))

    def schedule(recipe: Recipe) -> Future:
        with ctrl_c_waits():  # workers that start meanwhile never hear of it, not even while they still import
            return pool.schedule(run_recipe, args=(recipe, into), kwargs={"device": device})

    try:
        yield schedule
    finally:
        pool.stop()
        pool.join()


def _done(recipe: Recipe, into: Path, device: str) -> Future:
    run_recipe(recipe, into, device=device)
    done: Future = Future()
    done.set_result(None)
    return done


def _told(recipe: Recipe) -> str:
    """What distinguishes the link of a training from that of others."""
    system = recipe.link["system"]
    told = [f"{system['num_rf']} RF chains", f"{system['num_users']} users"]
    pilots, usual_pilots = recipe.link.get("pilots", {}), _USUAL_PILOTS | {"length": system["num_rf"]}
    told += [f"{name} {pilots[name]}" for name, usual in usual_pilots.items() if pilots.get(name, usual) != usual]
    told += [f"{recipe.link['samples']} samples"] if "samples" in recipe.link else []
    digital = recipe.link.get("digital", {})
    return ", ".join(told + [f"{name} {digital[name]}" for name, usual in _USUAL_LAYERS.items() if digital.get(name, usual) != usual])


_USUAL_PILOTS = {"power": "per_rf_chain", "access": "broadcast"}
_USUAL_LAYERS = {"layers": 5, "inverse": "exact"}
