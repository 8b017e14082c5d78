"""What a frozen embedding can be asked: a linear classifier on it, learnt in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHRINKAGE = 0.1
"""Share of the mean variance put on the diagonal of the scatter within classes."""


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """Linear discriminant analysis with all classes held equally likely.

    The class is argmax_c w_c . z + b_c with z the standardised vector, w_c = W^-1 m_c, b_c = -m_c . w_c / 2, where m_c
    is the mean of class c and W the scatter within classes, shrunk to (1 - s) W + s (tr W / D) I.

    Attributes:
        classes: Names, sorted.
        mean: (D,) of the training vectors.
        scale: (D,) of the training vectors.
        weights: (D, classes).
        bias: (classes,).

    Source: linear discriminant analysis with a shrunk covariance (Ledoit and Wolf 2004).
    """

    classes: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def fit(cls, vectors: NDArray[np.floating], labels: Sequence[str]) -> LinearProbe:
        """Learn from (N, D) vectors and N labels.

        Raises:
            ValueError: They differ in number, are not finite, or there are not two classes and three vectors.
        """
        x, y = _checked(vectors), np.asarray(labels, dtype=np.str_)
        if y.shape != (len(x),):
            raise ValueError(f"LinearProbe: labels wanted one for each of {len(x)} vectors, got {y.shape}")
        classes = tuple(sorted(set(y.tolist())))
        if len(classes) < 2 or len(x) < 3:
            raise ValueError(f"LinearProbe: wanted two classes and three vectors or more, got {len(classes)}, {len(x)}")
        mean, scale = x.mean(axis=0), x.std(axis=0)
        scale = np.where(scale > 1e-6, scale, 1.0)
        z = (x - mean) / scale
        centres = np.stack([z[y == name].mean(axis=0) for name in classes])
        off = z - centres[np.searchsorted(classes, y)]
        scatter = off.T @ off / len(z)
        even = max(float(np.trace(scatter)) / z.shape[1], 1e-9)
        scatter = (1.0 - SHRINKAGE) * scatter + SHRINKAGE * even * np.eye(z.shape[1])
        weights = np.linalg.solve(scatter, centres.T)
        return cls(classes, mean, scale, weights, -0.5 * np.einsum("cd,dc->c", centres, weights))

    def predict(self, vectors: NDArray[np.floating]) -> NDArray[np.str_]:
        """Class of each of (N, D) vectors, (N,).

        Raises:
            ValueError: The vectors are not finite or of another D.
        """
        x = _checked(vectors)
        if x.shape[1] != self.mean.size:
            raise ValueError(f"LinearProbe: vectors wanted {self.mean.size} numbers each, got {x.shape[1]}")
        scores = (x - self.mean) / self.scale @ self.weights + self.bias
        return np.asarray(self.classes)[scores.argmax(axis=1)]


def cross_validated(
    vectors: NDArray[np.floating], labels: Sequence[str], groups: Sequence[str], folds: int = 10
) -> NDArray[np.bool_]:
    """Which vectors a probe that has seen nothing of their group tells right.

    Args:
        vectors: (N, D).
        labels: N classes.
        groups: N names; vectors of one group are all on the same side.
        folds: Probes that are learnt; at most one a group.

    Returns:
        (N,) bool.

    Raises:
        ValueError: There are fewer than two groups or folds, or a probe cannot be learnt.
    """
    names = sorted(set(groups))
    folds = min(folds, len(names))
    if folds < 2:
        raise ValueError(f"cross_validated: wanted two groups and folds or more, got {len(names)}, {folds}")
    fold_of = {name: i % folds for i, name in enumerate(names)}
    fold = np.array([fold_of[group] for group in groups])
    y = np.asarray(labels, dtype=np.str_)
    right = np.zeros(len(y), dtype=np.bool_)
    for i in range(folds):
        probe = LinearProbe.fit(vectors[fold != i], y[fold != i].tolist())
        right[fold == i] = probe.predict(vectors[fold == i]) == y[fold == i]
    return right


def _checked(vectors: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(vectors, np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"LinearProbe: vectors wanted finite, of shape (N, D), got {x.shape} or not finite")
    return x
