"""``csisim codec``: what a CSI feedback codec costs, and which one fits a device."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from csisim.errors import CsisimError

if TYPE_CHECKING:
    from csisim.feedback.planner import Plan

REPEATS = 20


@click.group()
def codec() -> None:
    """Costs of CSI feedback codecs, and which one fits."""


@codec.command()
@click.argument("kind")
@click.option("--reduction", default=4, show_default=True, help="Compression ratio 1/REDUCTION.")
@click.option("--size", default="32x32", show_default=True, help="ANGLESxDELAYS of an image; or transmit chains x subcarriers.")
@click.option("--receive", default=1, show_default=True, type=click.IntRange(1), help="Receive chains of CSI that becomes no images.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting of the codec.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(kind: str, reduction: int, size: str, receive: int, settings: tuple[str, ...], as_json: bool) -> None:
    """Parameters, multiply-accumulates, memory and latency of a codec of KIND, beside what was published.

    Of a codec that compresses no images (codebooks, lloyd_max, paths, ...): the bits of its longest report.
    """
    from csisim.feedback.published import ANGLES, DELAYS, rows_of

    angles, delays = _size(size)
    given = {"kind": kind} | _settings(settings)
    if not _compresses_images(kind):
        from csisim.cli.report_bits import in_words, longest_report

        if click.get_current_context().get_parameter_source("reduction") is not ParameterSource.DEFAULT:
            raise click.UsageError(
                f"--reduction {reduction}: {kind} compresses no images, its own settings decide how long its reports are"
            )
        length = longest_report(_configured(given), receive, angles, delays)
        click.echo(json.dumps(length, indent=2) if as_json else in_words(length))
        return
    config = _configured(given | {"reduction": reduction})
    costs = config.costs(angles, delays)  # complains at once of a size that it cannot have
    latency, missing = _latency(config, angles, delays)
    rows = rows_of(given, reduction) if (angles, delays) == (ANGLES, DELAYS) else []
    report = {
        "codec": kind,
        "angles": angles,
        "delays": delays,
        "reduction": reduction,
        "report_bits": _report_bits(config, angles, delays),
        **{f"{side}_params": getattr(costs, side).params for side in costs._fields},
        **{f"{side}_macs": getattr(costs, side).macs["mac"] for side in costs._fields},
        **{f"{side}_macs_{c}": n for side in costs._fields for c, n in getattr(costs, side).macs.items() if c != "mac"},
        **{f"{side}_memory_bytes": getattr(costs, side).memory_bytes for side in costs._fields},
        **dict(zip(("encoder_latency_s", "decoder_latency_s"), latency, strict=True)),
        "no_latency": missing,
        "published": [
            {
                "part": row.part,
                "count": row.count,
                "millions": row.value,
                "ours_millions": float(row.ours(costs)),
                "reproduced": row.shows(row.ours(costs)),
                "source": row.source,
                "note": row.note,
            }
            for row in rows
        ],
    }
    click.echo(json.dumps(report, indent=2) if as_json else _text(report))


@codec.command()
@click.option("--report-bits", required=True, type=click.IntRange(1), help="Most bits of a report, scale factor apart.")
@click.option("--ue-mmac", type=click.FloatRange(min=0), help="Most million multiply-accumulates of the encoder.")
@click.option("--bs-mmac", type=click.FloatRange(min=0), help="Most million multiply-accumulates of the decoder.")
@click.option("--ue-kb", type=click.FloatRange(min=0), help="Most kilobytes of encoder parameters.")
@click.option("--bs-kb", type=click.FloatRange(min=0), help="Most kilobytes of decoder parameters.")
@click.option("--size", default="32x32", show_default=True, help="ANGLESxDELAYS of an image.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    report_bits: int, ue_mmac: float | None, bs_mmac: float | None, ue_kb: float | None, bs_kb: float | None, size: str, as_json: bool
) -> None:
    """The ACRNet that fits user, base station and feedback link (Lu 2021, Algorithm 1)."""
    from csisim.feedback.planner import Limits
    from csisim.feedback.planner import plan as choose
    from csisim.feedback.report import SCALE_BITS

    chosen = choose(Limits(report_bits, ue_mmac, bs_mmac, ue_kb, bs_kb), *_size(size))
    report = {
        "expansion": chosen.expansion,
        "binarise": chosen.binarise,
        "reduction": chosen.reduction,
        "bits": chosen.bits,
        "report_bits": chosen.report_bits,
        **{f"{side}_macs": getattr(chosen.costs, side).macs["layers"] for side in chosen.costs._fields},
        **{f"{side}_memory_bytes": getattr(chosen.costs, side).memory_bytes for side in chosen.costs._fields},
        "codec": chosen.settings,
        "remarks": _remarks(chosen, *_size(size)),
    }
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(
        f"ACRNet-{chosen.expansion}x at 1/{chosen.reduction}, {chosen.bits} bits per number: {chosen.report_bits} bits per report, "
        f"{chosen.report_bits + SCALE_BITS} with the scale factor"
    )
    click.echo({"none": "nothing binarised", "encoder": "encoder binarised", "both": "encoder and decoder binarised"}[chosen.binarise])
    for side, end in (("encoder", "user"), ("decoder", "base station")):
        click.echo(f"{end}: {report[f'{side}_macs'] / 1e6:.3f} million multiply-accumulates, {report[f'{side}_memory_bytes'] / 1e3:.1f} kB")
    click.echo(f"codec: {json.dumps(chosen.settings)}")
    for remark in report["remarks"]:
        click.echo(remark)


def _remarks(chosen: "Plan", angles: int, delays: int) -> list[str]:
    """What a plan does not say by itself: where a limit of ours decided, what the network has no training for, and its weights."""
    from csisim.feedback.planner import LEAST_BITS, MOST_EXPANSION
    from csisim.registry import build

    remarks = []
    if chosen.expansion == MOST_EXPANSION:
        remarks.append(f"the search ends at {MOST_EXPANSION}x: --bs-mmac and --bs-kb limit the decoder")
    if chosen.bits < LEAST_BITS:
        remarks.append(f"fewer than {LEAST_BITS} bits per number: this budget allows no more even at 1/{chosen.reduction}")
    try:
        build("codec", _configured(chosen.settings)).model(angles, delays)
        remarks.append("its weights are there: shipped, or trained before")
    except CsisimError as error:
        remarks.append(str(error))
    return remarks


@codec.command()
@click.argument("kind")
@click.argument("source", type=click.Path(dir_okay=False), nargs=-1, required=True)
@click.argument("target", type=click.Path(dir_okay=False))
@click.option("--reduction", default=4, show_default=True, help="Compression ratio 1/REDUCTION (a Keras file knows its own).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting of the codec.")
@click.option(
    "--trace", default="cost2100_indoor", show_default=True, help="Trace or COST 2100 preset whose codes quantisers are trained on."
)
def convert(kind: str, source: tuple[str, ...], target: str, reduction: int, settings: tuple[str, ...], trace: str) -> None:
    """Turn published weights (Keras .h5 of CsiNet, PyTorch files of the CRNet family) into a file that scenarios can name."""
    from csisim.feedback.nets.base import save
    from csisim.feedback.nets.checkpoints import load_keras_csinet, load_torch
    from csisim.feedback.pca import DROPS
    from csisim.feedback.sources import channels, trace_images

    if kind == "csinet" and len(source) == 1:
        config, network = load_keras_csinet(source[0])
    else:
        config = _configured({"kind": kind, "reduction": reduction} | _settings(settings))
        if not hasattr(config, "network"):
            raise CsisimError(f"{kind}: not a network")
        network = config.network(32, 32)
        load_torch(network, kind, *source)
    rows, centred = channels(trace, DROPS)
    images = trace_images(rows, 32, centred=centred, scaling=config.scaling)
    save(target, config, network, images, recipe={"converted_from": [Path(name).name for name in source]})
    changed = {name: value for name, value in config.model_dump(exclude_defaults=True).items() if name != "kind"}
    click.echo(f"codec: {json.dumps({'kind': kind} | changed | {'weights': target})}")


def _size(text: str) -> tuple[int, int]:
    parts = text.split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise click.UsageError(f"--size {text}: expected ANGLESxDELAYS, such as 32x32")
    return int(parts[0]), int(parts[1])


def _settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f"--set {pair}: expected KEY=VALUE")
        try:
            settings[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise CsisimError(f"--set {pair}: {' '.join(str(error).split())}") from error
    return settings


def _configured(settings: dict[str, Any]) -> Any:
    from pydantic import ValidationError
    from pydantic_core import PydanticCustomError

    from csisim.registry import configure

    try:
        return configure("codec", settings)
    except PydanticCustomError as error:
        raise CsisimError(error.message()) from error
    except ValidationError as error:
        lines = [f"{settings['kind']}: {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise CsisimError("\n".join(lines)) from error


def _compresses_images(kind: str) -> bool:
    """Whether there is something to count; what is no kind at all is told later."""
    from csisim.registry import component, kinds

    return kind not in kinds("codec") or hasattr(component("codec", kind).Config, "costs")


def _report_bits(config: Any, angles: int, delays: int) -> int:
    """Bits of one image's report, scale factor included."""
    import numpy as np

    from csisim.feedback.images import SCALE_BITS
    from csisim.registry import build

    if not hasattr(config, "code_length"):
        codec = build("codec", config)
        size = (delays, 1, angles) if config.domain == "delay_angle" else (1, delays, angles)
        return int(codec.booked_bits(codec.init((1, 1, *size), np.dtype(np.complex64))))
    scale = SCALE_BITS if config.scale == "report" else 0
    return scale + int(config.quantiser.num_bits(config.code_length(angles, delays)))


def _latency(config: Any, angles: int, delays: int) -> tuple[tuple[float | None, float | None], str | None]:
    """Median seconds of encoding and decoding one image on this machine; None where nothing can be run, and why."""
    import time

    import numpy as np

    from csisim.registry import build

    if hasattr(config, "network"):
        from csisim.feedback.nets.complexity import latency

        return latency(config.network(angles, delays), angles, delays, REPEATS), None
    if not hasattr(config, "code_length"):
        return (None, None), f"{config.kind} has no model between images and codes"
    try:
        model = build("codec", config).model(angles, delays)
    except CsisimError as error:
        return (None, None), str(error)
    image = np.random.default_rng(0).standard_normal((1, 2, angles, delays)).astype(np.float32)
    code = model.encode(image)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for store, run, value in ((times[0], model.encode, image), (times[1], model.decode, code)):
            start = time.perf_counter()
            run(value)
            store.append(time.perf_counter() - start)
    return (float(np.median(times[0])), float(np.median(times[1]))), None


def _text(report: dict[str, Any]) -> str:
    size = f"1/{report['reduction']} of {report['angles']} x {report['delays']} images"
    lines = [f"{report['codec']}: {size}, {report['report_bits']} bits per report", ""]
    lines.append(f"{'':24}{'encoder':>14}{'decoder':>14}{'total':>14}")
    rows = [("parameters", "params", 1, "d"), ("multiply-accumulates, M", "macs", 1e6, ".6f")]
    rows += [(f"  {c}", f"macs_{c}", 1e6, ".6f") for c in ("layers", "thop") if f"encoder_macs_{c}" in report]
    rows += [("memory, kB", "memory_bytes", 1e3, ".1f"), ("latency here, ms", "latency_s", 1e-3, ".3f")]
    for title, key, unit, style in rows:
        both = report[f"encoder_{key}"], report[f"decoder_{key}"]
        if None not in both:
            numbers = [number if unit == 1 else number / unit for number in (*both, sum(both))]
            lines.append(f"{title:24}" + "".join(f"{number:14{style}}" for number in numbers))
    if report["no_latency"]:
        lines.append(f"no latency: {report['no_latency']}")
    lines += [
        "",
        "multiply-accumulates: of all layers as published, attention and every iteration included; layers: convolutions and fully",
    ]
    lines += ["connected layers alone; thop: layers plus 4 per normalised and 1 per PReLU or pooled element, nothing outside modules"]
    if report["published"]:
        lines += ["", f"{'published (millions)':24}{'':10}{'published':>10}{'ours':>12}"]
    for row in report["published"]:
        verdict = "" if row["reproduced"] else "  differs"
        text = f"{row['part']} {row['count']}"
        lines.append(f"{text:34}{row['millions']:>10}{row['ours_millions']:>12.6f}{verdict:9}  {row['source']}")
        if row["note"]:
            lines.append(f"{'':34}{row['note']}")
    return "\n".join(lines)
