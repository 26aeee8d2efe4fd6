"""Strategies on history: what came of entries into each stage by arm, what it cost, and how sure the difference is. By assignment, whatever was done."""

from __future__ import annotations

import datetime
import math
import tempfile
from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.session import connect, literal
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.collections import Collections, load_collections
from qqloan_cli.servicing.book import DAY, Book
from qqloan_cli.servicing.collect import differences
from qqloan_cli.servicing.collect.arms import arm_of
from qqloan_cli.servicing.collect.differences import Sample
from qqloan_cli.servicing.collect.entries import write_entries
from qqloan_cli.servicing.collect.money import money_since
from qqloan_cli.servicing.collect.queue import stages
from qqloan_cli.servicing.collect.rules import run

VIEWS = ("arms", "differences", "balance")
_UNLIKELY = 0.001


def compare(book: Book, first: datetime.date, last: datetime.date, config: Path, workers: int) -> tuple[dict[str, pa.Table], list[tuple[str, str]]]:
    """Tables ``arms``, ``differences`` and ``balance``, and notes. Raises UsageError at days that are not closed."""
    book.must_be_closed(last, "--to")
    if first > last:
        raise UsageError("period-wrong", f"{first} is after {last}", "--from", "Name an earlier day.")
    policy = load_collections(config)
    days, as_of = policy.compare.days, book.closed_to
    with tempfile.TemporaryDirectory(prefix="qqloan-compare-") as scratch:
        entries = Path(scratch) / "entries.parquet"
        write_entries(book, first, min(last + days * DAY, as_of), [stage.from_dpd for stage in policy.stage], entries, workers)
        con = connect(2, 2_400, Path(scratch))
        try:
            con.execute(f"CREATE TEMP VIEW stage_entries AS SELECT * FROM read_parquet({literal(str(entries))})")
            con.execute(f"CREATE TEMP TABLE loans AS SELECT loan_id, applicant_id, principal_fen, annual_rate_ppm, pd, drawn_on FROM ({book.source('loans')}) SEMI JOIN stage_entries USING (applicant_id)")
            con.execute("CREATE TEMP VIEW book_loans AS SELECT loan_id, applicant_id FROM loans")
            con.execute(f"CREATE TEMP TABLE arms_of AS SELECT DISTINCT applicant_id, {arm_of(policy.arms)} AS arm FROM loans")
            con.execute(f"CREATE TEMP VIEW log AS {book.source('contact_log')}")
            con.execute(f"CREATE TEMP TABLE money AS SELECT * FROM ({money_since(book, first)}) SEMI JOIN loans USING (loan_id)")
            con.register("stages", stages(policy))
            con.register("costs", pa.table({"channel": list(policy.compare.cost_fen), "cost_fen": pa.array(policy.compare.cost_fen.values(), pa.int64())}))
            for name, value, type in (("first", first, "DATE"), ("last", last, "DATE"), ("days", days, "INTEGER"), ("as_of", as_of, "DATE"), ("promise_grace", policy.promises.grace_days, "INTEGER")):
                con.execute(f"SET VARIABLE {name} = $1::{type}", [value])
            run(con, "compare", "promised", "came_of_it")
            arms = con.sql("SELECT * EXCLUDE (stage_no) FROM by_arm ORDER BY stage_no, arm").to_arrow_table()
            tested = {(whom, stage, arm): Sample(*map(int, sample)) for whom, stage, arm, *sample in con.execute("FROM tested SELECT of_whom, stage, arm, n, cured, total, squares").fetchall()}
            known = {(stage, what, arm): Sample(*map(int, sample)) for stage, what, arm, *sample in con.execute("FROM at_entry SELECT stage, what, arm, n, 0, total, squares").fetchall()}
            assigned = dict(con.execute("SELECT arm, count(DISTINCT applicant_id) FROM entered GROUP BY arm").fetchall())
        finally:
            con.close()
    balance = _balance(policy, known)
    return {"arms": arms, "differences": _differences(policy, tested), "balance": balance}, _notes(policy, balance, assigned, arms)


def _others(policy: Collections) -> list[str]:
    return [arm for arm in sorted(policy.arms.shares) if arm != policy.arms.control]


def _differences(policy: Collections, tested: dict[tuple, Sample]) -> pa.Table:
    """Each other arm less the control: by stage, and over all."""
    rows, names, confidence, control = [], [stage.name for stage in policy.stage], float(policy.compare.confidence), policy.arms.control
    for arm in _others(policy):
        pairs = {
            whom: [(stage, tested[whom, stage, arm], tested[whom, stage, control]) for stage in names if (whom, stage, arm) in tested and (whom, stage, control) in tested]
            for whom in ("every", "first")
        }
        for stage, strata in [*((stage, [(one, other)]) for stage, one, other in pairs["every"]), ("all", [(one, other) for _, one, other in pairs["first"]])]:
            if strata:
                rows += _tested(stage, arm, strata, confidence)
    return pa.table({
        name: pa.array([row[place] for row in rows], type) for place, (name, type) in enumerate({
            "stage": pa.string(), "arm": pa.string(), "measure": pa.string(), "n": pa.int64(), "n_control": pa.int64(), "difference": pa.float64(), "low": pa.float64(), "high": pa.float64(),
            "told_apart": pa.bool_(), "method": pa.string()}.items())
    })


def _tested(stage: str, arm: str, strata: list[tuple[Sample, Sample]], confidence: float) -> list[tuple]:
    found, over = [], differences.OVER if stage == "all" else ""
    several = [(one, other) for one, other in strata if min(one.n, other.n) > 1]  # one borrower says nothing of how they spread
    for measure, used, interval, method, digits in (("cure_rate", strata, differences.of_rates, differences.RATE, 6), ("recovered_fen_each", several, differences.of_means, differences.MEAN, 2)):
        if not used:
            continue
        figures = interval(used, confidence)
        found.append((
            stage, arm, measure, sum(one.n for one, _ in used), sum(other.n for _, other in used), *(round(figure, digits) for figure in figures), figures[1] > 0 or figures[2] < 0,
            f"{confidence:.0%} {method}{over}"))
    return found


def _balance(policy: Collections, known: dict[tuple, Sample]) -> pa.Table:
    """Standardised differences at the entry. One is out of balance that passes the configured limit, and what chance gives arms of this size."""
    rows, control, limit = [], policy.arms.control, float(policy.compare.imbalance)
    for stage, what in sorted({(stage, what) for stage, what, _ in known}, key=lambda one: ([part.name for part in policy.stage].index(one[0]), one[1])):
        for arm in _others(policy):
            one, other = known.get((stage, what, arm)), known.get((stage, what, control))
            if one and other:
                found = differences.standardised(one, other)
                rows.append((stage, arm, what, one.mean, other.mean, round(found, 4) if math.isfinite(found) else None, abs(found) > max(limit, differences.by_chance(one, other))))
    return pa.table({
        name: pa.array([row[place] for row in rows], type) for place, (name, type) in enumerate({
            "stage": pa.string(), "arm": pa.string(), "what": pa.string(), "mean": pa.float64(), "mean_control": pa.float64(), "standardised": pa.float64(), "out_of_balance": pa.bool_()}.items())
    })


def _notes(policy: Collections, balance: pa.Table, assigned: dict[str, int], arms: pa.Table) -> list[tuple[str, str]]:
    found = []
    wrong = [row for row in balance.to_pylist() if row["out_of_balance"]]
    if wrong:
        worst = max(wrong, key=lambda row: math.inf if row["standardised"] is None else abs(row["standardised"]))
        found.append(("arms-not-alike", f"{len(wrong)} of {len(balance)} figures at entry differ between the arms by more than {policy.compare.imbalance} standard deviations and chance: "
                      f"{worst['what']} of {worst['arm']} in {worst['stage']} the most; a difference in outcomes may be theirs"))
    chance = differences.shares_fit({arm: assigned.get(arm, 0) for arm, share in policy.arms.shares.items() if share}, {arm: float(share) for arm, share in policy.arms.shares.items()})
    if chance < _UNLIKELY:
        counts = ", ".join(f"{arm} {count:,}" for arm, count in sorted(assigned.items()))
        found.append(("arms-not-in-share", f"arms of {counts} borrowers are not what their shares give (chance {chance:.1e}): who is in the book is not independent of the arm"))
    recent = sum(arms["too_recent"].to_pylist())
    if recent:
        found.append(("entries-too-recent", f"{recent:,} entries have no {policy.compare.days} closed days behind them and are left out"))
    return found
