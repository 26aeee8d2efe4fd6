"""Fund: every approved loan is funded whole by one structure, or waits in the queue. What needs everybody: the sources are shared."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import leaving_room
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.funding import cohorts, programme
from qqloan_cli.funding.earlier import spent
from qqloan_cli.funding.sources import Book, Loans
from qqloan_cli.funding.spread import WAITS, Spread, spread
from qqloan_cli.funding.tranches import Plans
from qqloan_cli.policy.funding import load_funding
from qqloan_cli.policy.products import load_lender, load_products


def settings(run: Run) -> dict:
    plans = Plans.of(load_products(run.config_dir), run.as_of)
    run.warn(plans.warnings)
    return {"book": Book(load_funding(run.config_dir), load_lender(run.config_dir).licence, [str(day) for day in plans.days()]), "dates": plans, "batch": pa.table({"as_of": pa.array([run.as_of], pa.date32())})}


def listed(run: Run, con) -> dict:
    return {"spent": spent(run, con)}


def compute(task: Task) -> None:
    book: Book = task.values["book"].after({(source, str(day)): fen for source, day, fen in task.con.execute("FROM spent").fetchall()})
    task.script(STAGE.sql_file)
    approved = task.con.sql("FROM approved_loans").to_arrow_table()
    refused = _refused(task, approved, book)
    task.con.execute("DROP TABLE approved_loans")
    with leaving_room(task.con):
        loans = _loans(approved, task.values["dates"])
        eligible = book.eligible(loans, refused)
        grouped = cohorts.gather(loans, eligible)
        plan = programme.solve(loans, grouped, book)
        found = spread(loans, eligible, grouped, plan, book)
        _leave(task, "funding_programme", _programme(loans, grouped, plan, found))
        del eligible, grouped
    task.run.warn([{"ref": "commitment-missed", "text": note} for note in plan.notes])
    _leave(task, "funding", _funding(approved, found))
    shares = _shares(approved, loans, found, book)
    _leave(task, "funding_shares", shares)
    _leave(task, "funding_sources", _sources(shares, plan, book))
    _leave(task, "funding_limits", _limits(plan, found, book))


def _leave(task: Task, name: str, table: pa.Table) -> None:
    task.con.register("_made", table)
    order = "ORDER BY bucket" if "bucket" in table.column_names else ""  # a bucket's rows lie together, for the writing of each
    task.con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS SELECT * FROM _made {order}')
    task.con.unregister("_made")


def _loans(approved: pa.Table, plans: Plans) -> Loans:
    (product, products), (grade, grades), (region, regions) = (_coded(approved[name]) for name in ("product", "grade", "region"))
    number = {name: approved[name].to_numpy() for name in ("amount_fen", "term_months", "pd_ppm")}
    return Loans(
        number["amount_fen"].astype(np.int64), number["term_months"].astype(np.int64), number["pd_ppm"].astype(np.int64),
        product, grade, region, products, grades, regions, *plans.leaving(products, product, number["term_months"].astype(np.int64)),
    )


def _refused(task: Task, approved: pa.Table, book: Book) -> np.ndarray | None:
    """Booleans [sources, loans]: who has refused which of the approved loans; None where nobody has refused any."""
    said = task.con.sql("SELECT place, source FROM refusals").to_arrow_table()
    if not len(said):
        return None
    out = np.zeros((len(book.sources), len(approved)), bool)
    place, source = said["place"].to_numpy(), said["source"].to_pylist()
    for at, name in zip(place.tolist(), source):
        if name in book.sources:
            out[book.sources.index(name), at] = True
    return out


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Codes into the sorted names, -1 for null: the same whatever the order of rows."""
    coded = column.combine_chunks().dictionary_encode()
    names = coded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(names)), -1
    return rank[pc.fill_null(coded.indices, len(names)).to_numpy(zero_copy_only=False)], [names[at] for at in order]


def _funding(approved: pa.Table, found: Spread) -> pa.Table:
    waits = found.structure == WAITS
    return pa.table({
        "application_id": approved["application_id"],
        "bucket": approved["bucket"],
        "amount_fen": approved["amount_fen"],
        "funded_fen": np.where(waits, 0, approved["amount_fen"].to_numpy()),
        "queue_rank": pa.array(np.cumsum(waits), pa.int64(), mask=~waits),
        "queue_reason": pa.array(found.reason, pa.string(), mask=~waits),
    })


def _shares(approved: pa.Table, loans: Loans, found: Spread, book: Book) -> pa.Table:
    rows, source, amount = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number, structure in enumerate(book.structures):
        mine = np.flatnonzero(found.structure == number)
        shares = book.shares(number, loans.amount_fen[mine])
        for at, name in enumerate(structure.sources):
            some = shares[:, at] > 0
            rows.append(mine[some])
            source.append(np.full(int(some.sum()), book.sources.index(name), np.int64))
            amount.append(shares[some, at])
    rows = np.concatenate(rows)
    return pa.table({
        "application_id": approved["application_id"].take(pa.array(rows)),
        "bucket": approved["bucket"].take(pa.array(rows)),
        "source": pa.DictionaryArray.from_arrays(pa.array(np.concatenate(source)), pa.array(book.sources, pa.string())),
        "amount_fen": np.concatenate(amount),
    })


def _programme(loans: Loans, grouped: cohorts.Cohorts, plan: programme.Plan, found: Spread) -> pa.Table:
    bound, got = plan.worth_yuan, programme.reached(plan, grouped, loans, found.structure)
    waits = found.structure == WAITS
    return pa.table({
        "applications": [len(loans)], "cohorts": [len(grouped)], "wanted_fen": [int(loans.amount_fen.sum())], "funded_fen": [int(loans.amount_fen[~waits].sum())],
        "queued": [int(waits.sum())], "bound_yuan": [round(bound, 2)], "reached_yuan": [round(got, 2)],
        "gap": pa.array([max(round((bound - got) / bound, 6), 0.0) if bound > 0 else None], pa.float64()), "notes": pa.array([list(plan.notes)], pa.list_(pa.string())),
    })


def _limits(plan: programme.Plan, found: Spread, book: Book) -> pa.Table:
    return pa.table({
        "limit": [limit.label for limit in book.limits], "kind": [limit.kind for limit in book.limits], "source": pa.array([limit.source for limit in book.limits], pa.string()),
        "limit_fen": [limit.fen for limit in book.limits], "used_fen": [limit.fen - int(room) for limit, room in zip(book.limits, found.room_fen)],
        "left_fen": found.room_fen, "shadow_price": plan.prices,
    })


def _sources(shares: pa.Table, plan: programme.Plan, book: Book) -> pa.Table:
    code = shares["source"].combine_chunks().indices.to_numpy()
    amount = shares["amount_fen"].to_numpy()
    used = np.zeros(len(book.sources), np.int64)
    np.add.at(used, code, amount)
    offered = [(r, limit) for r, limit in enumerate(book.limits) if limit.source]
    return pa.table({
        "source": book.sources,
        "kind": [book.policy.sources[name].kind for name in book.sources],
        "capacity_fen": [limit.fen for _, limit in offered],
        "used_fen": used,
        "loans": np.bincount(code, minlength=len(book.sources)),
        "shadow_price": [float(plan.prices[r]) for r, _ in offered],
        "weighted_cost": [float(book.policy.sources[name].cost_of_funds) for name in book.sources],
    })


STAGE = Stage(
    name="fund", kind="gather", reads=("limit", "funding_refusals"), writes=("funding", "funding_shares", "funding_sources", "funding_limits", "funding_programme"),
    module=__name__, settings=settings, listed=listed, compute=compute,
)
