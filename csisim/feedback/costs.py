"""What a codec costs at the user and at the base station.

Conventions of counting multiply-accumulates, all per image:

* ``mac``: every one of a matrix product or convolution, attention and every iteration included, layer by layer as published: what
  inference saves by folding layers into each other is not taken off.
* ``layers``: convolutions and fully connected layers, as modules (CRNet, ACRNet).
* ``thop``: ``layers`` plus 4 per element of a batch or layer norm and 1 per element of a PReLU or pooled output, as the package
  of that name counts; matrix products outside modules (attention, gradient steps) are not seen (Ma 2023, Ma 2024).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Convention = Literal["mac", "layers", "thop"]


@dataclass(frozen=True)
class Side:
    """One end of a codec.

    Attributes
    ----------
    params : int
        Trained numbers.
    binary_params : int
        How many of them have one bit.
    macs : dict
        Multiply-accumulates per image by convention; ``mac`` is always there.
    """

    params: int
    binary_params: int
    macs: dict[Convention, int]

    @property
    def memory_bytes(self) -> int:
        """Parameters in single precision, binarised ones in one bit."""
        return 4 * (self.params - self.binary_params) + -(-self.binary_params // 8)

    @property
    def float_equivalents(self) -> float:
        """Parameters with binarised ones counted as 1/32 (Lu 2021, Table IV)."""
        return self.params - self.binary_params + self.binary_params / 32


class Costs(NamedTuple):
    """Both ends."""

    encoder: Side
    decoder: Side
