"""The networks of a paper's scenarios: trained by their recipes as they are, or for longer with effort ``full``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from csisim.papers.base import Conditions

if TYPE_CHECKING:
    from csisim.scenario.load import Loaded

#: factors on the steps of trainings
TRAINING = {"quick": 1.0, "full": 4.0}


def loaded(name: str, conditions: Conditions, sets: Sequence[str] = (), axes: Sequence[str] = ()) -> "Loaded":
    """A scenario of the paper; ``sets`` and ``axes`` as for ``csisim run --set`` and ``--sweep``."""
    from csisim.scenario.load import load_scenario

    effort = f"training_effort={TRAINING[conditions.effort]:g}"  # in the scenario, so that its records can be made again
    return load_scenario(conditions.scenarios / f"{name}.yaml", (effort, *sets), axes)


def trained(name: str, conditions: Conditions, sets: Sequence[str] = ()) -> "Loaded":
    """A scenario of the paper with the files of its networks' weights in every cell."""
    from csisim.runner.effort import available_cores
    from csisim.runner.networks import train_networks

    jobs = conditions.jobs or available_cores()
    return train_networks(loaded(name, conditions, sets), jobs, conditions.told)
