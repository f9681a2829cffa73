"""A process that runs a sweep with a fake engine: ``python drive.py SCENARIO ROOT JOBS``; exit status as ``csisim run``."""

import sys

import fake_engine

from csisim.runner.sweep import run_sweep
from csisim.scenario.load import load_scenario

if __name__ == "__main__":
    scenario, root, jobs = sys.argv[1:]
    result = run_sweep(load_scenario(scenario), root, int(jobs), run_cell=fake_engine.slow_run_cell)
    sys.exit(130 if result.interrupted else bool(result.failed))
