"""The reference's path lists through our transfer function give the reference's responses."""

import os
from pathlib import Path

import numpy as np
import pytest

from csisim.channel.cost2100.transfer import PUBLIC, REFERENCE, Convention, delay_angle, frequency_response, grid
from csisim.phy.transforms import frequency_to_delay_angle

EXCERPT = Path(__file__).parents[1] / "data" / "cost2100_paths.npz"
FIRST_HZ = {"indoor": 5.29e9, "outdoor": 275e6}


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.parametrize("scenario", FIRST_HZ)
def test_excerpt_of_the_reference(scenario):
    data = np.load(EXCERPT)
    points = grid("1024", FIRST_HZ[scenario])
    ends = np.cumsum(data[f"{scenario}_count"])[:-1]
    lists = [np.split(data[f"{scenario}_{name}"], ends) for name in ("amplitude", "delay", "aod")]
    for row, (amplitude, delay, aod) in enumerate(zip(*lists, strict=True)):
        response = frequency_response(amplitude, delay, aod, points.frequencies[::128])
        assert relative(response, data[f"{scenario}_frequency"][row]) < 1e-6
        matrix = delay_angle(amplitude[None], delay[None], aod[None], points)[0]
        assert relative(matrix, data[f"{scenario}_delay_angle"][row]) < 1e-6


@pytest.mark.skipif("CSISIM_REFERENCE" not in os.environ, reason="CSISIM_REFERENCE does not name the folder of reference drops")
@pytest.mark.parametrize("scenario", FIRST_HZ)
def test_all_of_the_reference(scenario):
    data = np.load(Path(os.environ["CSISIM_REFERENCE"]) / f"cost2100_{scenario}_reference.npz")
    points = grid("1024", FIRST_HZ[scenario])
    lists = np.split(data["full_paths"], np.cumsum(data["full_path_count"])[:-1])
    for paths, response, row in zip(lists, data["full_frequency"], data["full_frequency_row"], strict=True):
        aod, delay, amplitude = paths[:, 0].real, paths[:, 4].real, paths[:, 5]
        assert relative(frequency_response(amplitude, delay, aod, points.frequencies), response) < 1e-6
        assert relative(delay_angle(amplitude[None], delay[None], aod[None], points)[0], data["delay_angle"][row]) < 1e-6


@pytest.mark.parametrize("name", ["257", "1024"])
@pytest.mark.parametrize("convention", [REFERENCE, PUBLIC, Convention(1, False)])
def test_closed_form_is_the_transform_of_the_response(name, convention):
    rng = np.random.default_rng(1)
    points = grid(name, 275e6)
    amplitude = rng.standard_normal((2, 40)) + 1j * rng.standard_normal((2, 40))
    delay, aod = rng.uniform(0, 3e-6, (2, 40)), rng.uniform(-np.pi, np.pi, (2, 40))
    response = frequency_response(amplitude, delay, aod, points.frequencies, sign=convention.sign)
    expected = frequency_to_delay_angle(response, 32, centred=convention.centred)
    assert relative(delay_angle(amplitude, delay, aod, points, convention=convention), expected) < 1e-10


@pytest.mark.parametrize("off", [0.0, 1e-13, 1e-10, 1e-7, 1e-4])
def test_paths_on_the_grid_of_delays_and_angles(off):
    """Where the closed form is 0 / 0: a path on a tap, a whole band of taps away from it, and on an angle."""
    points = grid("1024", 0.0)
    taps = np.array([[3.0, 1024.0, 1029.0 + 1024.0]]) + off
    delay = taps / (points.num_points * points.spacing_hz)
    aod = np.array([[np.pi / 2, 0.0, np.arccos(5 / 16)]]) + off
    amplitude = np.array([[1.0, 2.0j, -1.0]])
    expected = frequency_to_delay_angle(frequency_response(amplitude, delay, aod, points.frequencies), 32)
    assert relative(delay_angle(amplitude, delay, aod, points), expected) < 1e-6


def test_padding_counts_for_nothing():
    rng = np.random.default_rng(2)
    points = grid("257", 5.29e9)
    amplitude, delay, aod = rng.standard_normal((1, 5)) + 0j, rng.uniform(0, 1e-6, (1, 5)), rng.uniform(0, 3, (1, 5))
    matrix = delay_angle(amplitude, delay, aod, points, np.array([3]))
    assert relative(matrix, delay_angle(amplitude[:, :3], delay[:, :3], aod[:, :3], points)) < 1e-12


def test_grids_are_those_of_the_literature():
    assert grid("257", 5.29e9).frequencies[-1] == pytest.approx(5.31e9)
    assert grid("257", 5.29e9).spacing_hz == 78125
    assert grid("1024", 5.29e9).spacing_hz == 19531.25
    with pytest.raises(ValueError, match="1024, 257"):
        grid("512", 5.29e9)
