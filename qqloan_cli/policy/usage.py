"""What the rules did in a run: how often each hit, what it decided alone, and which never hit, always hit, are shadowed or overlap."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.engine.run import Run
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.rules import EFFECTS, load_rules


def usage(run: Run):
    """A row for every rule of the run's own policy, in order of weight, as an Arrow table: code, effect, hits, share of applications,
    alone (of its effect or weightier, no other hit), left_open (a missing value), finding, shadowed_by, overlaps_most, overlap_share."""
    import pyarrow as pa

    from qqloan_cli.engine.session import connect

    files = run.whole("limit")
    if not files:
        raise UsageError("step-too-early", "no rule has been asked yet", str(run.root), "qqloan limit asks them.")
    rules = list(load_rules(run.config_dir))
    con = connect(1)
    try:
        con.register("_rules", pa.table({
            "code": [rule.code for rule in rules], "effect": [rule.effect for rule in rules],
            "weight": pa.array([EFFECTS.index(rule.effect) for rule in rules], pa.int32()), "rank": pa.array(range(len(rules)), pa.int32()),
        }))
        con.execute("CREATE TEMP TABLE rule_book AS FROM _rules")
        con.execute("CREATE TEMP TABLE said AS SELECT rules_hit, rules_unknown, count(*) AS n FROM read_parquet($files) GROUP BY ALL", {"files": [str(path) for path in files]})
        con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
        return con.sql("SELECT * FROM usage").to_arrow_table()
    finally:
        con.close()
