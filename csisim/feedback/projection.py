"""The random projection of compressed sensing, the same at both ends."""

import numpy as np

SEED = 20100  # of the matrix that every user and base station have in common


def random_projection(rows: int, columns: int) -> np.ndarray:
    """Gaussian matrix (rows, columns) with unit-norm rows, float64; fewer rows are a prefix of more."""
    matrix = np.random.default_rng(SEED).standard_normal((rows, columns))
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
