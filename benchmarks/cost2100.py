"""How fast are COST 2100 drops made, and what do the kernels cost to compile?

    python benchmarks/cost2100.py [--count 2200]

Drops go all the way to the truncated 32 x 32 matrix. The public MATLAB code takes 0.58 CPU seconds indoors and 26.6 outdoors for a drop's
paths alone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

from csisim.channel.cost2100.presets import PRESETS, generate

#: CPU seconds of the public MATLAB code for a drop.
REFERENCE_S = {"indoor": 0.58, "outdoor": 26.6}
_FIRST_DROP = """
import time
from csisim.channel.cost2100.presets import generate, preset
start = time.process_time()
generate(preset("indoor_paper"), 1)
print(time.process_time() - start)
"""


def compile_seconds() -> float:
    """CPU seconds of the first drop with no compiled kernels in the cache."""
    with tempfile.TemporaryDirectory() as cache:
        first = subprocess.run(
            [sys.executable, "-c", _FIRST_DROP], env=os.environ | {"NUMBA_CACHE_DIR": cache}, capture_output=True, text=True, check=True
        )
    return float(first.stdout)


def drops_per_second(name: str, count: int) -> float:
    """Drops per CPU second, compiled."""
    generate(PRESETS[name], 2)
    start = time.process_time()
    generate(PRESETS[name], count)
    return count / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2200)
    count = parser.parse_args().count
    for name in PRESETS:
        rate = drops_per_second(name, count)
        print(f"{name:14s} {rate:6.0f} drops per CPU second, {rate * REFERENCE_S[name.split('_')[0]]:7.0f} times the public MATLAB code")
    print(f"first drop of all, kernels compiled: {compile_seconds():.1f} CPU seconds")


if __name__ == "__main__":
    main()
