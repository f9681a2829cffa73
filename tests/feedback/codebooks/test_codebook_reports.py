"""What users choose, and the bits that say it."""

from itertools import pairwise

import numpy as np
import pytest
from rays import channels, similarity

from csisim.feedback.codebooks.etype2 import EType2Codebook
from csisim.feedback.codebooks.panel import Panel, subband_directions
from csisim.feedback.codebooks.type1 import Type1Codebook
from csisim.feedback.codebooks.type2 import Type2Codebook

WIDE = Panel(8, 2)


def directions_for(codebook, **fields):
    return subband_directions(channels(codebook.panel, codebook.subbands, **fields), codebook.rank, codebook.subbands)[0]


def equal(a, b):
    return all(equal(x, y) if isinstance(x, tuple) else np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_indices_come_back_from_their_bits(codebook):
    pmi = codebook.select(directions_for(codebook))
    writer = codebook.write(pmi)
    assert writer.bits.shape == (12, codebook.num_bits)
    assert writer.lengths.max() <= codebook.num_bits
    assert equal(codebook.read(writer.bits), pmi)


def test_any_bits_are_a_precoder(codebook):
    bits = np.random.default_rng(0).integers(0, 2, (40, codebook.num_bits)).astype(np.uint8)
    precoder = codebook.precoder(codebook.read(bits))
    assert precoder.shape == (40, codebook.subbands, codebook.panel.ports, codebook.rank)
    np.testing.assert_allclose(np.sum(np.abs(precoder) ** 2, axis=(-1, -2)), 1)


def test_a_report_does_not_depend_on_its_batch(codebook):
    directions = directions_for(codebook)
    alone = codebook.precoder(codebook.select(directions[3:4]))
    np.testing.assert_allclose(alone, codebook.precoder(codebook.select(directions))[3:4], atol=1e-9)


def test_the_phase_of_a_direction_says_nothing(codebook):
    directions = directions_for(codebook)
    turned = directions * np.exp(2j * np.pi * np.random.default_rng(1).random((12, codebook.subbands, 1, codebook.rank)))
    before, after = (similarity(directions, codebook.precoder(codebook.select(u))) for u in (directions, turned))
    assert after == pytest.approx(before, abs=2e-3)


@pytest.mark.parametrize(("rank", "bits"), [(1, (62, 91, 111, 168, 225, 279, 243, 328)), (2, (113, 169, 207, 319, 431, 539, 467, 635))])
def test_lengths_of_etype2_reports(rank, bits):
    """32 ports, 13 subbands, every combination."""
    assert tuple(EType2Codebook(WIDE, rank, 13, c).num_bits for c in range(1, 9)) == bits


def test_lengths_of_type2_reports():
    assert [Type2Codebook(WIDE, 1, 13, beams, 8, True).num_bits for beams in (2, 3, 4)] == [178, 240, 351]


def test_lengths_of_type1_reports():
    assert Type1Codebook(WIDE, 1, 13).num_bits == 5 + 3 + 2 * 13
    assert Type1Codebook(WIDE, 2, 13).num_bits == 5 + 3 + 2 + 13
    assert Type1Codebook(Panel(2, 1), 2, 1).num_bits == 3 + 1 + 1


def test_zero_amplitudes_shorten_a_report():
    """M nonzero amplitudes: of the strongest six all but one have 3 + 1 bits in a subband, the others 2."""
    codebook = Type2Codebook(WIDE, 1, 13, 4, 8, True)
    pmi = codebook.select(directions_for(codebook, paths=1))
    nonzero = np.count_nonzero(pmi.k1, axis=-1)[:, 0]
    strong = np.minimum(nonzero, 6)
    assert nonzero.min() < 5
    np.testing.assert_array_equal(codebook.write(pmi).lengths, 4 + 11 + 3 + 21 + 13 * (4 * (strong - 1) + 2 * (nonzero - strong)))


def test_coefficients_not_worth_an_amplitude_shorten_a_report():
    codebook = EType2Codebook(WIDE, 1, 13, 4)
    pmi = codebook.select(directions_for(codebook, paths=1))
    kept = pmi.bitmap.sum(axis=(1, 2, 3))
    assert kept.min() < codebook.most - 3
    indicator = np.ceil(np.log2(kept)).astype(int)
    np.testing.assert_array_equal(codebook.write(pmi).lengths, 4 + 11 + 8 + 32 + indicator + 4 + 7 * (kept - 1))


def test_one_ray_on_a_beam_is_found_exactly():
    panel = Panel(4, 2)
    beam = panel.beams(np.array(5), np.array(3))
    u = (np.append(beam, 1j * beam) / np.sqrt(panel.ports))[None, None, :, None]
    for codebook in (Type1Codebook(panel, 1, 1), Type2Codebook(panel, 1, 1, 2, 4, False), EType2Codebook(panel, 1, 1, 1)):
        sought = similarity(u, codebook.precoder(codebook.select(u)))
        # one of four coefficients is what combination 1 keeps of a single subband: half of a cross-polarised beam
        assert sought == pytest.approx(0.5 if isinstance(codebook, EType2Codebook) else 1.0)


@pytest.mark.parametrize("rank", [1, 2])
def test_more_bits_describe_better(rank):
    directions = subband_directions(channels(WIDE, 13, batch=60, paths=8), rank, 13)[0]
    codebooks = [Type1Codebook(WIDE, rank, 13), *(EType2Codebook(WIDE, rank, 13, c) for c in (1, 2, 3, 4, 5, 6))]
    sgcs = [similarity(directions, c.precoder(c.select(directions))) for c in codebooks]
    assert all(better > worse for worse, better in pairwise(sgcs))


@pytest.mark.parametrize("beams", [2, 4])
def test_enhanced_type2_says_more_with_fewer_bits(beams):
    """What Release 16 is for: the compression over frequency."""
    directions = subband_directions(channels(WIDE, 13, batch=60, paths=8), 1, 13)[0]
    old = Type2Codebook(WIDE, 1, 13, beams, 8, True)
    new = EType2Codebook(WIDE, 1, 13, {2: 2, 4: 5}[beams])
    assert new.num_bits < 0.7 * old.num_bits
    assert (
        similarity(directions, new.precoder(new.select(directions))) > similarity(directions, old.precoder(old.select(directions))) - 0.005
    )
