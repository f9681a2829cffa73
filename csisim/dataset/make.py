"""A data set in a folder: blocks are drawn until every file can be written; what is there is kept, whatever interrupts."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from csisim.dataset.blocks import Block, Rows, Series
from csisim.dataset.recipe import Recipe, differences
from csisim.dataset.workers import making
from csisim.errors import CsisimError
from csisim.records.atomic import replacing, write_atomic
from csisim.runner.progress import Display, Silent, Tally, clock

try:
    import fcntl
except ImportError:  # Windows: no advisory locks, one run per folder is up to the user
    fcntl = None  # type: ignore[assignment]

Format = Literal["npz", "mat", "parquet"]

#: Drops per npz file.
SHARD = 10_000

#: Effort of writing a drop into a file, in drops drawn.
WRITING = 0.1

RECIPE, BLOCKS = "recipe.json", ".blocks"
_OURS = (f"{BLOCKS}/*.npz", "trace.npz", "trace-*.npz", "trace.parquet", "DATA_H*.mat", RECIPE)


@dataclass(frozen=True)
class Output:
    """One file of a data set: its drops, and what writes them."""

    name: str
    series: Series
    drops: range
    write: Callable[[Path, Rows, Recipe], None]

    @property
    def blocks(self) -> list[Block]:
        return self.series.blocks(self.drops)


@dataclass(frozen=True)
class Made:
    """How it ended: files written now, files of the data set in all, drops made and left over when interrupted."""

    written: int
    files: int
    interrupted: bool = False


class Progress(Tally):
    """Drops drawn, and the effort of writing them."""

    def line(self) -> str:
        """``trace 75% eta 00:21``."""
        left = self.seconds_left
        return f"trace {int(100 * self.fraction)}% eta {'--:--' if left is None else clock(left)}"


def outputs(recipe: Recipe, formats: Sequence[Format]) -> list[Output]:
    """The files of a data set.

    Raises
    ------
    CsisimError
        If a format cannot hold so many or so few drops.
    """
    count, everything = recipe.count, Series("drops", 0, recipe.count)
    files = []
    if "npz" in formats:
        from csisim.dataset.npz import write_npz

        shards = [range(first, min(first + SHARD, count)) for first in range(0, count, SHARD)]
        names = ["trace.npz"] if len(shards) == 1 else [f"trace-{number:04d}.npz" for number in range(len(shards))]
        files += [Output(name, everything, shard, write_npz) for name, shard in zip(names, shards, strict=True)]
    if "parquet" in formats:
        from csisim.dataset.parquet import write_parquet

        files.append(Output("trace.parquet", everything, range(count), write_parquet))
    if "mat" in formats:
        files += _csinet_files(recipe, everything)
    return files


def _csinet_files(recipe: Recipe, everything: Series) -> list[Output]:
    """The four files that the CsiNet scripts load, by their names."""
    from csisim.dataset.mat import frequency_matrix, image_matrix, write_frequency_rows, write_images

    splits = recipe.splits
    if not all(splits.values()):
        raise CsisimError(f"--format mat: --count {recipe.count} is too few for a training, a validation and a test file; at least 8")
    place = "out" if recipe.preset.name.startswith("outdoor") else "in"
    files = []
    for split, name in {"train": "train", "validation": "val", "test": "test"}.items():
        image_matrix(len(splits[split]))  # refuses what would be too large
        files.append(Output(f"DATA_H{name}{place}.mat", everything, splits[split], write_images))
    test = splits["test"]
    frequency_matrix(len(test))
    series = Series("frequency", test.start, test.stop)
    return [*files, Output(f"DATA_HtestF{place}_all.mat", series, test, write_frequency_rows)]


def make_trace(
    recipe: Recipe,
    root: str | Path,
    formats: Sequence[Format] = ("npz",),
    jobs: int = 1,
    fresh: bool = False,
    display: Display | None = None,
) -> Made:
    """Make the files of a data set that are missing in a folder.

    Parameters
    ----------
    recipe : Recipe
    root : path
        Folder; made if need be.
    formats : sequence of {"npz", "mat", "parquet"}
    jobs : int
        Worker processes; 1 draws in this process. A script that asks for more needs ``if __name__ == "__main__":`` around its
        body, because every worker imports it.
    fresh : bool
        Delete the folder's data set first.

    Raises
    ------
    CsisimError
        If the folder holds something else, or another run is writing into it.
    WorkerDied
        If a worker process was killed; finished blocks are kept.
    """
    root, files = Path(root), outputs(recipe, formats)
    root.mkdir(parents=True, exist_ok=True)
    with _held(root):
        there = _recipe_in(root)
        if fresh and there is not None:
            _clear(root)
            there = None
        wanted = json.loads(recipe.text())
        if there is None:
            write_atomic(root / RECIPE, json.dumps(wanted, indent=2) + "\n")
        elif told := differences(there, wanted):
            raise CsisimError(f"{root}: holds a trace of another recipe ({told}); choose another -o DIR, or --fresh to start over")
        _sweep_up(root)
        try:
            return _Work(recipe, root, files, display or Silent()).run(jobs)
        finally:
            _sweep_up(root)


class _Work:
    """From blocks to files."""

    def __init__(self, recipe: Recipe, root: Path, files: list[Output], display: Display) -> None:
        self.recipe, self.root, self.display, self.files = recipe, root, display, len(files)
        self.folder = root / BLOCKS
        self.missing = [file for file in files if not (root / file.name).is_file()]

    def run(self, jobs: int) -> Made:
        """Draw what is missing and write every file as soon as its drops are there."""
        if not self.missing:
            return Made(0, self.files)
        self.folder.mkdir(exist_ok=True)
        self.there = {path.name for path in self.folder.glob("*.npz")}
        needed = list(dict.fromkeys(block for file in self.missing for block in file.blocks))
        blocks = [block for block in needed if block.name not in self.there]
        drops = sum(block.last - block.first for block in blocks)
        self.tally = Progress(drops, drops + WRITING * sum(len(file.drops) for file in self.missing))
        before = len(self.missing)
        try:
            self._write_complete()
            with making(blocks, self.recipe.preset, self.folder, jobs) as ended:
                for block in ended:
                    self.there.add(block.name)
                    self.tally.spent += block.last - block.first
                    self.display.show(self.tally)
                    self._write_complete()
        except KeyboardInterrupt:
            return Made(before - len(self.missing), self.files, interrupted=True)
        self.folder.rmdir()
        return Made(before, self.files)

    def _write_complete(self) -> None:
        for file in [file for file in self.missing if all(block.name in self.there for block in file.blocks)]:
            with replacing(self.root / file.name) as temporary:
                file.write(temporary, Rows(self.folder, file.series, file.drops), self.recipe)
            self.missing.remove(file)
            self.tally.spent += WRITING * len(file.drops)
            self.display.show(self.tally)
            still = {block.name for other in self.missing for block in other.blocks}
            for name in self.there - still:
                (self.folder / name).unlink()
            self.there &= still


def _recipe_in(root: Path) -> dict[str, Any] | None:
    """The recipe of a folder's data set; None if the folder is empty.

    Raises
    ------
    CsisimError
        If the folder holds something else.
    """
    try:
        document = json.loads((root / RECIPE).read_text(encoding="utf-8"))
        if isinstance(document, dict) and "csisim" in document:
            return document
    except FileNotFoundError:
        if all(path.name.startswith(RECIPE) for path in root.iterdir()):  # one that a kill left half-written at most
            return None
    except ValueError:
        pass
    raise CsisimError(f"{root}: not empty and not a folder of `csisim trace make`; choose another -o DIR")


@contextmanager
def _held(root: Path) -> Iterator[None]:
    """Hold the folder for one run."""
    descriptor = os.open(root, os.O_RDONLY) if fcntl is not None else None
    try:
        if descriptor is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CsisimError(f"{root}: another csisim run is writing here; wait for it or choose another -o DIR") from error
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _sweep_up(root: Path) -> None:
    """Delete what killed processes left half-written."""
    for folder in (root, root / BLOCKS):
        for leftover in folder.glob("*.tmp"):
            leftover.unlink(missing_ok=True)


def _clear(root: Path) -> None:
    """Delete what was made here, and nothing else; the recipe last, so that a kill leaves a folder that is still known."""
    for pattern in _OURS:
        for path in root.glob(pattern):
            path.unlink(missing_ok=True)
