"""The fields of a scenario file.

Everything is refused that is not in these models: unknown keys, numbers written as text, infinities. What fields mean together
is checked in :mod:`csisim.scenario.rules`. A swept file is many scenarios; each is a :class:`Scenario` of its own.
"""

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from csisim.acquisition.full_csi import FullCsiConfig, Genie
from csisim.acquisition.pilots import PilotConfig, pilot_length, pilot_symbols
from csisim.phy.dims import Dims, PowerBudget, power_budget
from csisim.registry import Component, component, kinds
from csisim.scenario.component import KindOf, with_kind

Count = Annotated[int, Field(ge=1)]
Timescale = Literal["single", "offline", "online"]
Metric = Literal[
    "sum_rate_bps_hz",
    "net_rate_bps_hz",
    "nmse_estimate",
    "nmse_csi",
    "nmse_full",
    "sgcs",
    "csi_age_slots",
    "pilot_bits",
    "feedback_bits",
    "signaling_bits",
]


class Block(BaseModel):
    """A block of a scenario: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class System(Block):
    """Antennas, users and the link budget."""

    num_tx: Count = Field(description="Base-station antennas N_t")
    num_rf: Count = Field(description="Base-station RF chains")
    num_rx: Count = Field(description="Antennas of each user N_r")
    num_rx_rf: Count = Field(description="RF chains of each user")
    num_users: Count = Field(description="Users K")
    num_streams: Count = Field(description="Data streams of each user N_s")
    snr_db: float = Field(ge=-100, le=100, description="Signal-to-noise ratio in dB, as snr_definition says")
    snr_definition: Literal["per_user", "total"] = Field("per_user", description="P / sigma^2 with N_s P radiated for each user, or P_T / sigma^2")
    power_constraint: Literal["per_user", "total"] = Field("per_user", description="Equal power for every user, or one sum over all users")
    rate: Literal["per_stream", "logdet"] = Field(
        "per_stream", description="Sum of log2(1 + SINR) with the scheme's own combiners, or log det of an ideal receiver"
    )
    phase_bits: Annotated[int, Field(ge=1, le=16)] | None = Field(None, description="Bits of every phase shifter; null is continuous")


class Clock(Block):
    """Superframes (constant statistics) of frames of slots (constant channel)."""

    slot_s: float = Field(0.125e-3, gt=0, description="Duration of a slot in seconds")
    symbols_per_slot: Count = Field(1024, description="Symbols of a slot, pilots included")
    slots_per_frame: Count = Field(description="Slots per frame T_s")
    frames: Count = Field(description="Frames per superframe T_f")
    superframes: Count = Field(1, description="Superframes, each with new statistics")

    @property
    def slots(self) -> int:
        """Slots per superframe."""
        return self.frames * self.slots_per_frame


class Ledger(Block):
    """How signaling is counted."""

    bits_per_element: Count = Field(1, description="Bits q booked for a complex element of CSI (Kang 2022, eq. 47-48)")
    paper_ledger: bool = Field(False, description="Book one full-CSI acquisition per online frame, however many samples it takes")


class Feedback(Block):
    """The link that carries the users' reports (fdd)."""

    delay_slots: int = Field(0, ge=0, description="Slots between a report's pilots and its arrival")
    loss: float = Field(0.0, ge=0, le=1, description="Probability that one user's report is lost")


class SchemeConfig(Block):
    """One complete way of acquiring CSI and beamforming with it.

    Fields that belong to one timescale are filled in on that timescale and stay null on the others.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", description="What results call it")
    timescale: Timescale = Field(description="When full CSI is acquired: every slot, before the superframe, or at every frame's end")
    estimator: Annotated[Component, KindOf("estimator")] = Field(description="Estimates the equivalent channel from pilots")
    codec: Annotated[Component, KindOf("codec")] = Field("ideal", validate_default=True, description="Turns reports into bits (fdd)")
    analog: Annotated[Component, KindOf("analog")] = Field(description="Designs the analog beamformers")
    digital: Annotated[Component, KindOf("digital")] = Field(description="Designs the digital precoder")
    combiner_csi: Literal["estimate", "true_channel"] = Field("estimate", description="What the digital combiners are computed from")
    num_samples: Annotated[int, Field(ge=0)] | None = Field(
        None, description="offline: full-CSI samples per superframe (default 16; 0 for an analog designer that uses none)"
    )
    sampling: Literal["before", "inside_silent", "inside_random_phases"] | None = Field(
        None, description="offline: samples from before the superframe (default), or from its first slots with that payload meanwhile"
    )
    samples_per_frame: Count | None = Field(None, description="online: the last slots of every frame acquire full CSI (default 1)")
    steps_per_frame: Count | None = Field(None, description="online: analog design steps at every frame's end (default 3)")
    memory: Literal["all"] | Count | None = Field(None, description="online: samples kept, all of the superframe (default) or the newest n")
    initial: Literal["random_phases", "covariance"] | None = Field(
        None, description="online: start from random phases (default), or from covariance eigenvectors after the first sample"
    )
    on_new_statistics: Literal["random", "keep", "restart"] | None = Field(
        None, description="online: phases at a new superframe: random again (default), kept, or kept with the step counter restarted"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, value: Any) -> Any:
        """The defaults of the scheme's own timescale."""
        if not isinstance(value, dict):
            return value
        given = {key: entry for key, entry in value.items() if entry is not None}
        if value.get("timescale") == "offline":
            return {"num_samples": _default_samples(value.get("analog")), **OFFLINE_DEFAULTS, **given}
        if value.get("timescale") == "online":
            return {**ONLINE_DEFAULTS, **given}
        return value


OFFLINE_DEFAULTS: dict[str, Any] = {"sampling": "before"}
ONLINE_DEFAULTS: dict[str, Any] = {
    "samples_per_frame": 1,
    "steps_per_frame": 3,
    "memory": "all",
    "initial": "random_phases",
    "on_new_statistics": "random",
}

#: Which timescale a field of a scheme belongs to.
TIMESCALE_FIELDS: dict[str, str] = {
    "num_samples": "offline",
    **dict.fromkeys(OFFLINE_DEFAULTS, "offline"),
    **dict.fromkeys(ONLINE_DEFAULTS, "online"),
}


def _default_samples(analog: Any) -> int:
    """16 samples, none for a designer that does not look at them; an unknown designer is somebody else's problem."""
    kind = analog.kind if isinstance(analog, Component) else with_kind(analog)
    kind = kind.get("kind") if isinstance(kind, dict) else kind
    if not isinstance(kind, str) or kind not in kinds("analog"):
        return 16
    try:
        return 0 if component("analog", kind).cadence == "fixed" else 16
    except (ImportError, AttributeError):
        return 16


class Evaluation(Block):
    """What a cell's means are taken over."""

    last_frames: Count | None = Field(None, description="The last n frames of every superframe; null is all")


class Plot(Block):
    """A picture that a run leaves behind."""

    kind: Literal["versus", "frames", "nmse", "signaling", "rate_vs_bits", "cdf", "net_rate"] = Field(description="What kind of picture")
    x: str | None = Field(None, description="The swept axis, by its field's last name")
    y: Metric = Field("sum_rate_bps_hz", description="The metric shown")


class Sweep(Block):
    """Which fields take which values; exactly one of the three forms."""

    grid: dict[str, list[Any]] | None = Field(None, description="All combinations")
    zip: dict[str, list[Any]] | None = Field(None, description="Values side by side; lists of one length")
    one_at_a_time: dict[str, list[Any]] | None = Field(None, description="The base point once, then each field alone")


class Scenario(Block):
    """One operating point with the schemes that are compared on it."""

    name: str = Field(pattern=r"^[a-z0-9_-]+$", description="Names the folder of results")
    description: str = Field("", description="Free text")
    seed: int = Field(1, ge=0, lt=2**63, description="Root of all random streams")
    drops: Count = Field(16, description="Independent superframe sequences, run in blocks of 16")
    replicas: Count = Field(1, description="Further batches of drops with other seeds")
    precision: Literal["single", "double"] = Field("single", description="complex64 or complex128")
    duplex: Literal["tdd", "fdd"] = Field("tdd", description="Who holds the estimate: the base station, or the user who reports it")
    system: System
    channel: Annotated[Component, KindOf("channel")] = Field(description="The channel")
    clock: Clock
    pilots: PilotConfig = Field(default_factory=PilotConfig, description="Pilots of the equivalent channel")
    full_csi: Annotated[FullCsiConfig, BeforeValidator(with_kind)] = Field(default_factory=Genie, description="How full CSI is acquired")
    ledger: Ledger = Field(default_factory=Ledger, description="How signaling is counted")
    feedback: Feedback = Field(default_factory=Feedback, description="The feedback link (fdd)")
    schemes: list[SchemeConfig] = Field(min_length=1, description="The schemes, side by side on the same channel")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="What means are taken over")
    log: Literal["slot", "frame"] = Field("slot", description="Rows of the records: every slot, or means over frames")
    plots: list[Plot] = Field(default_factory=list, description="Pictures of the results")

    def dims(self, drops: int) -> Dims:
        """The dimensions of a block of ``drops`` drops."""
        s = self.system
        return Dims(
            drops, s.num_users, s.num_rx, s.num_tx, s.num_rx_rf, s.num_rf, s.num_streams, self.num_subcarriers, self.precision
        )

    @property
    def num_subcarriers(self) -> int:
        """Subcarriers S of the channel."""
        return getattr(self.channel, "num_subcarriers", 1)

    @property
    def noise_power(self) -> float:
        """sigma^2 for P = 1."""
        return 10 ** (-self.system.snr_db / 10)

    @cached_property
    def power_budget(self) -> PowerBudget:
        """What the precoders may radiate."""
        return power_budget(self.dims(1), self.system.power_constraint, self.system.snr_definition)

    @property
    def pilot_length(self) -> int:
        """Pilot symbols L of one block."""
        return pilot_length(self.pilots, self.system.num_rf)

    @property
    def pilot_symbols(self) -> int:
        """Symbols on the air until every user has heard its pilots."""
        return pilot_symbols(self.pilots, self.system.num_rf, self.system.num_users)


class ScenarioFile(Scenario):
    """A scenario file: a scenario, what it extends, and what it sweeps. Bare for the JSON schema of editors."""

    extends: str | None = Field(None, description="Another scenario file whose fields this one inherits (one level)")
    sweep: Sweep | None = Field(None, description="Fields by dotted path, schemes by their name: schemes.<name>.<field>")
