"""A scenario file, field by field.

Everything is refused that is not in these models: unknown keys, numbers written as text, infinities. What fields mean together
is checked in :mod:`csisim.scenario.rules`. A swept file is many cells, each a :class:`Scenario` of its own without a sweep.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from csisim.acquisition.pilots import pilot_length, pilot_symbols
from csisim.engine.cell import Physics
from csisim.registry import Settings

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
    "rate_user",
]

#: Fields of a scheme that belong to one timescale only.
TIMESCALE_FIELDS: dict[str, Literal["offline", "online"]] = {
    "num_samples": "offline",
    "sampling": "offline",
    "samples_per_frame": "online",
    "update_every": "online",
    "steps_per_frame": "online",
    "memory": "online",
    "initial": "online",
    "on_new_statistics": "online",
}


class Evaluation(Settings):
    """What the means of a cell are taken over (``evaluation:``)."""

    last_frames: Annotated[int, Field(ge=1)] | None = Field(None, description="the last n frames of every superframe; null is all")


class Plot(Settings):
    """A picture that a run leaves behind (one entry of ``plots:``)."""

    kind: Literal["versus", "frames", "nmse", "signaling", "rate_vs_bits", "cdf", "net_rate"] = Field(description="kind of picture")
    x: str | None = Field(None, description="the swept axis, by its field's last name")
    y: Metric | None = Field(None, description="the metric shown; null is the kind's own (mostly the sum rate)")
    schemes: list[str] | None = Field(None, min_length=1, description="schemes shown, in this order; null is all")
    relative_to: str | None = Field(None, description="frames: show percent of this scheme, paired drop by drop")
    charge_sampling: bool = Field(False, description="net_rate: charge samples taken before the superframe as silent slots")
    title: str | None = Field(None, description="title instead of the kind's own")


class Sweep(Settings):
    """Which fields take which values, by dotted path (``sweep:``); one of the three forms."""

    grid: dict[str, list[Any]] | None = Field(None, description="all combinations")
    zip: dict[str, list[Any]] | None = Field(None, description="values side by side, lists of one length")
    one_at_a_time: dict[str, list[Any]] | None = Field(None, description="the base point once, then each field alone")


def _required_here(required: list[str]) -> dict[str, Any]:
    """JSON schema of what a file itself must hold: all that has no default, or just a name if it extends another."""
    return {"required": ["name"], "if": {"required": ["extends"]}, "else": {"required": required}}


class Scenario(Physics):
    """A scenario file: the physics of one operating point, what is swept about it, and what is kept and drawn."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.update(_required_here(schema.pop("required"))))

    name: str = Field(pattern=r"^[a-z0-9_-]+$", max_length=100, description="name of the folder of results")
    description: str = Field("", description="free text")
    extends: str | None = Field(None, description="another scenario file whose fields this one inherits (one level)")
    replicas: int = Field(1, ge=1, le=10_000, description="further batches of drops with other seeds")
    # not in a record's key, as the fields around it: what it leads to is in there by the content of the weights
    training_effort: float = Field(1.0, gt=0, le=1000, description="factor on the steps of the trainings by recipes that `weights` names")
    sweep: Sweep | None = Field(None, description="fields by dotted path, schemes by their name: schemes.<name>.<field>")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="what the means of a cell are taken over")
    log: Literal["slot", "frame"] = Field("slot", description="rows of the records: every slot, or means over frames")
    plots: list[Plot] = Field(default_factory=list, description="pictures of the results")

    @property
    def pilot_length(self) -> int:
        """Pilot symbols L of one block."""
        return pilot_length(self.pilots, self.system.num_rf)

    @property
    def pilot_symbols(self) -> int:
        """Symbols on the air until every user has heard its pilots."""
        return pilot_symbols(self.pilots, self.system.num_rf, self.system.num_users)

    def document(self) -> dict[str, Any]:
        """Every field as plain values, defaults included: a document that loads again as this scenario."""
        dumped = self.model_dump(mode="json", exclude={"extends"})
        document = {key: dumped[key] for key in ("name", "description")} | dumped
        for scheme, config in zip(document["schemes"], self.schemes, strict=True):
            for field, timescale in TIMESCALE_FIELDS.items():
                if config.timescale != timescale or (field == "num_samples" and config.cadence == "fixed" and config.num_samples > 0):
                    del scheme[field]
        if self.sweep is None:
            del document["sweep"]
        else:
            document["sweep"] = self.sweep.model_dump(mode="json", exclude_none=True)
        return document
