"""Letters of a run: one for every application and language, of the kind that its decision makes it.

Texts are configs/notices/; a bucket's letters are one query over the run's tables and small tables of words, whatever their number. No
name and no number of a person is in them unless that is asked for, and then only where the run's inputs still have them.
"""

from __future__ import annotations

import datetime
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from qqloan_cli import chain
from qqloan_cli.engine.dossier import bucket_holding
from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.walk import walk
from qqloan_cli.engine.workers import each
from qqloan_cli.errors import UsageError
from qqloan_cli.oversight import letters as common
from qqloan_cli.oversight.aside import beside
from qqloan_cli.policy.notices import Letters, load_letters
from qqloan_cli.policy.products import load_products

_TABLES = ("limit", "income", "credit", "social", "offers", "cost_table", "schedule", "disburse_plan")
_MEMORY_MB = 1_500
_TEXT = Path(__file__).with_name("notices_text.sql")


@dataclass(frozen=True)
class Written:
    """``counts``: letters by (kind, lang); ``named``: of them with a name."""

    counts: dict[tuple[str, str], int]
    named: int
    notes: list[tuple[str, str]] = field(default_factory=list)


def write_letters(
    run: Run, config: Path, folder: Path, kinds: tuple[str, ...], langs: tuple[str, ...], application: str | None, with_names: bool, workers: int,
) -> Written:
    """Leaves ``folder/000.parquet`` and so on, a file a bucket (contract notices). ``config``: whose words and law; products are the run's own.

    Raises UsageError where the run has no decisions, or no such application.
    """
    if "decisions" not in run.document["stages"]:
        raise UsageError("notice-undecided", "the run has no decisions yet", str(run.root), "qqloan disburse-plan ends a run.")
    texts = load_letters(config)
    buckets = list(range(run.buckets)) if application is None else [bucket_holding(run, application)]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="qqloan-notice-") as scratch:
        whole = run if "cost_table" in run.document["stages"] else _with_costs(run, Path(scratch) / "run", workers)
        making = _Bucket(whole, texts, folder, kinds, langs, application, with_names)
        counts: dict[tuple[str, str], int] = {}
        named = 0
        for _, made in each(buckets, making, workers):
            for key, count in made["counts"].items():
                counts[key] = counts.get(key, 0) + count
            named += made["named"]
    order = {name: place for place, name in enumerate((*kinds, *langs))}
    told = {key: counts[key] for key in sorted(counts, key=lambda key: (order[key[0]], order[key[1]]))}
    return Written(told, named, texts.notes(kinds, run.as_of))


def _with_costs(run: Run, root: Path, workers: int) -> Run:
    """Where offers were not asked for, the cost tables of what was approved are worked out aside; the letters have no offers then."""
    other = beside(run, root)
    walk(other, chain.named({"cost_table"}), workers, SILENT)
    return other


class _Bucket:
    def __init__(self, run: Run, letters: Letters, folder: Path, kinds: tuple[str, ...], langs: tuple[str, ...], application: str | None, with_names: bool) -> None:
        self.run, self.letters, self.folder, self.kinds, self.langs, self.application, self.with_names = run, letters, folder, kinds, langs, application, with_names
        self.products = load_products(run.config_dir)

    def __call__(self, bucket: int) -> dict:
        run, con = self.run, connect(1, _MEMORY_MB)
        try:
            for table in _TABLES:
                run.bind(con, table, bucket)
            run.bind(con, "decisions", name="decided")
            common.furnish(con, self.letters, self.products, self.langs, self.kinds)
            con.execute(f"CREATE TEMP TABLE people AS {self._people(con, bucket)}")
            for name, value, type in (
                ("dated", run.as_of, "DATE"), ("valid_until", run.as_of + datetime.timedelta(self.letters.settings.days.offer_valid), "DATE"), ("one_application", self.application, "VARCHAR"),
            ):
                con.execute(f"SET VARIABLE {name} = $1::{type}", [value])
            con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
            common.templates(con, self.letters, "SELECT DISTINCT kind, mask FROM letters ORDER BY ALL", self.langs, run.as_of)
            found = con.execute("SELECT kind, count(*), count(name) FROM letters GROUP BY kind").fetchall()
            written = common.write(con, _TEXT, sum(count for _, count, _ in found), self.folder / f"{bucket:03d}.parquet")
            assert written == len(self.langs) * sum(count for _, count, _ in found), "a letter was lost"
            return {"counts": {(kind, lang): count for kind, count, _ in found for lang in self.langs}, "named": len(self.langs) * sum(named for _, _, named in found)}
        finally:
            con.close()

    def _people(self, con, bucket: int) -> str:
        if not self.with_names:
            return "SELECT CAST(NULL AS VARCHAR) AS application_id, CAST(NULL AS VARCHAR) AS name, CAST(NULL AS VARCHAR) AS id_number WHERE false"
        self.run.bind(con, "applicants", bucket)
        return "SELECT application_id, name, id_number FROM applicants WHERE name IS NOT NULL AND name <> ''"
