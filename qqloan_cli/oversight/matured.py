"""What came of it: the pds of decisions held against outcomes that have matured, from a file or from the book itself."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qqloan_cli.errors import InputError
from qqloan_cli.oversight.watched import ASKED
from qqloan_cli.oversight.judge import Figure
from qqloan_cli.oversight.sight import Sight
from qqloan_cli.policy.monitor import Monitoring
from qqloan_cli.scoring import expected
from qqloan_cli.scoring.flat import outcome, read_table
from qqloan_cli.scoring.measures import brier


def of_file(sight: Sight, path: Path) -> pa.Table:
    """pd, grade, bad, observed_at of the runs' applications that the file knows: application_id or applicant_id, bad, perhaps observed_at.
    Raises InputError where it lacks those or knows nobody of these runs."""
    file = read_table(path)
    keys = [name for name in ("application_id", "applicant_id") if name in file.column_names]
    if not keys or "bad" not in file.column_names:
        raise InputError("column-missing", "the outcomes lack application_id (or applicant_id) or bad", path.name, "Bring both.")
    known, bad = outcome(file, "bad", path.name)
    file = file.filter(pa.array(known))
    text = {name: file.column(name).cast(pa.string()) if name in file.column_names else pa.nulls(len(file), pa.string()) for name in ("application_id", "applicant_id")}
    sight.register("told", pa.table({"no": pa.array(range(len(file)), pa.int64()), **text, "bad": pa.array(bad.astype(np.int32)), "observed_at": _days(file, path.name)}))
    found = sight.ask((ASKED / "outcomes.sql").read_text(encoding="utf-8"))
    if not len(found):
        raise InputError("outcomes-elsewhere", "no outcome belongs to an application of these runs", path.name, "Bring the outcomes of these applications, observed after their decision.")
    return found


def _days(file: pa.Table, where: str) -> pa.ChunkedArray | pa.Array:
    if "observed_at" not in file.column_names:
        return pa.nulls(len(file), pa.date32())
    column = file.column("observed_at")
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.utf8_slice_codeunits(pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), pa.scalar(None, column.type), column), 0, 10)
        return column.cast(pa.date32())
    except pa.ArrowInvalid:
        raise InputError("outcome-date-wrong", "observed_at is not a date", where, "Write it as 2026-11-24, or leave it empty.") from None


def of_book(sight: Sight) -> pa.Table:
    """The same of the book's loans whose twelve months have ended."""
    return sight.ask((ASKED / "turned_bad.sql").read_text(encoding="utf-8"))


def figures(found: pa.Table, whose: str, day: datetime.date, policy: Monitoring) -> list[Figure]:
    """Bad rate, observed over expected (of all and by grade), Brier score, line of calibration and AUC. ``whose``: outcomes or book."""
    bad, pd = found.column("bad").to_numpy().astype(float), found.column("pd").to_numpy()
    n, bads, look = len(bad), int(bad.sum()), policy.look
    if not n:
        return []
    few = None
    if n < look.least_outcomes or min(bads, n - bads) < look.least_bad:
        few = f"{n:,} outcomes, {bads:,} of them bad, are too few to judge ({look.least_outcomes:,} and {look.least_bad:,} are asked for)"
    rate, slope_and_intercept, auc = expected.share(bads, n), expected.calibration(bad, pd), expected.auc_with_interval(bad, pd)
    rows = [("bad-rate", whose, rate, float(pd.mean()), n, few), ("observed-to-expected", whose, expected.observed_to_expected(bad, pd), 1.0, n, few)]
    grades = np.array(found.column("grade").to_pylist(), object)
    for grade in sorted({grade for grade in grades if grade is not None}):
        of = grades == grade
        enough = of.sum() >= look.least_outcomes and pd[of].sum() >= look.least_bad / 2
        rows.append(("observed-to-expected", f"{whose}-{grade}", expected.observed_to_expected(bad[of], pd[of]), 1.0, int(of.sum()), None if enough else "too few to judge a grade"))
    score = brier(bad, pd)
    rows += [
        ("brier", whose, expected.Estimate(score, np.nan, np.nan), float((pd * (1 - pd)).mean()), n, few),
        ("calibration-slope", whose, slope_and_intercept[0], 1.0, n, few), ("calibration-intercept", whose, slope_and_intercept[1], 0.0, n, few),
        ("auc", whose, auc, expected.expected_auc(pd).value, n, few),  # in training it was of everybody: those who were approved are more alike
    ]
    return [
        Figure(measure, subject, day, *(None if value is None or np.isnan(value) else round(float(value), 6) for value in (e.value, reference, e.lower, e.upper)), count,
               by_chance=reference is not None and e.lower <= reference <= e.upper, few=why)
        for measure, subject, e, reference, count, why in rows
    ]


def nights(found: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(bad, pd, night): outcomes in the order in which they became known, those of one month together; without a date they are the first."""
    observed = found.column("observed_at").to_numpy(zero_copy_only=False).astype("datetime64[M]")
    month = np.where(np.isnat(observed), np.datetime64("0001-01", "M"), observed)
    return found.column("bad").to_numpy().astype(float), found.column("pd").to_numpy(), np.unique(month, return_inverse=True)[1]
