"""Images per CPU second through every codec, and what folding and memory layout buy ACRNet: ``python benchmarks/codecs.py``.

One thread, 32 x 32 images at 1/16, untrained weights, best of several runs; quantisers and transforms are not counted. ACRNet-1x
should be at least 1.5 times as fast as the plain network (channels first, batch norms apart); both take turns, so that a busy
machine disturbs both alike.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from csisim.errors import CsisimError
from csisim.feedback.nets.base import Autoencoder, for_inference
from csisim.registry import TABLE, build, component, configure

SIZE = 32, 32
REDUCTION = 16


def timed_kinds(asked: list[str]) -> list[str]:
    """The codecs that turn images into codes of a chosen length; all of them, or those asked for."""
    kinds = [kind for kind in TABLE["codec"] if hasattr(component("codec", kind).Config, "code_length")]
    unknown = set(asked) - set(kinds)
    if unknown:
        raise SystemExit(f"no codecs of images: {', '.join(sorted(unknown))}; there are {', '.join(kinds)}")
    return [kind for kind in kinds if not asked or kind in asked]


def best(runs: list[Callable[[], object]], rounds: int) -> list[float]:
    """Least CPU seconds of each, in turns; the first round warms up."""
    times = []
    for _ in range(rounds + 1):
        times.append([])
        for run in runs:
            start = time.process_time()
            run()
            times[-1].append(time.process_time() - start)
    return np.min(times[1:], axis=0).tolist()


def sides(network: Autoencoder, images: torch.Tensor, channels_last: bool) -> list[Callable[[], object]]:
    """Encoding and decoding of a batch."""
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    code = network.encode(images)
    return [lambda: network.encode(images), lambda: network.decode(code)]


def neural(kind: str, images: torch.Tensor, rounds: int) -> list[float]:
    network = for_inference(configure("codec", {"kind": kind, "reduction": REDUCTION}).network(*SIZE))
    return best(sides(network, images, network.channels_last), rounds)


def closed_form(kind: str, images: np.ndarray, rounds: int) -> list[float]:
    model = build("codec", configure("codec", {"kind": kind, "reduction": REDUCTION})).model(*SIZE)
    code = model.encode(images)
    return best([lambda: model.encode(images), lambda: model.decode(code)], rounds)


def acrnet_layouts(images: torch.Tensor, rounds: int) -> None:
    plain = configure("codec", {"kind": "acrnet", "reduction": REDUCTION}).network(*SIZE).eval()
    fast = for_inference(plain)
    times = best([*sides(plain, images, False), *sides(fast, images, True)], rounds)
    before, after = sum(times[:2]), sum(times[2:])
    print(f"ACRNet-1x, encoder and decoder: plain {1e3 * before / len(images):.3f} ms per image, ", end="")
    print(f"ours {1e3 * after / len(images):.3f} ms, {before / after:.2f} times as fast")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="codecs to time; all when left out")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    chosen = timed_kinds(arguments.kinds)
    torch.set_num_threads(1)
    batch = np.random.default_rng(0).uniform(0.4, 0.6, (arguments.batch, 2, *SIZE)).astype(np.float32)
    with torch.inference_mode():
        acrnet_layouts(torch.from_numpy(batch), 2 * arguments.rounds)
        print(f"\n{'images / CPU-s':16}{'encoder':>12}{'decoder':>12}")
        for kind in chosen:
            try:
                network = ".nets." in TABLE["codec"][kind][0]
                run = neural(kind, torch.from_numpy(batch), arguments.rounds) if network else closed_form(kind, batch, 1)
            except CsisimError as error:
                print(f"{kind:16}  {error}")
                continue
            print(f"{kind:16}{len(batch) / run[0]:12.0f}{len(batch) / run[1]:12.1f}", flush=True)
