"""Reports of paths: exact on the grid but for the gains, better with more paths and bits, and blind to nothing but their grid."""

import numpy as np
import pytest
from pydantic import ValidationError

from csisim.acquisition.base import Sounding
from csisim.acquisition.omp import angular_dictionary
from csisim.feedback.report import Report
from csisim.phy.arrays import Ula, Upa
from csisim.phy.linalg import adjoint
from csisim.random import complex_normal
from csisim.registry import build, configure

D, K, S, R, T, N_R, N_T = 3, 2, 2, 2, 4, 4, 16


def sounding(tx_array):
    rng = np.random.default_rng(0)
    f = np.linalg.qr(complex_normal(rng, (D, N_T, T), np.complex128))[0]
    return Sounding(f, np.linalg.qr(complex_normal(rng, (D, K, N_R, R), np.complex128))[0], tx_array, Ula())


def channel(through, paths, rng):
    rx, tx = (angular_dictionary(a, n, 1, np.dtype(complex)) for a, n in ((through.rx_array, N_R), (through.tx_array, N_T)))
    i, j = (rng.integers(0, grid.shape[1], (D, K, paths)) for grid in (rx, tx))
    h = np.einsum("dkpr,dkps,dkpt->dksrt", rx.T[i], complex_normal(rng, (D, K, paths, S), np.complex128), tx.T[j].conj())
    return adjoint(through.w)[:, :, None] @ h @ through.f[:, None, None]


def round_trip(h, through, **fields):
    codec = build("codec", configure("codec", {"kind": "paths", **fields}))
    report, _ = codec.encode(h, codec.init(h.shape, h.dtype, through))
    value, _ = codec.decode(Report(report.payload.copy(), report.num_bits), codec.init(h.shape, h.dtype, through))
    return np.sum(np.abs(value - h) ** 2) / np.sum(np.abs(h) ** 2), report


@pytest.mark.parametrize("array", [Ula(), Upa(rows=4, columns=4)], ids=lambda a: a.kind)
def test_one_path_on_the_grid_loses_its_gains_last_bits_only(array):
    through = sounding(array)
    h = channel(through, 1, np.random.default_rng(1))
    error, report = round_trip(h, through, num_paths=1, oversampling=1, bits=8)
    assert error < 1e-3
    directions = angular_dictionary(array, N_T, 1, np.dtype(complex)).shape[1]
    assert report.num_bits == 16 + 2 + (directions - 1).bit_length() + 2 * S * 8


def test_more_paths_and_more_bits_say_more():
    through = sounding(Ula())
    h = channel(through, 4, np.random.default_rng(2))
    paths = [round_trip(h, through, num_paths=n, bits=8)[0] for n in (1, 2, 4, 8)]
    bits = [round_trip(h, through, num_paths=8, bits=b)[0] for b in (1, 3, 6)]
    assert paths == sorted(paths, reverse=True)
    assert bits == sorted(bits, reverse=True)
    assert paths[-1] < 1e-3  # as many as coefficients: a basis


def test_known_scales_book_nothing_and_serve_as_well_as_reported_ones():
    through = sounding(Ula())
    h = channel(through, 4, np.random.default_rng(4))
    reported, with_scale = round_trip(h, through, num_paths=2, bits=3)
    power = np.sqrt(np.mean(np.abs(h) ** 2) * h.shape[-1] * h.shape[-2] / 4)  # of a real dimension of either gain
    known, without = round_trip(h, through, num_paths=2, bits=3, scale=[power, power])
    assert without.num_bits == with_scale.num_bits - 16
    assert known < 1.2 * reported
    assert round_trip(h, through, num_paths=2, bits=3, scale=[100 * power, power])[0] > 2 * reported


def test_every_path_has_the_scale_of_its_place():
    through = sounding(Ula())
    strong, weak = (channel(through, 1, np.random.default_rng(seed)) for seed in (5, 6))
    h = strong + 0.05 * weak
    gains = [np.sqrt(np.mean(np.abs(x) ** 2) * R * T / 2) for x in (strong, 0.05 * weak)]
    common = np.sqrt(np.mean(np.square(gains)))
    assert (
        round_trip(h, through, num_paths=2, bits=4, scale=gains)[0]
        < 0.9 * round_trip(h, through, num_paths=2, bits=4, scale=[common] * 2)[0]
    )


def test_a_coarser_grid_of_the_users_takes_fewer_bits():
    h = channel(through := sounding(Ula()), 2, np.random.default_rng(7))
    same, coarse = (round_trip(h, through, num_paths=2, oversampling=4, **other)[1] for other in ({}, {"receive_oversampling": 1}))
    assert same.num_bits - coarse.num_bits == 2 * 2


@pytest.mark.parametrize("fields", [{"num_paths": 2, "scale": [1.0]}, {"num_paths": 1, "scale": [0.0]}, {"receive_oversampling": 4}])
def test_settings_that_do_not_fit_are_refused(fields):
    with pytest.raises(ValidationError, match=r"scale|receive_oversampling"):
        configure("codec", {"kind": "paths", **fields})


def test_a_single_antenna_has_no_direction_to_report():
    rng = np.random.default_rng(3)
    f = np.broadcast_to(np.eye(N_T, dtype=complex), (D, N_T, N_T))
    through = Sounding(f, np.ones((D, K, 1, 1), complex), Ula(), Ula())
    grid = angular_dictionary(Ula(), N_T, 1, np.dtype(complex))
    h = grid.T[rng.integers(0, N_T, (D, K, 1, 1))].conj()
    error, report = round_trip(h, through, num_paths=1, oversampling=1, bits=8)
    assert error < 1e-3
    assert report.num_bits == 16 + 0 + 4 + 2 * 8


def test_damage_makes_other_channels_and_no_errors():
    through = sounding(Ula())
    codec = build("codec", configure("codec", "paths"))
    state = codec.init((D, K, S, R, T), np.dtype(np.complex64), through)
    report, _ = codec.encode(np.zeros((D, K, S, R, T), np.complex64), state)
    rng = np.random.default_rng(0)
    for _ in range(20):
        value, _ = codec.decode(Report(rng.integers(0, 256, report.payload.shape).astype(np.uint8), report.num_bits), state)
        assert np.isfinite(value).all()


def test_it_needs_its_beams():
    with pytest.raises(ValueError, match="beams"):
        build("codec", configure("codec", "paths")).init((D, K, S, R, T), np.dtype(np.complex64))
