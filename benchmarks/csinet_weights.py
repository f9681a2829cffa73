"""Do the published CsiNet networks compress our drops as well as the drops they were trained on?

    python benchmarks/csinet_weights.py REFERENCE_FOLDER [--count 4000]

REFERENCE_FOLDER/csinet_weights holds saved_model_model_CsiNet_{indoor,outdoor}_dim*.h5 (needs h5py). Two comparisons: the NMSE, and a
fingerprint that does not depend on it. The first batch normalisation of each network keeps, delay by delay, the variance that its
convolution had over the public training data, hence their energy per delay; ours through the same convolution should have the same.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from csisim.channel.cost2100.presets import Preset, generate, preset
from csisim.channel.cost2100.transfer import PUBLIC
from csisim.dataset.csinet import images

if TYPE_CHECKING:
    import torch

#: Published NMSE in dB by place and length of the codeword.
PUBLISHED = {"indoor": {128: -8.65, 64: -6.24, 32: -5.84}, "outdoor": {128: -4.51, 64: -2.81, 32: -1.93}}


class CsiNet:
    """The published network: channels are real and imaginary part, rows angles, columns delays; batch norms act on delays."""

    def __init__(self, file: Path):
        import h5py
        import torch

        with h5py.File(file) as archive:
            self.layers = {
                layer: {name.split(":")[0]: torch.tensor(value[()]) for name, value in group[layer].items()}
                for layer, group in archive.items()
                if layer in group
            }

    def convolve(self, x: "torch.Tensor", number: int) -> "torch.Tensor":
        """The convolution ``number``."""
        import torch

        layer = self.layers[f"conv2d_{number}"]
        return torch.nn.functional.conv2d(x, layer["kernel"].permute(3, 2, 0, 1), layer["bias"], padding=1)

    def __call__(self, x: "torch.Tensor") -> "torch.Tensor":
        """Images (n, 2, 32, 32), encoded and decoded."""
        import torch

        leaky = lambda y: torch.nn.functional.leaky_relu(y, 0.3)  # noqa: E731
        code = leaky(self._normalise(self.convolve(x, 1), 1)).reshape(len(x), -1)
        for layer in ("dense_1", "dense_2"):
            code = code @ self.layers[layer]["kernel"] + self.layers[layer]["bias"]
        y = code.reshape(x.shape)
        for first in (2, 5):
            z = leaky(self._normalise(self.convolve(y, first), first))
            z = leaky(self._normalise(self.convolve(z, first + 1), first + 1))
            y = leaky(y + self._normalise(self.convolve(z, first + 2), first + 2))
        return torch.sigmoid(self.convolve(y, 8))

    def _normalise(self, x: "torch.Tensor", number: int) -> "torch.Tensor":
        layer = self.layers[f"batch_normalization_{number}"]
        return (x - layer["moving_mean"]) / (layer["moving_variance"] + 1e-3).sqrt() * layer["gamma"] + layer["beta"]

    def energy_fingerprint(self) -> np.ndarray:
        """Variances (delay,) that the first convolution had over the training data, less those of the empty image 0.5."""
        import torch

        empty = self.convolve(torch.full((1, 2, 32, 32), 0.5), 1)
        return (self.layers["batch_normalization_1"]["moving_variance"] - empty.var(dim=(0, 1, 2), correction=0)).numpy()


class Score(NamedTuple):
    """How a network takes drops."""

    nmse_db: float
    error_db: float  # half a 95 % interval
    misfit: float  # of the fingerprint, relative, at the best scale
    scale: float  # of the training data's amplitude to ours


def score(delay_angles: np.ndarray, centred: bool, file: Path) -> Score:
    """NMSE and fingerprint of matrices (n, delay, angle), as images whose largest entry is 0.5."""
    import torch

    network = CsiNet(file)
    x = torch.tensor(images(delay_angles, centred).reshape(-1, 2, 32, 32))
    with torch.no_grad():
        error = torch.cat([((network(part) - part) ** 2).sum(dim=(1, 2, 3)) for part in x.split(250)])
        bias = network.layers["conv2d_1"]["bias"][:, None, None]
        ours = (
            torch.stack([((network.convolve(part - 0.5, 1) - bias) ** 2).mean(dim=(0, 1, 2)) for part in x.split(250)]).mean(dim=0).numpy()
        )
    ratio = (error / ((x - 0.5) ** 2).sum(dim=(1, 2, 3))).double().numpy()
    theirs = network.energy_fingerprint()
    power = float(ours @ theirs / (ours @ ours))
    misfit = float(np.linalg.norm(power * ours - theirs) / np.linalg.norm(theirs))
    error_db = 1.96 * 10 / np.log(10) * ratio.std(ddof=1) / ratio.mean() / len(ratio) ** 0.5
    return Score(float(10 * np.log10(ratio.mean())), float(error_db), misfit, power**0.5)


def weights(folder: Path, place: str) -> dict[int, Path]:
    """Files of a place by length of the codeword."""
    files = folder.glob(f"csinet_weights/saved_model_model_CsiNet_{place}_dim*.h5")
    return {int(file.stem.rpartition("dim")[2]): file for file in sorted(files) if int(file.stem.rpartition("dim")[2]) in PUBLISHED[place]}


def public_like(place: str) -> Preset:
    """``indoor_public``, or the outdoor preset in the same grid and orientation."""
    return preset("indoor_public") if place == "indoor" else replace(preset("outdoor_paper"), grid="257", convention=PUBLIC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=4000)
    arguments = parser.parse_args()
    for place in PUBLISHED:
        config = public_like(place)
        drops = generate(config, arguments.count).delay_angle
        print(f"{config.name} (seed {config.seed}): {len(drops)} drops")
        for length, file in weights(arguments.folder, place).items():
            it = score(drops, config.convention.centred, file)
            print(f"  1/{2048 // length:<3d} NMSE {it.nmse_db:6.2f} +-{it.error_db:.2f} dB, published {PUBLISHED[place][length]:6.2f}; "
                  f"energy per delay off by {100 * it.misfit:.1f} %, amplitude scale {it.scale:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
