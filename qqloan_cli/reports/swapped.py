"""A book decided anew beside what it was: who changes sides, and what that does to amounts, prices and expected losses."""

from __future__ import annotations

from qqloan_cli.reports import formats
from qqloan_cli.reports.money import yuan


def together(runs: list[dict]) -> list[dict]:
    """Applications and amounts by both decisions, over all runs."""
    total: dict[tuple[str, str], dict] = {}
    for row in (row for run in runs for row in run["swapped"]):
        sides = total.setdefault((row["before"], row["after"]), {"before": row["before"], "after": row["after"], "applications": 0, "amount_before_fen": 0, "amount_after_fen": 0})
        for name in ("applications", "amount_before_fen", "amount_after_fen"):
            sides[name] += row[name]
    return [total[key] for key in sorted(total)]


def show(runs: list[dict]) -> None:
    for run in runs:
        again = f"taken again from {run['from_stage']} on" if run["from_stage"] else "nothing would be told anything else"
        _table(run["swapped"], f"{run['run_id']}: {again}")
        formats.draw(["", "applications", "approved", "amount (yuan)", "funded (yuan)", "mean rate", "mean all-in cost", "expected to go bad (yuan)"], [
            [s["side"], f"{s['applications']:,}", f"{s['approved']:,}", yuan(s["amount_fen"]), yuan(s["funded_fen"]), _share(s["mean_annual_rate"]), _share(s["mean_all_in_annual_cost"]), yuan(s["expected_bad_fen"])]
            for s in run["sums"]
        ], "The book", [False] + [True] * 7)
        formats.draw(["amount", "applications", "change (yuan)", "mean change of all-in cost"], [
            [m["amount"], f"{m['applications']:,}", yuan(m["change_fen"]), _share(m["mean_cost_change"])] for m in run["moved"]
        ], "Approved by both", [False, True, True, True])
    if len(runs) > 1:
        _table(together(runs), f"All {len(runs)} runs")


def _table(rows: list[dict], title: str) -> None:
    formats.draw(["before", "after", "applications", "amount before (yuan)", "after"], [
        [r["before"], r["after"], f"{r['applications']:,}", yuan(r["amount_before_fen"]), yuan(r["amount_after_fen"])] for r in rows
    ], title, [False, False, True, True, True])


def _share(value) -> str:
    return "-" if value is None else f"{value:.3%}"
