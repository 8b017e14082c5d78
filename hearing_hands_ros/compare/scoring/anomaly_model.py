"""Several scores as one, and as what is probably wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

NORMAL: Final = "normal"
SHARES: Final = (0.16, 0.5, 0.84)
"""Quantiles of normal touches that a score is measured by: the middle, and one standard deviation to either side."""

LEAST, MOST = -4.0, 8.0
"""Standard deviations; one score that is off the scale does not decide alone."""

LEAST_TOUCHES: Final = 10
RIDGE: Final = 10.0

Quantiles = tuple[float, float, float]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class AnomalyModel:
    """Log-odds of each anomaly against normal, linear in scores above and under normal.

    A score x becomes z = (x - middle) / (distance of the upper, or lower, quantile), clipped, taps and slides apart;
    the log-odds of anomaly a are bias_a + sum over scores of up_a max(z, 0) + down_a max(-z, 0). A score that is NaN
    counts as normal.

    Attributes:
        quantiles: By kind of touch and score, at `SHARES` of normal touches.
        bias: By anomaly.
        weights: By anomaly and score, (up, down).

    Source: multinomial logistic regression.
    """

    quantiles: Mapping[str, Mapping[str, Quantiles]]
    bias: Mapping[str, float]
    weights: Mapping[str, Mapping[str, tuple[float, float]]]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scores that count."""
        return tuple(next(iter(self.weights.values())))

    @classmethod
    def fit(
        cls, names: Sequence[str], touches: Sequence[Mapping[str, float]], kinds: Sequence[str], labels: Sequence[str]
    ) -> AnomalyModel:
        """Learn from normal touches and anomalies.

        Args:
            names: Of the scores that are to count.
            touches: Scores by name.
            kinds: Of each, 'tap' or 'slide'.
            labels: Of each, `NORMAL` or what is wrong; each counts alike in sum, and `NORMAL` as three.

        Raises:
            ValueError: A kind has fewer than `LEAST_TOUCHES` normal touches.
        """
        label = np.asarray(labels)
        normal = [i for i, one in enumerate(labels) if one == NORMAL]
        measured = cls({}, {}, {}).measured_by([touches[i] for i in normal], [kinds[i] for i in normal], names)
        rows = np.array([measured.rows(touch, kind, names) for touch, kind in zip(touches, kinds, strict=True)])
        anomalies = sorted(set(labels) - {NORMAL})
        classes = [NORMAL, *anomalies]
        share = np.array([(3.0 if c == NORMAL else 1.0) / float((label == c).sum()) for c in classes])
        target = np.array([classes.index(one) for one in labels])
        found = _regressed(rows, target, share[target] * len(labels) / share.size, len(classes))
        found -= found[:, :1]
        count = len(names)
        return replace(
            measured,
            bias={a: float(found[-1, i]) for i, a in enumerate(anomalies, start=1)},
            weights={
                a: {n: (float(found[j, i]), float(found[count + j, i])) for j, n in enumerate(names)}
                for i, a in enumerate(anomalies, start=1)
            },
        )

    def measured_by(
        self, touches: Sequence[Mapping[str, float]], kinds: Sequence[str], names: Sequence[str] | None = None
    ) -> AnomalyModel:
        """The same weights, with scores measured by other normal touches: another robot, another room.

        Args:
            touches: Scores by name; not those that a calibration counts.
            kinds: Of each, 'tap' or 'slide'. A kind with fewer than `LEAST_TOUCHES` keeps its quantiles.
            names: Scores; None for those of the model.

        Raises:
            ValueError: A kind has neither quantiles nor touches enough for them.
        """
        names = self.names if names is None else tuple(names)
        quantiles = dict(self.quantiles)
        for kind in ("tap", "slide"):
            own = [touch for touch, k in zip(touches, kinds, strict=True) if k == kind]
            if len(own) >= LEAST_TOUCHES:
                quantiles[kind] = {name: _quantiles([touch.get(name, math.nan) for touch in own]) for name in names}
            elif kind not in quantiles:
                raise ValueError(
                    f"AnomalyModel: wanted {LEAST_TOUCHES} normal touches or more ({kind}), got {len(own)}"
                )
        return replace(self, quantiles=quantiles)

    def rows(self, touch: Mapping[str, float], kind: str, names: Sequence[str]) -> Array:
        """(2 N,) the scores above normal, then those under it, in standard deviations."""
        z = np.array([_standard(touch.get(name, math.nan), self.quantiles[kind][name]) for name in names])
        return np.concatenate([np.maximum(z, 0.0), np.maximum(-z, 0.0)])

    def log_odds(self, touch: Mapping[str, float], kind: str) -> dict[str, float]:
        """Of each anomaly against normal, natural logarithms.

        Args:
            touch: Scores by name.
            kind: 'tap' or 'slide'.
        """
        names = self.names
        row = self.rows(touch, kind, names)
        return {
            anomaly: self.bias[anomaly] + float(row @ np.array([w[n] for n in names]).T.ravel())
            for anomaly, w in self.weights.items()
        }

    def score(self, touch: Mapping[str, float], kind: str) -> float:
        """Log-odds that anything is wrong; NaN if not a single score could be had."""
        if all(math.isnan(touch.get(name, math.nan)) for name in self.names):
            return math.nan
        return float(logsumexp(list(self.log_odds(touch, kind).values())))

    def document(self) -> dict[str, Any]:
        """As it is written into a file."""
        return {
            "quantiles": {
                kind: {name: [float(f"{v:.4g}") for v in values] for name, values in of.items()}
                for kind, of in self.quantiles.items()
            },
            "bias": {a: round(value, 4) for a, value in self.bias.items()},
            "weights": {a: {n: [round(v, 4) for v in pair] for n, pair in w.items()} for a, w in self.weights.items()},
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> AnomalyModel:
        """From what `document` gave."""
        return cls(
            {
                k: {n: (float(v[0]), float(v[1]), float(v[2])) for n, v in of.items()}
                for k, of in document["quantiles"].items()
            },
            {a: float(value) for a, value in document["bias"].items()},
            {a: {n: (float(v[0]), float(v[1])) for n, v in w.items()} for a, w in document["weights"].items()},
        )


def _quantiles(values: Sequence[float]) -> Quantiles:
    low, middle, high = np.nanquantile(np.asarray(values, np.float64), SHARES)
    return float(low), float(middle), float(high)


def _standard(value: float, quantiles: Quantiles) -> float:
    low, middle, high = quantiles
    if math.isnan(value):
        return 0.0
    distance = max(high - middle if value > middle else middle - low, 1e-6)
    return float(np.clip((value - middle) / distance, LEAST, MOST))


def _regressed(rows: Array, target: NDArray[np.int_], weight: Array, classes: int) -> Array:
    """(D + 1, classes) weights, the bias last, of least weighted cross-entropy with a ridge on all but the bias."""
    x = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    wanted = np.eye(classes)[target]
    ridge = np.full((x.shape[1], 1), RIDGE)
    ridge[-1] = 0.0

    def loss(flat: Array) -> tuple[float, Array]:
        w = flat.reshape(x.shape[1], classes)
        likely = log_softmax(x @ w, axis=1)
        slope = x.T @ (weight[:, None] * (np.exp(likely) - wanted)) + ridge * w
        return float(-(weight * (wanted * likely).sum(axis=1)).sum() + 0.5 * (ridge * w * w).sum()), slope.ravel()

    found = minimize(loss, np.zeros(x.shape[1] * classes), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return np.asarray(found.x).reshape(x.shape[1], classes)
