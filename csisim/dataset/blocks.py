"""Blocks of drops on disk: what is drawn so far, each block a file of its own, until all files of the data set are written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from csisim.channel.cost2100.presets import Preset, generate
from csisim.dataset.csinet import frequency_rows
from csisim.records.atomic import replacing

#: Drops per block: a kill costs less than this many per worker.
ROWS = 1000


@dataclass(frozen=True)
class Block:
    """Drops ``first`` to ``last - 1`` of a series: everything about them (``drops``), or their rows of ``HF_all`` (``frequency``)."""

    series: str
    first: int
    last: int

    @property
    def name(self) -> str:
        return f"{self.series}-{self.first}-{self.last}.npz"


@dataclass(frozen=True)
class Series:
    """Drops ``first`` to ``last - 1``, made and kept in blocks."""

    name: str
    first: int
    last: int

    def blocks(self, wanted: range) -> list[Block]:
        """The blocks that hold drops of ``wanted``."""
        begin = self.first + (wanted.start - self.first) // ROWS * ROWS
        return [Block(self.name, first, min(first + ROWS, self.last)) for first in range(begin, wanted.stop, ROWS)]


def make_block(block: Block, config: Preset, folder: Path) -> None:
    """Draw a block and write its file; it appears only when complete. It depends on the preset and its own numbers alone."""
    if block.series == "frequency":
        columns = {"frequency_rows": frequency_rows(config, block.first, block.last)}
    else:
        drops = generate(config, block.last - block.first, block.first)
        columns = {name: getattr(drops, name) for name in ("delay_angle", "user_pos_xy_m", "stats")}
    with replacing(folder / block.name) as temporary, open(temporary, "wb") as file:
        np.savez(file, **columns)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Piece:
    """Some drops of one block; columns are read when asked for."""

    file: Path
    drops: np.ndarray  # (n,) numbers
    part: slice

    def __getitem__(self, column: str) -> np.ndarray:
        with np.load(self.file) as archive:
            return archive[column][self.part]


@dataclass(frozen=True)
class Rows:
    """Drops of a series, read piece by piece from the blocks in a folder."""

    folder: Path
    series: Series
    wanted: range

    def __len__(self) -> int:
        return len(self.wanted)

    def __iter__(self) -> Iterator[Piece]:
        for block in self.series.blocks(self.wanted):
            first, last = max(block.first, self.wanted.start), min(block.last, self.wanted.stop)
            yield Piece(self.folder / block.name, np.arange(first, last), slice(first - block.first, last - block.first))
