"""How do trained paths share the bits of a report best in Kang 2022, Fig. 19? ``python benchmarks/kang2022_trained_paths.py [SPLIT]...``.

Every way to spend the bits between the number of paths, their directions at both ends and their gains, as long as that leaves less than a
bit for each path over and users have no more than 2^16 pairs of directions to look at, behind the networks of Sec. III-A with the tables
that training begins with. Rates are those of the first channels of the validation set. A SPLIT, as 3-5-8-3 for three paths of 5 + 8 + 3
bits, is trained as recipe kang2022_fdd says, and the rate on the whole validation set told after each stage.
"""

import sys
from itertools import product

import numpy as np

from csisim.cli.shipped import shipped
from csisim.feedback.learned_paths import LearnedPathsConfig, strongest
from csisim.scenario.load import load_scenario
from csisim.training.base import Parameters, part
from csisim.training.loop import TRAINING, train
from csisim.training.native import folder, orders
from csisim.training.recipe import Recipe, run_recipe
from csisim.training.tasks.fdd import Fdd, centres
from csisim.training.tasks.hybrid import digital_rates

BITS = (16, 32, 48, 64, 112)
MOST_PATHS, MOST_PAIRS = 8, 16
FITTED, CHANNELS = 128, 96  # channels that gains are fitted to, and that rates are of
NATS = np.log(2.0)


def splits(receive: int, transmit: int) -> list[tuple[int, int, int]]:
    """Bits of a report, paths and bits of a gain that go with bits of directions."""
    every = product(BITS, range(1, MOST_PATHS + 1), range(1, 9))
    return [(bits, n, gain) for bits, n, gain in every if bits // n == receive + transmit + gain and 0.95 * bits < n * (bits // n)]


def recipe() -> Recipe:
    """That of the trained codecs, behind the networks of the scenario, which are trained first."""
    wanted = orders(load_scenario(shipped() / "papers" / "kang2022_fig19.yaml").cells[0].scenario)["separate_16", "codec"]
    for order in (one for before in wanted.before for one in before.chain()):
        if not order.files():
            run_recipe(order.recipe(), folder())
    return wanted.recipe()


def task(made: Recipe, stage: int, start: Parameters, paths: int, receive: int, transmit: int, gain: int) -> Fdd:
    """A stage of the training of a codec."""
    codec = LearnedPathsConfig(num_paths=paths, receive_bits=receive, transmit_bits=transmit, gain_bits=gain)
    link = made.link | {"codec": codec.model_dump(mode="json", exclude={"weights", "budget_s"})}
    return Recipe(seed=made.seed, link=link, stages=made.stages).task(stage, start)


def searched(made: Recipe) -> dict[int, list[tuple[float, str]]]:
    """Rates in nat/s/Hz of all splits with their names, best first, for each number of bits."""
    known, found = made.learned_before(), {bits: [] for bits in BITS}
    for receive, transmit in product(range(3, 9), range(6, 12)):
        wanted = splits(receive, transmit) if 10 <= receive + transmit <= MOST_PAIRS else []
        if not wanted:
            continue
        most = max(n for _, n, _ in wanted)
        stage = task(made, 0, known, 1, receive, transmit, 1)  # directions are the same for any number of paths and gains
        everything = stage.frozen | stage.initial()
        directions = part("codec", everything)
        true, estimate = (a[:CHANNELS] for a in stage._estimate(everything, stage.validation))
        _, fitted, _ = strongest(directions, stage.source.channels(FITTED, TRAINING, 0), most)
        _, gains, basis = strongest(directions, estimate, most)
        for bits, n, width in wanted:
            told = np.zeros_like(true)
            for place in range(n):
                table = centres(fitted[..., place].reshape(-1), 2**width)
                nearest = table[np.argmin(np.abs(gains[..., place, None] - table), axis=-1)]
                told += nearest[..., None, None] * basis[..., place, :, :]
            rate = float(np.mean(digital_rates(everything, told, true, stage.config))) * NATS
            found[bits].append((rate, f"{n}-{receive}-{transmit}-{width}"))
    return {bits: sorted(rates, reverse=True) for bits, rates in found.items()}


def trained(made: Recipe, split: str) -> list[float]:
    """Rates in nat/s/Hz of a split untrained, and after each stage."""
    sizes = [int(number) for number in split.split("-")]
    known = made.learned_before()
    known |= task(made, 0, known, *sizes).initial()
    rates = []
    for index, stage in enumerate(made.stages):
        cascade = task(made, 1, known, *sizes)
        rates.append(cascade.score(cascade.initial()))
        known |= train(task(made, index, known, *sizes), stage.schedule.model_copy(update={"seed": made.seed + index})).parameters
    cascade = task(made, 1, known, *sizes)
    return [rate * NATS for rate in (*rates, cascade.score(cascade.initial()))]


def main() -> None:
    """The best five for every number of bits, or what training makes of those that are named."""
    made = recipe()
    for split in sys.argv[1:]:
        print(split, " -> ".join(f"{rate:.2f}" for rate in trained(made, split)), flush=True)
    for bits, rates in {} if sys.argv[1:] else searched(made).items():
        print(f"{bits} bits, {len(rates)} splits: " + ", ".join(f"{name} {rate:.2f}" for rate, name in rates[:5]), flush=True)


if __name__ == "__main__":
    main()
