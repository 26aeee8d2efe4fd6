"""The queue of referred applications, what was said of one, and how decisions turned out."""

from __future__ import annotations

from qqloan_cli.reports import formats
from qqloan_cli.reports.money import yuan


def show_cases(cases: list[dict], run_id: str) -> None:
    formats.draw(["application", "desk", "state", "decision", "amount (yuan)", "pd", "reasons"], [
        [c["application_id"], c["refer_to"] or "-", {"open": "waits", "second": "waits for a second person", "decided": "decided"}[c["state"]], c["decision"] or "-",
         yuan(c["amount_fen"]) if c["amount_fen"] else "-", f"{c['pd']:.4f}" if c["pd"] is not None else "-", ", ".join(c["reason_codes"])]
        for c in cases
    ], f"{len(cases):,} cases of {run_id}", [False, False, False, False, True, True, False])


def show_said(case: dict) -> None:
    if case["said"]:
        formats.draw(["when", "who", "decision", "amount (yuan)", "income shown (yuan)", "reason", "until", "in words"], [
            [e["at"], e["by"], e["decision"], yuan(e["amount_fen"]) if e["amount_fen"] else "-", yuan(e.get("income_fen")), e["reason"], e["until"] or "-", e["text"]] for e in case["said"]
        ], f"Said by people: {'waits for a second person' if case['state'] == 'second' else case['state']}", [False, False, False, True, True, False, False, False])


def show_sides(rows: list[dict], run_id: str) -> None:
    formats.draw(["side", "applications", "with outcome", "bad", "bad rate", "mean pd"], [
        [r["side"], f"{r['applications']:,}", f"{r['with_outcome']:,}", f"{r['bad']:,}", "-" if r["bad_rate"] is None else f"{r['bad_rate']:.2%}", "-" if r["mean_pd"] is None else f"{r['mean_pd']:.2%}"] for r in rows
    ], f"How decisions of {run_id} turned out", [False] + [True] * 5)
