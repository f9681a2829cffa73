"""The one piece of linear algebra that every formula needs and no array library has."""

from typing import Any

from array_api_compat import array_namespace


def adjoint(matrix: Any) -> Any:
    """Hermitian transpose of the last two axes, (..., m, n) to (..., n, m), of any array-API library."""
    xp = array_namespace(matrix)
    return xp.conj(xp.matrix_transpose(matrix))
