"""What each source of data is worth: the run is decided anew without it, and what that moves is held against what it costs.

A source is left out by its files not being there, so that every stage meets an applicant without that evidence; what it shares with
nobody's stage is not worked out again. Decisions are those of the waterfall (contract limit): funding, which deals out what there is, is
left out of it. The model is the run's own, as it is, and sees missing values; one that was trained without the source might make up for
a part of it. Referred applications earn nothing here: a person has not spoken yet.

A sample is one of applicants, by a hash; who shares what with whom is worked out of everybody.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli import chain
from qqloan_cli.archive.replay import other_versions
from qqloan_cli.asking.first_months import FirstMonths
from qqloan_cli.contracts.inputs import SHARED
from qqloan_cli.engine import secret
from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import read_settings
from qqloan_cli.engine.walk import walk
from qqloan_cli.errors import ConfigError, UsageError
from qqloan_cli.oversight.aside import beside
from qqloan_cli.policy.funding import load_funding
from qqloan_cli.policy.products import ppm
from qqloan_cli.policy.servicing import load_servicing
from qqloan_cli.policy.worth import DataSource, WorthPolicy, load_worth

ALL = "all"
OF_EVERYBODY = ("keys", "links")
STAGES = (*OF_EVERYBODY, "verify", "income", "credit", "social", "score", "limit")
ROUNDS, SEED = 300, 20_261_124  # of the bootstrap of a difference between two Ginis
_Z = 1.959964
_LEAST_OUTCOMES = 10  # of each kind, below which nothing is said of a Gini


@dataclass(frozen=True)
class Worth:
    """``table``: a row a source, and one of all together where there are several. ``changes``: a row a source and application that it moved,
    with what was decided with it and without. ``told``: what the figures rest on."""

    table: pa.Table
    changes: pa.Table
    told: dict
    notes: list[tuple[str, str]]


def worth(run: Run, config: Path, sources: list[str], outcomes: Path | None, sample: int | None, workers: int, events=SILENT) -> Worth:
    """``config`` says what sources there are and what they cost; ``sources`` of them, all where none is named. ``sample``: so many applicants.

    Raises UsageError where the run is not decided or a source is not known, ConfigError where its key is another.
    """
    policy = load_worth(config)
    for name in sources:
        if name not in policy.sources:
            raise UsageError("data-source-unknown", f"there is no source {name[:60]!r} in worth.toml", "--source", f"There are: {', '.join(policy.sources)}.")
    chosen = {name: source for name, source in policy.sources.items() if not sources or name in sources}
    if "limit" not in run.document["stages"] or not run.whole("applicants"):
        raise UsageError("worth-undecided", "the run has no decisions, or its inputs are gone", str(run.root), "Name a run that is whole: qqloan run.")
    if run.document.get("taken"):
        raise UsageError("worth-of-carried", f"the run took its evidence from {run.document['carries']['run_id']}, as it was sealed", str(run.root), "Name that run.")
    groups = {name: {name: source} for name, source in chosen.items()} | ({ALL: chosen} if len(chosen) > 1 else {})
    with tempfile.TemporaryDirectory(prefix="qqloan-worth-") as scratch:
        return _Measured(run, policy, groups, outcomes, sample, workers, Path(scratch), events).worth()


class _Measured:
    def __init__(self, run: Run, policy: WorthPolicy, groups: dict[str, dict[str, DataSource]], outcomes: Path | None, sample: int | None, workers: int, scratch: Path, events) -> None:
        self.run, self.policy, self.groups, self.workers, self.scratch, self.events = run, policy, groups, workers, scratch, events
        self.notes: list[tuple[str, str]] = []
        self.stages = {stage.name: stage for stage in chain.named(STAGES)}
        changed = [name for name, (then, now) in other_versions(run.document).items() if then != now]
        if changed:
            self.notes.append(("versions-differ", f"the run was made with other versions of {', '.join(sorted(changed))}: a part of what differs may be theirs"))
        self.outcomes = outcomes
        self.con = connect(1, scratch=scratch)
        self.sampled = self._draw(sample)
        self.known = self._outcomes()

    def worth(self) -> Worth:
        try:
            settings = read_settings(self.run, self.stages.values())
            self.con.execute("CREATE TEMP TABLE without_parts AS SELECT CAST(NULL AS VARCHAR) AS source, * FROM (SELECT * FROM with_limit LIMIT 0)")
            for name, group in self.groups.items():
                self.events.started(name, 0)
                self._without(name, group, settings)
            return self._summed()
        finally:
            self.con.close()

    # --- who is looked at ---

    def _draw(self, sample: int | None) -> bool:
        """Leaves ``people`` (applicant_id) and ``with_limit``. Returns whether they are a sample."""
        con = self.con
        self.run.bind(con, "applicants", name="everybody")
        [(total,)] = con.execute("SELECT count(DISTINCT applicant_id) FROM everybody").fetchall()
        if sample is not None and sample < 1:
            raise UsageError("sample-wrong", "a sample has one applicant at least", "--sample", "Leave it out to look at everybody.")
        self.total, sampled = total, sample is not None and sample < total
        limit = f"ORDER BY sha256('worth:' || applicant_id), applicant_id LIMIT {int(sample)}" if sampled else ""
        con.execute(f"CREATE TEMP TABLE people AS SELECT applicant_id FROM (SELECT DISTINCT applicant_id FROM everybody) {limit}")
        self.run.bind(con, "limit", name="all_limit")
        con.execute("CREATE TEMP TABLE with_limit AS SELECT l.* EXCLUDE (bucket) FROM all_limit l SEMI JOIN people USING (applicant_id) ORDER BY application_id")
        return sampled

    def _outcomes(self) -> pa.Table | None:
        """(application_id, bad) of applications that are looked at."""
        if self.outcomes is None:
            return None
        from qqloan_cli.errors import InputError
        from qqloan_cli.scoring.flat import outcome, read_table

        file = read_table(self.outcomes)
        if not {"application_id", "bad"} <= set(file.column_names):
            raise InputError("column-missing", "the outcomes lack application_id or bad", self.outcomes.name, "Bring both.")
        known, bad = outcome(file, "bad", self.outcomes.name)
        ids = file.column("application_id").cast(pa.string()).filter(pa.array(known))
        self.con.register("_outcomes", pa.table({"application_id": ids, "bad": pa.array(np.asarray(bad) > 0.5)}))
        self.con.execute("CREATE TEMP TABLE outcomes AS SELECT o.application_id, bool_or(o.bad) AS bad FROM _outcomes o SEMI JOIN with_limit USING (application_id) GROUP BY ALL ORDER BY 1")
        self.con.unregister("_outcomes")
        found = self.con.sql("SELECT * FROM outcomes").to_arrow_table()
        if not len(found):
            raise InputError("outcome-elsewhere", "no outcome is of an application of this run", self.outcomes.name, "Bring the outcomes of this run's applications.")
        return found

    # --- a run without ---

    def _without(self, name: str, group: dict[str, DataSource], settings) -> None:
        inputs = {table for source in group.values() for table in source.inputs}
        keys = sorted({key for source in group.values() for key in source.keys})
        changed, again = set(inputs), []
        for stage in self.stages.values():
            if changed & set(stage.reads) or (keys and stage.name == "links"):
                again.append(stage)
                changed |= set(stage.writes)
        if {"keys", "verify"} & {stage.name for stage in again} and self.run.document["key_id"] != secret.fingerprint(secret.load()):
            raise ConfigError("key-differs", "the run was made with another key", "QQLOAN_KEY_FILE", "Name the key file that it was made with.")
        of_all = [stage for stage in again if stage.name in OF_EVERYBODY]
        of_each = [stage for stage in again if stage.name not in OF_EVERYBODY]
        anew = beside(self.run, self.scratch / name / "run", but=inputs)
        anew.forget(again)
        walk(anew, [stage for stage in of_all if stage.name == "keys"], self.workers, SILENT, settings=settings)
        asked = self._without_keys(anew, keys, self.scratch / name / "keys") if keys else anew
        walk(asked, [stage for stage in of_all if stage.name == "links"], self.workers, SILENT, settings=settings)
        if keys:
            for path in asked.whole("links"):
                (anew.root / "links").mkdir(exist_ok=True)
                shutil.move(path, anew.root / "links" / path.name)
        if self.sampled:
            anew = self._of_people(anew, self.scratch / name / "sample", {table for stage in of_each for table in stage.reads})
        walk(anew, of_each, self.workers, SILENT, settings=settings)
        anew.bind(self.con, "limit", name="limit_without")
        self.con.execute(f"INSERT INTO without_parts BY NAME SELECT {literal(name)} AS source, l.* EXCLUDE (bucket) FROM limit_without l SEMI JOIN people USING (applicant_id) ORDER BY application_id")
        shutil.rmtree(self.scratch / name, ignore_errors=True)

    def _without_keys(self, run: Run, keys: list[str], root: Path) -> Run:
        """The run as those see it who ask who shares what with whom, with nobody having these keys. Identity checks go on seeing them."""
        other = beside(run, root, but={"keys"})
        (root / "keys").mkdir()
        gone = ", ".join(f"CAST(NULL AS VARCHAR) AS {key}_hash" for key in keys)
        for path in run.whole("keys"):
            self.con.execute(f"COPY (SELECT * REPLACE ({gone}) FROM read_parquet({literal(str(path))})) TO {literal(str(root / 'keys' / path.name))} (FORMAT parquet)")
        return other

    def _of_people(self, run: Run, root: Path, tables: set[str]) -> Run:
        """The run with the sample's people alone, bucket by bucket, rows in their order. What everybody shares stays whole."""
        other = beside(run, root, but={table for table in tables if table not in SHARED})
        for table in sorted(tables - set(SHARED)):
            for path in run.whole(table):
                to = root / path.relative_to(run.root)
                to.parent.mkdir(parents=True, exist_ok=True)
                rows = f"(SELECT * FROM read_parquet({literal(str(path))}, file_row_number = true))"
                by = "with_limit USING (application_id)" if table == "links" else "people USING (applicant_id)"
                self.con.execute(f"COPY (SELECT t.* EXCLUDE (file_row_number) FROM {rows} t SEMI JOIN {by} ORDER BY t.file_row_number) TO {literal(str(to))} (FORMAT parquet)")
        return other

    # --- what it moved ---

    def _summed(self) -> Worth:
        con = self.con
        con.execute("ALTER TABLE without_parts RENAME TO without_limit")
        lgd, cost_ppm = ppm(load_servicing(self.run.config_dir).expected_loss.lgd), self._cost_of_funds()
        self._register("loans_earn", self._earned(FirstMonths(self.run, self.policy.months, cost_ppm)))
        rows = [(name, place, ", ".join(table for source in group.values() for table in [*source.inputs, *(f"key:{key}" for key in source.keys)]),
                 None if name == ALL else group[name].cost_fen, None if name == ALL else group[name].charged) for place, (name, group) in enumerate(self.groups.items())]
        self._register("prices", pa.table({
            "source": [row[0] for row in rows], "place": pa.array([row[1] for row in rows], pa.int32()), "inputs": [row[2] for row in rows],
            "cost_fen": pa.array([row[3] for row in rows], pa.int64()), "charged": pa.array([row[4] for row in rows], pa.string()),
        }))
        self._register("parts", pa.table({"source": [name for name, group in self.groups.items() for _ in group], "part": [part for group in self.groups.values() for part in group]}))
        con.execute(f"CREATE TEMP TABLE asked AS {self._asked()}")
        con.execute("SET VARIABLE lgd_ppm = $1::BIGINT", [lgd])
        con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
        table = con.sql("SELECT * FROM summed ORDER BY source").to_arrow_table()
        order = [table.column("source").to_pylist().index(name) for name in self.groups]
        table = table.take(order)
        for name, column in {**self._intervals(table), **self._ranked(table)}.items():
            table = table.append_column(name, column)
        applicants = con.execute("SELECT count(*) FROM people").fetchall()[0][0]
        told = {
            "run_id": self.run.run_id, "applicants": self.total, "looked_at": applicants, "sample": self.sampled, "months": self.policy.months, "lgd": lgd / 1e6,
            "cost_of_funds": cost_ppm / 1e6, "outcomes": None if self.known is None else len(self.known),
        }
        changes = con.sql("SELECT * EXCLUDE (decision_changed, terms_changed) FROM moved WHERE decision_changed OR terms_changed ORDER BY source, application_id").to_arrow_table()
        return Worth(table, changes, told, self.notes)

    def _cost_of_funds(self) -> int:
        """A year, millionths: what the run's funded loans cost; where none is funded, the mean of the sources that could."""
        found = self.run.whole("funding_sources")
        if found:
            [(cost,)] = self.con.execute(f"SELECT CAST(round(1e6 * sum(weighted_cost * used_fen ORDER BY source) / nullif(sum(used_fen), 0)) AS BIGINT) FROM read_parquet({literal(str(found[0]))})").fetchall()
            if cost is not None:
                return cost
        costs = [ppm(source.cost_of_funds) for source in load_funding(self.run.config_dir).sources.values()]
        self.notes.append(("nothing-funded", "the run has no funded loan: cost of funds is the mean of its sources'"))
        return round(sum(costs) / len(costs))

    def _earned(self, earning: FirstMonths) -> pa.Table:
        loans = self.con.sql("""
            SELECT source, side, application_id, product, amount_fen, term_months, CAST(annual_rate * 1000000 AS BIGINT) AS annual_rate_ppm
            FROM (
              SELECT source, 'without' AS side, application_id, product, amount_fen, term_months, annual_rate FROM without_limit WHERE decision = 'approve'
              UNION ALL
              SELECT '' AS source, 'with' AS side, application_id, product, amount_fen, term_months, annual_rate FROM with_limit WHERE decision = 'approve'
            ) ORDER BY source, application_id
        """).to_arrow_table()
        interest, funds = earning.of(loans)
        made = pa.table({"source": loans.column("source"), "side": loans.column("side"), "application_id": loans.column("application_id"), "interest_fen": pa.array(interest), "funds_fen": pa.array(funds)})
        self.con.register("_made", made)
        names = ", ".join(f"({literal(name)})" for name in self.groups)
        made = self.con.sql(f"SELECT CASE WHEN m.side = 'with' THEN n.name ELSE m.source END AS source, m.* EXCLUDE (source) FROM _made m LEFT JOIN (VALUES {names}) n(name) ON m.side = 'with'").to_arrow_table()
        self.con.unregister("_made")
        return made

    def _asked(self) -> str:
        """SQL of (source, applicant_id, covered)."""
        parts = []
        for name, group in self.groups.items():
            known = " UNION ".join(self._covered(source) for source in group.values())
            parts.append(f"SELECT {literal(name)} AS source, p.applicant_id, c.applicant_id IS NOT NULL AS covered FROM people p LEFT JOIN (SELECT DISTINCT applicant_id FROM ({known})) c USING (applicant_id)")
        return " UNION ALL ".join(parts)

    def _covered(self, source: DataSource) -> str:
        """SQL of the people of whom a source knows something: rows of theirs; of a list, an entry that fits them; of keys, one at least."""
        found = []
        for table in source.inputs:
            self.run.bind(self.con, table, name=f"in_{table}")
            if table == "social_edges":
                found += [f"SELECT src AS applicant_id FROM in_{table}", f"SELECT dst AS applicant_id FROM in_{table}"]
            elif table == "blocklist":
                self.run.bind(self.con, "verify", name="verified")
                found.append("SELECT applicant_id FROM verified WHERE len(list_filter(checks, lambda x: x.\"check\" = 'blocklist' AND x.outcome <> 'not_applicable')) > 0")
            else:
                found.append(f"SELECT applicant_id FROM in_{table}")
        if source.keys:
            self.run.bind(self.con, "keys", name="known_keys")
            found.append(f"SELECT applicant_id FROM known_keys WHERE coalesce({', '.join(f'{key}_hash' for key in source.keys)}) IS NOT NULL")
        return " UNION ".join(found)

    def _register(self, name: str, table: pa.Table) -> None:
        self.con.register(f"_{name}", table)
        self.con.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM _{name}")
        self.con.unregister(f"_{name}")

    def _intervals(self, table: pa.Table) -> dict[str, pa.Array]:
        """Worth an application and, where it is a sample, its 95 % interval: of a ratio of sums over applicants, with the correction for a finite population."""
        by = self.con.execute("SELECT source, applications, worth_fen FROM by_applicant").fetchnumpy()
        each, low, high = [], [], []
        for name in table.column("source").to_pylist():
            rows = np.asarray(by["source"] == name)
            worth, count = by["worth_fen"][rows].astype(np.int64), by["applications"][rows].astype(np.int64)
            ratio = int(worth.sum()) / int(count.sum())
            each.append(round(ratio, 2))
            half = None
            if self.sampled and len(worth) > 1:
                apart = worth - ratio * count
                n = len(worth)
                half = _Z * float(np.sqrt((1 - n / self.total) * n / (n - 1) * (apart**2).sum())) / int(count.sum())
            low.append(None if half is None else round(ratio - half, 2))
            high.append(None if half is None else round(ratio + half, 2))
        return {"worth_an_application_fen": pa.array(each, pa.float64()), "worth_low_fen": pa.array(low, pa.float64()), "worth_high_fen": pa.array(high, pa.float64())}

    def _ranked(self, table: pa.Table) -> dict[str, pa.Array]:
        """How well pd ranks with the source and without it, and how those turned out whom the source alone decided, where outcomes are known."""
        names = ("outcomes", "gini_with", "gini_without", "gini_moved", "gini_low", "gini_high", "only_with_known", "only_with_bad", "only_without_known", "only_without_bad")
        found: dict[str, list] = {name: [] for name in names}
        for source in table.column("source").to_pylist():
            row = self._of_outcomes(source) if self.known is not None else {}
            for name in names:
                found[name].append(row.get(name))
        return {name: pa.array(values, pa.float64() if name.startswith("gini") else pa.int64()) for name, values in found.items()}

    def _of_outcomes(self, source: str) -> dict:
        from qqloan_cli.scoring import measures

        rows = self.con.execute("SELECT m.with_pd, m.without_pd, m.with_decision, m.without_decision, o.bad FROM moved m JOIN outcomes o USING (application_id) WHERE m.source = $1 ORDER BY m.application_id", [source]).fetchnumpy()
        bad, first, other = rows["bad"].astype(float), rows["with_pd"].astype(float), rows["without_pd"].astype(float)
        only_with, only_without = ((rows[a] == "approve") & (rows[b] != "approve") for a, b in (("with_decision", "without_decision"), ("without_decision", "with_decision")))
        told = {
            "outcomes": len(bad), "only_with_known": int(only_with.sum()), "only_with_bad": int(bad[only_with].sum()),
            "only_without_known": int(only_without.sum()), "only_without_bad": int(bad[only_without].sum()),
        }
        if min(bad.sum(), len(bad) - bad.sum()) < _LEAST_OUTCOMES:
            return told
        low, high = measures.bootstrap(bad, first, lambda b, p, w: 2 * (measures.auc(b, p, w) - measures.auc(b, other, w)), ROUNDS, SEED)
        with_, without = measures.gini(bad, first), measures.gini(bad, other)
        return {**told, "gini_with": round(with_, 6), "gini_without": round(without, 6), "gini_moved": round(with_ - without, 6), "gini_low": round(low, 6), "gini_high": round(high, 6)}
