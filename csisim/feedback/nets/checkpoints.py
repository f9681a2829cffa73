"""Published weights: CsiNet's Keras files and PyTorch checkpoints of the CRNet family. Nothing here executes what it reads."""

import re
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from csisim.errors import CsisimError
from csisim.feedback.nets.bcsinet import BCsiNet
from csisim.feedback.nets.csinet import CsiNet, CsiNetConfig


class CheckpointError(CsisimError):
    """A checkpoint that cannot be read, or that belongs to another network."""


#: Module prefixes of public checkpoints -> ours. What follows a prefix has the same name in both.
RENAMED = {
    "acrnet": {
        "encoder_feature.": "encoder.feature.",
        "encoder_fc.": "encoder.fc.",
        "decoder_fc.": "decoder.fc.",
        "decoder_feature.": "decoder.feature.",
    },
    "crnet": {
        "encoder1.": "encoder.path1.",
        "encoder2.": "encoder.path2.",
        "encoder_conv.": "encoder.merge.",
        "encoder_fc.": "encoder.fc.",
        "decoder_fc.": "decoder.fc.",
        "decoder_feature.": "decoder.feature.",
    },
    "transnet": {
        "encoder.layer.": "encoder.layer.",
        "decoder.layer.": "decoder.layer.",
        "decoder.norm.": "decoder.norm.",
        "fc_encoder.": "encoder.fc.",
        "fc_decoder.": "decoder.fc.",
    },
}
RENAMED["bacrnet"] = RENAMED["acrnet"]


def names_of(kind: str, network: nn.Module) -> dict[str, str]:
    """Prefixes of a public checkpoint's names and ours for them.

    BCsiNet's layers are counted here, so that their places depend on its head and on its RefineNets.

    Raises
    ------
    CheckpointError
        If no public checkpoints of this kind are known.
    """
    if kind in RENAMED:
        return RENAMED[kind]
    if not isinstance(network, BCsiNet):
        raise CheckpointError(f"no public checkpoint format is known for {kind}; known: {', '.join(sorted([*RENAMED, 'bcsinet']))}")
    dense = len(list(network.encoder.children())) - 1
    last = len(list(network.decoder.children())) - 2  # the convolution after the RefineNets, before the activation
    blocks = {f"encoder_feature.conv3x3_bn{number}": f"encoder.{place}" for number, place in (("", 0), (1, 0), (2, 2))}
    blocks |= {f"encoder_feature.tiny_refine1.conv{j + 1}_bn": f"encoder.2.branch.{2 * j}" for j in range(2)}
    blocks |= {f"decoder_feature.refine{i}.conv{j + 1}_bn": f"decoder.{i + 2}.branch.{2 * j}" for i in range(last - 2) for j in range(3)}
    blocks["decoder_feature.conv3x3_bn"] = f"decoder.{last}"
    names = {"encoder_binary_fc.": f"encoder.{dense}.", "decoder_fc.": "decoder.0."}
    for public, own in blocks.items():
        names |= {f"{public}.conv3x3.": f"{own}.conv.", f"{public}.bn.": f"{own}.bn."}
    return names


# -- PyTorch -----------------------------------------------------------------------------------------------------------


def load_torch(network: nn.Module, kind: str, *paths: str | Path) -> None:
    """Load a checkpoint of the CRNet family into a network, in place; split checkpoints are several files.

    Counters that profilers leave behind are dropped, fully connected layers written as convolutions of length one are straightened.

    Raises
    ------
    CheckpointError
        If a file is damaged, wants to execute code, or does not have exactly the network's parameters.
    """
    prefixes = names_of(kind, network)
    found: dict[str, Tensor] = {}
    for path in paths:
        for name, value in read_torch(path).items():
            found[_renamed(name, prefixes)] = value
    own = network.state_dict()
    wanted = {name for name in own if not name.endswith("num_batches_tracked")}
    there = {name for name in found if not name.endswith("num_batches_tracked")}
    if wanted != there:
        missing, foreign = sorted(wanted - there), sorted(there - wanted)
        raise CheckpointError(f"not a checkpoint of this {kind}: missing {missing[:3]}, unknown {foreign[:3]}")
    for name in wanted:
        if found[name].shape != own[name].shape:
            raise CheckpointError(f"not a checkpoint of this {kind}: {name} is {tuple(found[name].shape)}, not {tuple(own[name].shape)}")
    network.load_state_dict({name: found[name] for name in wanted}, strict=False)


def read_torch(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, as they are there, profilers' counters left out.

    CLNet's files are read as well; there is no CLNet here that would take them.
    """
    try:
        with _known_records():
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except Exception as error:  # torch raises many kinds; all mean that the file is not what it should be
        raise CheckpointError(f"{path}: not a checkpoint of tensors alone ({str(error).splitlines()[0].partition('. ')[0]})") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path}: holds no state_dict of tensors")
    tensors = {re.sub(r"^module\.", "", name): value for name, value in state.items()}
    tensors = {name: value for name, value in tensors.items() if not name.endswith(("total_ops", "total_params"))}
    return {name: _straightened(name, value) for name, value in tensors.items()}


@contextmanager
def _known_records() -> Iterator[None]:
    """Checkpoints of the CRNet family hold a ``utils.solver.Result``, a named tuple of two numbers; let it be read as one."""
    record = namedtuple("Result", ["nmse", "rho"], defaults=(None, None))  # type: ignore[name-match]
    record.__module__ = "utils.solver"
    with torch.serialization.safe_globals([record]):
        yield


def _straightened(name: str, value: Tensor) -> Tensor:
    """CLNet's fully connected layers: Conv1d (M, N, 1) as (M, N), ConvTranspose1d (M, N, 1) as (N, M)."""
    if "replace_efc.weight" in name:
        return value[..., 0]
    if "replace_dfc.weight" in name:
        return value[..., 0].T
    return value


def _renamed(name: str, prefixes: dict[str, str]) -> str:
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name[len(old) :]
    return name


# -- Keras -------------------------------------------------------------------------------------------------------------


def load_keras_csinet(path: str | Path) -> tuple[CsiNetConfig, CsiNet]:
    """CsiNet with the weights of a published Keras file, for 32 x 32 images in [0, 1] around 0.5.

    ``saved_model/*.h5`` (Keras 2.0, channels first, batch norm over columns) and ``channels_last/*.h5`` (Keras 2.5, batch norm over
    channels, images flattened with the channel last) are told apart by their shapes. Only arrays are read.

    Raises
    ------
    CheckpointError
        If h5py is missing, or the file is no such file.
    """
    convs, norms, dense = _keras_arrays(Path(path))
    try:
        numbers, length = dense[0]["kernel"].shape
        by_width = norms[0]["gamma"].shape == norms[1]["gamma"].shape
        config = CsiNetConfig(reduction=numbers // length, batch_norm="width" if by_width else "channel")
        network = config.network(32, 32)
        if not by_width:
            _channel_first(dense)
        pairs = list(_layers(network, convs, norms, dense))
        with torch.no_grad():
            for target, value in pairs:
                if target.shape != value.shape:
                    raise CheckpointError(f"{path}: not CsiNet's weights: an array is {value.shape}, not {tuple(target.shape)}")
                target.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    except (IndexError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: not CsiNet's weights ({error})") from error
    return config, network.eval()


def _layers(
    network: CsiNet, convs: list[dict[str, np.ndarray]], norms: list[dict[str, np.ndarray]], dense: list[dict[str, np.ndarray]]
) -> Iterator[tuple[Tensor, np.ndarray]]:
    """Our tensors and the arrays that belong into them, layer by layer."""
    own_convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    own_norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    own_dense = [m for m in network.modules() if isinstance(m, nn.Linear)]
    for conv, arrays in zip(own_convs, convs, strict=True):
        yield conv.weight, arrays["kernel"].transpose(3, 2, 0, 1)
        if conv.bias is not None:
            yield conv.bias, arrays["bias"]
    for norm, arrays in zip(own_norms, norms, strict=True):
        yield norm.weight, arrays["gamma"]
        yield norm.bias, arrays["beta"]
        yield norm.running_mean, arrays["moving_mean"]  # type: ignore[misc]
        yield norm.running_var, arrays["moving_variance"]  # type: ignore[misc]
    for layer, arrays in zip(own_dense, dense, strict=True):
        yield layer.weight, arrays["kernel"].T
        yield layer.bias, arrays["bias"]


def _channel_first(dense: list[dict[str, np.ndarray]]) -> None:
    """Reorder fully connected layers from (row, column, channel) to (channel, row, column), in place."""
    first, last = dense
    length = first["kernel"].shape[1]
    first["kernel"] = first["kernel"].reshape(32, 32, 2, length).transpose(2, 0, 1, 3).reshape(-1, length)
    last["kernel"] = last["kernel"].reshape(length, 32, 32, 2).transpose(0, 3, 1, 2).reshape(length, -1)
    last["bias"] = last["bias"].reshape(32, 32, 2).transpose(2, 0, 1).reshape(-1)


def _keras_arrays(path: Path) -> tuple[list[dict[str, np.ndarray]], ...]:
    """Arrays of the convolutions, batch norms and fully connected layers, each kind in the order of its numbers."""
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError as error:
        raise CheckpointError("reading Keras files needs h5py (pip install h5py)") from error
    layers: dict[str, dict[str, np.ndarray]] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            layer, array = name.split("/")[0], name.rsplit("/", 1)[1].partition(":")[0]
            layers.setdefault(layer, {})[array] = item[()].astype(np.float32)

    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path}: not a readable HDF5 file ({error})") from error

    def of(kind: str) -> list[dict[str, np.ndarray]]:
        numbered = [(int(match[1] or 0), name) for name in layers if (match := re.fullmatch(rf"{kind}(?:_(\d+))?", name))]
        return [layers[name] for _, name in sorted(numbered)]

    return of("conv2d"), of("batch_normalization"), of("dense")
