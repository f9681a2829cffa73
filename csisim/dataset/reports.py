"""Reports of a scheme, recorded: what its users see through its beams, for codecs that are fitted to such CSI or trained on it.

The scheme runs in its own scenario, with its analog stage and its estimator; only its codec and what the base station would do with
reports are left out. A file holds every report as the codec would be given it, so that images of it are those of the scenario.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import csisim
from csisim.dataset.npz import write_arrays
from csisim.engine.cell import BLOCK, lanes_of
from csisim.engine.clock import Superframes
from csisim.engine.link import FeedbackConfig, FeedbackLink
from csisim.errors import CsisimError
from csisim.feedback.exchange import Exchange
from csisim.feedback.ideal import Ideal, IdealConfig
from csisim.feedback.report import Report
from csisim.feedback.sources import CSI, FITTING
from csisim.random import Streams
from csisim.records.atomic import replacing
from csisim.records.identity import MODEL_VERSION, physics, plain
from csisim.registry import build
from csisim.scenario.rules import RULES
from csisim.scenario.schema import Scenario
from csisim.training.supply import supplied

#: Reports of a user that are kept of a superframe, evenly spaced: more of the same statistics and beams tell little.
PER_SUPERFRAME = 8


class _Listener(Ideal):
    """Keeps some of the CSI that it is given to encode; all of it is lost on the way, so that nobody computes with it."""

    def __init__(self, reports: int) -> None:
        super().__init__(IdealConfig())
        self.reports, self.asked = reports, 0
        self.kept = set(np.linspace(0, reports - 1, min(reports, PER_SUPERFRAME)).round().astype(int).tolist())
        self.heard: list[np.ndarray] = []

    def encode(self, csi: np.ndarray, state: tuple[int, ...]) -> tuple[Report, tuple[int, ...]]:
        if self.asked % self.reports in self.kept:
            self.heard.append(csi)
        self.asked += 1
        return super().encode(csi, state)

    def rows(self) -> np.ndarray:
        """(n, S, R, T), those of a user in a drop one after the other, drop by drop."""
        csi = np.stack(self.heard, axis=2)
        return csi.reshape(-1, *csi.shape[3:])


def of_scheme(scenario: Scenario, name: str | None) -> Scenario:
    """The scenario with one scheme alone, whose reports are ideal and cost nothing.

    Parameters
    ----------
    scenario : Scenario
        Of one cell, with codecs of which nothing needs to be there yet.
    name : str, optional
        Of the scheme; the only one whose users report when left out.

    Raises
    ------
    CsisimError
        If there is no such scheme, its users do not report, or it cannot run.
    """
    reporting = [scheme for scheme in scenario.schemes if scenario.duplex == "fdd" and not scheme.reciprocity]
    names = ", ".join(scheme.name for scheme in reporting) or "none"
    chosen = [scheme for scheme in reporting if name in (None, scheme.name)]
    if len(chosen) != 1:
        asked = "which scheme?" if name is None else f"{name}:"
        raise CsisimError(f"--scheme: {asked} those whose users report (duplex: fdd) are {names}")
    alone = chosen[0].model_copy(update={"codec": IdealConfig()})
    changed = scenario.model_copy(update={"schemes": [alone], "feedback": FeedbackConfig(), "plots": []})
    for rule in RULES:
        for problem in rule(changed):
            place = problem.path[2:] if problem.path[:1] == ("schemes",) else problem.path
            raise CsisimError(f"{'.'.join(map(str, place))}: {problem.message}")
    ready: Scenario = supplied(changed)
    return ready


def record(scenario: Scenario, count: int, seed: int = FITTING, progress: Callable[[float], None] | None = None) -> np.ndarray:
    """Reports (count, S, R, T) complex64 of a scenario's one scheme, on channels of a seed.

    Blocks of 16 drops run through all superframes of the scenario's clock until there are enough reports; the last of them are of
    the last drops. Fewer reports of the same seed are the first of more.
    """
    (scheme,), clock, dims = scenario.schemes, scenario.clock, scenario.dims(BLOCK)
    rows: list[np.ndarray] = []
    found = 0
    reports = int((~scheme.silent_slots(clock.frames, clock.slots_per_frame)).sum())
    while found < count:
        streams = Streams(seed, 0, len(rows))
        (lane,) = lanes_of(scenario, [scheme], streams, dims)
        listener = _Listener(reports)
        lane.scheme.exchange = Exchange(listener)
        channel = build("channel", scenario.channel, dims, streams, clock.slot_s)
        nobody_hears = FeedbackLink(FeedbackConfig(loss=1.0), streams, dims.drops, dims.num_users)

        def ended(superframe: int, lane: Any = lane, before: int = found, each: int = min(reports, PER_SUPERFRAME)) -> None:
            lane.rewind()
            if progress is not None:
                progress(min(1.0, (before + (superframe + 1) * each * dims.drops * dims.num_users) / count))

        Superframes(clock, channel, [lane], nobody_hears, ended).run()
        rows.append(listener.rows().astype(np.complex64))
        found += len(rows[-1])
    return np.concatenate(rows)[:count]


def write_reports(path: Path, csi: np.ndarray, scenario: Scenario, seed: int) -> None:
    """Write reports as an .npz with everything that decides their numbers; equal reports make equal files."""
    (scheme,) = scenario.schemes
    told = {
        "scenario": scenario.name,
        "scheme": scheme.name,
        "seed": seed,
        "count": len(csi),
        "physics": physics(scenario),
        "components": plain(scheme),
        "csisim": csisim.__version__,
        "model": MODEL_VERSION,
    }
    with replacing(path) as temporary:
        write_arrays(temporary, {CSI: csi, "recipe": np.array(json.dumps(told, allow_nan=False))})
