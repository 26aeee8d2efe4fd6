"""Carrying out what people decided: a run of the referred applications that they have answered.

It begins with the limit stage, from the evidence as it was sealed, under the configuration and model of the sealed run, and
says of each application what the person said: a decline, or an offer of at most that amount. What policy allows, the law and the cost
cap bind as they do anyone; an exception lifts the steps that are policy. It is a run like any other: funded, archived,
replayed, told in letters and opened into a book.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Iterable

import pyarrow as pa

from qqloan_cli import chain
from qqloan_cli.archive.erase import erased_from
from qqloan_cli.archive.layout import Archive, Entry, file_of
from qqloan_cli.archive.replay import sealed_document
from qqloan_cli.archive.review import Case, cases
from qqloan_cli.contracts import CONTRACTS, INPUTS, REVIEWS
from qqloan_cli.contracts.inputs import SHARED
from qqloan_cli.engine.build import building
from qqloan_cli.engine.events import Events
from qqloan_cli.engine.files import sha256
from qqloan_cli.engine.run import Run, bucket_of
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import put
from qqloan_cli.engine.walk import walk
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.review import ReviewPolicy

STAGES = frozenset({"limit", "fund", "disburse", "decisions"})
EVIDENCE = ("keys", "links", "verify", "income", "income_lines", "credit", "social", "score")  # by application or person, as sealed
NOTHING = ("quarantine", "score_bins")  # no row was refused, and none scored


def carry(
    archive: Archive, entry: Entry, policy: ReviewPolicy, out: Path, as_of: datetime.date, history: list[Path], scratch: Path, workers: int, events: Events,
) -> Run:
    """``history``: earlier runs, whose cash of the days to come is spent. Raises UsageError where nobody's answer waits to be carried out, or
    ``as_of`` lies before the sealed run's."""
    document = sealed_document(archive, entry, scratch)
    if as_of < datetime.date.fromisoformat(document["as_of"]):
        raise UsageError("carry-before-run", f"the run is dated {document['as_of']}", f"--as-of {as_of}", "Name that day or a later one.")
    answered = _answered(archive, entry, policy, as_of, scratch, events)
    if not answered.num_rows:
        raise UsageError("nothing-to-carry", "no answer waits to be carried out", entry.name, "qqloan review list shows who waits for a person; what was carried out is in a run of its own.")
    config = scratch / "config"
    for name in entry.files:
        if name.startswith("config/"):
            archive.fetch(entry, name, scratch / name)
    asked = {"as_of": as_of.isoformat(), "source": document["source"], "history": [str(path.resolve()) for path in history], "config": document["config_digest"], "key_id": document["key_id"], "policy": document["policy"]}
    with building(out, asked, config, events, resume=False) as run:
        _fill(run, archive, entry, document, answered, scratch)
        walk(run, chain.named(STAGES), workers, events)
    return run


def _answered(archive: Archive, entry: Entry, policy: ReviewPolicy, as_of: datetime.date, scratch: Path, events: Events) -> pa.Table:
    """Rows of reviews: what is decided for good, was not carried out by a run of this archive, holds on the day, and is of somebody whose
    raw data is still there."""
    found = {case.application_id: case for case in cases(archive, entry, policy, scratch) if case.state == "decided"}
    ended = {name for name, case in found.items() if case.decision == "approve" and case.said[-1]["until"] and datetime.date.fromisoformat(case.said[-1]["until"]) < as_of}
    if ended:
        events.note("exceptions-ended", f"{len(ended)} exceptions had ended by {as_of} and are not carried out")
    people, gone = _people(archive, entry, found, scratch), erased_from(archive, entry)
    erased = {name for name, person in people.items() if person in gone}
    if erased:
        events.note("erased-not-carried", f"the raw data of {len(erased)} whom a person answered was erased: nothing can be worked out for them")
    carried = {name for other in archive.runs() if carries(other) == entry.name for name in _people(archive, other, found, scratch)}
    return pa.Table.from_pylist([_row(case, people[name], policy) for name, case in found.items() if name not in ended | erased | carried], schema=_schema())


def carries(entry: Entry) -> str | None:
    """The run that a sealed run carries out."""
    return entry.document["predicate"]["buildDefinition"]["externalParameters"].get("carries", {}).get("run_id")


def _row(case: Case, person: str, policy: ReviewPolicy) -> dict:
    last = case.said[-1]
    return {
        "application_id": case.application_id, "applicant_id": person, "decision": case.decision, "amount_fen": case.amount_fen,
        "monthly_income_fen": case.income_fen, "income_confidence": None if case.income_fen is None else policy.shown_income,
        "reason": last["reason"], "exception": policy.reasons[last["reason"]].exception, "said_at": datetime.datetime.fromisoformat(last["at"]),
    }


def _schema() -> pa.Schema:
    con = connect(1)
    try:
        return con.sql(REVIEWS.empty()).to_arrow_table().schema
    finally:
        con.close()


def _people(archive: Archive, entry: Entry, names: Iterable[str], scratch: Path) -> dict[str, str]:
    """Person by application, of these applications that a sealed run has decided."""
    path = scratch / "decided" / str(entry.sequence) / "decisions.parquet"
    archive.fetch(entry, "decisions.parquet", path)
    con = connect(1)
    try:
        return dict(con.execute(f"SELECT application_id, applicant_id FROM read_parquet({literal(str(path))}) SEMI JOIN (SELECT unnest($1) AS application_id) USING (application_id)", [list(names)]).fetchall())
    finally:
        con.close()


def _fill(run: Run, archive: Archive, entry: Entry, document: dict, answered: pa.Table, scratch: Path) -> None:
    """Inputs and evidence of the people concerned, and what was said of them, bucket by bucket as the sealed run has them."""
    buckets = document["buckets"]
    wanted = sorted({bucket_of(person, buckets) for person in answered["applicant_id"].to_pylist()})
    (run.root / "inputs").mkdir(mode=0o700)  # who they are
    con = connect(1, memory_mb=800, scratch=run.scratch)
    try:
        con.register("answered", answered)
        for table in (*(contract.name for contract in INPUTS), *EVIDENCE):
            for bucket in ([0] if table in SHARED else wanted):
                name = file_of(table, bucket)
                if name in entry.files:
                    archive.fetch(entry, name, scratch / "sealed" / name)
                    source = literal(str(scratch / "sealed" / name))
                    put(con, table, run.file(table, bucket), f"(SELECT * FROM read_parquet({source}){_theirs(table)})", True)
                    (scratch / "sealed" / name).unlink()
        for bucket in wanted:
            run.bind(con, "applicants", bucket)
            put(con, "reviews", run.file("reviews", bucket), "(SELECT * FROM answered SEMI JOIN applicants USING (application_id))", True)
        for table in NOTHING:
            put(con, table, run.file(table, wanted[0]), f"({CONTRACTS[table].empty()})", True)
    finally:
        con.close()
    rows, first = answered.num_rows, len(document["inputs"])
    reviews = [{"no": first + number, "input": "reviews", "file": f"reviews/{path.name}", "bytes": path.stat().st_size, "sha256": sha256(path)} for number, path in enumerate(run.whole("reviews"))]
    run.document.update(
        buckets=buckets, inputs=[*document["inputs"], *reviews], counts={"applicants": {"in": rows, "accepted": rows, "refused": 0, "unmatched": 0}},
        stages={"intake": {"rows_in": rows, "rows_out": {"applicants": rows}}}, taken=[*EVIDENCE, "score_bins"], carries={"run_id": entry.name, "manifest": entry.digest},
    )
    run.save()


def _theirs(table: str) -> str:
    """SQL that leaves a table's rows of the people concerned; of what everybody shares, all."""
    columns = CONTRACTS[table].names
    if table in SHARED:
        return ""
    return f" SEMI JOIN answered USING ({'application_id' if 'application_id' in columns else 'applicant_id'})"
