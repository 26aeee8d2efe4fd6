"""Carrying out what people decided: a run of the referred applications that they have answered.

It begins with the limit stage, from the evidence as it was sealed, under the configuration and model of the sealed run, and
says of each application what the person said: a decline, or an offer of at most that amount. What policy allows, the law and the cost
cap bind as they do anyone; an exception lifts the steps that are policy. It is a run like any other: funded, archived,
replayed, told in letters and opened into a book.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from qqloan_cli import chain
from qqloan_cli.archive.erase import erased_from
from qqloan_cli.archive.layout import Archive, Entry, file_of
from qqloan_cli.archive.replay import sealed_document
from qqloan_cli.archive.review import Case, cases
from qqloan_cli.contracts import CONTRACTS, INPUTS
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
    """``history``: earlier runs, whose cash of the days to come is spent. Raises UsageError where nobody's answer waits to be carried out, or ``as_of`` lies before the sealed run's."""
    document = sealed_document(archive, entry, scratch)
    if as_of < datetime.date.fromisoformat(document["as_of"]):
        raise UsageError("carry-before-run", f"the run is dated {document['as_of']}", f"--as-of {as_of}", "Name that day or a later one.")
    answered = _answered(archive, entry, policy, as_of, scratch, events)
    if not answered:
        raise UsageError("nothing-to-carry", "no answer waits to be carried out", entry.name, "qqloan review list shows who waits for a person; what was carried out is in a run of its own.")
    config = scratch / "config"
    for name in entry.files:
        if name.startswith("config/"):
            archive.fetch(entry, name, scratch / name)
    asked = {"as_of": as_of.isoformat(), "source": document["source"], "history": [str(path.resolve()) for path in history], "config": document["config_digest"], "key_id": document["key_id"], "policy": document["policy"]}
    with building(out, asked, config, events, resume=False) as run:
        _fill(run, archive, entry, document, answered, policy, scratch)
        walk(run, chain.named(STAGES), workers, events)
    return run


def _answered(archive: Archive, entry: Entry, policy: ReviewPolicy, as_of: datetime.date, scratch: Path, events: Events) -> dict[str, Case]:
    """By application: what is decided for good, was not carried out by a run of this archive, holds on the day, and is of somebody whose
    raw data is still there."""
    found = {case.application_id: case for case in cases(archive, entry, policy, scratch) if case.state == "decided"}
    ended = [name for name, case in found.items() if case.decision == "approve" and case.said[-1]["until"] and datetime.date.fromisoformat(case.said[-1]["until"]) < as_of]
    if ended:
        events.note("exceptions-ended", f"{len(ended)} exceptions had ended by {as_of} and are not carried out")
    gone = erased_from(archive, entry)
    erased = {name for name, person in _decided(archive, entry, scratch).items() if name in found and person in gone}
    if erased:
        events.note("erased-not-carried", f"the raw data of {len(erased)} whom a person answered was erased: nothing can be worked out for them")
    left_out = {*ended, *erased, *_carried(archive, entry, scratch)}
    return {name: case for name, case in found.items() if name not in left_out}


def _carried(archive: Archive, entry: Entry, scratch: Path) -> set[str]:
    """Applications of the run that a run of this archive has carried out."""
    others = [other for other in archive.runs() if (other.document["predicate"]["buildDefinition"]["externalParameters"].get("carries") or {}).get("run_id") == entry.name]
    return {name for other in others for name in _decided(archive, other, scratch)}


def _decided(archive: Archive, entry: Entry, scratch: Path) -> dict[str, str]:
    """Person by application of a sealed run."""
    path = scratch / "decided" / str(entry.sequence) / "decisions.parquet"
    archive.fetch(entry, "decisions.parquet", path)
    con = connect(1)
    try:
        return dict(con.execute(f"SELECT application_id, applicant_id FROM read_parquet({literal(str(path))})").fetchall())
    finally:
        con.close()


def _fill(run: Run, archive: Archive, entry: Entry, document: dict, answered: dict[str, Case], policy: ReviewPolicy, scratch: Path) -> None:
    """Inputs and evidence of the people concerned, and what was said of them, bucket by bucket as the sealed run has them."""
    (run.root / "inputs").mkdir(mode=0o700)  # who they are
    con = connect(1, memory_mb=800, scratch=run.scratch)
    try:
        con.execute("CREATE TEMP TABLE said (application_id VARCHAR, decision VARCHAR, amount_fen BIGINT, monthly_income_fen BIGINT, reason VARCHAR, exception BOOLEAN, said_at TIMESTAMP)")
        con.executemany("INSERT INTO said VALUES (?, ?, ?, ?, ?, ?, ?)", [
            [name, case.decision, case.amount_fen, case.income_fen, case.said[-1]["reason"], policy.reasons[case.said[-1]["reason"]].exception, case.said[-1]["at"]] for name, case in answered.items()
        ])
        decided = literal(str(scratch / "decisions.parquet"))
        con.execute(f"CREATE TEMP TABLE people AS SELECT applicant_id, application_id FROM read_parquet({decided}) SEMI JOIN said USING (application_id)")
        buckets = document["buckets"]
        wanted = sorted({bucket_of(person, buckets) for person, in con.execute("SELECT DISTINCT applicant_id FROM people").fetchall()})
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
            put(con, "reviews", run.file("reviews", bucket), "(SELECT applicant_id, said.* FROM said JOIN applicants USING (application_id))", True)
        for table in NOTHING:
            put(con, table, run.file(table, wanted[0]), f"({CONTRACTS[table].empty()})", True)
    finally:
        con.close()
    rows, first = len(answered), len(document["inputs"])
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
    return " SEMI JOIN people USING (application_id)" if "application_id" in columns else " SEMI JOIN people USING (applicant_id)"
