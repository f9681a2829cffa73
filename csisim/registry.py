"""Which kinds of components exist, where they live, and how one is configured.

The table is static text: looking a kind up imports nothing but that kind's own file. A new component is one new file,
holding its configuration model and its class side by side, and one line below. Other packages add kinds through the
entry-point groups ``csisim.channel``, ``csisim.estimator``, ``csisim.codec``, ``csisim.analog`` and ``csisim.digital``.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler, PlainValidator, SerializeAsAny, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

#: room -> kind -> ("module:Class", one line for ``csisim ls``)
TABLE: dict[str, dict[str, tuple[str, str]]] = {
    "channel": {
        "mmwave_clusters": ("csisim.channel.mmwave:MmwaveClusters", "clustered mmWave rays (Kang 2022, eq. 45-46), ULA or UPA"),
        "rayleigh": ("csisim.channel.rayleigh:Rayleigh", "i.i.d. or Kronecker-correlated Rayleigh fading"),
        "cost2100": (
            "csisim.channel.cost2100.process:Cost2100",
            "COST 2100 geometry, users walk through visibility regions",
        ),
        "trace": ("csisim.channel.trace:Trace", "channels read from a file (CsiNet .mat layout or npz)"),
    },
    "estimator": {
        "perfect": ("csisim.acquisition.perfect:Perfect", "the true equivalent channel, no pilots"),
        "ls": ("csisim.acquisition.ls:LeastSquares", "least squares (Kang 2022, eq. 15)"),
        "mmse": ("csisim.acquisition.mmse:Mmse", "linear MMSE with sample covariance"),
        "omp": ("csisim.acquisition.omp:OmpEstimator", "sparse: orthogonal matching pursuit of paths on an angular dictionary"),
        "rls": ("csisim.acquisition.rls:Rls", "recursive least squares (Kang 2022, Algorithm 1, symmetrised)"),
        "fc_net": ("csisim.acquisition.fc_net:FcEstimator", "fully connected network (Kang 2022, Sec. VII-A)"),
        "cedun": ("csisim.acquisition.cedun:Cedun", "unfolded RLS with trained pilots (Kang 2022, eq. 17)"),
    },
    "codec": {
        "ideal": ("csisim.feedback.ideal:Ideal", "unquantised report, no bits booked"),
        "lloyd_max": ("csisim.feedback.lloyd_max:LloydMax", "scalar Lloyd-Max quantisation of the equivalent channel"),
        "paths": ("csisim.feedback.path_parameters:Paths", "directions and gains of paths on an angular grid, by matching pursuit"),
        "learned_paths": (
            "csisim.feedback.learned_paths:LearnedPaths",
            "paths of trained directions and gains (Kang 2022, Sec. VI-B)",
        ),
        "beam_crnet": ("csisim.feedback.beam_crnet:BeamCrnet", "small autoencoder in the manner of CRNet for equivalent channels"),
        "differential": ("csisim.feedback.differential:Differential", "what changed since the last acknowledged report, by another codec"),
        "adaptive": ("csisim.feedback.adaptive:Adaptive", "one of several codecs per report, the finest that the bit budget allows"),
        "type1": ("csisim.feedback.codebooks.type1:Type1", "3GPP Type I single-panel codebook, precoders of rank 1 or 2"),
        "type2": ("csisim.feedback.codebooks.type2:Type2", "3GPP Type II codebook (Release 15), precoders of rank 1 or 2"),
        "etype2": ("csisim.feedback.codebooks.etype2:EType2", "3GPP enhanced Type II codebook (Release 16), precoders of rank 1 or 2"),
        "pca": ("csisim.feedback.pca:Pca", "the Karhunen-Loeve transform of a trace, real or complex, and a quantised code"),
        "topk": ("csisim.feedback.topk:TopK", "the strongest entries in the delay-angle domain, positions enumerated"),
        "ista": ("csisim.feedback.compressed_sensing:Ista", "random projection, ten steps of iterative soft thresholding"),
        "fista": ("csisim.feedback.compressed_sensing:Fista", "random projection, the lasso solved to convergence"),
        "csinet": ("csisim.feedback.nets.csinet:CsiNetCodec", "CsiNet (Wen 2018)"),
        "csinet_res": ("csisim.feedback.nets.csinet_res:CsiNetResCodec", "CsiNet's layers, residual, started from principal components"),
        "cs_csinet": ("csisim.feedback.nets.cs_csinet:CsCsiNetCodec", "CS-CsiNet (Wen 2018): random projection, CsiNet's decoder"),
        "csinetplus": ("csisim.feedback.nets.csinetplus:CsiNetPlusCodec", "CsiNet+ (Guo 2020)"),
        "sm_csinetplus": ("csisim.feedback.nets.csinetplus:SmCsiNetPlusCodec", "SM-CsiNet+ (Guo 2020): serial multi-rate"),
        "pm_csinetplus": ("csisim.feedback.nets.csinetplus:PmCsiNetPlusCodec", "PM-CsiNet+ (Guo 2020): parallel multi-rate"),
        "crnet": ("csisim.feedback.nets.crnet:CRNetCodec", "CRNet (Lu 2020)"),
        "acrnet": ("csisim.feedback.nets.acrnet:AcrNetCodec", "ACRNet-kx (Lu 2021)"),
        "bacrnet": ("csisim.feedback.nets.acrnet:BacrNetCodec", "BACRNet-kx (Lu 2021): binarised fully connected layers"),
        "bcsinet": ("csisim.feedback.nets.bcsinet:BCsiNetCodec", "BCsiNet (Lu 2021b): binarised encoder"),
        "transnet": ("csisim.feedback.nets.transnet:TransNetCodec", "TransNet (Cui 2022), attention between rows"),
        "conv_csinet": ("csisim.feedback.nets.conv_csinet:ConvCsiNetCodec", "ConvCsiNet (Cao 2021), decoder our reading"),
        "shuffle_csinet": (
            "csisim.feedback.nets.shuffle_csinet:ShuffleCsiNetCodec",
            "ShuffleCsiNet (Cao 2021), units and decoder our reading",
        ),
        "deq": ("csisim.feedback.nets.deq:DeqCodec", "deep-equilibrium codec (Ma 2023), iterations chosen at run time"),
        "tilista": ("csisim.feedback.nets.tilista:TiListaCodec", "TiLISTA (Wang 2021): unfolded ISTA"),
        "ms4l2o": ("csisim.feedback.nets.ms4l2o:Ms4l2oCodec", "MS4L2O (Liu 2023): learned optimiser on a random projection"),
        "csi_l2o": (
            "csisim.feedback.nets.csi_l2o:CsiL2oCodec",
            "Csi-L2O (Ma 2024): learned projection, transform and optimiser, nested rates",
        ),
    },
    "analog": {
        "none": ("csisim.beamforming.analog.fully_digital:FullyDigital", "no RF constraint: the fully digital bound"),
        "ports": ("csisim.beamforming.analog.ports:Ports", "every RF chain drives antennas of its own (one each: fully digital)"),
        "random": ("csisim.beamforming.analog.random_phases:RandomPhases", "random phases"),
        "dft": ("csisim.beamforming.analog.dft:DftCodebook", "the strongest columns of a DFT codebook"),
        "covariance": ("csisim.beamforming.analog.covariance:Covariance", "phases of the long-term covariance's eigenvectors"),
        "ssca": ("csisim.beamforming.analog.ssca:Ssca", "stochastic successive convex approximation (Kang 2022, eq. 19-22)"),
        "learned_phases": (
            "csisim.beamforming.analog.learned_phases:LearnedPhases",
            "phases trained through the digital layers (Kang 2022, Sec. V-B)",
        ),
        "altmin": ("csisim.beamforming.analog.altmin:AltMin", "PE-AltMin on the fully digital solution, every slot"),
        "svd_phases": ("csisim.beamforming.analog.svd_phases:SvdPhases", "phases of the channel's singular vectors, every slot"),
        "omp": ("csisim.beamforming.analog.omp:Omp", "orthogonal matching pursuit on a beam dictionary, every slot"),
    },
    "digital": {
        "zf": ("csisim.beamforming.digital.zf:ZeroForcing", "zero forcing"),
        "rzf": ("csisim.beamforming.digital.rzf:RegularisedZeroForcing", "regularised zero forcing"),
        "svd": ("csisim.beamforming.digital.svd:Svd", "singular vectors of the one user's channel"),
        "sca": ("csisim.beamforming.digital.sca:Sca", "successive convex approximation (Kang 2022, Algorithm 2, corrected)"),
        "wmmse": ("csisim.beamforming.digital.wmmse:Wmmse", "weighted MMSE (Hu 2021), reduced form"),
        "iaidnn": ("csisim.beamforming.digital.iaidnn:Iaidnn", "unfolded WMMSE with trained parameters (Hu 2021, eq. 15-17)"),
        "cnn": ("csisim.beamforming.digital.cnn:Cnn", "black-box convolutional network (Hu 2021, Section V-A)"),
        "fc_net": ("csisim.beamforming.digital.fc_net:FcPrecoder", "fully connected network (Kang 2022, Sec. VII-A)"),
        "hbdun": ("csisim.beamforming.digital.hbdun:Hbdun", "unfolded SCA with trained parameters (Kang 2022, eq. 31)"),
    },
}


class Settings(BaseModel):
    """A group of settings of a scenario: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Component(Settings):
    """Settings of a component; ``kind`` names it."""

    kind: str


@cache
def kinds(room: str) -> dict[str, tuple[str, str]]:
    """Every known kind of a room with its address and its line of description, third-party kinds included."""
    plugins = entry_points(group=f"csisim.{room}")
    return {point.name: (point.value, f"from {point.dist.name if point.dist else 'a plugin'}") for point in plugins} | TABLE[room]


def component(room: str, kind: str) -> Any:
    """The class behind a kind; its configuration model is the class attribute ``Config``.

    Raises
    ------
    KeyError
        If the room has no such kind.
    """
    module, name = kinds(room)[kind][0].split(":")
    return getattr(import_module(module), name)


def build(room: str, config: Component, *args: Any, **kwargs: Any) -> Any:
    """The component that ``config`` describes, e.g. ``build("estimator", RlsConfig(kind="rls"))``."""
    return component(room, config.kind)(config, *args, **kwargs)


def configure(room: str, value: Any) -> Component:
    """The configuration model that ``value`` (a mapping with ``kind``, a bare kind or a finished model) describes.

    Errors inside a component keep their own place in the document.
    """
    if isinstance(value, Component):
        return value
    document = {"kind": value} if isinstance(value, str) else value
    if not isinstance(document, dict):
        raise PydanticCustomError("component_type", "expected a kind or a mapping with the key 'kind'")
    if "kind" not in document:
        raise PydanticCustomError("component_kind_missing", "the key 'kind' is missing; kinds: {kinds}", {"kinds": ", ".join(kinds(room))})
    kind = document["kind"]
    if not isinstance(kind, str) or kind not in kinds(room):
        raise PydanticCustomError(
            "component_kind",
            "unknown {room} kind {kind}; kinds: {kinds}",
            {"room": room, "kind": repr(kind), "kinds": ", ".join(kinds(room))},
        )
    config: Component = component(room, kind).Config.model_validate(document)
    return config


class _BareKind(BeforeValidator):
    """The validator with its JSON schema: the kinds that need nothing else may stand alone."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        models = [handler.resolve_ref_schema(model) for model in schema.get("oneOf", [])]
        bare = [model["properties"]["kind"]["const"] for model in models if not set(model.get("required", ())) - {"kind"}]
        return {"anyOf": [{"type": "string", "enum": bare}, schema]}


#: Lets ``fading: static`` stand for ``fading: {kind: static}`` where a field is a closed union of kinds.
BareKind = _BareKind(lambda value: {"kind": value} if isinstance(value, str) else value)


def _validator(room: str) -> PlainValidator:
    return PlainValidator(lambda value: configure(room, value))


class _AnyKind:
    """JSON schema of a component field: a bare kind, or the settings of one of them. Making it imports every kind."""

    def __init__(self, room: str) -> None:
        self.room = room

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        names = [{"const": kind, "description": line} for kind, (_, line) in kinds(self.room).items()]
        models = [handler(component(self.room, kind).Config.__pydantic_core_schema__) for kind in kinds(self.room)]
        return {"anyOf": [{"type": "string", "oneOf": names}, *models]}  # settings without a kind may suit several


#: Field types of the rooms: ``digital: DigitalField = ...`` takes any registered kind of digital designer.
ChannelField = Annotated[SerializeAsAny[Component], _validator("channel"), _AnyKind("channel")]
EstimatorField = Annotated[SerializeAsAny[Component], _validator("estimator"), _AnyKind("estimator")]
CodecField = Annotated[SerializeAsAny[Component], _validator("codec"), _AnyKind("codec")]
AnalogField = Annotated[SerializeAsAny[Component], _validator("analog"), _AnyKind("analog")]
#: A codec within a codec; in the JSON schema its settings are not spelled out again.
InnerCodecField = Annotated[
    SerializeAsAny[Component], _validator("codec"), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})
]
DigitalField = Annotated[SerializeAsAny[Component], _validator("digital"), _AnyKind("digital")]
