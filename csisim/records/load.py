"""Reading results: ``csisim.load("results/x")``."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from csisim.errors import CsisimError
from csisim.records.schema import SLOT_COLUMNS
from csisim.records.slots import drop_means, read_rows
from csisim.records.store import Store

if TYPE_CHECKING:
    import pandas as pd


def load(path: str | Path, what: Literal["cells", "drops", "slots"] = "cells", columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Results of a scenario as a table.

    Parameters
    ----------
    path : str or Path
        Results folder, e.g. ``results/online_mixed_timescale``.
    what : "cells", "drops" or "slots"
        One row per cell and scheme with means, standard deviations and 95 % intervals over drops; one row per drop with its
        means; or every logged slot (or frame) of every drop.
    columns : list of str, optional
        For ``"slots"``: only these columns are read (besides ``cell``, ``scheme``, the swept axes and ``replica``).

    Returns
    -------
    pandas.DataFrame
        ``attrs`` holds ``axes`` (names of the swept axes), ``name`` of the scenario and ``definitions`` of the numbers.

    Raises
    ------
    CsisimError
        If there are no results, or a file of them is damaged.

    Examples
    --------
    >>> cells = csisim.load("results/online_mixed_timescale")              # doctest: +SKIP
    >>> cells.pivot(index="snr_db", columns="scheme", values="sum_rate_bps_hz_mean")  # doctest: +SKIP
    """
    if what not in ("cells", "drops", "slots"):
        raise CsisimError(f"load(path, {what!r}): there are 'cells', 'drops' and 'slots'")
    store = Store(path)
    table, metadata = store.current()
    if what != "cells":
        labels = table.select(["cell", "scheme", *metadata["axes"], "replica"])
        done = [i for i, status in enumerate(table["status"].to_pylist()) if status == "ok"]
        if not done:
            raise CsisimError(f"{store.root}: no finished record yet")
        files = [store.slot_file(record) for record in table["record"].to_pylist()]
        read = _drops if what == "drops" else partial(_slots, columns=columns)
        tables = [_labelled(read(files[i]), labels, i) for i in done]
        # files of an older version lack newer columns: those are null there
        table = pa.concat_tables(tables, promote_options="permissive").unify_dictionaries()
    frame = table.to_pandas()
    frame.attrs = metadata
    return frame


def _drops(file: Path) -> pa.Table:
    means = drop_means(file)
    count = len(next(iter(means.values())))
    columns = {metric: pa.array(values, from_pandas=True) for metric, values in means.items()}
    return pa.table({"drop": pa.array(range(count), pa.int32()), **columns})


def _slots(file: Path, columns: Sequence[str] | None) -> pa.Table:
    return read_rows(file, [column.name for column in SLOT_COLUMNS if columns is None or column.name in columns])


def _labelled(rows: pa.Table, labels: pa.Table, i: int) -> pa.Table:
    """Rows with the present scenario's cell, scheme and axes in front, whatever they were called when computed."""
    for position, label in enumerate(labels.schema):
        constant = pa.repeat(labels[label.name][i], len(rows))
        rows = rows.add_column(position, label.name, constant.dictionary_encode() if pa.types.is_string(label.type) else constant)
    return rows
