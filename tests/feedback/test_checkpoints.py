"""Published weights: read without executing anything, refused unless they are complete."""

import os
import pickle
from collections import OrderedDict, namedtuple
from pathlib import Path

import numpy as np
import pytest
import yaml

from csisim.feedback.images import denormalise, normalise, scale_of
from csisim.registry import configure

torch = pytest.importorskip("torch")
checkpoints = pytest.importorskip("csisim.feedback.nets.checkpoints")
CheckpointError = checkpoints.CheckpointError

REFERENCE = Path(os.environ.get("CSISIM_REFERENCE", "nowhere"))


def public_names(kind, network):
    """A network's tensors under the names of the public code."""
    renamed = {new: old for old, new in checkpoints.RENAMED[kind].items()}
    state = OrderedDict()
    for name, value in network.state_dict().items():
        prefix = next(p for p in renamed if name.startswith(p))
        state[renamed[prefix] + name[len(prefix) :]] = value
    return state


@pytest.mark.parametrize("kind", ["crnet", "acrnet", "transnet"])
def test_torch_checkpoints_of_the_crnet_family(kind, tmp_path):
    source, target = (configure("codec", kind).network(32, 32) for _ in range(2))
    state = public_names(kind, source)
    state["decoder_feature.total_ops"] = torch.zeros(1)
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "best.pth")
    checkpoints.load_torch(target, kind, tmp_path / "best.pth")
    for name, value in source.state_dict().items():
        torch.testing.assert_close(target.state_dict()[name], value)


#: Names of BCsiNet's layers with weights as the public code spells them, in its order; every head has its own.
BCSINET_HEADS = {
    "A": ["encoder_feature.conv3x3_bn"],
    "B": ["encoder_feature.conv3x3_bn1", "encoder_feature.conv3x3_bn2"],
    "C": ["encoder_feature.conv3x3_bn1", *(f"encoder_feature.tiny_refine1.conv{j}_bn" for j in (1, 2))],
}


def bcsinet_as_published(network, head, refinements):
    """Both codes define their layers in the same order."""
    decoder = [f"decoder_feature.refine{i}.conv{j}_bn" for i in range(refinements) for j in (1, 2, 3)]
    modules = [*BCSINET_HEADS[head], "encoder_binary_fc", "decoder_fc", *decoder, "decoder_feature.conv3x3_bn"]
    leaves = ("conv3x3.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    names = [f"{m}.{leaf}" for m in modules for leaf in (("weight", "bias") if m.endswith("_fc") else leaves)]
    values = [value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")]
    return dict(zip(names, values, strict=True))


@pytest.mark.parametrize(("head", "refinements"), [("A", 2), ("B", 3), ("C", 1)])
def test_checkpoints_of_bcsinet(head, refinements, tmp_path):
    config = configure("codec", {"kind": "bcsinet", "head": head, "refinements": refinements, "reduction": 16})
    source, target, other = config.network(8, 8), config.network(8, 8), configure("codec", "bcsinet").network(8, 8)
    for value in source.state_dict().values():  # batch norms begin all alike
        value.copy_(torch.rand(value.shape))
    torch.save({"state_dict": bcsinet_as_published(source, head, refinements)}, tmp_path / "best.pth")
    checkpoints.load_torch(target, "bcsinet", tmp_path / "best.pth")
    for name, value in source.state_dict().items():
        torch.testing.assert_close(target.state_dict()[name], value)
    with pytest.raises(CheckpointError, match="not a checkpoint of this bcsinet"):
        checkpoints.load_torch(other, "bcsinet", tmp_path / "best.pth")


def test_public_names_are_those_of_the_public_code():
    """A few names as the public repositories' modules spell them."""
    names = public_names("acrnet", configure("codec", "acrnet").network(32, 32))
    assert {"encoder_feature.ACREncoderBlock1.conv_bn2.conv.weight", "decoder_feature.ACRDecoderBlock2.prelu3.weight"} <= set(names)
    names = public_names("crnet", configure("codec", "crnet").network(32, 32))
    assert {
        "encoder1.conv9x1_bn.bn.weight",
        "encoder_conv.conv1x1_bn.conv.weight",
        "decoder_feature.CRBlock2.path1.conv9x1.conv.weight",
    } <= set(names)


def test_split_checkpoints_with_layers_written_as_convolutions(tmp_path):
    torch.save(
        {"state_dict": {"module.replace_efc.weight": torch.ones(3, 5, 1), "module.se.total_ops": torch.zeros(1)}}, tmp_path / "e.tar"
    )
    torch.save({"state_dict": {"replace_dfc.weight": torch.ones(3, 5, 1)}}, tmp_path / "d.tar")
    assert {k: tuple(v.shape) for k, v in checkpoints.read_torch(tmp_path / "e.tar").items()} == {"replace_efc.weight": (3, 5)}
    assert {k: tuple(v.shape) for k, v in checkpoints.read_torch(tmp_path / "d.tar").items()} == {"replace_dfc.weight": (5, 3)}


def test_the_trainers_own_record_does_not_stand_in_the_way(tmp_path, monkeypatch):
    """CRNet-family checkpoints hold a ``utils.solver.Result`` beside the weights."""
    import sys
    import types

    record = namedtuple("Result", ["nmse", "rho"])
    record.__module__ = "utils.solver"
    solver = types.ModuleType("utils.solver")
    solver.Result = record
    monkeypatch.setitem(sys.modules, "utils", types.ModuleType("utils"))
    monkeypatch.setitem(sys.modules, "utils.solver", solver)
    source = configure("codec", "crnet").network(32, 32)
    torch.save({"state_dict": public_names("crnet", source), "best_nmse": record(-8.0, 0.9)}, tmp_path / "best.pth")
    monkeypatch.undo()
    loaded = configure("codec", "crnet").network(32, 32)
    checkpoints.load_torch(loaded, "crnet", tmp_path / "best.pth")
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in loaded.state_dict().items() if "num_batches" not in name)


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("executed",))


def test_nothing_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"a": torch.zeros(1)}, "extra": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    for name in ("evil.pth", "evil.pkl"):
        with pytest.raises(CheckpointError, match="tensors alone"):
            checkpoints.read_torch(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_incomplete_foreign_and_missing_checkpoints_are_refused(tmp_path):
    network = configure("codec", "crnet").network(32, 32)
    state = public_names("crnet", network)
    first = next(iter(state))
    torch.save({"state_dict": {k: v for k, v in state.items() if k != first}}, tmp_path / "less.pth")
    with pytest.raises(CheckpointError, match="missing"):
        checkpoints.load_torch(network, "crnet", tmp_path / "less.pth")
    torch.save({"state_dict": state | {"encoder_fc.bias": torch.zeros(7)}}, tmp_path / "shape.pth")
    with pytest.raises(CheckpointError, match=r"encoder\.fc\.bias"):
        checkpoints.load_torch(network, "crnet", tmp_path / "shape.pth")
    with pytest.raises(CheckpointError, match="no such file"):
        checkpoints.load_torch(network, "crnet", tmp_path / "nowhere.pth")
    with pytest.raises(CheckpointError, match="no public checkpoint format"):
        checkpoints.load_torch(network, "deq", tmp_path / "less.pth")


class TestKeras:
    h5py = pytest.importorskip("h5py")

    def write(self, path, by_width, numbers=2048, length=32):
        """A file with the layout of the published ones and random numbers."""
        rng = np.random.default_rng(0)
        channels = [(2, 2), (2, 8), (8, 16), (16, 2), (2, 8), (8, 16), (16, 2), (2, 2)]
        with self.h5py.File(path, "w") as file:

            def put(layer, **arrays):
                for name, value in arrays.items():
                    file[f"{layer}/{layer}/{name}:0"] = value.astype(np.float32)

            def name(kind, i):
                return f"{kind}_{i + 1}" if by_width else (kind if i == 0 else f"{kind}_{i}")

            for i, (a, b) in enumerate(channels):
                put(name("conv2d", i), kernel=0.1 * rng.standard_normal((3, 3, a, b)), bias=0.1 * rng.standard_normal(b))
            for i, (_, b) in enumerate(channels[:-1]):
                n = 32 if by_width else b
                put(name("batch_normalization", i), gamma=rng.uniform(0.5, 1, n), beta=rng.standard_normal(n),
                    moving_mean=rng.standard_normal(n), moving_variance=rng.uniform(0.5, 2, n))  # fmt: skip
            put(name("dense", 0), kernel=0.02 * rng.standard_normal((numbers, length)), bias=rng.standard_normal(length))
            put(name("dense", 1), kernel=0.02 * rng.standard_normal((length, numbers)), bias=rng.standard_normal(numbers))

    @pytest.mark.parametrize("by_width", [True, False])
    def test_layers_land_where_keras_has_them(self, by_width, tmp_path):
        """The encoder's arithmetic in NumPy, in the file's own order of axes."""
        path = tmp_path / "w.h5"
        self.write(path, by_width)
        config, network = checkpoints.load_keras_csinet(path)
        assert (config.batch_norm, config.reduction) == ("width" if by_width else "channel", 64)
        x = np.random.default_rng(1).uniform(0.4, 0.6, (2, 32, 32)).astype(np.float32)
        with self.h5py.File(path) as file:
            layer = "{}_1" if by_width else "{}"

            def get(kind, name):
                full = layer.format(kind)
                return file[f"{full}/{full}/{name}:0"][()]

            padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
            y = np.einsum("chwij,ijcd->dhw", windows, get("conv2d", "kernel")) + get("conv2d", "bias")[:, None, None]
            axis = (slice(None),) if by_width else (slice(None), None, None)
            stats = {n: get("batch_normalization", n)[axis] for n in ("gamma", "beta", "moving_mean", "moving_variance")}
            y = (y - stats["moving_mean"]) / np.sqrt(stats["moving_variance"] + 1e-3) * stats["gamma"] + stats["beta"]
            y = np.where(y > 0, y, 0.3 * y)
            flat = y.reshape(-1) if by_width else y.transpose(1, 2, 0).reshape(-1)
            code = flat @ get("dense", "kernel") + get("dense", "bias")
        with torch.inference_mode():
            ours = network.encode(torch.from_numpy(x)[None])[0].numpy()
        np.testing.assert_allclose(ours, code, rtol=1e-3, atol=1e-3)

    def test_published_weights_become_a_codec(self, tmp_path):
        """Converted, then encoded and decoded from bits: the same images as the network itself gives."""
        from click.testing import CliRunner

        from csisim.channel.trace import load
        from csisim.cli import main
        from csisim.phy.transforms import delay_angle_to_frequency
        from csisim.registry import build

        self.write(tmp_path / "w.h5", by_width=True)
        target = str(tmp_path / "w.safetensors")
        result = CliRunner().invoke(main, ["codec", "convert", "csinet", str(tmp_path / "w.h5"), target])
        assert result.exit_code == 0, result.output
        settings = yaml.safe_load(result.stdout)["codec"]
        assert settings == {"kind": "csinet", "reduction": 64, "batch_norm": "width", "weights": target}
        csi = delay_angle_to_frequency(load("cost2100_indoor")[:3], 32).reshape(3, 1, 32, 1, 32)
        codec = build("codec", configure("codec", settings))
        report, state = codec.encode(csi, codec.init(csi.shape, csi.dtype))
        decoded, _ = codec.decode(report, state)
        _, network = checkpoints.load_keras_csinet(tmp_path / "w.h5")
        images = state.layout.to_images(csi)
        scale = scale_of(images, "published")
        with torch.inference_mode():
            image = network(torch.from_numpy(normalise(images, scale, "published")[:, 0, 0])).numpy()
        expected = state.layout.to_csi(denormalise(image[:, None, None], scale, "published"))
        np.testing.assert_allclose(decoded, expected, atol=1e-4 * np.abs(expected).max())

    def test_other_files_are_refused(self, tmp_path):
        (tmp_path / "text.h5").write_text("not HDF5")
        with self.h5py.File(tmp_path / "other.h5", "w") as file:
            file["conv2d/conv2d/kernel:0"] = np.zeros((3, 3, 2, 2))
        self.write(tmp_path / "small.h5", True, numbers=512, length=8)
        for name, message in [("text.h5", "HDF5"), ("other.h5", "not CsiNet"), ("small.h5", "not CsiNet"), ("nowhere.h5", "no such file")]:
            with pytest.raises(CheckpointError, match=message):
                checkpoints.load_keras_csinet(tmp_path / name)

    @pytest.mark.skipif(not (REFERENCE / "csinet_weights").is_dir(), reason="CSISIM_REFERENCE names no folder with published weights")
    @pytest.mark.parametrize(
        ("file", "published"),
        [
            ("saved_model_model_CsiNet_indoor_dim128", -8.65),
            ("saved_model_model_CsiNet_indoor_dim32", -5.84),
            ("channels_last_keras_model_CsiNet_indoor_dim128", -9.17),
        ],
    )
    def test_published_weights_on_regenerated_public_data(self, file, published):
        from csisim.feedback.metrics import nmse_db

        _, network = checkpoints.load_keras_csinet(REFERENCE / "csinet_weights" / f"{file}.h5")
        rows = np.load(REFERENCE / "cost2100_indoor_public_reference.npz")["delay_angle"].swapaxes(-1, -2)
        image = normalise(rows, scale_of(rows, "published"), "published")
        with torch.inference_mode():
            decoded = network(torch.from_numpy(image)).numpy()
        assert nmse_db(decoded - 0.5, image - 0.5) == pytest.approx(published, abs=0.35)
