"""What every model tried on the same rows has in common: the rows, binned; who is held out when; and what stands apart as the latest."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from qqloan_cli.errors import InputError
from qqloan_cli.scoring.bins import place, thresholds
from qqloan_cli.scoring.features import Features
from qqloan_cli.scoring.fit import Recipe, Sample, deal, grow
from qqloan_cli.scoring.trees import added_up

FEWEST = 2  # outcomes of each kind; below ten the model learns nothing, and says so
LATEST = 0.2  # share of rows kept as the later ones
SPAN_DAYS = 60  # decisions closer together than this are of one time


@dataclass
class Material:
    """Rows to learn from. ``columns`` float32 in the order of ``features``; ``decided`` days as integers, or None; ``facts`` goes to the manifest.

    ``unknown`` are the same columns of applications whose outcome nobody knows, ``unknown_person`` whose they are; ``groups`` each
    row's group in words by attribute, None where it is not known.
    """

    features: Features
    columns: list[np.ndarray]
    bad: np.ndarray
    person: np.ndarray
    decided: np.ndarray | None
    facts: dict
    notes: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[np.ndarray] | None = None
    unknown_person: np.ndarray | None = None
    groups: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """``fold`` of each row; ``late`` marks the latest rows, where there are such; ``unknown`` has zeros for outcomes."""

    sample: Sample
    fold: np.ndarray
    folds: int
    late: np.ndarray | None
    unknown: Sample | None
    seed: int
    workers: int

    @classmethod
    def of(cls, material: Material, recipe: Recipe, seed: int, workers: int) -> "Study":
        """Raises InputError at too few outcomes."""
        bad = material.bad.astype(np.float32)
        bads = int(bad.sum())
        if min(bads, len(bad) - bads) < FEWEST:
            raise InputError("outcomes-too-few", f"{bads} bad and {len(bad) - bads} good outcomes", hint=f"Bring at least {FEWEST} of each; ten times as many to learn anything.")
        cuts = tuple(thresholds(column, recipe.bins) for column in material.columns)

        def binned(columns, bad, person) -> Sample:
            bins = np.array([place(column, c) for column, c in zip(columns, cuts)], np.intp)
            return Sample(material.features.names, material.features.directions, cuts, bins, bad, person)

        unknown = None
        if material.unknown is not None and len(material.unknown[0]):
            unknown = binned(material.unknown, np.zeros(len(material.unknown[0]), np.float32), material.unknown_person)
        folds = min(recipe.folds, bads, len(bad) - bads)
        return cls(binned(material.columns, bad, material.person), deal(bad, material.person, [1 / folds] * folds, seed), folds, _later(material), unknown, seed, workers)

    @property
    def parts(self) -> dict[tuple[str, int], np.ndarray]:
        """Rows to train on, by what the model is for: to predict a fold, to predict the latest rows, to be used."""
        found = {("fold", f): self.fold != f for f in range(self.folds)}
        found[("whole", 0)] = np.ones(len(self.fold), bool)
        if self.late is not None:
            found[("late", 0)] = ~self.late
        return found

    def grown(self, kinds: dict[str, tuple[str, ...]], recipe: Recipe, only: str | None = None, beside: dict | None = None) -> dict[tuple, dict]:
        """One XGBoost document for each (kind, part): ``kinds`` says which features each looks at; ``only`` one sort of part; ``beside``
        has further rows by (kind, part)."""
        plan, samples = [], []
        for kind, names in kinds.items():
            whole = self.sample if names == self.sample.names else self.sample.columns(names)
            for part, rows in self.parts.items():
                if only in (None, part[0]):
                    plan.append((kind, *part))
                    known = whole if rows.all() else whole.rows(rows)
                    more = (beside or {}).get((kind, *part))
                    samples.append(known if more is None else known.and_also(more))
        return dict(zip(plan, grow(samples, recipe, self.seed, self.workers)))

    def held_margins(self, documents: dict, kind: str) -> np.ndarray:
        """Each row's margin by the model that did not see its fold."""
        out = np.empty(len(self.fold))
        for f in range(self.folds):
            held = self.fold == f
            out[held] = margin(documents[(kind, "fold", f)], self.sample.rows(held))
        return out


def margin(document: dict, sample: Sample) -> np.ndarray:
    """Log odds by a document, (rows,), of binned rows; ``sample`` may have columns that the document does not look at."""
    flat = tuple(np.full(len(c) + 2, 1 / (len(c) + 2)) for c in sample.cuts)
    return added_up(document, sample.names, sample.cuts, flat).margin(sample.bins)


def _later(material: Material) -> np.ndarray | None:
    """Rows decided last, if dates lie far enough apart, tell a tenth of the rows from the rest, and leave both parts outcomes of both kinds."""
    days = material.decided
    if days is None or days.max() - days.min() < SPAN_DAYS:
        return None
    late = days > np.sort(days)[int(len(days) * (1 - LATEST)) - 1]
    for part in (late, ~late):
        if part.sum() < 0.1 * len(days) or min(material.bad[part].sum(), (1 - material.bad[part]).sum()) < 10:
            return None
    return late
