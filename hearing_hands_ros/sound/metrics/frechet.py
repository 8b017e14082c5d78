"""How far a set of sounds is from another as a whole: its variety counts, not each sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHRINKAGE = 0.05
"""Share of the mean variance put on the diagonal: a few hundred sounds cannot fill a covariance."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean and covariance of a set of vectors.

    Attributes:
        mean: (D,).
        covariance: (D, D), positive definite by shrinkage.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def fit(cls, vectors: NDArray[np.floating]) -> Gaussian:
        """Of (N, D) vectors: C = (1 - s) S + s (tr S / D) I with S their covariance and s = `SHRINKAGE`.

        Raises:
            ValueError: There are fewer than two, or values are not finite.
        """
        x = np.asarray(vectors, np.float64)
        if x.ndim != 2 or len(x) < 2 or not np.isfinite(x).all():
            raise ValueError(f"Gaussian: vectors wanted finite, of shape (N, D), N > 1, got {x.shape} or not finite")
        centred = x - x.mean(axis=0)
        covariance = centred.T @ centred / (len(x) - 1)
        even = np.trace(covariance) / x.shape[1]
        return cls(x.mean(axis=0), (1.0 - SHRINKAGE) * covariance + SHRINKAGE * even * np.eye(x.shape[1]))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a^(1/2) C_b C_a^(1/2))^(1/2)).

    The root is taken of a symmetric matrix by its eigenvalues, which stays real where that of C_a C_b does not.

    Args:
        a: One set.
        b: Another, of the same D.

    Returns:
        0 or more, in squared units of the vectors; 0 for one set and itself.

    Raises:
        ValueError: They differ in D.

    Source: Dowson and Landau 1982; Kilgour et al. 2019 (Frechet Audio Distance).
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"frechet_distance: wanted one D, got {a.mean.size} and {b.mean.size}")
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ b.covariance @ root)
    overlap = 2.0 * float(np.sqrt(np.maximum(inner, 0.0)).sum())
    spread = float(np.trace(a.covariance) + np.trace(b.covariance)) - overlap
    return max(0.0, float(np.sum((a.mean - b.mean) ** 2)) + spread)
