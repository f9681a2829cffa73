"""Networks that schemes have trained for themselves, several trainings side by side."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from csisim.runner.interrupts import ctrl_c_waits, end_with_the_parent
from csisim.runner.work import one_thread_per_process
from csisim.training.native import due, folder, orders, with_networks
from csisim.training.recipe import Recipe, run_recipe

if TYPE_CHECKING:
    from csisim.scenario.load import Loaded


def train_networks(
    loaded: "Loaded", jobs: int, say: Callable[[str], None] | None = None, effort: float = 1.0, seed: int = 0, device: str = "cpu"
) -> "Loaded":
    """Train what the recipes in a scenario's ``weights`` have not led to yet, and name the files of weights in its cells.

    Parameters
    ----------
    loaded : Loaded
    jobs : int
        Trainings at a time; 1 trains in this process. Every training has one thread, so results do not depend on their number.
    say : callable, optional
        Is told of every training that begins.
    effort : float
        Factor on the steps of all trainings.
    seed : int
        Added to their seeds.
    device : {"cpu", "cuda"}
        Where torch computes.

    Raises
    ------
    CsisimError
        If a recipe is not valid.
    """
    wanted = [order for cell in loaded.cells for order in orders(cell.scenario, effort, seed).values()]
    if not wanted:
        return loaded
    if due(wanted):
        with one_thread_per_process():
            _train(wanted, jobs, say or (lambda line: None), device)
    return replace(loaded, cells=[replace(cell, scenario=with_networks(cell.scenario, effort, seed)) for cell in loaded.cells])


def _train(wanted: list[Any], jobs: int, say: Callable[[str], None], device: str) -> None:
    pool = _Pool(jobs, device)
    running: dict[str, Future] = {}
    try:
        while ready := due(wanted):
            for digest, (order, recipe) in ready.items():
                if digest not in running:
                    say(f"training {order.name} for {_told(recipe)}")
                    running[digest] = pool.start(recipe)
            wait(running.values(), return_when=FIRST_COMPLETED)
            for digest in [digest for digest, future in running.items() if future.done()]:
                running.pop(digest).result()
    finally:
        pool.stop()


class _Pool:
    """Worker processes that train, or this process if one is enough."""

    def __init__(self, jobs: int, device: str) -> None:
        from pebble import ProcessPool

        self.device = device
        context = multiprocessing.get_context("spawn")
        self.processes = None if jobs == 1 else ProcessPool(max_workers=jobs, initializer=end_with_the_parent, context=context)

    def start(self, recipe: Recipe) -> Future:
        """A training that begins as soon as a worker is free."""
        if self.processes is None:
            done: Future = Future()
            run_recipe(recipe, folder(), device=self.device)
            done.set_result(None)
            return done
        with ctrl_c_waits():  # the processes started meanwhile never hear of it
            return self.processes.schedule(run_recipe, args=(recipe, folder()), kwargs={"device": self.device})

    def stop(self) -> None:
        """End what is running, at once; it is resumed next time."""
        if self.processes is not None:
            self.processes.stop()
            self.processes.join()


def _told(recipe: Recipe) -> str:
    """What distinguishes the link of a training from that of others."""
    system = recipe.link["system"]
    told = [f"{system['num_rf']} RF chains", f"{system['num_users']} users"]
    pilots, usual_pilots = recipe.link.get("pilots", {}), _USUAL_PILOTS | {"length": system["num_rf"]}
    told += [f"{name} {pilots[name]}" for name, usual in usual_pilots.items() if pilots.get(name, usual) != usual]
    digital = recipe.link.get("digital", {})
    return ", ".join(told + [f"{name} {digital[name]}" for name, usual in _USUAL_LAYERS.items() if digital.get(name, usual) != usual])


_USUAL_PILOTS = {"power": "per_rf_chain", "access": "broadcast"}
_USUAL_LAYERS = {"layers": 5, "inverse": "exact"}
