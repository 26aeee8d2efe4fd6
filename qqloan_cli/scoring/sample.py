"""What a model is held against: rows with an outcome, their features, and groups they belong to, from a run or a flat table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.errors import InputError, UsageError
from qqloan_cli.scoring.features import TABLES, Features, columns_of
from qqloan_cli.scoring.flat import feature_columns, outcome, read_table

# Groups of a run's applications. None of them is a feature unless configuration allows it; here they only part the rows.
GROUPS = """
SELECT
  a.application_id,
  strftime(a.applied_at, '%Y-%m')                                               AS by_vintage,
  a.gender                                                                      AS by_gender,
  CASE WHEN v.age_years < 25 THEN 'under 25' WHEN v.age_years < 35 THEN '25 to 34' WHEN v.age_years < 45 THEN '35 to 44'
    WHEN v.age_years < 55 THEN '45 to 54' WHEN v.age_years >= 55 THEN '55 and over' END AS by_age,
  left(a.region, 2)                                                             AS by_region,
  a.product                                                                     AS by_product,
  c.history                                                                     AS by_history,
  i.income_confidence                                                           AS by_income_confidence,
  CASE WHEN s.thin_file THEN 'thin' ELSE 'other' END                            AS by_file
FROM applicants a
LEFT JOIN verify v USING (application_id)
LEFT JOIN credit c USING (application_id)
LEFT JOIN income i USING (application_id)
LEFT JOIN social s USING (application_id)
"""
PROTECTED = ("gender", "age", "region")


@dataclass(frozen=True)
class Sample:
    """``columns``: a float32 array a feature. ``groups``: a name and each row's group in words, None where it is not known."""

    about: str
    columns: list[np.ndarray]
    bad: np.ndarray
    groups: dict[str, list]
    left_out: int


def of_run(run: Run, outcomes: Path, features: Features) -> Sample:
    """Applications of ``run`` that ``outcomes`` (application_id, bad) knows, in order of application_id."""
    for table in TABLES:
        if not run.whole(table):
            raise InputError("stage-missing", f"the run has no table {table}", str(run.root), "Take its stages first: verify, ingest-income, credit, social.")
    file = read_table(outcomes)
    if not {"application_id", "bad"} <= set(file.column_names):
        raise InputError("column-missing", "the outcomes lack application_id or bad", outcomes.name, "Bring both.")
    known, bad = outcome(file, "bad", outcomes.name)
    ids = file.column("application_id").cast(pa.string()).filter(pa.array(known))
    con = connect(1, scratch=run.scratch)
    try:
        con.register("outcomes", pa.table({"application_id": ids, "bad": pa.array(bad)}))
        parts = []
        for bucket in range(run.buckets):
            for table in TABLES:
                run.bind(con, table, bucket)
            con.register("seen", con.sql(features.select()).to_arrow_table())
            parts.append(con.sql(f"SELECT s.* EXCLUDE (applied_at, applicant_id), g.* EXCLUDE (application_id), o.bad FROM seen s JOIN outcomes o USING (application_id) JOIN ({GROUPS}) g USING (application_id)").to_arrow_table())
            con.unregister("seen")
    finally:
        con.close()
    found = pa.concat_tables(parts).sort_by("application_id")
    if not len(found):
        raise InputError("outcome-elsewhere", "no outcome is of an application of this run", outcomes.name, "Bring the outcomes of this run's applications.")
    names = [name for name in found.column_names if name.startswith("by_") and name not in features.names]
    return Sample(
        f"run {run.root.name}, as of {run.as_of}", columns_of(found, features.names), found.column("bad").to_numpy(zero_copy_only=False).astype(float),
        {name.removeprefix("by_"): found.column(name).to_pylist() for name in names}, int((~known).sum()) + int(known.sum()) - len(found),
    )


def of_table(path: Path, target: str, features: Features, by: list[str], bad_words: tuple[str, ...] = ()) -> Sample:
    """Rows of a flat table with an outcome; ``by`` names columns whose values are groups."""
    table = read_table(path)
    missing = [name for name in by if name not in table.column_names]
    if missing:
        raise UsageError("column-missing", f"the table has no {', '.join(missing)}", "--by", "Name columns as the table has them.")
    known, bad = outcome(table, target, path.name, bad_words)
    return Sample(
        f"table {path.name}", [column[known] for column in feature_columns(table, features, path.name)[0]], bad,
        {name: table.column(name).cast(pa.string()).filter(pa.array(known)).to_pylist() for name in by}, int((~known).sum()),
    )
