"""What is written down of every slot and of every cell: columns, units, types and the definitions behind them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from csisim.engine.tape import PER_DROP

#: Raised when a column changes its unit or meaning; new nullable columns do not count.
SCHEMA_VERSION = 1

#: Quantities summarised over drops.
METRICS = PER_DROP

#: Bits per user; in the cell table per superframe.
BITS = ("pilot_bits", "feedback_bits", "signaling_bits")


@dataclass(frozen=True)
class Column:
    """One column of a slot file."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    nullable: bool = False

    def field(self) -> pa.Field:
        return pa.field(self.name, self.type, nullable=self.nullable, metadata={"unit": self.unit, "description": self.meaning})


NAME = pa.dictionary(pa.int32(), pa.string())

SLOT_COLUMNS = (
    Column("drop", pa.int32(), "", "number of the drop, an independent sequence of superframes"),
    Column("superframe", pa.int32(), "", "number of the superframe"),
    Column("frame", pa.int32(), "", "number of the frame within its superframe"),
    Column("slot", pa.int32(), "", "number of the slot within its superframe; of a frame, its last slot"),
    Column("time_s", pa.float64(), "s", "start of the slot since the start of the drop"),
    Column("sum_rate_bps_hz", pa.float32(), "bit/s/Hz", "sum over users of the rate on the true channel", True),
    Column("net_rate_bps_hz", pa.float32(), "bit/s/Hz", "sum rate times the share of channel uses that pilots leave", True),
    Column("rate_user", pa.list_(pa.float32()), "bit/s/Hz", "rate of each user", True),
    Column("nmse_estimate", pa.float32(), "", "error of the estimate against the same slot's equivalent channel", True),
    Column("nmse_csi", pa.float32(), "", "error of the CSI behind the precoder against the payload slot's equivalent channel", True),
    Column("nmse_full", pa.float32(), "", "error of the full CSI acquired in this slot", True),
    Column("sgcs", pa.float32(), "", "squared generalised cosine similarity of the CSI behind the precoder", True),
    Column("pilot_bits", pa.float64(), "bit/user", "bits booked for pilots in this slot (or frame)"),
    Column("feedback_bits", pa.float64(), "bit/user", "bits reported in this slot (or frame)"),
    Column("signaling_bits", pa.float64(), "bit/user", "running sum of pilot and feedback bits since the superframe's start"),
    Column("csi_age_slots", pa.float32(), "slot", "age of the CSI behind the precoder; null while there is none", True),
    Column("analog_updated", pa.bool_(), "", "new analog beams are in force from this slot on (or changed in this frame)"),
)

#: Unit of every column of a slot file; "" is a ratio or a count.
UNITS = {column.name: column.unit for column in SLOT_COLUMNS}


def axis_type(values: Iterable[Any]) -> pa.DataType:
    """The type of a swept axis: bool, int, float or string."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    return pa.string()


def axis_value(value: Any, type_: pa.DataType) -> Any:
    """An axis value as its column holds it."""
    if value is None:
        return None
    if pa.types.is_floating(type_):
        return float(value)
    return str(value) if pa.types.is_string(type_) else value


def slot_schema(axes: Mapping[str, Any]) -> pa.Schema:
    """Columns of ``slots/<record>.parquet`` for a cell with these axis values."""
    before = [
        pa.field("cell", NAME, nullable=False, metadata={"description": "key of the cell"}),
        pa.field("scheme", NAME, nullable=False, metadata={"description": "name of the scheme"}),
        *(pa.field(name, axis_type([value]), metadata={"description": "swept"}) for name, value in axes.items()),
        pa.field("replica", pa.int32(), nullable=False, metadata={"description": "number of the replica"}),
    ]
    return pa.schema(before + [column.field() for column in SLOT_COLUMNS])


def cell_schema(axes: Mapping[str, pa.DataType]) -> pa.Schema:
    """Columns of ``cells.parquet`` for these axes."""
    fields = [
        pa.field("cell", pa.string(), nullable=False, metadata={"description": "key of the cell, one per sweep point and replica"}),
        pa.field("scheme", pa.string(), nullable=False, metadata={"description": "name of the scheme"}),
        pa.field("record", pa.string(), nullable=False, metadata={"description": "key of the record, the name of its slot file"}),
        pa.field("replica", pa.int32(), nullable=False, metadata={"description": "number of the replica"}),
        *(pa.field(name, type_, metadata={"description": "swept"}) for name, type_ in axes.items()),
        pa.field("n", pa.int64(), nullable=False, metadata={"description": "number of drops"}),
    ]
    for name in METRICS:
        fields.append(pa.field(f"{name}_n", pa.int64(), metadata={"description": "drops that have a value"}))
        for statistic, meaning in (("mean", "mean"), ("std", "standard deviation"), ("ci95", "95 % half width of the mean")):
            metadata = {"unit": UNITS[name], "description": f"{meaning} over drops"}
            fields.append(pa.field(f"{name}_{statistic}", pa.float64(), metadata=metadata))
    fields += [pa.field(name, pa.float64(), metadata={"unit": "bit/user/superframe"}) for name in BITS]
    fields += [
        pa.field("seconds", pa.float64(), metadata={"unit": "s", "description": "CPU time"}),
        pa.field("status", pa.string(), nullable=False, metadata={"description": "ok, failed, crashed or timeout"}),
        pa.field("log", pa.string(), metadata={"description": "rows of the slot file: slot or frame"}),
    ]
    return pa.schema(fields)


def fits(row: Mapping[str, Any], schema: pa.Schema) -> bool:
    """Whether plain values are a row of a table: all there that may not be null, and each of its column's type."""
    return all(_holds(field, row.get(field.name)) for field in schema)


def _holds(field: pa.Field, value: Any) -> bool:
    if value is None:
        return bool(field.nullable)
    if pa.types.is_floating(field.type):
        return type(value) is float or (type(value) is int and abs(value) <= 2**53)
    if pa.types.is_integer(field.type):
        return type(value) is int and abs(value) < 2 ** (field.type.bit_width - 1)
    return type(value) is (bool if pa.types.is_boolean(field.type) else str)


def definitions(scenario: Any) -> dict[str, str]:
    """What the numbers of this scenario mean, in words; echoed in every file and above every table."""
    system = scenario.system
    snr = {
        "per_user": "per_user: P/sigma^2, where every user's precoder radiates N_s P",
        "total": "total: P_T/sigma^2, where the precoders of all users radiate P_T together",
    }
    rate = {
        "per_stream": "per_stream: sum over users and streams of log2(1 + SINR) with the scheme's own combiner",
        "logdet": "logdet: sum over users of log2 det(I + signal covariance / interference-plus-noise covariance)",
    }
    last = scenario.evaluation.last_frames
    return {
        "snr": snr[system.snr_definition],
        "power": f"{system.power_constraint} constraint on the squared norm of the hybrid precoder",
        "rate": rate[system.rate],
        "nmse": "linear: squared error summed over users / squared channel norm summed over users, one ratio per drop and slot; "
        "dB only when shown, of the mean of ratios; -inf dB is no error at all (perfect CSI)",
        "overhead": f"bits per user; pilots as Q_f and Q_eq of Kang 2022 (47)-(48) with {scenario.ledger.bits_per_element} bit "
        "per complex element, plus reported bits",
        "net_rate": "sum rate x (1 - pilot channel uses / channel uses per slot)",
        "mean": f"over drops, of each drop's mean over {'all frames' if last is None else f'the last {last} frames'} of its superframes",
        "ci95": "half width of the Student t interval over drop means",
    }


__all__ = [
    "BITS",
    "METRICS",
    "SCHEMA_VERSION",
    "SLOT_COLUMNS",
    "UNITS",
    "axis_type",
    "axis_value",
    "cell_schema",
    "definitions",
    "fits",
    "slot_schema",
]
