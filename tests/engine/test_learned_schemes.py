"""Learned components in the engine: trained pilots are sent, and phases learn through the scheme's own digital designer."""

import numpy as np
import pytest

from csisim.acquisition import cedun
from csisim.acquisition.cedun import Cedun
from csisim.beamforming.digital.hbdun import Hbdun
from csisim.engine.cell import Physics, run_cell

SYSTEM = {"num_tx": 16, "num_rf": 4, "num_rx": 8, "num_rx_rf": 2, "num_users": 2, "num_streams": 2}


def rates(timescale, monkeypatch=None, **scheme):
    """Slot by slot sum rates of one scheme."""
    learned = {
        "estimator": {"kind": "cedun", "weights": "untrained"},
        "analog": {"kind": "learned_phases"},
        "digital": {"kind": "hbdun", "weights": "untrained"},
    }
    physics = Physics.model_validate(
        {
            "drops": 2,
            "system": SYSTEM,
            "channel": {"kind": "mmwave_clusters", "statistics": "fixed_clusters"},
            "clock": {"slots_per_frame": 2, "frames": 8},
            "schemes": [{"name": "learned", "timescale": timescale} | learned | scheme],
        }
    )
    got = []
    run_cell(physics, ["learned"], 0, lambda name, superframe, columns: got.append(columns["sum_rate_bps_hz"].reshape(2, -1)))
    return got[0]


def test_untrained_components_are_their_algorithms():
    algorithms = {"estimator": {"kind": "rls", "loading": 0.1}, "digital": {"kind": "sca", "iterations": 5}}
    phases = {"analog": {"kind": "learned_phases", "steps": 0}}
    np.testing.assert_allclose(rates("offline", **phases), rates("offline", **algorithms, **phases), rtol=1e-3)


def test_phases_learned_online_raise_the_rate_frame_by_frame():
    slots = rates("online").mean(axis=0)
    assert slots[-4:].mean() > 1.2 * slots[:4].mean()


def test_the_phases_learn_through_the_scheme_s_digital_designer(monkeypatch):
    batches = []
    design = Hbdun.design

    def watched(self, channel, *rest):
        batches.append(len(channel))
        return design(self, channel, *rest)

    monkeypatch.setattr(Hbdun, "design", watched)
    rates("offline", analog={"kind": "learned_phases", "steps": 3, "batch": 4})
    assert batches[:3] == [8, 8, 8]  # two drops of four samples, three steps
    assert set(batches[3:]) == {2}


def test_what_is_sent_are_the_trained_pilots(monkeypatch):
    other = cedun.initial({"num_users": 2, "num_rx_rf": 2, "num_rf": 4}, np.fft.fft(np.eye(4))[:, ::-1] * np.exp(1j * np.arange(4)))
    monkeypatch.setattr(Cedun, "_trained", lambda self, pilots: other)
    seen = []
    init = Cedun.init
    monkeypatch.setattr(Cedun, "init", lambda self, pilots, *rest: seen.append(pilots) or init(self, pilots, *rest))
    slots = rates("offline")
    np.testing.assert_allclose(seen[0][0] / 2, other["pilots"], atol=1e-5)
    assert slots.mean() == pytest.approx(rates("offline", estimator="ls").mean(), rel=0.1)
