"""What every neural codec keeps to: sample independence, any size, real bits, weights that fit."""

import subprocess
import sys

import numpy as np
import pytest

from csisim.errors import CsisimError
from csisim.feedback.report import Report
from csisim.random import complex_normal
from csisim.registry import TABLE, build, configure
from csisim.weights import WeightsError

torch = pytest.importorskip("torch")
base = pytest.importorskip("csisim.feedback.nets.base")

NETS = sorted(kind for kind, (address, _) in TABLE["codec"].items() if ".nets." in address)
SMALL = {"conv_csinet": (16, 16)}
SIZES = {kind: SMALL.get(kind, (16, 16) if "shuffle" in kind else (8, 6)) for kind in NETS}
#: The settings under which a kind is tested, beside its reduction.
MORE = {"csi_l2o": {"iterations": 3, "trained_iterations": 3}, "ms4l2o": {"iterations": 3, "trained_iterations": 3}}


def made(kind, reduction=4, **more):
    return configure("codec", {"kind": kind, "reduction": reduction, **MORE.get(kind, {}), **more})


def network(kind, reduction=4, seed=0, **more):
    torch.manual_seed(seed)
    return made(kind, reduction, **more).network(*SIZES[kind])


def images(kind, count=6, seed=0):
    shape = (count, 2, *SIZES[kind])
    return (0.5 + 0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def saved(tmp_path, kind, reduction=4, name="weights.safetensors", **more):
    """Weights of an untrained network with calibration codes."""
    path = str(tmp_path / name)
    base.save(path, made(kind, reduction, **more), network(kind, reduction, **more), images(kind, 64))
    return path


@pytest.mark.parametrize("kind", NETS)
def test_a_sample_does_not_depend_on_the_rest_of_the_batch(kind):
    net = network(kind).eval()
    x = torch.from_numpy(images(kind))
    others = torch.cat([x[:1], 5 * torch.from_numpy(images(kind, 5, seed=1))])
    with torch.inference_mode():
        code, alone, beside = net.encode(x), net.encode(x[:1]), net.encode(others)
        torch.testing.assert_close(code[:1], alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(beside[:1], alone, rtol=1e-4, atol=1e-5)
        decoded = net.decode(code)
        torch.testing.assert_close(decoded[:1], net.decode(code[:1]), rtol=1e-4, atol=1e-5)
    assert code.shape == (6, 2 * SIZES[kind][0] * SIZES[kind][1] // 4)
    assert decoded.shape == x.shape


@pytest.mark.parametrize("kind", NETS)
def test_inference_is_the_network_itself(kind):
    """Folded batch norms and another memory layout change rounding only."""
    net = network(kind)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    fast = base.for_inference(net)
    x = torch.from_numpy(images(kind))
    with torch.inference_mode():
        code = net.eval().encode(x)
        torch.testing.assert_close(fast.encode(x), code, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(fast.decode(code), net.decode(code), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", NETS)
def test_gradients_reach_every_parameter_through_the_quantiser(kind):
    net = network(kind).train()
    quantiser = configure("codec", {"kind": kind, "quantiser": {"kind": "uniform", "bits": 3}}).quantiser.prepare(None)
    (net(torch.from_numpy(images(kind)), quantiser) ** 2).mean().backward()
    used = [(name, p) for name, p in net.named_parameters() if not name.startswith("decoders.") or name.startswith("decoders.0.")]
    missing = [name for name, parameter in used if parameter.grad is None or not torch.isfinite(parameter.grad).all()]
    assert [name for name in missing if "encoder.layers" not in name] == []


def test_a_code_in_half_precision_passes_a_quantiser():
    """As mixed precision on a GPU has it."""
    quantiser = configure("codec", {"kind": "crnet", "quantiser": {"kind": "uniform", "bits": 3}}).quantiser
    code = torch.linspace(-3, 3, 8).reshape(2, 4)
    half = base.straight_through(code.bfloat16(), quantiser)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), base.straight_through(code, quantiser), atol=0.01, rtol=0)


QUANTISERS = ({"kind": "float32"}, {"kind": "uniform", "bits": 3}, {"kind": "mu_law", "bits": 6}, {"kind": "lloyd_max", "bits": 4},
              {"kind": "lloyd_max", "bits": 2, "per_element": True}, {"kind": "allocated", "bits": 3},
              {"kind": "vector", "bits": 3, "dim": 2})  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of every network with calibration codes, made once; a quantiser that squashes codes has weights of its own."""
    made_already = {}

    def weights(kind, quantiser):
        squashed = quantiser["kind"] == "uniform"
        if (kind, squashed) not in made_already:
            more = {"quantiser": quantiser} if squashed else {}
            made_already[kind, squashed] = saved(tmp_path_factory.mktemp(kind), kind, **more)
        return made_already[kind, squashed]

    return weights


@pytest.mark.parametrize("quantiser", QUANTISERS, ids=lambda q: "-".join(map(str, q.values())))
@pytest.mark.parametrize("kind", NETS)
def test_a_codec_with_weights_reports_in_bits(kind, quantiser, weights):
    codec = build("codec", made(kind, weights=weights(kind, quantiser), quantiser=quantiser))
    angles, delays = SIZES[kind]
    numbers = 2 * angles * delays // 4
    csi = complex_normal(np.random.default_rng(2), (3, 2, delays, 1, angles))
    report, state = codec.encode(csi, codec.init(csi.shape, csi.dtype))
    assert report.num_bits == 16 + (3 * numbers // 2 if quantiser["kind"] == "vector" else quantiser.get("bits", 32) * numbers)
    assert report.payload.shape == (3, 2, -(-report.num_bits // 8))
    decoded, _ = codec.decode(report, state)
    again, _ = codec.decode(Report(report.payload.copy(), report.num_bits), codec.init(csi.shape, csi.dtype))
    np.testing.assert_array_equal(decoded, again)
    assert decoded.shape == csi.shape
    assert np.isfinite(decoded).all()
    alone, _ = codec.decode(codec.encode(csi[1:2], state)[0], state)
    assert np.linalg.norm(alone - decoded[1:2]) < 0.05 * np.linalg.norm(decoded[1:2])  # a code on a threshold may round either way
    noise = np.random.default_rng(3).integers(0, 256, report.payload.shape, np.uint8)
    assert np.isfinite(codec.decode(Report(noise, report.num_bits), state)[0]).all()


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = saved(tmp_path, "crnet")
    shape, dtype = (1, 1, 6, 1, 8), np.dtype(np.complex64)
    for wrong, message in [
        ({"reduction": 8}, "its reduction is 4"),
        ({"scaling": "unit"}, "its scaling is published"),
        ({"quantiser": "uniform"}, "its sigmoid_code is False"),
        ({"domain": "beams"}, "its domain is delay_angle"),
    ]:
        with pytest.raises(WeightsError, match=message):
            build("codec", made("crnet", **({"weights": path} | wrong))).init(shape, dtype)
    with pytest.raises(WeightsError, match="angles"):
        build("codec", made("crnet", weights=path)).init((1, 1, 6, 1, 16), dtype)
    with pytest.raises(WeightsError, match="codec/crnet"):
        build("codec", made("csinet", weights=path)).init(shape, dtype)


def test_without_weights_there_is_no_codec(tmp_path, monkeypatch):
    monkeypatch.setenv("CSISIM_CACHE", str(tmp_path))
    with pytest.raises(CsisimError, match="no weights"):
        build("codec", made("acrnet")).init((1, 1, 6, 1, 8), np.dtype(np.complex64))
    saved(tmp_path, "acrnet")
    build("codec", made("acrnet")).init((1, 1, 7 - 1, 1, 8), np.dtype(np.complex64))


def test_an_untrained_network_is_the_same_everywhere():
    csi = complex_normal(np.random.default_rng(2), (2, 1, 6, 1, 8))
    payloads = []
    for quantiser in ("float32", "uniform"):
        codec = build("codec", made("crnet", weights="untrained", quantiser=quantiser))
        torch.manual_seed(len(payloads))
        base._model.cache_clear()
        payloads.append(codec.encode(csi, codec.init(csi.shape, csi.dtype))[0].payload)
        base._model.cache_clear()
        np.testing.assert_array_equal(payloads[-1], codec.encode(csi, codec.init(csi.shape, csi.dtype))[0].payload)


@pytest.mark.parametrize("kind", ["sm_csinetplus", "pm_csinetplus", "csi_l2o"])
def test_one_file_serves_several_rates(kind, tmp_path):
    """The quantiser of every rate is trained on that rate's own codes."""
    more = {"longest": 4} if kind == "csi_l2o" else {}
    path = saved(tmp_path, kind, 4, **more)
    csi = complex_normal(np.random.default_rng(2), (2, 1, 6, 1, 8))
    lengths = []
    for reduction in (4, 8, 16):
        codec = build("codec", made(kind, reduction, weights=path, quantiser={"kind": "lloyd_max", "bits": 2, "per_element": True}, **more))
        report, state = codec.encode(csi, codec.init(csi.shape, csi.dtype))
        lengths.append(report.num_bits - 16)
        assert np.isfinite(codec.decode(report, state)[0]).all()
    assert lengths == [48, 24, 12]


@pytest.mark.parametrize("kind", ["pm_csinetplus", "csi_l2o"])
def test_nested_codes_begin_with_the_shorter_ones(kind):
    more = {"longest": 4} if kind == "csi_l2o" else {}
    long, short = (network(kind, reduction, **more).eval() for reduction in (4, 16))
    x = torch.from_numpy(images(kind))
    with torch.inference_mode():
        torch.testing.assert_close(long.encode(x)[:, : short.encode(x).shape[1]], short.encode(x))


def test_a_shorter_code_than_the_longest_is_wanted():
    with pytest.raises(CsisimError, match="longer code"):
        made("csi_l2o", 4, longest=8).network(8, 6)
    with pytest.raises(CsisimError, match="not one of"):
        made("sm_csinetplus", 5).network(8, 6)


class TestBinaryLayers:
    def test_weights_have_one_magnitude(self):
        layer = network("bacrnet", binarise="both").encoder.fc
        binary = layer.binary_weight()
        assert torch.unique(binary.abs()).numel() == 1
        torch.testing.assert_close(binary.abs().flatten()[0], layer.weight.abs().mean())
        assert torch.equal(binary >= 0, layer.weight >= 0)

    def test_the_gradient_passes_straight_through_inside_the_unit_interval(self):
        from csisim.feedback.nets.blocks import BinaryLinear

        layer = BinaryLinear(4, 3)
        with torch.no_grad():
            layer.weight[0, 0] = 1.5
        x = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
        layer(x).sum().backward()
        expected = x.expand(3, 4).clone()
        expected[0, 0] = 0
        torch.testing.assert_close(layer.weight.grad, expected)


class TestTransNet:
    def test_published_compatibility_couples_the_batch(self):
        """The public code attends across the batch: other samples change this one, and a batch of one sees nothing."""
        net = network("transnet", attention="batch").eval()
        x = torch.from_numpy(images("transnet"))
        with torch.inference_mode():
            assert (net(x)[:1] - net(x[:1])).norm() > 1e-3 * net(x[:1]).norm()

    def test_both_modes_have_the_same_weights_and_agree_on_nothing_else(self):
        rows, batch = network("transnet"), network("transnet", attention="batch")
        assert rows.state_dict().keys() == batch.state_dict().keys()

    def test_published_compatibility_is_not_for_scenarios(self):
        with pytest.raises(CsisimError, match="mix the users"):
            build("codec", made("transnet", attention="batch"))


def test_images_that_cannot_be_halved_four_times_are_refused():
    with pytest.raises(CsisimError, match="multiples of 16"):
        made("conv_csinet").network(8, 6)


@pytest.mark.parametrize(("expand", "least"), [("groups", 8), ("width", 32), ("depth", 4), ("kernel", 3)])
def test_every_way_to_expand_acrnet_grows_the_decoder_alone(expand, least):
    small, large = (made("acrnet", expansion=k, expand=expand).costs(16, 16) for k in (1, 4))
    assert small.encoder == large.encoder
    fc = 16 * 16 * 2 * 128
    assert large.decoder.macs["layers"] - fc > least / 2 * (small.decoder.macs["layers"] - fc) / 2


@pytest.mark.parametrize(("activation", "slopes"), [("prelu", 2 + 2 * (8 + 8 + 2)), ("sprelu", 7), ("lrelu", 0)])
def test_slopes_of_acrnets_activations(activation, slopes):
    decoder = network("acrnet", activation=activation).decoder
    counted = sum(m.weight.numel() for m in decoder.modules() if isinstance(m, torch.nn.PReLU))
    assert counted == slopes


@pytest.mark.parametrize("args", [["ls"], ["codec", "--help"]])
def test_torch_stays_out_of_commands_without_networks(args):
    code = f"import sys\nfrom csisim.cli import main\nmain({args!r}, standalone_mode=False)\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_torch_stays_out_of_closed_form_codecs():
    code = "import sys\nfrom csisim.registry import build, configure\n"
    code += "for kind in ('pca', 'topk', 'ista', 'fista'):\n    build('codec', configure('codec', kind))\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
