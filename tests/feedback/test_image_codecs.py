"""Codecs of images without networks: bits, domains, and what the closed forms promise."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from csisim.channel.trace import load
from csisim.errors import CsisimError
from csisim.feedback.images import CsiError, ImageLayout, denormalise, normalise, scale_of
from csisim.feedback.metrics import nmse_db
from csisim.feedback.pca import Klt, PcaConfig, principal_components
from csisim.feedback.report import Report
from csisim.feedback.sources import trace_images
from csisim.feedback.topk import bits_to_subset, subset_to_bits
from csisim.phy.transforms import delay_angle_to_frequency
from csisim.random import complex_normal
from csisim.registry import build, configure

SETTINGS = [
    {"kind": "pca", "reduction": 32, "quantiser": {"kind": "lloyd_max", "bits": 4, "per_element": True}},
    {"kind": "pca", "reduction": 32, "field": "real", "quantiser": {"kind": "vector", "bits": 6, "dim": 4}},
    {"kind": "topk", "reduction": 32},
    {"kind": "ista", "reduction": 8, "quantiser": {"kind": "mu_law", "bits": 6}},
    {"kind": "fista", "reduction": 8, "iterations": 50},
]


@pytest.fixture(scope="module")
def csi():
    """Eight drops with two users of the packaged trace on 32 subcarriers, at very different strengths."""
    h = delay_angle_to_frequency(load("cost2100_indoor")[:16], 32)
    h = h / np.linalg.norm(h, axis=(1, 2), keepdims=True) * np.geomspace(1e-2, 1e2, 16)[:, None, None]
    return h.reshape(8, 2, 32, 1, 32).astype(np.complex64)


def power(csi):
    return (np.abs(csi) ** 2).sum(axis=(2, 3, 4))


def make(settings):
    return build("codec", configure("codec", settings))


def round_trip(codec, csi):
    report, state = codec.encode(csi, codec.init(csi.shape, csi.dtype))
    return codec.decode(report, state)[0], report


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_reports_are_bits_and_decode_from_them_alone(settings, csi):
    decoded, report = round_trip(make(settings), csi)
    assert report.payload.dtype == np.uint8
    assert report.payload.shape == (8, 2, -(-report.num_bits // 8))
    other = make(settings)
    again, _ = other.decode(Report(report.payload.copy(), report.num_bits), other.init(csi.shape, csi.dtype))
    np.testing.assert_array_equal(decoded, again)
    assert decoded.shape == csi.shape
    assert decoded.dtype == csi.dtype
    error = power(decoded - csi) / power(csi)
    assert error.mean() < 0.9


@pytest.mark.parametrize(
    ("settings", "bits"),
    [
        ({"kind": "pca", "reduction": 32, "quantiser": "lloyd_max"}, 16 + 64 * 4),
        ({"kind": "pca", "reduction": 32, "quantiser": "lloyd_max", "scale": "genie"}, 64 * 4),
        ({"kind": "pca", "reduction": 32, "quantiser": {"kind": "vector", "bits": 6, "dim": 4}}, 16 + 16 * 6),
        ({"kind": "pca", "reduction": 32}, 16 + 64 * 32),
        ({"kind": "pca", "reduction": 32, "delays": 16}, 16 + 32 * 32),
        ({"kind": "topk", "reduction": 32, "bits": 3}, 16 + 32 * 2 * 3 + (comb(1024, 32) - 1).bit_length()),
    ],
    ids=str,
)
def test_booked_bits(settings, bits, csi):
    assert round_trip(make(settings), csi)[1].num_bits == bits


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_users_report_does_not_depend_on_the_others(settings, csi):
    codec = make(settings)
    together, report = round_trip(codec, csi)
    alone, single = round_trip(codec, csi[3:4])
    np.testing.assert_array_equal(single.payload, report.payload[3:4])
    np.testing.assert_allclose(alone, together[3:4], rtol=1e-4, atol=1e-6 * np.abs(together[3:4]).max())


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_wrong_csi_is_refused(settings, csi):
    codec = make(settings)
    state = codec.init(csi.shape, csi.dtype)
    broken = csi.copy()
    broken[1, 1, 3, 0, 4] = np.nan
    with pytest.raises(CsiError, match="not finite"):
        codec.encode(broken, state)
    with pytest.raises(CsiError, match="shape"):
        codec.encode(csi[..., :16], state)


@pytest.mark.parametrize(("domain", "shape"), [("delay_angle", (3, 2, 8, 2, 16)), ("beams", (3, 2, 5, 4, 16))])
def test_images_hold_the_csi(domain, shape):
    csi = complex_normal(np.random.default_rng(0), shape)
    layout = ImageLayout.of(shape, csi.dtype, domain, None)
    images = layout.to_images(csi)
    assert images.shape == (3, 2, layout.per_user, layout.angles, layout.delays)
    np.testing.assert_allclose(layout.to_csi(images), csi, atol=1e-5)
    for scaling in ("published", "unit"):
        scale = scale_of(images, scaling)
        np.testing.assert_allclose(denormalise(normalise(images, scale, scaling), scale, scaling), images, atol=1e-4)


def test_truncation_drops_late_taps_only():
    taps = np.zeros((1, 1, 8, 16), complex)
    taps[0, 0, [1, 6]] = 1.0
    csi = delay_angle_to_frequency(taps, 8, centred=True)[:, :, :, None]
    layout = ImageLayout.of(csi.shape, csi.dtype, "delay_angle", 4)
    kept = layout.to_csi(layout.to_images(csi))
    taps[0, 0, 6] = 0
    np.testing.assert_allclose(kept[:, :, :, 0], delay_angle_to_frequency(taps, 8, centred=True), atol=1e-6)
    with pytest.raises(CsiError, match="subcarriers"):
        ImageLayout.of(csi.shape, csi.dtype, "delay_angle", 9)


def test_published_images_lie_in_the_unit_interval(csi):
    layout = ImageLayout.of(csi.shape, csi.dtype, "delay_angle", None)
    images = layout.to_images(csi)
    image = normalise(images, scale_of(images, "published"), "published")
    assert -1e-3 < image.min() < image.max() < 1 + 1e-3
    assert np.abs(image - 0.5).max(axis=(2, 3, 4, 5)) == pytest.approx(0.5, abs=0.15)


@pytest.fixture(scope="module")
def images():
    return trace_images(load("cost2100_indoor"), 32, centred=False)


def klt(images, length):
    return Klt(principal_components(images)[: length // 2], images.shape[2:], configure("codec", "pca").quantiser)


class TestKlt:
    def test_it_is_the_best_linear_code_of_its_length(self, images):
        """Its error on its own training images is the sum of the eigenvalues left out."""
        vectors = (images[:, 0] + 1j * images[:, 1]).reshape(len(images), -1).astype(complex)
        energies = np.linalg.svd(vectors, compute_uv=False) ** 2
        code = klt(images, 64)
        error = ((code.decode(code.encode(images)) - images) ** 2).sum()
        assert error == pytest.approx(energies[32:].sum(), rel=1e-3)

    def test_components_are_orthonormal_however_many_images_there_are(self, images):
        small = images[:, :, :8, :8]
        for some in (small[:20], small[:200]):
            rows = principal_components(some)[:15]
            np.testing.assert_allclose(rows @ rows.conj().T, np.eye(15), atol=1e-6)
        few, many = (principal_components(small[:64], real=real) for real in (False, True))
        assert few.shape == (64, 64)
        assert many.shape == (64, 128)

    def test_longer_codes_are_better_and_begin_with_the_shorter_ones(self, images):
        small = images[:, :, :, :8]
        codes = [klt(small, length) for length in (32, 64, 128)]
        losses = [nmse_db(code.decode(code.encode(small)), small) for code in codes]
        assert losses[0] > losses[1] + 1 > losses[2] + 2
        np.testing.assert_allclose(codes[2].encode(small)[:, :32], codes[0].encode(small), atol=1e-3)

    def test_a_common_phase_changes_nothing_for_complex_components(self, images):
        small = images[:, :, :, :8]
        code = klt(small, 64)
        z = (small[:8, 0] + 1j * small[:8, 1]) * np.exp(0.7j)
        turned = np.stack([z.real, z.imag], axis=1)
        straight, other = (nmse_db(code.decode(code.encode(x)), x) for x in (small[:8], turned))
        assert other == pytest.approx(straight, abs=1e-3)

    def test_its_limits_are_told(self):
        with pytest.raises(CsisimError, match="cannot tell"):
            make({"kind": "pca", "reduction": 1}).init((1, 1, 32, 1, 32), np.dtype(np.complex64))
        with pytest.raises(CsisimError, match="angles"):
            make({"kind": "pca"}).init((1, 1, 32, 1, 16), np.dtype(np.complex64))
        with pytest.raises(CsisimError, match="domain"):
            make({"kind": "pca", "domain": "beams"}).init((1, 1, 32, 1, 32), np.dtype(np.complex64))


def test_subsets_are_numbered_without_gaps():
    subsets = np.array(list(combinations(range(7), 3)))
    bits = subset_to_bits(subsets, 7, 6)
    numbers = bits @ (1 << np.arange(6)[::-1])
    assert sorted(numbers) == list(range(35))
    np.testing.assert_array_equal(bits_to_subset(bits, 7, 3), subsets)


def test_topk_keeps_the_strongest_entries(csi):
    codec = make({"kind": "topk", "reduction": 64, "bits": 8})
    decoded, _ = round_trip(codec, csi)
    layout = ImageLayout.of(csi.shape, csi.dtype, "delay_angle", None)
    true, kept = (layout.to_images(x).reshape(16, -1) for x in (csi, decoded))
    strongest = np.sort(np.argsort(-np.abs(true), axis=1)[:, :16], axis=1)
    threshold = 1e-4 * np.abs(kept).max(axis=1, keepdims=True)
    present = np.abs(kept) > threshold
    for row, where in zip(strongest, present, strict=True):
        assert set(np.flatnonzero(where)) <= set(row)


def test_a_zero_channel_can_be_reported():
    csi = np.zeros((2, 1, 32, 1, 32), np.complex64)
    for settings in SETTINGS:
        decoded, _ = round_trip(make(settings), csi)
        assert np.abs(decoded).max() < 1e-3


def test_reductions_must_come_out_even():
    with pytest.raises(CsisimError, match="does not divide"):
        PcaConfig(reduction=3).code_length(4, 4)


def test_fista_beats_ista_at_the_same_rate(csi):
    error = {}
    for kind in ("ista", "fista"):
        decoded, _ = round_trip(make({"kind": kind}), csi)
        error[kind] = (power(decoded - csi) / power(csi)).mean()
    assert error["fista"] < 0.7 * error["ista"]
