"""What the rules did in a run: how often each hit, what it decided alone, and which never hit, always hit, are shadowed or overlap."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.engine.run import Run
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.rules import EFFECTS, Rule, Rules, load_rules


def usage(run: Run):
    """What a run's own rules did in it; ``of`` says what is in it."""
    from qqloan_cli.engine.session import connect

    files = run.whole("limit")
    if not files:
        raise UsageError("step-too-early", "no rule has been asked yet", str(run.root), "qqloan limit asks them.")
    con = connect(1)
    try:
        con.execute("CREATE TEMP TABLE answers AS SELECT rules_hit, rules_unknown FROM read_parquet($files)", {"files": [str(path) for path in files]})
        return of(con, list(load_rules(run.config_dir)))
    finally:
        con.close()


def usage_in(answers: list[tuple[list[str], list[str]]], rules: Rules):
    """The same of (rules hit, rules left open), one pair an application."""
    import pyarrow as pa

    from qqloan_cli.engine.session import connect

    con, codes = connect(1), pa.list_(pa.string())
    try:
        con.register("_answers", pa.table({"rules_hit": pa.array([hit for hit, _ in answers], codes), "rules_unknown": pa.array([unknown for _, unknown in answers], codes)}))
        con.execute("CREATE TEMP TABLE answers AS FROM _answers")
        return of(con, list(rules))
    finally:
        con.close()


def of(con, rules: list[Rule]):
    """A row for every rule, in order of weight, as an Arrow table: code, effect, hits, share of applications, alone (of its effect or
    weightier, no other hit), left_open (a missing value), finding, shadowed_by, overlaps_most, overlap_share. Asks ``answers`` on ``con``."""
    import pyarrow as pa

    con.register("_rules", pa.table({
        "code": [rule.code for rule in rules], "effect": [rule.effect for rule in rules],
        "weight": pa.array([EFFECTS.index(rule.effect) for rule in rules], pa.int32()), "rank": pa.array(range(len(rules)), pa.int32()),
    }))
    con.execute("CREATE TEMP TABLE rule_book AS FROM _rules")
    con.execute("CREATE TEMP TABLE said AS SELECT rules_hit, rules_unknown, count(*) AS n FROM answers GROUP BY ALL")
    con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    return con.sql("SELECT * FROM usage").to_arrow_table()
