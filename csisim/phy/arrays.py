"""Antenna arrays: their configuration and their response to a plane wave."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from csisim.errors import CsisimError
from csisim.registry import BareKind, Component


class Ula(Component):
    """Uniform linear array; the angle is measured from broadside."""

    kind: Literal["ula"] = "ula"
    spacing: float = Field(0.5, gt=0, description="element spacing in wavelengths")

    def grid(self, num_elements: int) -> tuple[int, int]:
        """Rows and columns."""
        return 1, num_elements


class Upa(Component):
    """Uniform planar array in the vertical plane; element ``row * columns + column``, row 0 at the bottom."""

    kind: Literal["upa"] = "upa"
    rows: int = Field(ge=1, description="elements in a vertical line")
    columns: int = Field(ge=1, description="elements in a horizontal line")
    spacing: float = Field(0.5, gt=0, description="element spacing in wavelengths, both ways")

    def grid(self, num_elements: int) -> tuple[int, int]:
        """Rows and columns.

        Raises
        ------
        CsisimError
            If they do not make ``num_elements``.
        """
        if self.rows * self.columns != num_elements:
            raise CsisimError(
                f"upa: {self.rows} rows x {self.columns} columns are {self.rows * self.columns} elements, "
                f"but this end of the link has {num_elements} antennas; choose rows * columns = {num_elements}"
            )
        return self.rows, self.columns


class CrossPolarised(Component):
    """Cross-polarised elements in a line or a plane: antenna ``(polarisation * rows + row) * columns + column``."""

    kind: Literal["cross_polarised"] = "cross_polarised"
    rows: int = Field(1, ge=1, description="element pairs in a vertical line")
    columns: int = Field(ge=1, description="element pairs in a horizontal line")
    spacing: float = Field(0.5, gt=0, description="spacing of the pairs in wavelengths, both ways")

    def grid(self, num_elements: int) -> tuple[int, int]:
        """Rows and columns of one polarisation.

        Raises
        ------
        CsisimError
            If twice their product is not ``num_elements``.
        """
        if 2 * self.rows * self.columns != num_elements:
            raise CsisimError(
                f"cross_polarised: 2 x {self.rows} rows x {self.columns} columns are {2 * self.rows * self.columns} elements, "
                f"but this end of the link has {num_elements} antennas; choose 2 * rows * columns = {num_elements}"
            )
        return self.rows, self.columns


AntennaArray = Annotated[Ula | Upa, Field(discriminator="kind"), BareKind]
#: for channels whose paths have a gain for every pair of polarisations
PolarisedArray = Annotated[Ula | Upa | CrossPolarised, Field(discriminator="kind"), BareKind]


def polarisations(array: Ula | Upa | CrossPolarised) -> int:
    """How many polarisations the elements have."""
    return 2 if isinstance(array, CrossPolarised) else 1


def phase_steps(array: Ula | Upa | CrossPolarised, azimuth: np.ndarray, elevation: np.ndarray | None = None) -> np.ndarray:
    r"""Phase between neighbouring elements, in radians and always in float64.

    Along a row :math:`2\pi \frac{d}{\lambda} \sin\phi \cos\theta` and up a column :math:`2\pi \frac{d}{\lambda} \sin\theta`, with azimuth
    :math:`\phi` and elevation :math:`\theta` from broadside. A linear array sees the azimuth alone (Kang 2022, eq. 46).

    Parameters
    ----------
    array : Ula, Upa or CrossPolarised
    azimuth : (...) real
    elevation : (...) real, optional
        Ignored by a linear array; zero when left out.

    Returns
    -------
    (2, ...) float64
        Steps along a row and up a column.
    """
    steps = np.zeros((2, *np.shape(azimuth)))
    steps[0] = np.sin(azimuth, dtype=np.float64)
    if not isinstance(array, Ula) and elevation is not None:
        steps[0] *= np.cos(elevation, dtype=np.float64)
        steps[1] = np.sin(elevation, dtype=np.float64)
    steps *= 2 * np.pi * array.spacing
    return steps


def response(
    array: Ula | Upa,
    num_elements: int,
    azimuth: np.ndarray,
    elevation: np.ndarray | None = None,
    dtype: np.dtype | type = np.complex128,
) -> np.ndarray:
    r"""Array response :math:`a(\phi) = \frac{1}{\sqrt N} [1, e^{-j \omega}, \dots, e^{-j (N-1) \omega}]^T` (Kang 2022, eq. 46).

    :math:`\omega` is the phase step of :func:`phase_steps`; a planar array's response is the Kronecker product of a column's and a row's.
    This closed form is the reference; :mod:`csisim.channel.steering` computes the same many at a time.

    Returns
    -------
    (..., num_elements) complex
        Unit norm.
    """
    rows, columns = array.grid(num_elements)
    along, up = phase_steps(array, azimuth, elevation)
    phase = up[..., None, None] * np.arange(rows)[:, None] + along[..., None, None] * np.arange(columns)
    return (np.exp(-1j * phase) / np.sqrt(num_elements)).reshape(*along.shape, num_elements).astype(dtype)
