"""Which conventional report is the strongest at the bits of Kang 2022, Fig. 19? ``python benchmarks/kang2022_reports.py``.

Every way to spend the bits between the number of paths, the two grids (powers of two, the users' no finer than the base station's) and
the gains, at 95 % of the bits and more, through the scheme ``conventional_ideal`` of the scenario with drops of another seed. Scales are
those of the gains on a third seed's channels: nothing is booked for them. Five SCA iterations for all, then 70 for the best three.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import yaml

from csisim.acquisition.omp import pursue
from csisim.cli.shipped import shipped
from csisim.engine.cell import Physics, run_cell
from csisim.feedback.path_parameters import Paths, PathsState, _basis
from csisim.feedback.report import Report

SEED, SCALE_SEED = 2, 3
BITS = (16, 32, 48, 64, 112)
MOST_PATHS = 8
GRIDS = [(o, r) for o in (1, 2, 4, 8) for r in (1, 2, 4, 8) if r <= o]


def candidates(allowed: int) -> Iterator[tuple[int, tuple[int, int], int]]:
    """Paths, grids and bits of a gain's real dimension."""
    for paths in range(1, MOST_PATHS + 1):
        for grid in GRIDS:
            directions = (64 * grid[0] * 32 * grid[1]).bit_length() - 1
            yield from ((paths, grid, b) for b in range(1, 9) if 0.95 * allowed < paths * (directions + 2 * b) <= allowed)


def physics(codecs: dict[str, dict[str, Any]], seed: int, iterations: int, drops: int) -> Physics:
    """Fig. 19 with eight slots and these reports."""
    document = yaml.safe_load((shipped() / "papers" / "kang2022_fig19.yaml").read_text())
    plain = next(scheme for scheme in document["schemes"] if scheme["name"] == "conventional_ideal")
    plain["digital"] |= {"iterations": iterations}
    fields = {name: document[name] for name in ("duplex", "system", "channel", "pilots")}
    schemes = [plain | {"name": name, "codec": {"kind": "paths"} | codec} for name, codec in codecs.items()]
    return Physics.model_validate(fields | {"seed": seed, "drops": drops, "clock": {"slots_per_frame": 4, "frames": 2}, "schemes": schemes})


def scales() -> dict[tuple[int, int], list[float]]:
    """Root mean square of the gains' real dimensions in the order of their paths, for every pair of grids."""
    seen: dict[tuple[int, int], list[np.ndarray]] = defaultdict(list)
    plain = Paths.encode

    def noted(codec: Paths, csi: np.ndarray, state: PathsState) -> tuple[Report, PathsState]:
        left, right = codec._grids(state)
        found = pursue(csi, left, right, 0.0, MOST_PATHS)
        gains = _basis(found.receive, found.transmit, left, right).conj() @ csi.reshape(*csi.shape[:3], -1).swapaxes(-1, -2)
        seen[codec.config.oversampling, codec.config.receive_oversampling or 0].append(np.abs(gains).reshape(-1, MOST_PATHS) ** 2 / 2)
        return plain(codec, csi, state)

    grids = {f"{o}_{r}": {"num_paths": MOST_PATHS, "oversampling": o, "receive_oversampling": r} for o, r in GRIDS}
    with patch.object(Paths, "encode", noted):
        run_cell(physics(grids, SCALE_SEED, 1, 16), list(grids), 0, lambda *_: None)
    return {grid: [round(float(rms), 2) for rms in np.sqrt(np.mean(np.concatenate(power), axis=0))] for grid, power in seen.items()}


def rates(codecs: dict[str, dict[str, Any]], iterations: int) -> dict[str, float]:
    """Mean sum rate of each in nat/s/Hz."""
    told: dict[str, float] = {}

    def kept(name: str, _: int, columns: dict[str, np.ndarray]) -> None:
        told[name] = float(np.mean(columns["sum_rate_bps_hz"]) * np.log(2.0))

    run_cell(physics(codecs, SEED, iterations, 8), list(codecs), 0, kept)
    return told


def main() -> None:
    """The best three for every number of bits."""
    scale = scales()
    for allowed in BITS:
        codecs = {
            f"{n}_{o}_{r}_{b}": {"num_paths": n, "oversampling": o, "receive_oversampling": r, "bits": b, "scale": scale[o, r][:n]}
            for n, (o, r), b in candidates(allowed)
        }
        quick = rates(codecs, 5)
        best = sorted(quick, key=lambda name: -quick[name])[:3]
        found = rates({name: codecs[name] for name in best}, 70)
        print(f"{allowed} bits, {len(codecs)} candidates", flush=True)
        for name in best:
            print(f"  {found[name]:.2f} (five iterations {quick[name]:.2f})  {codecs[name]}", flush=True)


if __name__ == "__main__":
    main()
