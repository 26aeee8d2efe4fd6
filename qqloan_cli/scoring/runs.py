"""Runs as something to learn from: the features of their stages' tables, joined with outcomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.files import sha256
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import InputError
from qqloan_cli.scoring.features import TABLES, Features, columns_of, load_features
from qqloan_cli.scoring.flat import outcome, read_table
from qqloan_cli.scoring.sample import GROUPS, PROTECTED
from qqloan_cli.scoring.study import Material


def features_of_run(run: Run, features: Features) -> pa.Table:
    """application_id, applicant_id, applied_at, the features of every application of a run, and its protected groups, as ``by_...``."""
    for table in TABLES:
        if not run.whole(table):
            raise InputError("stage-missing", f"the run has no table {table}", str(run.root), "Take its stages first: verify, ingest-income, credit, social.")
    select, parts = features.select(), []
    con = connect(1, scratch=run.scratch)
    try:
        for bucket in range(run.buckets):
            for table in TABLES:
                run.bind(con, table, bucket)
            con.register("seen", con.sql(select).to_arrow_table())
            parts.append(con.sql(f"SELECT seen.*, {', '.join(f'g.by_{name}' for name in PROTECTED)} FROM seen JOIN ({GROUPS}) g USING (application_id)").to_arrow_table())
            con.unregister("seen")
    finally:
        con.close()
    return pa.concat_tables(parts)


def run_material(roots: list[Path], outcomes: Path, features_file: Path, ignore: tuple[str, ...] = ()) -> Material:
    """What runs have to learn from: their applications that ``outcomes`` (application_id, bad; perhaps decided_at, observed_at) knows.
    Those that it does not know, and that a run with decisions declined, stand beside them as unknown."""
    features = load_features(features_file).without(list(ignore))
    seen = pa.concat_tables([features_of_run(Run.open(root), features) for root in roots])
    file = read_table(outcomes)
    for name in ("application_id", "bad"):
        if name not in file.column_names:
            raise InputError("column-missing", f"the outcomes lack {name}", outcomes.name, "Bring application_id and bad, and decided_at and observed_at where they are known.")
    known, bad = outcome(file, "bad", outcomes.name)
    file = file.filter(pa.array(known))
    keys = file.column("application_id").cast(pa.string())
    if len(keys.unique()) < len(keys):
        raise InputError("outcome-twice", "an application has two outcomes", outcomes.name, "Leave one.")
    if len(seen.column("application_id").unique()) < len(seen):
        raise InputError("application-twice", "an application stands in two runs", hint="Name each run once.")
    joined = _joined(seen, keys, bad, file)
    if not len(joined):
        raise InputError("outcomes-elsewhere", "no outcome belongs to an application of these runs", outcomes.name, "Bring the outcomes of these applications.")
    applied, observed = joined.column("applied_day").to_numpy(), joined.column("observed_day").to_numpy(zero_copy_only=False)
    early = observed <= applied  # known before it was applied for: about something else; NaN compares false
    if early.any():
        joined = joined.filter(pa.array(~early))
    left_out, elsewhere = int((~known).sum()), int(known.sum()) - len(joined) - int(early.sum())
    notes = [
        (ref, f"{count:,} {what}") for ref, count, what in (
            ("outcome-blank", left_out, "rows without outcome left out"),
            ("outcome-elsewhere", elsewhere, "outcomes of applications that are not in these runs"),
            ("outcome-early", int(early.sum()), "outcomes observed on or before the application's own date left out"),
        ) if count
    ]
    decided = joined.column("decided_day").to_numpy()
    facts = {
        "about": f"From {len(roots)} run{'s' if len(roots) > 1 else ''} of the chain, as of {', '.join(sorted({str(Run.open(root).as_of) for root in roots}))}; "
                 f"applications of {np.datetime64(int(decided.min()), 'D')} to {np.datetime64(int(decided.max()), 'D')}.",
        "left_out": left_out, "outcomes_sha256": sha256(outcomes), "runs": sorted(_digest(root) for root in roots),
    }
    others = _unknown(seen, keys, [Run.open(root) for root in roots])
    ids = pa.concat_arrays([table.column("applicant_id").combine_chunks() for table in (joined, others)])
    people = np.unique(ids.to_numpy(zero_copy_only=False), return_inverse=True)[1]
    return Material(
        features, columns_of(joined, features.names), joined.column("bad").to_numpy(), people[: len(joined)], decided, facts, notes,
        columns_of(others, features.names), people[len(joined):],
        {name: joined.column(f"by_{name}").to_numpy(zero_copy_only=False) for name in PROTECTED},
    )


def _unknown(seen: pa.Table, keys, runs: list[Run]) -> pa.Table:
    """Applications without an outcome, in order: those that were declined, where the runs have decisions, and else all."""
    con = connect(1)
    try:
        con.register("seen", seen)
        con.register("outcomes", pa.table({"application_id": keys}))
        declined = ""
        if all(run.whole("decisions") for run in runs):
            files = ", ".join(literal(str(path)) for run in runs for path in run.whole("decisions"))
            declined = f"AND application_id IN (SELECT application_id FROM read_parquet([{files}]) WHERE decision = 'decline')"
        return con.sql(f"SELECT * FROM seen WHERE application_id NOT IN (SELECT application_id FROM outcomes) {declined} ORDER BY application_id").to_arrow_table()
    finally:
        con.close()


def _joined(seen: pa.Table, keys, bad: np.ndarray, file: pa.Table) -> pa.Table:
    """Applications with an outcome, in order of application_id, whatever the order of runs and files."""
    days = {name: file.column(name) if name in file.column_names else pa.nulls(len(file)) for name in ("decided_at", "observed_at")}
    con = connect(1)
    try:
        con.register("seen", seen)
        con.register("outcomes", pa.table({"application_id": keys, "bad": pa.array(bad), **days}))
        return con.sql("""
            SELECT seen.* EXCLUDE (applied_at), outcomes.bad,
              CAST(seen.applied_at AS DATE) - DATE '1970-01-01' AS applied_day,
              COALESCE(TRY_CAST(outcomes.decided_at AS DATE), CAST(seen.applied_at AS DATE)) - DATE '1970-01-01' AS decided_day,
              CAST(TRY_CAST(outcomes.observed_at AS DATE) - DATE '1970-01-01' AS DOUBLE) AS observed_day
            FROM seen JOIN outcomes ON outcomes.application_id = seen.application_id
            ORDER BY seen.application_id
        """).to_arrow_table()
    finally:
        con.close()


def _digest(root: Path) -> str:
    """One digest of the tables that features read, applicants' rows included."""
    import hashlib

    run, total = Run.open(root), hashlib.sha256()
    for table in TABLES:
        for path in run.whole(table):
            total.update(f"{table}/{path.name}\0{sha256(path)}\n".encode())
    return total.hexdigest()[:16]
