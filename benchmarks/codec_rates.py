"""NMSE, rho and SGCS against bits per report on fresh indoor drops that nothing was fitted to: ``python benchmarks/codec_rates.py``.

32 taps x 32 angles through the real bit strings, principal components beside every file of weights that is named (those that are
shipped at this length when left out; files of another code length are skipped). SGCS: eight subbands of four subcarriers, one layer.
"""

import argparse
import sys

import numpy as np

from csisim.channel.cost2100.presets import generate, preset
from csisim.feedback.image_codec import ImageCodec
from csisim.feedback.images import ImageLayout
from csisim.feedback.metrics import nmse_ratios, rho, subband_sgcs
from csisim.phy.transforms import delay_angle_to_frequency
from csisim.registry import build, configure
from csisim.weights import SHIPPED, read_header

SIZE = 32
BITS = (2, 3, 4, 5, 6)
RESAMPLED = 1000


def quantisers(widths: tuple[int, ...]) -> list[dict[str, object]]:
    """No quantiser to speak of, then the best closed-form one at every width."""
    return [{"kind": "float32"}, *({"kind": "allocated", "bits": bits} for bits in widths)]


def row(codec: ImageCodec, csi: np.ndarray) -> tuple[int, float, float, float, np.ndarray]:
    """Bits per report, NMSE (dB of the mean ratio), rho, SGCS and every sample's ratio."""
    state = codec.init(csi.shape, csi.dtype)
    report, _ = codec.encode(csi, state)
    decoded, _ = codec.decode(report, state)
    layout = ImageLayout.of(csi.shape, csi.dtype, "delay_angle", None)
    truth, estimate = (np.stack([z.real, z.imag], axis=1) for z in (layout.to_images(h)[:, 0, 0] for h in (csi, decoded)))
    ratios = nmse_ratios(estimate, truth)
    return report.num_bits, 10 * np.log10(ratios.mean()), rho(estimate, truth), float(subband_sgcs(decoded, csi, 8)[0]), ratios


def gain(ratios: np.ndarray, over: np.ndarray) -> str:
    """How many dB less error than another codec on the same drops, with a 95 % bootstrap interval."""
    drawn = np.random.default_rng(0).integers(len(ratios), size=(RESAMPLED, len(ratios)))
    low, high = np.percentile(10 * np.log10(over[drawn].mean(axis=1) / ratios[drawn].mean(axis=1)), [2.5, 97.5])
    return f"{10 * np.log10(over.mean() / ratios.mean()):+.2f} dB over PCA [{low:+.2f}, {high:+.2f}]"


def line(kind: str, quantiser: dict[str, object], found: tuple[int, float, float, float, np.ndarray]) -> str:
    """A row of the table."""
    bits, error, similarity, sgcs, _ = found
    return f"{kind + ' ' + ' '.join(map(str, quantiser.values())):28}{bits:7}{error:10.2f}{similarity:8.4f}{sgcs:8.4f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="files of weights")
    parser.add_argument("--images", default="indoor_paper")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--start", type=int, default=10000, help="number of the first drop; other benchmarks look at the first ones")
    parser.add_argument("--reduction", type=int, default=16, help="of the 32 x 32 image that principal components are compared at")
    arguments = parser.parse_args()
    chosen = preset(arguments.images)
    rows = generate(chosen, arguments.count, arguments.start).delay_angle
    h = delay_angle_to_frequency(rows, SIZE, np.arange(SIZE), centred=chosen.convention.centred)[:, None, :, None]
    print(f"{arguments.count} drops of {arguments.images}, from {arguments.start}\n{'':28}{'bits':>7}{'NMSE, dB':>10}{'rho':>8}{'SGCS':>8}")
    linear = []
    components = {"kind": "pca", "file": arguments.images, "reduction": arguments.reduction}
    for quantiser in quantisers(BITS):
        linear.append(row(build("codec", configure("codec", components | {"quantiser": quantiser})), h))
        print(line("pca", quantiser, linear[-1]))
    for file in arguments.files or sorted(map(str, SHIPPED.glob("codec_*"))):
        header = read_header(file)
        fields = {name: value for name, value in header.architecture.items() if name != "sigmoid_code"}
        settings = fields | {"kind": header.component.split("/")[1], "weights": file, "delays": header.dims["delays"]}
        length = configure("codec", settings).code_length(header.dims["angles"], header.dims["delays"])
        if length * arguments.reduction != 2 * SIZE * SIZE:
            print(f"{file}: skipped, {length} numbers are not 1/{arguments.reduction} of {SIZE} x {SIZE}", file=sys.stderr)
            continue
        for quantiser, reference in zip(quantisers(BITS), linear, strict=True):
            found = row(build("codec", configure("codec", settings | {"quantiser": quantiser})), h)
            print(f"{line(settings['kind'], quantiser, found)}  {gain(found[-1], reference[-1])}")
