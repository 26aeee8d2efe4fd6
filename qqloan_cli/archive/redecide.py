"""What-if on history: a whole sealed book decided anew under another policy or by another model, from the first stage that would be told
anything else."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import NamedTuple

from qqloan_cli import chain
from qqloan_cli.archive.erase import erased_from, scrubbed
from qqloan_cli.archive.layout import Archive, Entry
from qqloan_cli.archive.replay import furnished
from qqloan_cli.engine.build import finish
from qqloan_cli.engine.files import digest_folder, write_json
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import Stage
from qqloan_cli.engine.walk import walk
from qqloan_cli.errors import UsageError

_SWAPPED = """
SELECT b.decision AS before, a.decision AS after, count(*) AS applications,
       CAST(sum(coalesce(b.amount_fen, 0)) AS BIGINT) AS amount_before_fen, CAST(sum(coalesce(a.amount_fen, 0)) AS BIGINT) AS amount_after_fen,
       round(avg(b.pd), 6) AS pd_before, round(avg(a.pd), 6) AS pd_after
FROM b JOIN a USING (application_id) GROUP BY ALL ORDER BY before, after
"""
_SUMS = """
SELECT side, count(*) AS applications, count(*) FILTER (WHERE decision = 'approve') AS approved, CAST(coalesce(sum(amount_fen), 0) AS BIGINT) AS amount_fen,
       CAST(coalesce(sum(funded_fen), 0) AS BIGINT) AS funded_fen, round(avg(annual_rate), 6) AS mean_annual_rate, round(avg(all_in_annual_cost), 6) AS mean_all_in_annual_cost,
       CAST(coalesce(sum(round(pd * amount_fen)), 0) AS BIGINT) AS expected_bad_fen
FROM (SELECT 'before' AS side, * FROM b UNION ALL BY NAME SELECT 'after' AS side, * FROM a) GROUP BY side ORDER BY side DESC
"""


class Redecided(NamedTuple):
    """``from_stage``: the first that was taken again, None where nothing would be told anything else. ``swapped``: applications by both
    decisions. ``sums``: of each side. ``moved``: approved by both, and by how much their amount changes."""

    entry: Entry
    from_stage: str | None
    swapped: list[dict]
    sums: list[dict]
    moved: list[dict]


def redecide(archive: Archive, entry: Entry, scratch: Path, policy: Path | None, model: Path | None, workers: int, events) -> Redecided:
    """``policy``: a configuration folder; its own model is used unless ``model`` names another. Raises ConfigError where either is wrong."""
    run = furnished(archive, entry, scratch / "run", everything=True)
    if "decisions.parquet" not in entry.files:
        raise UsageError("run-undecided", "the run was sealed without decisions", entry.name, "Archive a run that is whole.")
    erased = erased_from(archive, entry)
    if erased:
        scrubbed(run, erased)
    before = scratch / "before.parquet"
    shutil.copyfile(run.file("decisions"), before)
    stages = chain.named(set(run.document["sealed"]["stages"]) - {"offers", "cost_table"})
    told = _told(stages, run)
    if policy is not None:
        shutil.rmtree(run.config_dir)
        shutil.copytree(policy, run.config_dir)
    if model is not None:
        shutil.rmtree(run.config_dir / "model")
        shutil.copytree(model, run.config_dir / "model")
    run.document["config_digest"] = digest_folder(run.config_dir)
    now = _told(stages, run)
    other = [place for place, stage in enumerate(stages) if told[stage.name] is None or told[stage.name] != now[stage.name]]
    again = stages[other[0]:] if other else []
    run.forget(again)
    write_json(run.root / "run.json", run.document)
    walk(run, again, workers, events)
    finish(run)
    con = connect(2)
    try:
        for name, path in (("b", before), ("a", run.file("decisions"))):
            con.execute(f"CREATE TEMP VIEW {name} AS FROM read_parquet({literal(str(path))})")
        swapped, sums = (con.sql(question).to_arrow_table().to_pylist() for question in (_SWAPPED, _SUMS))
        moved = con.sql("""
            SELECT CASE WHEN a.amount_fen > b.amount_fen THEN 'more' WHEN a.amount_fen < b.amount_fen THEN 'less' ELSE 'the same' END AS amount, count(*) AS applications,
                   CAST(sum(a.amount_fen - b.amount_fen) AS BIGINT) AS change_fen, round(avg(a.all_in_annual_cost - b.all_in_annual_cost), 6) AS mean_cost_change
            FROM b JOIN a USING (application_id) WHERE a.decision = 'approve' AND b.decision = 'approve' GROUP BY ALL ORDER BY amount
        """).to_arrow_table().to_pylist()
    finally:
        con.close()
    return Redecided(entry, again[0].name if again else None, swapped, sums, moved)


def _told(stages: list[Stage], run: Run) -> dict[str, bytes | None]:
    """What configuration says to each stage, as bytes that are the same where it says the same; None where that cannot be written down."""
    found: dict[str, bytes | None] = {}
    for stage in stages:
        values = dict(stage.settings(run)) if stage.settings else {}
        try:
            found[stage.name] = pickle.dumps(values, protocol=5)
        except (pickle.PicklingError, TypeError, AttributeError):
            found[stage.name] = None
    return found
