"""One thread per process and no display, set before NumPy, Numba or Matplotlib are imported; and results nobody had to simulate."""

import os

import pytest

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["MPLBACKEND"] = "Agg"

SCENARIO = """
name: made_up
drops: 5
replicas: 2
system: {num_tx: 64, num_rf: 16, num_rx: 32, num_rx_rf: 4, num_users: 4, num_streams: 4, snr_db: 10}
channel: {kind: mmwave_clusters, normalisation: kang}
clock: {slots_per_frame: 8, frames: 16, symbols_per_slot: 1024}
pilots: {length: num_rf}
schemes:
  - {name: digital_bound, timescale: single, estimator: perfect, analog: none, digital: sca}
  - {name: single_altmin, timescale: single, estimator: rls, analog: altmin, digital: sca}
  - {name: offline_ssca, timescale: offline, estimator: rls, analog: ssca, digital: sca}
  - {name: online_ssca, timescale: online, estimator: rls, analog: ssca, digital: sca}
  - {name: offline_covariance, timescale: offline, estimator: rls, analog: covariance, digital: sca}
  - {name: random_phases, timescale: offline, estimator: rls, analog: random, digital: sca}
sweep:
  one_at_a_time:
    system.snr_db: [-10, 0, 10, 20]
    system.num_users: [1, 2, 4]
evaluation: {last_frames: 4}
plots:
  - {kind: versus, x: snr_db}
  - {kind: net_rate, charge_sampling: true, schemes: [single_altmin, offline_ssca, online_ssca]}
"""

#: Rate of each scheme at the base point, about as in the papers.
LEVELS = {
    "digital_bound": 123.0,
    "single_altmin": 108.0,
    "offline_ssca": 89.0,
    "online_ssca": 91.0,
    "offline_covariance": 83.0,
    "random_phases": 31.0,
}


def made_up_cell(scenario, schemes, replica, sink, progress=None):
    """Stands in for the engine: plausible numbers in the engine's columns, at once. Drops differ more than schemes do."""
    import numpy as np

    from csisim.engine.ledger import pilot_share, slot_costs
    from csisim.engine.tape import Tape

    clock, system = scenario.clock, scenario.system
    rng = np.random.default_rng([replica, system.num_users])
    drop_effect = rng.normal(1.0, 0.05, (scenario.drops, 1))
    fading = rng.normal(1.0, 0.02, (scenario.drops, clock.slots))
    load = 1.2 * (system.num_users / 4) ** 0.8 * np.log2(1 + 10 ** (system.snr_db / 10)) / np.log2(11) / 1.2
    for config in scenario.schemes:
        if config.name not in schemes:
            continue
        costs = slot_costs(config, system, scenario.pilots, scenario.ledger, clock.frames, clock.slots_per_frame)
        tape = Tape(scenario.drops, system.num_users, clock.slots)
        frame = np.arange(clock.slots) // clock.slots_per_frame
        climb = 1.0 - 0.62 / (1.0 + frame) ** 1.5 if config.timescale == "online" else np.ones(clock.slots)
        rate = LEVELS[config.name] * load * climb * drop_effect * fading
        tape.rate_user[:] = rate[..., None] / system.num_users
        tape.per_drop["sum_rate_bps_hz"][:] = rate
        tape.per_drop["net_rate_bps_hz"][:] = rate * (1 - pilot_share(costs, clock.symbols_per_slot))
        error = 0.0 if config.estimator.kind == "perfect" else 10 ** (-system.snr_db / 10 - 0.8)
        tape.per_drop["nmse_estimate"][:] = error * fading**2
        tape.per_drop["nmse_csi"][:] = error * fading**2
        tape.per_drop["csi_age_slots"][:] = 0.0
        sink(config.name, 0, tape.columns(0, 0, clock.slots_per_frame, clock.slot_s, costs.pilot_bits))
    return dict.fromkeys(schemes, 0.1)


@pytest.fixture(scope="session")
def made_up_results(tmp_path_factory):
    """A results folder as ``csisim run`` leaves it, with made-up numbers: two replicas of five drops, two axes, six schemes."""
    from csisim.records.store import Store
    from csisim.runner.plan import make_plan
    from csisim.runner.work import run_unit
    from csisim.scenario.load import load_scenario

    folder = tmp_path_factory.mktemp("made_up")
    scenario_file = folder / "scenario.yaml"
    scenario_file.write_text(SCENARIO)
    loaded = load_scenario(scenario_file)
    store = Store(folder)
    with store.writing():
        plan = make_plan(loaded, {})
        for unit in plan.units:
            run_unit(unit, folder, made_up_cell)
        store.compact(plan.entries, {}, {"name": loaded.scenario.name})
    return folder
