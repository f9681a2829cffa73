"""How networks of Hu 2021 depend on training samples, layers, batches and learning rates, and how the sum rate is distributed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from csisim.papers.base import Conditions, Measured, Row, Table
from csisim.papers.precoding import BESIDE, Size, channels, rates, wmmse
from csisim.papers.statistics import mean, share

#: seeds that a curve of Fig. 5 is the mean of
_SEEDS = 3


@dataclass(frozen=True)
class Varied:
    """A source of shares of WMMSE for networks that differ in one field of :class:`csisim.papers.hu2021_nets.Net`.

    Attributes
    ----------
    size : Size
    field : str
    rows : dict
        Row -> the networks' row and a value of the field for each column.
    untrained : str
        Name of a row of untrained improved networks, which are WMMSE of as many iterations as they have layers; empty for none.
    """

    size: Size
    field: str
    rows: Mapping[str, tuple[str, tuple[int, ...]]]
    untrained: str = ""

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Every network on the test channels of its size."""
        from csisim.papers.hu2021_nets import Net, designer, train

        nets: dict[str, list[Any]] = {
            row: [Net(net, self.size, **{self.field: value}) for value in values] for row, (net, values) in self.rows.items()
        }
        train([net for row in nets.values() for net in row], conditions)
        conditions.told(f"{name} {self.size.label()}")
        true, known = channels(self.size, conditions.effort)
        reference = wmmse(self.size, true, known)

        def percent(digital: dict[str, Any]) -> Measured:
            return share(rates(self.size, digital, true, known), reference)

        measured = {row: [percent(designer(net, conditions.effort)) for net in of_row] for row, of_row in nets.items()}
        if self.untrained:
            values = next(iter(self.rows.values()))[1]
            measured[self.untrained] = [percent({"kind": "wmmse", "iterations": iterations}) for iterations in values]
        return measured


@dataclass(frozen=True)
class Curves:
    """A source of validation scores in percent of WMMSE over the steps of plain networks' trainings, means of three seeds.

    Attributes
    ----------
    size : Size
    rows : dict
        Row -> what departs from the recipe.
    steps : tuple of int
        Columns; validations of the recipe.
    """

    size: Size
    rows: Mapping[str, Mapping[str, Any]]
    steps: tuple[int, ...]

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """The curves, as the files of weights tell them."""
        from csisim.papers.hu2021_nets import Net, header, train

        nets = {row: Net("IAIDNN", self.size, **departures) for row, departures in self.rows.items()}
        train(list(nets.values()), replace(conditions, effort="quick"), _SEEDS)  # whose steps the columns are
        measured = {}
        for row, net in nets.items():
            curves = []
            for seed in range(_SEEDS):
                told = header(net, "quick", seed)
                scores = dict(told.recipe["history"])
                curves.append([100.0 * scores[step] / told.score["reference"] for step in self.steps])
            measured[row] = [mean(column) for column in np.transpose(curves)]
        return measured


@dataclass(frozen=True)
class Deciles:
    """A source of quantiles of the sum rate over the channels of a size, in nats; columns are percentages of channels below."""

    sizes: tuple[Size, ...]
    percentages: tuple[int, ...]

    def measure(self, name: str, table: Table, conditions: Conditions) -> Mapping[str, Sequence[Measured]]:
        """Every designer that needs no training for the size."""
        measured = {}
        for size in self.sizes:
            conditions.told(f"{name} {size.label()}")
            true, known = channels(size, conditions.effort)
            found = {row: rates(size, digital, true, known) for row, digital in (BESIDE | {"tied IAIDNN": {"kind": "iaidnn"}}).items()}
            for row, values in ({"WMMSE": wmmse(size, true, known)} | found).items():
                measured[f"{row} {size.label()}"] = [Measured(float(value)) for value in np.percentile(values, self.percentages)]
        return measured

    def rows(self) -> tuple[Row, ...]:
        """All rows; the unit names K too, so that every size has a panel of its own."""
        names = ("WMMSE", *BESIDE, "tied IAIDNN")
        return tuple(Row(f"{name} {size.label()}", f"nat/s/Hz K={size.users}") for size in self.sizes for name in names)
