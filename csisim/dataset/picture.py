"""Pictures of a trace: samples in the delay-angle domain, and where the energy is."""

from typing import TYPE_CHECKING, Any

import numpy as np

from csisim.channel.cost2100.published import REFERENCES, profiles
from csisim.dataset.contents import Contents

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES, FLOOR_DB = 5, -30


def draw_samples(contents: Contents, preset: str | None) -> "Figure":
    """Some drops, and mean energies per delay and per angle, the former beside those of a preset's reference drops."""
    import matplotlib
    from matplotlib.figure import Figure

    from csisim.records.figures.style import COLOURS, RC

    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(7.0, 3.7), layout="constrained")
        parts: Any = figure.subfigures(2, 1, height_ratios=(1.15, 1.0))
        upper, lower = parts
        _draw_drops(upper, contents.delay_angle)
        over_delay, over_angle = lower.subplots(1, 2)
        delay_profile, angle_profile = profiles(contents.delay_angle)
        over_delay.plot(100 * delay_profile, color=COLOURS[0], marker="o", markersize=3, label=f"{len(contents.delay_angle)} drops here")
        if preset is not None and len(delay_profile) == len(REFERENCES[preset].delay_profile):
            reference = REFERENCES[preset]
            label = f"{reference.profile_drops} drops of the MATLAB code, {preset}"
            over_delay.plot(100 * np.array(reference.delay_profile), color=COLOURS[1], linestyle="--", label=label)
        over_delay.legend()
        over_delay.set(xlabel="delay", ylabel="energy of a drop, %", yscale="log")
        over_angle.plot(100 * angle_profile, color=COLOURS[0], marker="o", markersize=3)
        over_angle.set(xlabel="angle", ylabel="energy of a drop, %", ylim=(0, None))
    return figure


def _draw_drops(figure: Any, delay_angle: np.ndarray) -> None:
    """Some drops spread over the file, in dB below their largest entry."""
    chosen = np.unique(np.linspace(0, len(delay_angle) - 1, SAMPLES).astype(int))
    for axes, number in zip(np.atleast_1d(figure.subplots(1, len(chosen), sharey=True)), chosen, strict=True):
        level = np.abs(delay_angle[number].T)
        level = 20 * np.log10(np.maximum(level / level.max(), 10 ** (FLOOR_DB / 20)))
        shown = axes.imshow(level, cmap="magma", vmin=FLOOR_DB, vmax=0, origin="lower", interpolation="nearest")
        axes.set(xlabel="delay", title=f"drop {number}")
        axes.title.set_fontsize(8)
        axes.grid(False)
    figure.axes[0].set_ylabel("angle")
    figure.colorbar(shown, ax=figure.axes, label="dB of the largest", shrink=0.62)
