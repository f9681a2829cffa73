"""The codebooks as codecs: ports, gains and what a link must offer."""

import numpy as np
import pytest

from csisim.errors import CsisimError
from csisim.feedback.codebooks.etype2 import EType2, EType2Config
from csisim.feedback.codebooks.panel import Panel
from csisim.feedback.codebooks.type1 import Type1, Type1Config
from csisim.feedback.codebooks.type2 import Type2, Type2Config
from csisim.feedback.report import Report
from csisim.phy.metrics import precoder_sgcs
from csisim.random import complex_normal

SHAPE = (3, 2, 4, 2, 16)


def channel(gain=1.0):
    return complex_normal(np.random.default_rng(0), SHAPE) * np.float32(np.sqrt(gain))


def exchange(codec, h):
    report, _ = codec.encode(h, codec.init(h.shape, h.dtype))
    return codec.decode(report, codec.init(h.shape, h.dtype))[0], report


@pytest.mark.parametrize("codec", [Type1(Type1Config()), Type2(Type2Config()), EType2(EType2Config())], ids=lambda c: c.config.kind)
@pytest.mark.parametrize("rank", [1, 2])
def test_a_report_is_the_pmi_and_the_cqi(codec, rank):
    codec = type(codec)(codec.config.model_copy(update={"rank": rank}))
    h = channel()
    state = codec.init(h.shape, h.dtype)
    precoder, report = exchange(codec, h)
    assert report.content == "precoder"
    assert report.num_bits == state.codebook.num_bits + 4
    assert report.payload.shape == (3, 2, -(-report.num_bits // 8))
    assert precoder.shape == (3, 2, 4, 16, rank)
    assert precoder.dtype == h.dtype
    damaged, _ = codec.decode(Report(report.payload ^ 255, report.num_bits), state)
    assert np.isfinite(damaged).all()


@pytest.mark.parametrize("gain_db", [-15, -3, 0, 6, 12])
def test_the_cqi_tells_the_gain_within_half_a_step(gain_db):
    h = channel(10 ** (gain_db / 10))
    precoder, _ = exchange(Type2(Type2Config()), h)
    told = np.sum(np.abs(precoder) ** 2, axis=(-1, -2)).mean(axis=-1)
    true = (np.linalg.svd(h, compute_uv=False)[..., 0] ** 2).mean(axis=-1)
    assert np.abs(10 * np.log10(told / true)).max() < 1.51


def test_without_a_cqi_every_layer_has_the_same_gain():
    codec = Type2(Type2Config(rank=2, cqi=False))
    precoder, report = exchange(codec, channel(7.0))
    np.testing.assert_allclose(np.sum(np.abs(precoder) ** 2, axis=-2), 16, rtol=1e-5)
    assert report.num_bits == codec.init(SHAPE, np.dtype(np.complex64)).codebook.num_bits


def test_ports_are_our_antennas_in_our_order():
    """A planar wave at a panel of 2 rows and 4 columns, rows counted from the bottom, is one beam of the codebook."""
    panel = Panel(4, 2)
    row, column = np.divmod(np.arange(8), 4)
    wave = np.exp(2j * np.pi * (5 * column / 16 + 3 * row / 8))
    h = np.append(wave, -wave).conj()[None, None, None, None]
    codec = Type1(Type1Config(n1=4, n2=2))
    assert codec.init(h.shape, h.dtype).codebook.panel == panel
    assert precoder_sgcs(exchange(codec, h)[0], h) == pytest.approx(1.0, abs=1e-6)


def test_a_subband_shares_its_precoder():
    precoder, _ = exchange(Type2(Type2Config(subbands=2)), channel())
    np.testing.assert_array_equal(precoder[:, :, 0], precoder[:, :, 1])
    assert not np.allclose(precoder[:, :, 1], precoder[:, :, 2])


@pytest.mark.parametrize(
    ("codec", "words"),
    [
        (Type1(Type1Config(n1=4)), "2 x 4 x 1 = 8 ports behind 16 RF chains"),
        (Type1(Type1Config(subbands=3)), "3 subbands do not divide 4 subcarriers"),
        (Type2(Type2Config(n1=5)), "no panel of n1 x n2 = 5 x 1"),
        (EType2(EType2Config(combination=8)), "needs 32 ports, here are 16"),
    ],
)
def test_what_does_not_fit_is_said(codec, words):
    with pytest.raises(CsisimError, match=words):
        codec.init(SHAPE, np.dtype(np.complex64))


def test_rank_two_needs_two_receive_chains():
    with pytest.raises(CsisimError, match="1 receive chains cannot carry 2 layers"):
        Type1(Type1Config(rank=2)).init((1, 1, 1, 1, 16), np.dtype(np.complex64))
