"""csisim: what does knowing the channel cost, and what does it buy?

A link-level simulator for channel-state-information (CSI) acquisition and hybrid beamforming.
Importing the package is cheap: nothing heavy is loaded before it is used.
"""

from typing import TYPE_CHECKING, Any

from csisim.phy.kernel_cache import keep_kernels_somewhere

__version__ = "0.1.0"
__all__ = ["__version__", "load"]

if TYPE_CHECKING:
    from csisim.records.load import load

keep_kernels_somewhere()


def __getattr__(name: str) -> Any:
    if name == "load":
        from csisim.records.load import load

        return load
    raise AttributeError(f"module 'csisim' has no attribute {name!r}")
