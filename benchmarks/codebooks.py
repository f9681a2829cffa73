"""Are our 3GPP codebooks those of an independent public implementation? Precoders, bit counts and similarity, side by side.

    python benchmarks/codebooks.py FOLDER [--channels 8] [--subbands 1 13 26] [--all]

FOLDER is a checkout of github.com/z3rd3n/codebooks (package ``nr_csi`` under src/). For every configuration that both support, users choose
their indices here and there from the same random channels, and the base stations swap: each builds the precoder from the other's indices.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from csisim.errors import CsisimError
from csisim.feedback.codebooks.etype2 import COMBINATIONS, EType2Codebook, EType2Pmi
from csisim.feedback.codebooks.fields import combination_index, combination_members
from csisim.feedback.codebooks.panel import GEOMETRIES, BeamSet, Panel, subband_directions
from csisim.feedback.codebooks.type1 import Type1Codebook, Type1Pmi
from csisim.feedback.codebooks.type2 import Type2Codebook, Type2Pmi


def channels(rng: np.random.Generator, count: int, subbands: int, panel: Panel, receive: int = 4, paths: int = 8) -> np.ndarray:
    """Rays with delays up to 0.15 of what the subbands resolve, random polarisations and exponential powers, (B, N3, R, P)."""
    steps = rng.uniform(-1, 1, (2, count, paths, 1, 1))
    along, up = np.arange(panel.n1)[:, None], np.arange(panel.n2)
    responses = np.exp(1j * np.pi * (steps[0] * along + steps[1] * up)).reshape(count, paths, 1, -1)
    polarised = (np.exp(2j * np.pi * rng.random((count, paths, 2, 1))) * responses).reshape(count, paths, -1)
    gains = np.sqrt(rng.exponential(1.0, (count, paths)) * np.exp(-0.3 * np.arange(paths)))
    waves = np.exp(-2j * np.pi * rng.uniform(0, 0.15, (count, paths, 1)) * np.arange(subbands))
    at_user = rng.standard_normal((count, paths, receive)) + 1j * rng.standard_normal((count, paths, receive))
    return np.einsum("bp,bpk,bpr,bpt->bkrt", gains, waves, at_user, polarised.conj())


@dataclass(frozen=True)
class Pair:
    """One configuration of ours and of theirs, and how indices translate."""

    name: str
    ours: Any
    theirs: Any

    def to_theirs(self, foreign: Any, pmi: Any, b: int) -> Any:
        """The indices of report ``b`` in their words."""
        rank, panel = self.ours.rank, self.ours.panel
        if isinstance(pmi, Type1Pmi):
            i13 = int(pmi.i13[b]) if rank > 1 else None
            return foreign.type1.Type1PMI(rank, 1, int(pmi.i11[b]), int(pmi.i12[b]), pmi.i2[b], i13)
        beams = {"q1": int(pmi.beams.q1[b]), "q2": int(pmi.beams.q2[b])}
        beams["i12"] = int(combination_index(pmi.beams.members[b : b + 1], panel.half)[0])
        if isinstance(pmi, Type2Pmi):
            return foreign.type2_r15.R15Type2PMI(rank, **beams, i13=list(pmi.i13[b]), k1=pmi.k1[b], k2=pmi.k2[b], c=pmi.c[b])
        within = self.ours._to_window(pmi.taps[b : b + 1, :, 1:], pmi.window[b : b + 1])[0] - 1
        taps = [int(i) for i in combination_index(within, self.ours._tap_range)]
        star = [foreign.etype2_r16.encode_i18(pmi.bitmap[b, r], int(pmi.strongest[b, r]), rank) for r in range(rank)]
        window = int(pmi.window[b]) if self.ours.windowed else None
        return foreign.etype2_r16.R16Type2PMI(
            rank, **beams, i15=window, i16=taps, i17=pmi.bitmap[b], i18=star, k1=pmi.k1[b], k2=pmi.k2[b], c=pmi.c[b]
        )

    def to_ours(self, foreign: Any, pmi: Any) -> Any:
        """Their indices as a batch of one in our words."""
        ours, panel = self.ours, self.ours.panel
        one = lambda x: np.asarray(x)[None]  # noqa: E731
        if isinstance(ours, Type1Codebook):
            return Type1Pmi(one(pmi.i11), one(pmi.i12), one(pmi.i13 or 0), one(pmi.i2))
        beams = BeamSet(one(pmi.q1), one(pmi.q2), combination_members(one(pmi.i12), panel.half, ours.num_beams))
        if isinstance(ours, Type2Codebook):
            return Type2Pmi(beams, one(pmi.i13), one(pmi.k1), one(pmi.k2), one(pmi.c))
        window = one(pmi.i15 or 0)
        others = combination_members(np.asarray(pmi.i16), ours._tap_range, ours.num_taps - 1)[None] + 1
        taps = np.concatenate([np.zeros((1, ours.rank, 1), np.int64), ours._from_window(others, window)], axis=-1)
        star = [foreign.etype2_r16.decode_i18(i, bitmap, ours.rank) for i, bitmap in zip(pmi.i18, pmi.i17, strict=True)]
        return EType2Pmi(beams, window, taps, one(pmi.i17), one(star), one(pmi.k1), one(pmi.k2), one(pmi.c))


def pairs(foreign: Any, panel: Panel, subbands: int, rank: int) -> Iterator[Pair]:
    """Every configuration of one panel that both sides support."""
    antenna = foreign.config.AntennaConfig.standard(panel.n1, panel.n2)
    label = f"{panel.n1}x{panel.n2} N3={subbands} rank {rank}"
    yield Pair(f"type1  {label}", Type1Codebook(panel, rank, subbands), foreign.type1.Type1Codebook(antenna, subbands))
    for beams in (2, 3, 4):
        for phases in (4, 8):
            for amplitude in (False, True):
                if beams <= panel.half and not (panel.ports == 4 and beams > 2):
                    theirs = foreign.type2_r15.R15Type2Codebook(antenna, subbands, beams, phases, amplitude)
                    name = f"type2  {label} L={beams} {phases}PSK {'SA' if amplitude else '--'}"
                    yield Pair(name, Type2Codebook(panel, rank, subbands, beams, phases, amplitude), theirs)
    for combination in COMBINATIONS:
        for per_subband in (1, 2):
            restriction = [True, True, False, False] if combination > 6 else None  # they want to be told that ranks 3 and 4 are out
            try:
                theirs = foreign.etype2_r16.R16Type2Codebook(antenna, subbands, combination, per_subband, ri_restriction=restriction)
                ours = EType2Codebook(panel, rank, subbands, combination, per_subband)
            except (ValueError, CsisimError):  # the standard bars it
                continue
            yield Pair(f"etype2 {label} pc={combination} R={per_subband}", ours, theirs)


def similarity(directions: np.ndarray, precoder: np.ndarray) -> float:
    """Mean SGCS over reports, subbands and layers."""
    inner = np.abs(np.sum(directions.conj() * precoder, axis=-2)) ** 2
    return float(np.mean(inner / np.sum(np.abs(precoder) ** 2, axis=-2)))


@dataclass(frozen=True)
class Outcome:
    """What one configuration showed."""

    name: str
    precoder: float  # largest difference of entries, relative to the precoder's norm
    bits_differ: int
    ours: float
    theirs: float


def compare(pair: Pair, foreign: Any, h: np.ndarray) -> Outcome:
    """Swap indices over the channels ``h`` (B, N3, R, P)."""
    ours, theirs = pair.ours, pair.theirs
    directions, _ = subband_directions(h, ours.rank, ours.subbands)
    pmi = ours.select(directions)
    built, lengths = ours.precoder(pmi), ours.write(pmi).lengths
    worst, differ, chosen = 0.0, 0, []
    for b in range(len(h)):
        translated = pair.to_theirs(foreign, pmi, b)
        worst = max(worst, float(np.abs(theirs.precoder(translated)[0] - built[b]).max()))
        differ += int(theirs.total_overhead_bits(translated) != lengths[b])
        selected = theirs.select(h[b : b + 1], ours.rank)
        back = pair.to_ours(foreign, selected)
        chosen.append(theirs.precoder(selected)[0])
        worst = max(worst, float(np.abs(ours.precoder(back)[0] - chosen[-1]).max()))
        differ += int(ours.write(back).lengths[0] != theirs.total_overhead_bits(selected))
        again = ours.precoder(ours.read(ours.write(back).bits))
        worst = max(worst, float(np.abs(again[0] - chosen[-1]).max()))
    return Outcome(pair.name, worst, differ, similarity(directions, built), similarity(directions, np.stack(chosen)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--subbands", type=int, nargs="*", default=[1, 13, 26])
    parser.add_argument("--all", action="store_true", help="print every configuration, not only the summary and the worst")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.folder / "src"))
    import nr_csi.codebooks as foreign
    import nr_csi.config

    foreign.config = nr_csi.config
    rng, outcomes, start = np.random.default_rng(1), [], time.process_time()
    for geometry in GEOMETRIES:
        panel = Panel(*geometry)
        for subbands in arguments.subbands:
            h = channels(rng, arguments.channels, subbands, panel)
            for rank in (1, 2):
                for pair in pairs(foreign, panel, subbands, rank):
                    outcomes.append(compare(pair, foreign, h))
                    if arguments.all:
                        print(outcomes[-1])
    for kind in ("type1", "type2", "etype2"):
        some = [o for o in outcomes if o.name.split()[0] == kind]
        gain = [o.ours - o.theirs for o in some]
        print(
            f"{kind:7s} {len(some):4d} configurations: precoders differ by at most {max(o.precoder for o in some):.1e}, "
            f"{sum(o.bits_differ for o in some)} bit counts differ; SGCS ours {np.mean([o.ours for o in some]):.4f}, "
            f"theirs {np.mean([o.theirs for o in some]):.4f}, ours - theirs mean {np.mean(gain):+.4f}, worst {min(gain):+.4f} "
            f"({some[int(np.argmin(gain))].name}), {sum(g < -0.005 for g in gain)} below -0.005"
        )
    print(f"{time.process_time() - start:.0f} CPU seconds")


if __name__ == "__main__":
    main()
