"""What two arms differ by, and how sure that is: intervals for rates and for means, by stratum and over strata; and whether the arms were alike before."""

from __future__ import annotations

import math
from dataclasses import dataclass

RATE = "Newcombe's hybrid of Wilson scores (1998, method 10)"
MEAN = "normal, unequal variances (Welch)"
OVER = "; over stages by Mantel-Haenszel weights, of each borrower's first entry"


@dataclass(frozen=True)
class Sample:
    """``n`` borrowers, of whom ``cured``; ``total`` and ``squares`` add up an amount and its square."""

    n: int
    cured: int
    total: int
    squares: int

    @property
    def rate(self) -> float:
        return self.cured / self.n

    @property
    def mean(self) -> float:
        return self.total / self.n

    @property
    def variance(self) -> float:
        """Unbiased; worked out in whole numbers, so that nothing cancels."""
        return (self.n * self.squares - self.total * self.total) / (self.n * (self.n - 1)) if self.n > 1 else 0.0


def wilson(cured: int, n: int, confidence: float) -> tuple[float, float]:
    from scipy.stats import binomtest

    found = binomtest(cured, n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def of_rates(strata: list[tuple[Sample, Sample]], confidence: float) -> tuple[float, float, float]:
    """(difference, low, high) of arm less control: Newcombe's, and over several strata the same squares weighed."""
    weights = _weights(strata)
    difference = below = above = 0.0
    for weight, (arm, control) in zip(weights, strata):
        (low, high), (control_low, control_high) = wilson(arm.cured, arm.n, confidence), wilson(control.cured, control.n, confidence)
        difference += weight * (arm.rate - control.rate)
        below += weight**2 * ((arm.rate - low) ** 2 + (control_high - control.rate) ** 2)
        above += weight**2 * ((high - arm.rate) ** 2 + (control.rate - control_low) ** 2)
    return difference, difference - math.sqrt(below), difference + math.sqrt(above)


def of_means(strata: list[tuple[Sample, Sample]], confidence: float) -> tuple[float, float, float]:
    """(difference, low, high) of arm less control."""
    from scipy.stats import norm

    weights = _weights(strata)
    difference = sum(weight * (arm.mean - control.mean) for weight, (arm, control) in zip(weights, strata))
    spread = sum(weight**2 * (arm.variance / arm.n + control.variance / control.n) for weight, (arm, control) in zip(weights, strata))
    reach = float(norm.ppf((1 + confidence) / 2)) * math.sqrt(spread)
    return difference, difference - reach, difference + reach


def _weights(strata: list[tuple[Sample, Sample]]) -> list[float]:
    """Mantel-Haenszel's."""
    raw = [arm.n * control.n / (arm.n + control.n) for arm, control in strata]
    return [weight / sum(raw) for weight in raw]


def standardised(arm: Sample, control: Sample) -> float:
    """Difference of means in standard deviations; 0 where nothing varies and the means are the same."""
    spread = math.sqrt((arm.variance + control.variance) / 2)
    if spread == 0:
        return 0.0 if arm.mean == control.mean else math.inf
    return (arm.mean - control.mean) / spread


def by_chance(arm: Sample, control: Sample) -> float:
    """A standardised difference that arms of this size pass by chance once in a hundred times."""
    from scipy.stats import norm

    return float(norm.ppf(0.995)) * math.sqrt(1 / arm.n + 1 / control.n)


def shares_fit(counts: dict[str, int], shares: dict[str, float]) -> float:
    """The chance of counts as far from the arms' shares as these, or farther (chi-square)."""
    from scipy.stats import chisquare

    names, total = sorted(counts), sum(counts.values())
    if total == 0 or len(names) < 2:
        return 1.0
    return float(chisquare([counts[name] for name in names], [shares[name] * total for name in names]).pvalue)
