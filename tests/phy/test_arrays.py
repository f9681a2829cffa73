"""Array responses: Kang 2022, eq. (46), and its planar counterpart."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from csisim.errors import CsisimError
from csisim.phy.arrays import AntennaArray, Ula, Upa, phase_steps, response


def test_ula_is_equation_46():
    angles = np.array([-1.0, 0.0, 0.3, np.pi / 2])
    for spacing in (0.5, 0.7):
        a = response(Ula(spacing=spacing), 16, angles)
        expected = np.exp(-2j * np.pi * spacing * np.arange(16) * np.sin(angles)[:, None]) / 4
        np.testing.assert_allclose(a, expected, atol=1e-14)
        np.testing.assert_allclose(np.linalg.norm(a, axis=-1), 1)


def test_upa_is_the_kronecker_product_of_a_column_and_a_row():
    rng = np.random.default_rng(1)
    azimuth, elevation = rng.uniform(-1, 1, (2, 20))
    a = response(Upa(rows=3, columns=5), 15, azimuth, elevation)
    row = np.exp(-1j * np.pi * np.arange(5) * (np.sin(azimuth) * np.cos(elevation))[:, None])
    column = np.exp(-1j * np.pi * np.arange(3) * np.sin(elevation)[:, None])
    expected = np.stack([np.kron(c, r) for c, r in zip(column, row, strict=True)]) / np.sqrt(15)
    np.testing.assert_allclose(a, expected, atol=1e-14)


def test_a_flat_upa_is_a_ula():
    azimuth = np.linspace(-1, 1, 7)
    np.testing.assert_allclose(response(Upa(rows=1, columns=8), 8, azimuth), response(Ula(), 8, azimuth), atol=1e-14)


def test_phase_steps_are_double_whatever_the_angles_are():
    assert phase_steps(Ula(), np.float32([0.1, 0.2])).dtype == np.float64


def test_the_grid_must_hold_the_antennas():
    assert Upa(rows=2, columns=4).grid(8) == (2, 4)
    with pytest.raises(CsisimError, match=r"2 rows x 4 columns are 8 elements.*16 antennas"):
        Upa(rows=2, columns=4).grid(16)


def test_arrays_are_configured_by_kind():
    adapter = TypeAdapter(AntennaArray)
    assert adapter.validate_python("ula") == Ula()
    assert adapter.validate_python({"kind": "upa", "rows": 2, "columns": 2}) == Upa(rows=2, columns=2)
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "ula", "rows": 2})
