"""How path gains (or matrix entries) evolve from slot to slot: unit-variance complex Gaussian processes.

Each process is an iterator over slots. It draws from one stream per user, time first, so the numbers depend neither on the
other users nor on how many slots are drawn ahead.
"""

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from csisim.random import complex_normal
from csisim.registry import BareKind, Component

SPEED_OF_LIGHT = 299_792_458.0

#: Sinusoids per element of the Jakes process. The ensemble is exact for any number; this one sets how far a single
#: element's time average strays from it.
NUM_SINUSOIDS = 32

AHEAD = 16  # slots drawn ahead: enough to amortise the call of a generator
_AHEAD_ENTRIES = 1 << 18  # ... unless a slot is large


Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def blocks(rngs: Sequence[np.random.Generator], shape: tuple[int, ...], draw: Draw, ahead: int = AHEAD) -> Iterator[np.ndarray]:
    """Draws of several slots at once, (slots, D, K, *elements); user k draws (slots, *shape) = (slots, D, *elements) from ``rngs[k]``."""
    ahead = max(1, min(ahead, _AHEAD_ENTRIES // (prod(shape) * len(rngs))))
    while True:
        yield np.stack([draw(rng, (ahead, *shape)) for rng in rngs], axis=2)


def innovations(rngs: Sequence[np.random.Generator], shape: tuple[int, ...], dtype: np.dtype) -> Iterator[np.ndarray]:
    """Independent CN(0, 1) arrays (D, K, *elements), one per slot."""
    for block in blocks(rngs, shape, lambda rng, size: complex_normal(rng, size, dtype)):
        yield from block


class Iid(Component):
    """Independent from slot to slot."""

    kind: Literal["iid"] = "iid"

    def run(
        self, rngs: Sequence[np.random.Generator], shape: tuple[int, ...], dtype: np.dtype, slot_s: float, spacing: int = 1
    ) -> Iterator[np.ndarray]:
        """See :meth:`Jakes.run`."""
        return innovations(rngs, shape, dtype)


class Static(Component):
    """Constant through a superframe."""

    kind: Literal["static"] = "static"

    def run(
        self, rngs: Sequence[np.random.Generator], shape: tuple[int, ...], dtype: np.dtype, slot_s: float, spacing: int = 1
    ) -> Iterator[np.ndarray]:
        """See :meth:`Jakes.run`."""
        gains = next(innovations(rngs, shape, dtype))
        while True:
            yield gains


class Ar1(Component):
    r"""Gauss-Markov: :math:`g_{n+1} = \rho g_n + \sqrt{1 - \rho^2}\, w_n`, so slots n apart correlate by :math:`\rho^n`."""

    kind: Literal["ar1"] = "ar1"
    correlation: float = Field(ge=0, le=1, description="correlation of successive slots")

    def run(
        self, rngs: Sequence[np.random.Generator], shape: tuple[int, ...], dtype: np.dtype, slot_s: float, spacing: int = 1
    ) -> Iterator[np.ndarray]:
        """See :meth:`Jakes.run`."""
        real = np.empty(0, dtype).real.dtype
        rho = real.type(self.correlation**spacing)
        rest = real.type(np.sqrt(1 - self.correlation ** (2 * spacing)))
        draws = innovations(rngs, shape, dtype)
        gains = next(draws)
        while True:
            yield gains
            gains = rho * gains + rest * next(draws)


class Jakes(Component):
    r"""Isotropic scattering: autocorrelation :math:`J_0(2\pi f_D \tau)` (Clarke's model).

    A sum of sinusoids with uniform arrival angles and independent CN(0, 1/M) coefficients. Given the angles a gain is Gaussian with
    unit variance, so its distribution is exactly CN(0, 1) and the ensemble's autocorrelation exactly :math:`J_0`.
    """

    kind: Literal["jakes"] = "jakes"
    doppler_hz: float | None = Field(None, ge=0, description="maximum Doppler shift f_D")
    speed_mps: float | None = Field(None, ge=0, description="speed, with carrier_hz, instead of doppler_hz")
    carrier_hz: float | None = Field(None, gt=0, description="carrier frequency")

    @model_validator(mode="after")
    def _one_way(self) -> "Jakes":
        given = (self.doppler_hz is not None, self.speed_mps is not None, self.carrier_hz is not None)
        if given not in ((True, False, False), (False, True, True)):
            raise ValueError("jakes fading needs either doppler_hz, or speed_mps and carrier_hz")
        return self

    @property
    def max_doppler_hz(self) -> float:
        """f_D = v f_c / c."""
        if self.speed_mps is not None and self.carrier_hz is not None:
            return self.speed_mps * self.carrier_hz / SPEED_OF_LIGHT
        return self.doppler_hz or 0.0

    def run(
        self, rngs: Sequence[np.random.Generator], shape: tuple[int, ...], dtype: np.dtype, slot_s: float, spacing: int = 1
    ) -> Iterator[np.ndarray]:
        """Successive slots of the process.

        Parameters
        ----------
        rngs : one generator per user
        shape : (D, *elements)
            What one user draws. The first element axis has its own arrival angles (one set per path, or per receive antenna);
            further axes share them and are independent all the same, through their coefficients.
        dtype : complex dtype
        slot_s : float
            Duration of a slot in seconds.
        spacing : int
            Slots between successive values.

        Yields
        ------
        (D, K, *elements) complex
            Unit variance; never to be written to.
        """
        drops, elements = shape[0], shape[1:]
        arrival = (drops, *(size if axis == 0 else 1 for axis, size in enumerate(elements)))
        shifts = np.stack([np.cos(2 * np.pi * rng.random((NUM_SINUSOIDS, *arrival))) for rng in rngs], axis=2)
        coefficients = np.stack([complex_normal(rng, (NUM_SINUSOIDS, *shape), dtype) for rng in rngs], axis=2)
        coefficients *= np.empty(0, dtype).real.dtype.type(NUM_SINUSOIDS**-0.5)
        turn = np.exp(2j * np.pi * self.max_doppler_hz * slot_s * spacing * shifts)
        phasors = np.ones_like(turn)  # rotated in complex128: complex64 would drift by up to 6e-8 a slot
        while True:
            yield np.einsum("m...,m...->...", coefficients, phasors.astype(dtype))
            phasors *= turn


Fading = Annotated[Iid | Static | Ar1 | Jakes, Field(discriminator="kind"), BareKind]


def statistics_of(fading: "Iid | Static | Ar1 | Jakes") -> "Iid | Static | Ar1 | Jakes":
    """The process that samples outside time come from: its own, unless that never changes.

    Any number of slots of a constant channel is one realisation; its statistics are those of independent realisations.
    """
    constant = (
        isinstance(fading, Static)
        or (isinstance(fading, Ar1) and fading.correlation == 1)
        or (isinstance(fading, Jakes) and fading.max_doppler_hz == 0)
    )
    return Iid() if constant else fading
