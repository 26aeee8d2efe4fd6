"""What a command says at its end: counts that add up, top reasons, amounts, quarantine."""

from __future__ import annotations

import json

from qqloan_cli.engine.query import ask, ask_all
from qqloan_cli.engine.run import Run
from qqloan_cli.policy.reasons import load_reasons
from qqloan_cli.policy.scale import load_scale
from qqloan_cli.policy.version import cited
from qqloan_cli.reports import console, drift, formats
from qqloan_cli.reports.money import yuan

_DECISIONS = """
SELECT decision, count(*) AS applications, CAST(sum(amount_fen) AS BIGINT) AS amount_fen, CAST(sum(funded_fen) AS BIGINT) AS funded_fen,
       round(avg(pd), 4) AS mean_pd, round(avg(all_in_annual_cost), 4) AS mean_all_in_annual_cost
FROM decisions GROUP BY decision ORDER BY decision
"""
_REASONS = """
SELECT decision, code, count(*) AS applications
FROM (SELECT decision, unnest(reason_codes) AS code FROM decisions)
GROUP BY decision, code
QUALIFY row_number() OVER (PARTITION BY decision ORDER BY count(*) DESC, code) <= 5
ORDER BY decision, applications DESC, code
"""
_CAPS = "SELECT binding_cap, count(*) AS applications FROM decisions WHERE decision = 'approve' GROUP BY ALL ORDER BY applications DESC, binding_cap"
_SOURCES = "SELECT source, loans, used_fen, capacity_fen, weighted_cost FROM funding_sources ORDER BY source"
_SWAPPED = """
SELECT CASE WHEN champion_pd < $cut THEN 'pass' ELSE 'fail' END AS champion, CASE WHEN challenger_pd < $cut THEN 'pass' ELSE 'fail' END AS challenger,
       count(*) AS applications, round(avg(champion_pd), 4) AS champion_pd, round(avg(challenger_pd), 4) AS challenger_pd, any_value(scorer) AS scorer
FROM score WHERE challenger_pd IS NOT NULL GROUP BY 1, 2 ORDER BY 1 DESC, 2 DESC
"""
_SHORT = 'SELECT "limit", left_fen, shadow_price FROM funding_limits WHERE shadow_price > 0 ORDER BY shadow_price DESC, "limit"'
_REFUSED = "SELECT input, rule, count(*) AS rows FROM quarantine GROUP BY ALL ORDER BY rows DESC, input, rule"


def document(run: Run) -> dict:
    """The whole summary as one document: what ``--format json`` prints and the table is drawn from."""
    questions = [_DECISIONS, _REASONS, _CAPS, _REFUSED, drift.question(load_scale(run.config_dir))]
    decisions, reasons, caps, refused, drifted = (answer.to_pylist() for answer in ask_all(run, questions))
    return {
        "schema_version": console.SCHEMA_VERSION, "as_of": run.document["as_of"], "counts": run.document["counts"],
        "decisions": decisions, "reasons": reasons, "binding_caps": caps, "quarantine": refused, "warnings": run.document["warnings"], "drift": drift.drifted(drifted),
        "policy": {**run.document.get("policy", {}), "version": cited(run.config_dir, run.document.get("policy", {}))}, "seconds": round(sum(t["seconds"] for t in run.document["timings"].values()), 2),
    }


def show(run: Run, format: str = "table") -> None:
    """The end of ``qqloan run``, on stdout."""
    if format == "json":
        print(json.dumps(formats.plain(document(run)), ensure_ascii=False, indent=1))
        return
    formats.known(format)
    found, texts = document(run), load_reasons(run.config_dir)
    show_intake(run, found["quarantine"])
    formats.draw(
        ["decision", "applications", "amount (yuan)", "funded (yuan)", "mean pd", "mean all-in cost"],
        [[r["decision"], f"{r['applications']:,}", yuan(r["amount_fen"]), yuan(r["funded_fen"]), shown(r["mean_pd"]), shown(r["mean_all_in_annual_cost"])] for r in found["decisions"]],
        f"Decisions as of {run.document['as_of']}, policy {_policy(found['policy'])}", [False] + [True] * 5,
    )
    formats.draw(
        ["decision", "reason", "applications", "in words"],
        [[r["decision"], r["code"], f"{r['applications']:,}", texts[r["code"]].en if r["code"] in texts else ""] for r in found["reasons"]],
        "Top reasons", [False, False, True, False],
    )
    if found["binding_caps"]:
        formats.draw(["binding cap", "approved"], [[r["binding_cap"] or "-", f"{r['applications']:,}"] for r in found["binding_caps"]], "What set the amount", [False, True])
    _drift(found["drift"])


def _policy(policy: dict) -> str:
    release = f" (release {policy['release']}, in force from {policy['effective']})" if "release" in policy else ""
    return f"{policy['version']}{release}"


def show_intake(run: Run, refused: list[dict] | None = None) -> None:
    """What came in: in = accepted + refused + of other people. ``refused`` is the quarantine by input and rule, where it was asked for already."""
    formats.draw(
        ["input", "rows in", "accepted", "refused", "other people's"],
        [[name, *(f"{c[k]:,}" for k in ("in", "accepted", "refused", "unmatched"))] for name, c in run.document["counts"].items()],
        "Input", [False] + [True] * 4,
    )
    if refused is None:
        refused = ask(run, _REFUSED).to_pylist()
    if refused:
        formats.draw(["input", "rule", "rows"], [[r["input"], r["rule"], f"{r['rows']:,}"] for r in refused[:10]], "Refused (quarantine.parquet has file, row, column and reason)", [False, False, True])
    _notes(run)


def show_step(run: Run, stages: list[str], format: str = "table") -> None:
    """What a single step left."""
    done = {name: run.document["stages"][name] for name in stages}
    if format == "json":
        print(json.dumps({"schema_version": console.SCHEMA_VERSION, "as_of": run.document["as_of"], "stages": done, "warnings": run.document["warnings"], **({"drift": drift.of_run(run)} if "score" in done else {})}, ensure_ascii=False, indent=1))
        return
    formats.known(format)
    scored = "score" in done
    drifted = drift.of_run(run) if scored else []
    rows = [[name, f"{found['rows_in']:,}", table, f"{count:,}"] for name, found in done.items() for table, count in found["rows_out"].items()]
    formats.draw(["stage", "rows in", "table", "rows"], rows, None, [False, True, False, True])
    if scored:
        _swap_set(run)
    _notes(run)
    _drift(drifted)


def show_funding(run: Run) -> None:
    """What treasury wants to see of a plan: who funds how much, what is short and what more of it would be worth, and the gap to the bound."""
    sources, short, programme = (answer.to_pylist() for answer in ask_all(run, [_SOURCES, _SHORT, "SELECT * FROM funding_programme"]))
    formats.draw(["source", "loans", "used (yuan)", "capacity (yuan)", "cost of funds"], [
        [s["source"], f"{s['loans']:,}", yuan(s["used_fen"]), yuan(s["capacity_fen"]), f"{s['weighted_cost']:.2%}"] for s in sources
    ], "Funding", [False, True, True, True, True])
    if short:
        formats.draw(["limit", "left (yuan)", "worth of one more yuan"], [[s["limit"], yuan(s["left_fen"]), f"{s['shadow_price']:.5f}"] for s in short], "What is short", [False, True, True])
    for p in programme:
        gap = "-" if p["gap"] is None else f"{p['gap']:.4%}"
        formats.draw(["approved loans", "wanted (yuan)", "funded (yuan)", "wait", "objective", "its bound", "gap"], [
            [f"{p['applications']:,}", yuan(p["wanted_fen"]), yuan(p["funded_fen"]), f"{p['queued']:,}", f"{p['reached_yuan']:,.2f}", f"{p['bound_yuan']:,.2f}", gap]
        ], "The programme", [True] * 7)


def _swap_set(run: Run) -> None:
    """Champion and challenger side by side, where the model has both: who is below the last grade's pd by either."""
    grades = load_scale(run.config_dir).grades
    cut = grades[-2].pd_below if len(grades) > 1 else 1.0
    rows = ask(run, _SWAPPED.replace("$cut", repr(cut))).to_pylist()
    if rows:
        formats.draw(
            ["champion", "challenger", "applications", "mean pd by champion", "by challenger"],
            [[r["champion"], r["challenger"], f"{r['applications']:,}", shown(r["champion_pd"]), shown(r["challenger_pd"])] for r in rows],
            f"Swap set at a pd of {cut:.2f}; the {rows[0]['scorer']} decides", [False, False, True, True, True],
        )


def _drift(found: list[dict]) -> None:
    for ref, text in drift.lines(found):
        console.current().note(ref, text)


def _notes(run: Run) -> None:
    said = console.current()
    for warning in run.document["warnings"]:
        said.note(warning["ref"], warning["text"])


def shown(value) -> str:
    return "-" if value is None else str(value)
