"""income: statement lines, pay slips and fund months become one conservative monthly income, with its evidence.

income.sql brings the records to sums by month, this module takes the steady
amount of each source and what tax and insurance leave of it, and
income_figure.sql brings the sources together and traces each figure to its lines.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import literal
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.policy.income import CLASSES, IncomePolicy, Takings, classification, load_income
from qqloan_cli.policy.load import read_toml
from qqloan_cli.policy.tax import RateBook, Rates, load_tax, withheld

HERE = Path(__file__)


def settings(run: Run) -> dict[str, object]:
    policy = load_income(run.config_dir)
    return {
        "policy": policy,
        "rates": RateBook(load_tax(run.config_dir)),
        "income_settings": pa.Table.from_pylist([{"currency": read_toml(run.config_dir / "lender.toml").get("currency", "CNY"), **_one_row(policy)}]),
        "line_classes": pa.table({"class": list(CLASSES)}),
        "income_rules": pa.table({
            "rule_no": pa.array(range(len(policy.rule)), pa.int16()),
            "code": [rule.code for rule in policy.rule],
            "class": [rule.class_ for rule in policy.rule],
            "counts_permille": pa.array([_permille(policy.counted(rule.class_)) for rule in policy.rule], pa.int16()),
        }),
    }


def _permille(share: float) -> int:
    return round(share * 1000)


def _one_row(policy: IncomePolicy) -> dict[str, object]:
    combine, signs, recurring = policy.combine, policy.signs, policy.recurring
    return {
        "window_months": policy.window_months,
        "recurring_permille": _permille(policy.counts.recurring), "bonus_permille": _permille(policy.counts.bonus),
        "recurring_months": recurring.months, "recurring_days": recurring.days_within,
        "recurring_within_permille": _permille(recurring.amount_within), "unnamed_within_permille": _permille(recurring.unnamed_amount_within),
        "days_apart": policy.own_transfers.days_apart,
        "returned_permille": _permille(policy.circular.returned_share), "circular_months": policy.circular.months,
        "agree_permille": _permille(combine.agree_within), "inflated_permille": _permille(combine.inflated_over),
        "payroll_alone_permille": _permille(combine.payroll_alone), "payroll_unseen_permille": _permille(combine.payroll_unseen),
        "fund_alone_permille": _permille(combine.fund_alone), "fund_lag_permille": _permille(1 + combine.fund_lag), "stated_permille": _permille(combine.stated_verified),
        "unseen_after_months": combine.unseen_after_months,
        "high_months": policy.confidence.high_months, "medium_months": policy.confidence.medium_months,
        "changed_months": signs.employer_changed_months, "recent_rise": signs.recent_rise, "round_fen": signs.round_fen, "round_permille": _permille(signs.round_share),
        "round_least": signs.round_lines, "gambling_permille": _permille(signs.gambling_share), "breaks_least": signs.balance_breaks,
        "balance_rounding_fen": signs.balance_rounding_fen,
    }


def compute(task: Task) -> None:
    policy: IncomePolicy = task.values["policy"]
    _classify_texts(task, policy)
    _net_of_gross(task)
    task.script(HERE.with_suffix(".sql"))
    _put(task, "figures", _figures(task, policy))
    task.script(HERE.with_name("income_figure.sql"))


def _put(task: Task, name: str, table: pa.Table) -> None:
    task.con.register(f"_{name}", table)
    task.con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS SELECT * FROM "_{name}"')
    task.con.unregister(f"_{name}")


def _classify_texts(task: Task, policy: IncomePolicy) -> None:
    """What the rules say of each distinct memo and counterparty: far fewer than lines."""
    for field, besides in (("memo", ""), ("counterparty", f", regexp_matches(counterparty, {literal(policy.recurring.person)}) AS person")):
        texts = f"SELECT DISTINCT {field} FROM bank_statements WHERE {field} IS NOT NULL AND {field} <> ''"
        task.con.execute(f"""
            CREATE OR REPLACE TEMP TABLE {field}_rules AS
            SELECT *, CAST(row_number() OVER () - 1 AS INTEGER) AS {field}_no{besides} FROM ({classification(policy.rule, field, texts)})
        """)


def _net_of_gross(task: Task) -> None:
    """Net pay of slips that give gross only: insurance, fund and the tax withheld on the year so far."""
    if not task.con.execute("SELECT count(*) FROM payroll WHERE net_fen IS NULL").fetchall()[0][0]:
        _put(task, "gross_pay", pa.table({"src_file": pa.array([], pa.uint16()), "src_row": pa.array([], pa.int64()), "net_fen": pa.array([], pa.int64())}))
        return
    rates, slips = _with_rates(task, """
        WITH gross_only AS (SELECT DISTINCT applicant_id FROM payroll WHERE net_fen IS NULL),
        place AS (SELECT applicant_id, min(region) AS region FROM applicants GROUP BY applicant_id),
        paid_in AS (
          SELECT applicant_id, month, CAST(sum(personal_amount_fen) AS BIGINT) AS personal_fen
          FROM provident_fund SEMI JOIN gross_only USING (applicant_id) GROUP BY applicant_id, month
        )
        SELECT
          p.src_file, p.src_row, p.pay_date, coalesce(p.gross_fen, p.net_fen) AS gross_fen, p.net_fen IS NULL AS wanted,
          coalesce(i.personal_fen, -1) AS personal_fen, month(p.pay_date) AS month,
          CAST(dense_rank() OVER (ORDER BY p.applicant_id, p.employer, year(p.pay_date)) AS BIGINT) AS segment,
          p.pay_date = min(p.pay_date) OVER (PARTITION BY p.applicant_id) AS opens_the_record,
          coalesce(l.region, '') AS region, CAST(date_trunc('month', p.pay_date) AS DATE) AS on_month
        FROM payroll p SEMI JOIN gross_only g ON g.applicant_id = p.applicant_id
        LEFT JOIN place l ON l.applicant_id = p.applicant_id
        LEFT JOIN paid_in i ON i.applicant_id = p.applicant_id AND i.month = date_trunc('month', p.pay_date)
    """, "segment, pay_date, gross_fen, wanted, src_file, src_row")
    column = {name: slips.column(name).to_numpy() for name in slips.column_names}
    gross = column["gross_fen"].astype(np.int64)
    fund = np.where(column["personal_fen"] >= 0, column["personal_fen"], rates.fund(gross))
    month = column["month"].astype(np.int64)
    # Where the record itself begins within a year, the months before are taken as paid alike: more tax, less net.
    before = np.where(column["opens_the_record"], month - 1, 0)
    tax = withheld(rates, gross, fund, column["segment"], month, before)
    net = np.maximum(gross - rates.insurance(gross) - fund - tax, 0)
    wanted = column["wanted"].astype(bool)
    _put(task, "gross_pay", pa.table({
        "src_file": column["src_file"][wanted].astype(np.uint16), "src_row": column["src_row"][wanted].astype(np.int64), "net_fen": net[wanted],
    }))


def _with_rates(task: Task, rows: str, order: str) -> tuple[Rates, pa.Table]:
    """The rows of a query that has region and on_month, in ``order``, and their rates; the few distinct places and months are looked up once."""
    task.con.execute(f"CREATE OR REPLACE TEMP TABLE placed AS SELECT *, CAST(dense_rank() OVER (ORDER BY region, on_month) - 1 AS BIGINT) AS pair FROM ({rows})")
    pairs = task.con.execute("SELECT DISTINCT region, on_month FROM placed ORDER BY ALL").fetchall()
    table = task.con.sql(f"SELECT * EXCLUDE (region, on_month) FROM placed ORDER BY {order}").to_arrow_table()
    return Rates(task.values["rates"], pairs, table.column("pair").to_numpy()), table


def steady(months: np.ndarray, policy: IncomePolicy) -> np.ndarray:
    """The steady monthly amount. ``months``: (people, months ago) in fen, the running month first. Returns fen.

    The best of fixed windows over ranked months: raising any month's amount cannot lower it.
    """
    best = np.zeros(len(months), np.int64)
    some = np.flatnonzero(months.any(axis=1))
    filled = months[some]
    ranked = {last: np.sort(filled[:, :last + 1], axis=1) for last in {window.last for window in (*policy.steady, policy.present)}}
    present = ranked[policy.present.last][:, -policy.present.reached] * _permille(policy.present.up_to) // 1000
    most = np.zeros(len(some), np.int64)
    for window in policy.steady:
        reached = ranked[window.last][:, -window.reached]
        reached = np.minimum(reached, present) if window.still_there else reached
        np.maximum(most, reached * _permille(window.share) // 1000, out=most)
    best[some] = most
    return best


def mean_of_takings(months: np.ndarray, rule: Takings) -> np.ndarray:
    """The mean month of what goes up and down, without the running one. Shapes as for ``steady``; raising any month cannot lower it."""
    whole = months[:, 1:rule.last + 1]
    reached = np.sort(whole, axis=1)[:, -rule.reached]
    return np.minimum(whole, (reached * _permille(rule.mean_up_to) // 1000)[:, None]).sum(axis=1) // rule.last


def margins(takings: np.ndarray, costs: np.ndarray, policy: IncomePolicy) -> np.ndarray:
    """The part of each month's takings that is profit, per mille. ``takings``, ``costs``: (people, months ago) in fen.

    Months that show costs say what they leave; the usual margin speaks for the others. More takings, or less
    of a cost, cannot lower it.
    """
    usual, rule = _permille(policy.counts.business), policy.takings
    margin = np.full(len(takings), usual, np.int64)
    some = np.flatnonzero(costs.any(axis=1))
    shown = costs[some] > 0
    months, spent, taken = shown.sum(axis=1), costs[some].sum(axis=1), np.where(shown, takings[some], 0).sum(axis=1)
    left = np.maximum(1000 - spent * 1000 // np.maximum(taken, 1), 0)
    margin[some] = np.minimum((months * left + rule.usual_margin_months * usual) // (months + rule.usual_margin_months), max(_permille(rule.margin_most), usual))
    return margin


def _figures(task: Task, policy: IncomePolicy) -> pa.Table:
    """One row an application: each source's steady amount and months; variation, gaps and trend of what shows most."""
    rates, applications = _with_rates(task, "SELECT a, region, CAST(date_trunc('month', applied_on) AS DATE) AS on_month FROM applications", "a")
    count, width = applications.num_rows, policy.window_months + 1

    def months(table: str, *columns: str) -> list[np.ndarray]:
        got = task.con.sql(f"SELECT a, ago, {', '.join(f'greatest(coalesce({column}, 0), 0) AS {column}' for column in columns)} FROM {table}").to_arrow_table()
        at = got.column("a").to_numpy().astype(np.int64) * width + got.column("ago").to_numpy()
        grids = [np.zeros(count * width, np.int64) for _ in columns]
        for grid, column in zip(grids, columns):
            grid[at] = got.column(column).to_numpy()
        return [grid.reshape(count, width) for grid in grids]

    [payroll] = months("payroll_months", "income_fen")
    regular, takings, costs = months("bank_months", "regular_fen", "takings_fen", "costs_fen")
    traders = np.flatnonzero(takings.any(axis=1))
    takings[traders] = takings[traders] * margins(takings[traders], costs[traders], policy)[:, None] // 1000
    bank = regular + takings
    stated, personal, employer = months("fund_months", "base_fen", "personal_fen", "employer_fen")
    fund_least, fund_most, capped = _fund_net(rates, stated, personal, employer, policy)
    any_source = np.where(bank.any(axis=1)[:, None], bank, np.where(payroll.any(axis=1)[:, None], payroll, stated + personal + employer))
    variation, gaps, trend = *_variation(any_source), _trend(any_source)
    return pa.table({
        "a": np.arange(count, dtype=np.int32),
        "payroll_fen": steady(payroll, policy), "payroll_months": (payroll > 0).sum(axis=1).astype(np.int32),
        "bank_fen": steady(regular, policy) + np.maximum(steady(takings, policy), mean_of_takings(takings, policy.takings)),
        "bank_months": (bank > 0).sum(axis=1).astype(np.int32),
        "fund_fen": fund_least, "fund_most_fen": fund_most, "fund_capped": capped,
        "fund_months": ((stated > 0) | (personal > 0) | (employer > 0)).sum(axis=1).astype(np.int32),
        "months_covered": ((payroll > 0) | (bank > 0) | (stated > 0) | (personal > 0) | (employer > 0)).sum(axis=1).astype(np.int32),
        "gap_months": gaps.astype(np.int32), "cv": pa.array(variation, mask=np.isnan(variation)), "trend": pa.array(trend, mask=np.isnan(trend)),
    })


def _fund_net(rates: Rates, stated, personal, employer, policy: IncomePolicy):
    """Net pay a month that the fund's base implies: at least, at most, and whether the base stands at its cap."""
    def lasting(months: np.ndarray) -> np.ndarray:
        """Without the running month, which is often not booked yet, or with it where it is."""
        best, booked = steady(months[:, 1:], policy), np.flatnonzero(months[:, 0])
        best[booked] = np.maximum(best[booked], steady(months[booked], policy))
        return best

    deposit, inferred, base = lasting(personal), lasting(np.maximum(personal, employer)), lasting(stated)
    least = np.where(base > 0, base, rates.fund_base(inferred, inferred))
    # The cap is met within a tenth: bases are rounded, and the cap rises each July.
    capped = least >= rates.fund_cap // 10 * 9
    most = np.where(base > 0, base, rates.fund_base_most(inferred))
    taken = np.where(deposit > 0, deposit, rates.fund(least))
    return rates.yearly_net(least, taken), rates.yearly_net(most, taken), capped


def _variation(months: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficient of variation over the months from the first with income to the last, NaN under two, and how many of those have none.
    Sums are of whole yuan, so exact."""
    yuan = np.minimum(months // 100, 100_000_000)
    has = yuan > 0
    span = np.where(has.any(axis=1), months.shape[1] - has[:, ::-1].argmax(axis=1) - has.argmax(axis=1), 0)
    total, squares = yuan.sum(axis=1), (yuan * yuan).sum(axis=1)
    spread = np.sqrt(np.maximum(span * squares - total * total, 0).astype(np.float64))
    return np.where(span >= 2, np.divide(spread, total, out=np.zeros(len(total)), where=total > 0), np.nan), span - has.sum(axis=1)


def _trend(months: np.ndarray) -> np.ndarray:
    """Last three whole months over the three before, less one; NaN where either had no income."""
    if months.shape[1] < 7:
        return np.full(len(months), np.nan)
    late, early = months[:, 1:4].sum(axis=1), months[:, 4:7].sum(axis=1)
    known = (early > 0) & (months[:, 6] > 0)
    return np.where(known, np.divide(late, early, out=np.zeros(len(late)), where=early > 0) - 1, np.nan)


STAGE = Stage(
    name="income", kind="map", reads=("applicants", "payroll", "provident_fund", "bank_statements", "credit_accounts"), writes=("income", "income_lines"),
    module=__name__, settings=settings, compute=compute, in_order=("income_lines",),
)
