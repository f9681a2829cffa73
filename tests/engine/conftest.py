"""A small cell: 16x4 antennas, 4/2 RF chains, two users; runs in well under a second."""

import numpy as np
import pytest

from csisim.acquisition.full_csi import Genie
from csisim.acquisition.pilots import PilotConfig
from csisim.engine.cell import Physics, run_cell
from csisim.engine.clock import Clock
from csisim.engine.ledger import LedgerConfig
from csisim.engine.link import FeedbackConfig
from csisim.phy.dims import System
from csisim.registry import configure
from csisim.scheme import SchemeConfig


def scheme(name: str = "s", timescale: str = "offline", **fields) -> SchemeConfig:
    defaults = {"estimator": "ls", "analog": "random", "digital": "rzf"}
    return SchemeConfig.model_validate({"name": name, "timescale": timescale, **defaults, **fields})


def cell(*schemes: SchemeConfig, **changes) -> Physics:
    system = {"num_tx": 16, "num_rf": 4, "num_rx": 4, "num_rx_rf": 2, "num_users": 2, "num_streams": 2, "snr_db": 10.0}
    clock = {"frames": 3, "slots_per_frame": 4, "superframes": 1, "symbols_per_slot": 256}
    channel = {"kind": "mmwave_clusters", "fading": {"kind": "ar1", "correlation": 0.9}}
    return Physics(
        seed=changes.pop("seed", 3),
        drops=changes.pop("drops", 2),
        precision=changes.pop("precision", "single"),
        duplex=changes.pop("duplex", "tdd"),
        system=System(**system | changes.pop("system", {})),
        channel=configure("channel", {k: v for k, v in (channel | changes.pop("channel", {})).items() if v is not None}),
        clock=Clock(**clock | changes.pop("clock", {})),
        pilots=PilotConfig(**changes.pop("pilots", {})),
        full_csi=changes.pop("full_csi", Genie()),
        ledger=LedgerConfig(**changes.pop("ledger", {})),
        feedback=FeedbackConfig(**changes.pop("feedback", {})),
        schemes=list(schemes),
    )


def run(*schemes: SchemeConfig, **changes) -> dict[str, dict[str, np.ndarray]]:
    """All columns of every scheme, superframes and blocks concatenated."""
    parts: dict[str, list[dict[str, np.ndarray]]] = {s.name: [] for s in schemes}
    run_cell(cell(*schemes, **changes), list(parts), 0, lambda name, _, columns: parts[name].append(columns))
    return {name: {key: np.concatenate([p[key] for p in chunks]) for key in chunks[0]} for name, chunks in parts.items()}


@pytest.fixture(name="run")
def run_fixture():
    return run


@pytest.fixture(name="scheme")
def scheme_fixture():
    return scheme


@pytest.fixture(name="cell")
def cell_fixture():
    return cell
