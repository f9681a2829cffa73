"""Lists of names that other rooms own, said once more where a type needs them."""

from typing import get_args

from csisim.engine.cell import Physics
from csisim.records.schema import BITS, METRICS, SLOT_COLUMNS
from csisim.scenario.schema import Metric, Scenario
from csisim.scenario.sweep import NOT_SWEPT


def test_pictures_show_the_columns_of_the_records():
    assert get_args(Metric) == (*METRICS, *BITS, "rate_user")
    assert set(get_args(Metric)) <= {column.name for column in SLOT_COLUMNS}


def test_what_is_not_swept_is_what_the_engine_does_not_know():
    assert {"name", "plots", "log", "replicas"} <= NOT_SWEPT == set(Scenario.model_fields) - set(Physics.model_fields)
