"""Words and symbols of figures: what an axis is called, and under which conditions the numbers hold."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from csisim.records.figures.data import Results

BAND = " Bands and bars: 95 % confidence interval of the mean over drops (Student t)."

#: name -> (words, symbol, unit)
WORDS: dict[str, tuple[str, str, str]] = {
    "snr_db": ("SNR", "", "dB"),
    "num_users": ("Number of users", "$K$", ""),
    "num_rf": ("Number of base-station RF chains", "$N_t^{RF}$", ""),
    "num_rx_rf": ("Number of RF chains per user", "$N_r^{RF}$", ""),
    "num_tx": ("Number of base-station antennas", "$N_t$", ""),
    "num_rx": ("Number of antennas per user", "$N_r$", ""),
    "num_streams": ("Number of streams per user", "$N_s$", ""),
    "phase_bits": ("Phase-shifter resolution", "$Q_{RF}$", "bit"),
    "length": ("Pilot length", "$L$", "symbols"),
    "delay_slots": ("Feedback delay", "", "slots"),
    "loss": ("Probability that a report is lost", "", ""),
    "budget_bits": ("Bits a user may report per superframe", "", ""),
    "correlation": ("Fading correlation from slot to slot", r"$\rho$", ""),
    "speed_mps": ("Speed", "", "m/s"),
    "doppler_hz": ("Doppler frequency", "", "Hz"),
    "carrier_hz": ("Carrier frequency", "", "Hz"),
    "bandwidth_hz": ("Bandwidth", "", "Hz"),
    "delay_spread_s": ("Delay spread", "", "s"),
    "angular_spread_deg": ("Angular spread", "", "°"),
    "frames": ("Frames per superframe", "$T_f$", ""),
    "slots_per_frame": ("Slots per frame", "$T_s$", ""),
    "num_samples": ("Full-CSI samples per superframe", "$N_{sample}$", ""),
    "samples_per_frame": ("Full-CSI samples per frame", "", ""),
    "steps_per_frame": ("Analog design steps per frame", "", ""),
    "update_every": ("Frames from one analog update to the next", "", ""),
    "iterations": ("Iterations", "", ""),
    "bits": ("Bits", "", ""),
    "sum_rate_bps_hz": ("Sum rate", "", "bit/s/Hz"),
    "net_rate_bps_hz": ("Net sum rate", "", "bit/s/Hz"),
    "rate_user": ("Rate per user", "", "bit/s/Hz"),
    "nmse_estimate": ("NMSE of the estimate", "", ""),
    "nmse_csi": ("NMSE of the CSI behind the precoder", "", ""),
    "nmse_full": ("NMSE of the full CSI", "", ""),
    "sgcs": ("Squared generalised cosine similarity", "", ""),
    "csi_age_slots": ("Age of the CSI behind the precoder", "", "slots"),
    "pilot_bits": ("Pilot bits per user", "", ""),
    "feedback_bits": ("Feedback bits per user", "", ""),
    "signaling_bits": ("Signaling bits per user", "", ""),
}

#: Fields of ``system`` in the order a reader expects them, with their symbols.
SYSTEM = {
    "num_tx": "$N_t$",
    "num_rf": "$N_t^{RF}$",
    "num_rx": "$N_r$",
    "num_rx_rf": "$N_r^{RF}$",
    "num_users": "$K$",
    "num_streams": "$N_s$",
}

SNR = {"per_user": r"P/σ² per user, $\Vert F_{RF}F_{BB,k}\Vert^2 = N_s$", "total": r"$P_T$/σ², shared by all users"}


def spell(name: str, lower: bool = False) -> str:
    """A column's name in words."""
    words = WORDS.get(name, (name.replace("_", " "), "", ""))[0]
    return words[0].lower() + words[1:] if lower and not words[:2].isupper() else words


def axis_label(name: str) -> str:
    """Label of a swept axis: words, symbol, unit."""
    _, symbol, unit = WORDS.get(name, ("", "", ""))
    return spell(name) + (f" {symbol}" if symbol else "") + (f" ({unit})" if unit else "")


def heading(name: str, value: Any) -> str:
    """What stands above a panel: the axis and its value, times and frequencies with the prefix that suits them."""
    from matplotlib.ticker import EngFormatter

    unit = WORDS.get(name, ("", "", ""))[2]
    if unit in ("s", "Hz") and value == value:
        return f"{spell(name)}: {EngFormatter(unit)(value)}"
    return f"{axis_label(name)}: {written(value)}"


def metric_label(name: str) -> str:
    """Label of a metric: words and unit."""
    unit = WORDS[name][2]
    return spell(name) + (f" ({unit})" if unit else "")


def band(table: "pd.DataFrame") -> str:
    """The sentence about confidence intervals, to end a caption with; nothing where none is drawn (one drop, booked bits)."""
    return BAND if table["low"].notna().any() else ""


def conditions(results: "Results", x: str | None = None, evaluated: bool = False) -> str:
    """Everything that is held fixed: dimensions, SNR and its definition, channel, pilots, clock, drops.

    Parameters
    ----------
    results : Results
    x : str, optional
        The swept axis on show, left out.
    evaluated : bool
        Say over which frames the means are taken.
    """
    scenario, held = results.scenario, results.held(x)
    system, clock = scenario.system, scenario.clock
    parts = [_equals(symbol, held.get(name, getattr(system, name))) for name, symbol in SYSTEM.items() if name != x]
    parts.append(("SNR" if x == "snr_db" else f"SNR {held.get('snr_db', system.snr_db):g} dB") + f" = {SNR[system.snr_definition]}")
    if x != "length":
        parts.append(_equals("$L$", "$N_t^{RF}$" if scenario.pilots.length == "num_rf" else scenario.pilots.length))
    channel = scenario.channel.kind + "".join(f" ({value})" for value in [getattr(scenario.channel, "statistics", None)] if value)
    lengths = {"frames": (clock.frames, "frame{}"), "slots_per_frame": (clock.slots_per_frame, "slot{} per frame")}
    counts = ((held.get(name, value), words) for name, (value, words) in lengths.items() if name != x)
    parts += [channel, *(f"{count} {words.format('s' * (count != 1))}" for count, words in counts)]
    others = {
        name: value for name, value in held.items() if name not in SYSTEM and name not in ("snr_db", "length", "frames", "slots_per_frame")
    }
    parts += [f"{spell(name, lower=True)} {written(value)}" for name, value in others.items()]
    drops = scenario.drops * scenario.replicas
    text = ", ".join(parts) + f"; {drops} drop{'s' * (drops != 1)}"
    if evaluated and scenario.evaluation.last_frames is not None:
        text += f", last {scenario.evaluation.last_frames} frames of each superframe"
    return text + "."


def _equals(symbol: str, value: Any) -> str:
    return f"{symbol}\u00a0=\u00a0{value}"  # no line break inside


def written(value: Any) -> str:
    """A value as it is written; a column of numbers holds nan where there is none."""
    if value is None or value != value:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


__all__ = ["axis_label", "band", "conditions", "heading", "metric_label", "spell", "written"]
