"""The configurations of the CSI-feedback literature, and drops of them."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from csisim.channel.cost2100.draws import keys
from csisim.channel.cost2100.law import Law, law
from csisim.channel.cost2100.parameters import Reference, parameter_set
from csisim.channel.cost2100.paths import draw_paths
from csisim.channel.cost2100.statistics import COLUMNS, describe
from csisim.channel.cost2100.transfer import PUBLIC, REFERENCE, Convention, Grid, delay_angle, grid
from csisim.errors import CsisimError
from csisim.random import stream

#: Drops computed at once: enough to amortise calls, few enough to stay in the cache's reach.
BLOCK = 128


@dataclass(frozen=True)
class Preset:
    """One configuration: environment, square of users, base station, grid, orientation and seed."""

    name: str
    parameters: str
    reference: Reference
    bs: tuple[float, float, float]
    half_side_m: float
    grid: str
    convention: Convention
    seed: int
    note: str

    @property
    def law(self) -> Law:
        """Its numbers for the kernels."""
        return law(parameter_set(self.parameters), self.reference, np.array(self.bs))

    @property
    def points(self) -> Grid:
        """Its frequencies."""
        return grid(self.grid, 1e6 * parameter_set(self.parameters).band_mhz[0])


class Drops(NamedTuple):
    """Independent drops of a preset: one user in an environment of its own each."""

    delay_angle: np.ndarray  # (n, 32, 32) complex64, not normalised, in the preset's orientation
    user_pos_xy_m: np.ndarray  # (n, 2) float32
    stats: np.ndarray  # (n, columns) float64
    stats_columns: tuple[str, ...]
    note: str


_CENTRE = "exp(-j pi k cos AoD), no fftshift; 1024 frequencies spaced 20 MHz / 1024"
_CORNER = "exp(+j pi k cos AoD), angle axis fftshifted; 257 frequencies spaced 78.125 kHz"

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "indoor_paper", "indoor_hall_5ghz", Reference(), (0.0, 0.0, 0.0), 10.0, "1024", REFERENCE, 2100,
            f"IndoorHall_5GHz, base station at the centre of a 20 m square of users; {_CENTRE}",
        ),
        Preset(
            "indoor_public", "indoor_hall_5ghz", Reference(version=2017), (10.0, 10.0, 0.0), 10.0, "257", PUBLIC, 2101,
            f"IndoorHall_5GHz as inferred for the public CsiNet data: base station at the corner of a 20 m square of users; {_CORNER}",
        ),
        Preset(
            "outdoor_paper", "semi_urban_300mhz_los", Reference(), (0.0, 0.0, 0.0), 200.0, "1024", REFERENCE, 2102,
            f"SemiUrban_300MHz LOS, base station at the centre of a 400 m square of users; {_CENTRE}. The public CsiNet outdoor data have "
            "another, unknown configuration: NMSE on these drops is not comparable with published outdoor figures in absolute terms",
        ),
    )
}  # fmt: skip


def preset(name: str, seed: int | None = None) -> Preset:
    """A preset by name, with another seed if one is given.

    Raises
    ------
    CsisimError
        For an unknown name.
    """
    if name not in PRESETS:
        raise CsisimError(f"unknown COST 2100 preset {name!r}; presets: {', '.join(PRESETS)}")
    return PRESETS[name] if seed is None else replace(PRESETS[name], seed=seed)


def positions(config: Preset, drops: np.ndarray) -> np.ndarray:
    """Users (n, 3) uniform in the preset's square; ``drops`` (n,) uint64 are the drops' keys."""
    out = np.zeros((len(drops), 3))
    state = drops.copy()
    for axis in range(2):
        state = keys(np.uint64(7 + axis), state)
        out[:, axis] = config.half_side_m * (2 * ((state >> np.uint64(11)) + 1.0) * 2.0**-53 - 1)
    return out


def generate(config: Preset, count: int, start: int = 0) -> Drops:
    """Drops ``start`` to ``start + count - 1`` of a preset; a drop depends on the preset's seed and its own number alone."""
    numbers = np.arange(start, start + count)
    drops = keys(stream(config.seed, 0, "cost2100.drops"), numbers)
    users = positions(config, drops)
    matrices, stats = np.empty((count, 32, 32), np.complex64), np.empty((count, len(COLUMNS)))
    numbers_of_law, points = config.law, config.points
    for first in range(0, count, BLOCK):
        block = slice(first, first + BLOCK)
        where = users[block, None]
        paths, sizes = draw_paths(drops[block], numbers_of_law, where, config.reference("needs_a_cluster"))
        stats[block] = describe(paths, where, numbers_of_law.bs, sizes)[:, 0]
        matrices[block] = delay_angle(
            paths.amplitude[:, 0], paths.delay[:, 0], paths.aod[:, 0], points, paths.num_paths[:, 0], convention=config.convention
        )
    return Drops(matrices, users[:, :2].astype(np.float32), stats, COLUMNS, config.note)
