"""What a training budget makes of every codec at 1/16 (CsiNet at 1/4 too): ``python benchmarks/codec_training.py --minutes 10``.

Each codec is trained by its packaged recipe for so many minutes of one core's CPU time (drawing images, validations and setting up
included), CsiNet by the published schedule for as long, all on fresh drops of one scenario; principal components need no training. A
step is timed first and the schedule given as many as the budget has room for, so that every cosine ends. Every finished training
stays in the weights cache, so the command can be stopped, given codecs one at a time, and asked again; what is there is not trained
anew.

A table on standard output: NMSE, rho and SGCS on drops that nothing was fitted to, at the bits of real reports (scale factor
included), without and with quantisers, and the gain over principal components of as many numbers. A picture: NMSE over bits.
"""

import argparse
import hashlib
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from codec_rates import gain, row

from csisim.channel.cost2100.presets import generate, preset
from csisim.feedback.image_codec import ImageCodec
from csisim.phy.transforms import delay_angle_to_frequency
from csisim.registry import build, configure
from csisim.training.loop import write_whole
from csisim.training.recipe import Recipe, read_recipe, run_recipe
from csisim.training.stepper import stepper
from csisim.weights import cache_folder, read_header

SIZE = 32
BITS = (None, 3, 4, 5, 6)
TIMED = 6  # steps
VALIDATIONS = 10


@dataclass(frozen=True)
class Trial:
    """A packaged recipe with changed fields, evaluated at ``reduction`` of the 32 x 32 image."""

    recipe: str
    reduction: int = 16
    sets: tuple[str, ...] = ()
    served: tuple[int, ...] = ()  # reductions that the same weights serve

    def read(self, images: str, drops: int | None, seed: int) -> Recipe:
        """Its recipe on a scenario's images."""
        fewer = () if drops is None else (f"link.drops={drops}",)
        return read_recipe(self.recipe, (f"link.images={images}", *fewer, *self.sets)).model_copy(update={"seed": seed})


_ALONE = (  # one code length: its projection may leave the principal components sooner than one that must serve 1/4
    "link.codec.longest=null", "link.codec.reduction=8", "stages.0.schedule.learning_rate=0.01", "stages.0.schedule.rates.encoder=0.0005",
    "link.half=true",
)  # fmt: skip
TRIALS = {
    "csinet": Trial("codec_csinet"),
    "csinet_1_4": Trial("codec_csinet", 4, ("link.codec.reduction=2",)),
    "csinet_published": Trial("codec_csinet_published", 16, ("link.codec.reduction=16", "link.validation=1000")),
    "csinet_published_1_4": Trial("codec_csinet_published", 4, ("link.codec.reduction=4", "link.validation=1000")),
    "csinet_res": Trial("codec_csinet_res"),
    "crnet": Trial("codec_crnet"),
    "acrnet": Trial("codec_acrnet"),
    "transnet": Trial("codec_transnet"),
    "deq": Trial("codec_deq"),
    "csi_l2o": Trial("codec_csi_l2o", 16, _ALONE),
    "csi_l2o_nested": Trial("codec_csi_l2o", 16, (), (4, 8, 16, 32, 64)),
    "bacrnet": Trial("codec_bacrnet"),
}


def train(name: str, recipe: Recipe, minutes: float, device: str) -> dict[str, Any]:
    """Settings of the codec with its weights; trained unless a training of the same recipe and budget is known."""
    mark = hashlib.sha256(f"{recipe.digest} {minutes} {device}".encode()).hexdigest()[:16]
    note = Note(cache_folder() / "codec_training" / f"{mark}.json")
    found = note.read()
    if "weights" not in found:
        began, before = time.process_time(), found.get("cpu_s", 0.0)
        if "steps" not in found:
            note.write(steps=affordable(recipe, 60 * minutes, device))
        fitted = with_steps(recipe, note.read()["steps"])

        def tell(stage: int, task: str, progress: Any) -> None:
            note.write(cpu_s=before + time.process_time() - began)
            print(f"    {name}: step {progress.step} of {progress.steps}, {progress.score:.2f} dB", flush=True)

        (path,) = run_recipe(fitted, note.path.with_suffix(""), device=device, told=tell)
        note.write(name=name, weights=str(path), cpu_s=before + time.process_time() - began)
        found = note.read()
    score = read_header(Path(found["weights"])).score
    print(
        f"{name}: {found['steps']} steps, {found['cpu_s'] / 60:.1f} min of CPU time; on the validation set {score['untrained']:.2f} dB of "
        f"signal over error before, {score['trained']:.2f} after, principal components {score['reference']:.2f}",
        flush=True,
    )
    return dict(recipe.link["codec"]) | {"weights": found["weights"]}


@dataclass(frozen=True)
class Note:
    """What is known of a training, in a file of its own."""

    path: Path

    def read(self) -> dict[str, Any]:
        """Everything so far."""
        return dict(json.loads(self.path.read_text(encoding="utf-8"))) if self.path.exists() else {}

    def write(self, **more: Any) -> None:
        """Add to it."""
        write_whole(self.path, json.dumps(self.read() | more).encode())


def affordable(recipe: Recipe, cpu_s: float, device: str) -> int:
    """How many steps fit into what this leaves of a budget, beside what the training does once and all its validations."""
    clock = [time.process_time()]

    def passed() -> float:
        clock.append(time.process_time())
        return clock[-1] - clock[-2]

    task = recipe.task(0, {})
    work = stepper(task, device)
    ready, state = passed(), work.parameters()
    task.reference(state)
    task.products(state)
    ended = passed()
    for _ in range(2):  # the first of everything takes longer
        task.score(state)
        validated = passed()
        for step in range(TIMED):
            work.step(task.batch(np.random.default_rng(step)), defaultdict(float), 1.0, np.inf)
        stepped = passed()
    ahead = ready + (VALIDATIONS + 2) * validated + ended  # the first one before any step, the last one after odd steps
    return max(int((cpu_s - (clock[-1] - clock[0]) - ahead) * TIMED / stepped), VALIDATIONS)


def with_steps(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with another number of steps, a twentieth of them warm-up if it has any, ten validations."""
    stage = recipe.stages[0]
    told = {"steps": steps, "warm_up": steps // 20 if stage.schedule.warm_up else 0, "validate_every": max(steps // VALIDATIONS, 1)}
    shrunk = stage.model_copy(update={"schedule": stage.schedule.model_copy(update=told)})
    return recipe.model_copy(update={"stages": [shrunk]})


def channels(images: str, count: int) -> np.ndarray:
    """Channels (count, 1, 32, 1, 32) on 32 subcarriers, of drops with the scenario's own seed."""
    chosen = preset(images)
    rows = generate(chosen, count).delay_angle
    return delay_angle_to_frequency(rows, SIZE, np.arange(SIZE), centred=chosen.convention.centred)[:, None, :, None]


def quantiser(bits: int | None) -> dict[str, Any]:
    """The best closed-form one: tables with more bits for stronger numbers."""
    return {"kind": "float32"} if bits is None else {"kind": "allocated", "bits": bits}


def evaluate(settings: dict[str, Any], h: np.ndarray) -> dict[int | None, tuple[Any, ...]]:
    """Every quantiser's bits, NMSE, rho, SGCS and ratios."""
    return {bits: row(made(settings | {"quantiser": quantiser(bits)}), h) for bits in BITS}


def made(settings: dict[str, Any]) -> ImageCodec:
    """The codec."""
    codec: ImageCodec = build("codec", configure("codec", settings))
    return codec


def show(name: str, found: dict[int | None, tuple[Any, ...]], linear: dict[int | None, tuple[Any, ...]] | None) -> list[str]:
    """Rows of the table."""
    rows = []
    for bits, (sent, error, similarity, sgcs, ratios) in found.items():
        over = "" if linear is None else gain(ratios, linear[bits][-1])
        label = f"{name} {'float32' if bits is None else f'{bits} bits'}"
        rows.append(f"{label:34}{sent:8}{error:10.2f}{similarity:8.4f}{sgcs:8.4f}  {over}")
    return rows


def draw(curves: dict[str, dict[int | None, tuple[Any, ...]]], title: str, path: Path) -> None:
    """NMSE over bits per report; unquantised codes are left out."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, (name, found) in enumerate(curves.items()):
        points = sorted((sent, error) for bits, (sent, error, *_) in found.items() if bits is not None)
        style = "k--" if name.startswith("pca") else f"C{number % 10}{'-' if number < 10 else ':'}"
        axes.plot(*zip(*points, strict=True), style, marker="o", ms=3, label=name)
    axes.set(xlabel="bits per report", ylabel="NMSE, dB", title=title, xscale="log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    """Train what is missing, evaluate everything that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("codecs", nargs="*", help=f"of {', '.join(TRIALS)}; all when left out")
    parser.add_argument("--minutes", type=float, default=10.0, help="CPU minutes of each training")
    parser.add_argument("--images", default="indoor_public", help="COST 2100 preset")
    parser.add_argument("--count", type=int, default=400, help="drops that are evaluated")
    parser.add_argument("--drops", type=int, help="drops to train on; drawing and fitting to them is part of the budget")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("results/codec_training"), help="folder of table and picture")
    arguments = parser.parse_args()
    unknown = set(arguments.codecs) - set(TRIALS)
    if unknown:
        parser.error(f"no such codec: {', '.join(sorted(unknown))}")
    h = channels(arguments.images, arguments.count)
    trials = {name: trial for name, trial in TRIALS.items() if not arguments.codecs or name in arguments.codecs}
    rates = {reduction for trial in trials.values() for reduction in (trial.reduction, *trial.served)}
    linear = {reduction: evaluate({"kind": "pca", "file": arguments.images, "reduction": reduction}, h) for reduction in sorted(rates)}
    lines = [line for reduction, found in linear.items() for line in show(f"pca 1/{reduction}", found, None)]
    curves = {f"pca 1/{reduction}": found for reduction, found in linear.items()}
    for name, trial in trials.items():
        recipe = trial.read(arguments.images, arguments.drops, arguments.seed)
        settings = train(name, recipe, arguments.minutes, arguments.device)
        for reduction in trial.served or (trial.reduction,):
            found = evaluate(settings | {"reduction": reduction * settings.get("delays", SIZE) // SIZE}, h)
            curves[f"{name} 1/{reduction}"] = found
            lines += show(f"{name} 1/{reduction}", found, linear[reduction])
    title = f"{arguments.count} drops of {arguments.images}, {arguments.minutes:g} CPU minutes of training (one thread, {arguments.device})"
    table = "\n".join([title, f"{'':34}{'bits':>8}{'NMSE, dB':>10}{'rho':>8}{'SGCS':>8}", *lines])
    print(table)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "table.txt").write_text(table + "\n", encoding="utf-8")
    draw(curves, title, arguments.output / "nmse_over_bits.svg")


if __name__ == "__main__":
    main()
