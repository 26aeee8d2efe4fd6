"""Logistic regression of a few columns, by Newton's method: what calibration fits and calibration is measured with."""

from __future__ import annotations

import numpy as np


def logistic(x: np.ndarray, bad: np.ndarray, ridge: float = 1e-6) -> np.ndarray:
    """Coefficients and, last, the intercept of a logistic regression by Newton's method; a touch of ridge keeps separable data finite."""
    design = np.column_stack([x, np.ones(len(x))])
    beta = np.zeros(design.shape[1])
    penalty = ridge * np.eye(design.shape[1])

    def loss(b):
        z = design @ b
        return (softplus(z) - bad * z).sum() + ridge / 2 * (b @ b)

    now = loss(beta)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (p - bad) + ridge * beta
        step = np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design + penalty, gradient)
        size = 1.0
        while loss(beta - size * step) > now and size > 1e-8:
            size /= 2
        beta = beta - size * step
        after = loss(beta)
        if now - after < 1e-10 * max(1.0, abs(now)):
            break
        now = after
    return beta


def softplus(x: np.ndarray) -> np.ndarray:
    """ln(1 + e^x), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
