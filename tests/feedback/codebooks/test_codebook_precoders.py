"""Precoders from indices, as the standard's equations say, element by element."""

import numpy as np
import pytest
from rays import channels

from csisim.errors import CsisimError
from csisim.feedback.codebooks.etype2 import EType2Codebook
from csisim.feedback.codebooks.panel import GEOMETRIES, Panel, subband_directions
from csisim.feedback.codebooks.type1 import Type1Codebook
from csisim.feedback.codebooks.type2 import Type2Codebook


def beam(panel, l, m):  # noqa: E741  # the standard's letter
    def element(n1, n2):
        return np.exp(2j * np.pi * (l * n1 / (panel.o1 * panel.n1) + m * n2 / (panel.o2 * panel.n2)))

    return np.array([element(n1, n2) for n1 in range(panel.n1) for n2 in range(panel.n2)])


def indices(codebook):
    directions, _ = subband_directions(channels(codebook.panel, codebook.subbands, batch=3), codebook.rank, codebook.subbands)
    return codebook.select(directions)


def beams_of(panel, pmi, b):
    return [
        beam(panel, panel.o1 * (n % panel.n1) + pmi.beams.q1[b], panel.o2 * (n // panel.n1) + pmi.beams.q2[b]) for n in pmi.beams.members[b]
    ]


@pytest.mark.parametrize("geometry", [(2, 1), (4, 1), (2, 2), (4, 2)])
def test_type1(geometry):
    panel = Panel(*geometry)
    o1, o2, ports = panel.o1, panel.o2, panel.ports
    third = {(4, 1): [(0, 0), (o1, 0), (2 * o1, 0), (3 * o1, 0)], (2, 2): [(0, 0), (o1, 0), (0, o2), (o1, o2)]}
    offsets = {(2, 1): [(0, 0), (o1, 0)], (4, 2): [(0, 0), (o1, 0), (0, o2), (2 * o1, 0)]} | third
    for rank in (1, 2):
        codebook = Type1Codebook(panel, rank, 5)
        pmi = indices(codebook)
        precoder = codebook.precoder(pmi)
        for b, t in np.ndindex(3, 5):
            l, m = pmi.i11[b], pmi.i12[b]  # noqa: E741
            k1, k2 = offsets[geometry][pmi.i13[b]]
            phase = np.exp(1j * np.pi * pmi.i2[b, t] / 2)
            first, second = beam(panel, l, m), beam(panel, l + k1, m + k2)
            columns = [np.append(first, phase * first), np.append(second, -phase * second)][:rank]
            np.testing.assert_allclose(precoder[b, t], np.stack(columns, axis=-1) / np.sqrt(rank * ports), atol=1e-12)


@pytest.mark.parametrize("subband_amplitude", [False, True])
@pytest.mark.parametrize("num_beams", [2, 4])
def test_type2(num_beams, subband_amplitude):
    panel = Panel(4, 2)
    codebook = Type2Codebook(panel, 2, 5, num_beams, 8, subband_amplitude)
    pmi = indices(codebook)
    precoder = codebook.precoder(pmi)
    wideband = [0, 1 / 8, 1 / np.sqrt(32), 1 / 4, 1 / np.sqrt(8), 1 / 2, 1 / np.sqrt(2), 1]
    for b, layer, t in np.ndindex(3, 2, 5):
        k1, star = pmi.k1[b, layer], pmi.i13[b, layer]
        order = sorted(range(2 * num_beams), key=lambda i: (i != star, -k1[i], i))
        fine = order[: {2: 4, 4: 6}[num_beams]] if subband_amplitude else order
        w, gain = np.zeros(panel.ports, complex), 0.0
        for i in range(2 * num_beams):
            p = wideband[k1[i]] * [np.sqrt(0.5), 1][pmi.k2[b, layer, t, i]]
            phase = np.exp(2j * np.pi * pmi.c[b, layer, t, i] / (8 if i in fine else 4))
            half = slice(0, panel.half) if i < num_beams else slice(panel.half, None)
            w[half] += beams_of(panel, pmi, b)[i % num_beams] * p * phase
            gain += p**2
        assert (k1[star], pmi.k2[b, layer, t, star], pmi.c[b, layer, t, star]) == (7, 1, 0)
        np.testing.assert_allclose(precoder[b, t, :, layer], w / np.sqrt(2 * panel.half * gain), atol=1e-12)


@pytest.mark.parametrize("subbands", [7, 22])
def test_etype2(subbands):
    panel = Panel(4, 2)
    codebook = EType2Codebook(panel, 2, subbands, 4)
    pmi = indices(codebook)
    precoder = codebook.precoder(pmi)
    for b, layer, t in np.ndindex(3, 2, subbands):
        w, gain = np.zeros(panel.ports, complex), 0.0
        for i in range(8):
            value = 0j
            for f, tap in enumerate(pmi.taps[b, layer]):
                p2 = 2.0 ** (-(7 - pmi.k2[b, layer, f, i]) / 2) * pmi.bitmap[b, layer, f, i]
                value += np.exp(2j * np.pi * t * tap / subbands) * p2 * np.exp(2j * np.pi * pmi.c[b, layer, f, i] / 16)
            value *= 2.0 ** (-(15 - pmi.k1[b, layer, i // 4]) / 4)
            half = slice(0, panel.half) if i < 4 else slice(panel.half, None)
            w[half] += beams_of(panel, pmi, b)[i % 4] * value
            gain += abs(value) ** 2
        np.testing.assert_allclose(precoder[b, t, :, layer], w / np.sqrt(2 * panel.half * gain), atol=1e-12)


def test_taps_of_a_wide_band_lie_in_one_window():
    codebook = EType2Codebook(Panel(4, 1), 2, 26, 4)
    pmi = indices(codebook)
    start = np.where(pmi.window > 0, pmi.window - 2 * codebook.num_taps, 0)
    allowed = (start[:, None] + np.arange(2 * codebook.num_taps)) % 26
    assert all(set(taps) <= set(window) for report, window in zip(pmi.taps, allowed, strict=True) for taps in report)
    assert (pmi.taps[..., 0] == 0).all()


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_ports_are_counted_column_by_column(geometry):
    panel = Panel(*geometry)
    polarisation, row, column = np.meshgrid(range(2), range(panel.n2), range(panel.n1), indexing="ij")
    ours = (polarisation * 100 + column * 10 + row).reshape(-1)
    p, n1, n2 = np.meshgrid(range(2), range(panel.n1), range(panel.n2), indexing="ij")
    np.testing.assert_array_equal(panel.to_ports(ours), (p * 100 + n1 * 10 + n2).reshape(-1))
    np.testing.assert_array_equal(panel.from_ports(panel.to_ports(ours)), ours)


def test_what_the_standard_bars_is_refused():
    with pytest.raises(CsisimError, match="no panel of n1 x n2 = 5 x 1"):
        Panel(5, 1)
    with pytest.raises(CsisimError, match="beams, not 3"):
        Type2Codebook(Panel(2, 1), 1, 13, 3, 8, True)
    with pytest.raises(CsisimError, match="combinations 1 and 2"):
        EType2Codebook(Panel(2, 1), 1, 13, 3)
    for panel, per_subband in ((Panel(8, 1), 1), (Panel(16, 1), 2)):
        with pytest.raises(CsisimError, match="needs 32 ports"):
            EType2Codebook(panel, 1, 13, 7, per_subband)
