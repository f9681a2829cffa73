"""What the public MATLAB code's drops look like in numbers, preset by preset: the reference that traces are compared with."""

from typing import NamedTuple

import numpy as np

from csisim.channel.cost2100.statistics import sparsity


class ReferenceDrops(NamedTuple):
    """Means over reference drops."""

    drops: int
    means: dict[str, tuple[float, float, float]]  # mean, and the ends of its 95 % interval
    profile_drops: int
    delay_profile: tuple[float, ...]  # mean share of a drop's energy in each of 32 delays


#: How a compared quantity is called, and its decimals.
LABELS = {
    "rms_delay_spread_s": ("RMS delay spread, ns", 1),
    "rms_bs_azimuth_spread_deg": ("azimuth spread, deg", 2),
    "mean_excess_delay_s": ("mean excess delay, ns", 1),
    "n_visible_far_clusters": ("visible far clusters", 2),
    "n_mpc_nonLOS": ("components", 1),
    "n_mpc_within_30dB": ("components within 30 dB", 1),
    "K_dB": ("K factor, dB", 2),
    "rms_bs_elevation_deg": ("elevation spread, deg", 2),
    "pathloss_dB(neg)": ("path gain, dB", 2),
    "strongest_share": ("strongest entry's share of energy", 3),
    "entries_90": ("share of entries for 90 % of energy", 4),
    "entries_95": ("share of entries for 95 % of energy", 4),
    "entries_99": ("share of entries for 99 % of energy", 4),
}

REFERENCES = {
    "indoor_paper": ReferenceDrops(
        2200,
        {
            "rms_delay_spread_s": (36.32, 35.73, 36.93),
            "rms_bs_azimuth_spread_deg": (64.12, 63.12, 65.13),
            "mean_excess_delay_s": (11.0, 10.7, 11.3),
            "n_visible_far_clusters": (9.59, 9.37, 9.83),
            "n_mpc_nonLOS": (34.8, 34.1, 35.5),
            "n_mpc_within_30dB": (16.1, 15.9, 16.4),
            "rms_bs_elevation_deg": (2.36, 2.26, 2.47),
            "strongest_share": (0.287, 0.283, 0.292),
            "entries_90": (0.0197, 0.0194, 0.0201),
            "entries_95": (0.0373, 0.0366, 0.0379),
            "entries_99": (0.1142, 0.1126, 0.1157),
        },
        1088,
        (
            0.389, 0.461, 0.0561, 0.0392, 0.0232, 0.0129, 0.0064, 0.00321, 0.00187, 0.00127, 0.000961, 0.000758, 0.000621,
            0.000521, 0.000444, 0.000383, 0.000334, 0.000294, 0.000261, 0.000233, 0.000209, 0.000189, 0.000172, 0.000157, 0.000143,
            0.000132, 0.000122, 0.000112, 0.000104, 9.71e-05, 9.06e-05, 8.48e-05,
        ),
    ),
    "indoor_public": ReferenceDrops(
        500,
        {
            "strongest_share": (0.3184, 0.3067, 0.3295),
            "entries_90": (0.0186, 0.0178, 0.0195),
            "entries_95": (0.0348, 0.0334, 0.0364),
            "entries_99": (0.1048, 0.1011, 0.1088),
        },
        500,
        (
            0.121, 0.609, 0.147, 0.0545, 0.0324, 0.0167, 0.00731, 0.00338, 0.00188, 0.00121, 0.000853, 0.000657, 0.000529,
            0.000437, 0.000369, 0.000316, 0.000274, 0.00024, 0.000212, 0.000189, 0.000169, 0.000153, 0.000138, 0.000126, 0.000115,
            0.000106, 9.78e-05, 9.05e-05, 8.41e-05, 7.83e-05, 7.31e-05, 6.85e-05,
        ),
    ),
    "outdoor_paper": ReferenceDrops(
        2200,
        {
            "rms_delay_spread_s": (333.7, 329.2, 338.6),
            "rms_bs_azimuth_spread_deg": (22.44, 21.93, 22.98),
            "mean_excess_delay_s": (106.8, 103.0, 110.5),
            "n_visible_far_clusters": (25.17, 24.97, 25.37),
            "n_mpc_nonLOS": (706.5, 701.0, 712.2),
            "n_mpc_within_30dB": (97.4, 95.8, 99.0),
            "K_dB": (-4.754, -4.842, -4.669),
            "rms_bs_elevation_deg": (8.60, 8.42, 8.78),
            "strongest_share": (0.331, 0.324, 0.338),
            "entries_90": (0.0300, 0.0292, 0.0308),
            "entries_95": (0.0595, 0.0581, 0.0608),
            "entries_99": (0.1843, 0.1813, 0.1875),
        },
        1098,
        (
            0.00152, 0.00526, 0.0162, 0.0225, 0.029, 0.0389, 0.0502, 0.055, 0.0652, 0.0676, 0.0744, 0.0857, 0.0779, 0.0932, 0.0767,
            0.0584, 0.0423, 0.0303, 0.0192, 0.0146, 0.0111, 0.0111, 0.00888, 0.00748, 0.00645, 0.00661, 0.00506, 0.00476, 0.00395,
            0.00352, 0.00382, 0.00303,
        ),
    ),
}  # fmt: skip


def quantities(delay_angle: np.ndarray, stats: np.ndarray | None = None, columns: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Every compared quantity of drops, delays in ns: those of the matrices, and of the statistics where there are any.

    Parameters
    ----------
    delay_angle : (n, delay, angle) complex
    stats : (n, columns) float, optional
    columns : tuple of str
        Names of the statistics.
    """
    table = {}
    if stats is not None:
        table = {name: column * (1e9 if name.endswith("_s") else 1) for name, column in zip(columns, stats.T, strict=True)}
        k_factor = table.get("K_los_over_rest", np.zeros(1))
        if (k_factor > 0).all():
            table["K_dB"] = 10 * np.log10(k_factor)
    return table | sparsity(delay_angle)


def profiles(delay_angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean shares of a drop's energy in each delay and in each angle of matrices (n, delay, angle)."""
    energy = np.abs(delay_angle) ** 2
    energy /= energy.sum(axis=(1, 2), keepdims=True)
    return energy.sum(axis=2).mean(axis=0, dtype=float), energy.sum(axis=1).mean(axis=0, dtype=float)


class Agreement(NamedTuple):
    """A mean and its reference."""

    name: str
    mean: float
    error: float  # standard error
    reference: float
    reference_error: float

    @property
    def apart(self) -> float:
        """Difference in combined standard errors."""
        return (self.mean - self.reference) / float(np.hypot(self.error, self.reference_error))


def compare_means(table: dict[str, np.ndarray], reference: ReferenceDrops) -> list[Agreement]:
    """Means of those quantities that the reference has too."""
    rows = []
    for name, (mean, low, high) in reference.means.items():
        if name in table:
            mine = table[name]
            error = float(mine.std(ddof=1) / len(mine) ** 0.5) if len(mine) > 1 else float("inf")
            rows.append(Agreement(name, float(mine.mean()), error, mean, (high - low) / 3.92))
    return rows


def nearest(delay_angle: np.ndarray) -> str:
    """The preset whose mean energy per delay is nearest to that of matrices (n, 32, angle)."""
    profile, _ = profiles(delay_angle)
    return min(REFERENCES, key=lambda name: float(np.abs(profile - REFERENCES[name].delay_profile).sum()))
