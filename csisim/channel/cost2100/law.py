"""A parameter set as the kernels read it: plain numbers, logarithms and units already taken."""

from typing import NamedTuple

import numpy as np

from csisim.channel.cost2100.parameters import LARGE_SCALE, ParameterSet, Reference


class Law(NamedTuple):
    """Numbers of one parameter set, base station and reference version; lengths in m, angles in rad, delays in s."""

    bs: np.ndarray  # (3,) position of the base station
    wavelength: float
    cell_radius: float
    cell_centre: np.ndarray  # (2,)
    region_radius: float
    region_rim: float
    extra_regions: float
    num_far: float
    num_far_poisson: bool
    single_fraction: float
    num_mpcs: int
    local_bs: bool
    local_ms: bool
    decay: float  # 1/s
    cutoff: float  # s, infinite: no floor
    los_cutoff: float
    los_radius: float
    los_first_quadrant: bool
    los_in_plane: bool
    k_median: float
    k_sigma: float  # of the natural logarithm
    medians: np.ndarray  # (6,) of the large-scale parameters
    factor: np.ndarray  # (6, 6) of the covariance of their natural logarithms, lower triangular
    bearing: tuple[float, float]
    elevation: tuple[float, float]
    nearest: float
    farthest: float
    link_min: float
    link_mean: float
    loss_slope: float
    loss_offset: float  # dB, frequency included
    shared_height: bool
    coherent_k: bool
    carrier_twice_hz: float  # 0: amplitudes carry no phase of the carrier


def law(parameters: ParameterSet, reference: Reference, bs: np.ndarray) -> Law:
    """The numbers of a parameter set for a base station at ``bs`` (3,)."""
    if not reference.unit_slips:
        parameters = parameters.mended
    spreads = (
        parameters.delay_spread_ns,
        parameters.elevation_spread_bs_deg,
        parameters.azimuth_spread_bs_deg,
        parameters.elevation_spread_ms_deg,
        parameters.azimuth_spread_ms_deg,
    )
    medians = np.array([1.0, *(spread.law[0] for spread in spreads)])
    medians[1] *= 1e-9
    medians[2:] = np.radians(medians[2:])
    sigmas = np.log(10) / 10 * np.array([parameters.shadowing_db, *(spread.law[1] for spread in spreads)])
    assert len(sigmas) == len(LARGE_SCALE)
    sight, loss = parameters.line_of_sight, parameters.path_loss
    bearing = np.array([parameters.bearing.mean_deg, parameters.bearing.std_deg])
    if not reference("bearing_degrees_as_radians"):
        bearing = np.radians(bearing)
    bs = np.asarray(bs, float)
    return Law(
        bs=bs,
        wavelength=3.0e8 / parameters.carrier_hz,
        cell_radius=float(parameters.cell_radius_m),
        cell_centre=bs[:2].copy() if reference("regions_around_base_station") else np.zeros(2),
        region_radius=float(parameters.visibility.radius_m),
        region_rim=float(parameters.visibility.transition_m),
        extra_regions=float(parameters.visibility.extra_per_cluster),
        num_far=float(parameters.num_far),
        num_far_poisson=parameters.num_far_poisson,
        single_fraction=float(parameters.single_fraction),
        num_mpcs=parameters.num_mpcs,
        local_bs=parameters.local_bs,
        local_ms=parameters.local_ms,
        decay=1e6 * parameters.decay_per_us,
        cutoff=1e-6 * parameters.cutoff_us,
        los_cutoff=float(sight.cutoff_m),
        los_radius=float(sight.radius_m),
        los_first_quadrant=reference.sight_in_first_quadrant,
        los_in_plane=reference.sight_in_the_plane,
        k_median=float(sight.k_factor),
        k_sigma=float(np.log(10) / 10 * sight.k_factor_db),
        medians=medians,
        factor=np.ascontiguousarray(sigmas[:, None] * np.linalg.cholesky(parameters.correlation)),
        bearing=(float(bearing[0]), float(bearing[1])),
        elevation=(float(np.radians(parameters.elevation.mean_deg)), float(np.radians(parameters.elevation.std_deg))),
        nearest=float(parameters.range_m[0]),
        farthest=float(parameters.range_m[1]),
        link_min=1e-9 * parameters.link_min_ns,
        link_mean=1e-9 * parameters.link_mean_ns,
        loss_slope=float(loss.slope_db),
        loss_offset=float(20 * np.log10(parameters.carrier_hz) + loss.offset_db + 30 * loss.floors),
        shared_height=reference("shared_height"),
        coherent_k=reference("coherent_k_factor"),
        carrier_twice_hz=parameters.carrier_hz if reference("carrier_phase_twice") else 0.0,
    )
