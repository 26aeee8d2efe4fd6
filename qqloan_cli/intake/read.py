"""Takes a lender's files in: found, told apart, read, mended, checked, bucketed; what breaks its contract to the quarantine with its reason.

    files.find -> recognise -> mapped (a mapping's SQL) -> groups -> write (one pass) -> refuse (a second look at the bad rows)

Every row is accepted, refused, or of a person who has no application in this batch; which of them it is depends on the row
alone, never on the order of rows or how they are split into files.
"""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qqloan_cli.engine.events import Events
from qqloan_cli.engine.files import write_json
from qqloan_cli.engine.journal import Journal
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import USUAL_MB, connect, distrust_statistics
from qqloan_cli.errors import InputError
from qqloan_cli.intake import groups as grouping
from qqloan_cli.intake import refuse, write
from qqloan_cli.intake.files import File, find
from qqloan_cli.intake.mapped import Outcome, run_mapping
from qqloan_cli.intake.mend import macros, macros_of, statement
from qqloan_cli.intake.recognise import Plan, recognise
from qqloan_cli.intake.relations import Group

MEMORY_MB = USUAL_MB


def take_in(
    run: Run, inputs: list[Path], *, source: str | None, max_quarantine: float | None, workers: int, events: Events, spark: str | None = None,
) -> None:
    """Fills ``run``'s ``inputs/`` and ``quarantine.parquet``, and its document's buckets, inputs, counts and warnings.

    ``max_quarantine`` is a share of any input's rows; ``spark`` is Spark's master, where it shall deal the rows out. Raises InputError for a file that is not what it says or too many
    refused rows, ConfigError for a mapping that cannot be right.
    """
    files = find(inputs)
    plan = recognise(files, run.config_dir, source)
    if "applicants" not in plan.inputs():
        raise InputError(
            "applicants-missing", f"{', '.join(plan.inputs())} came in, and no applicants", plan.files[0].name if plan.files else "",
            "Name a file applicants.csv, or a mapping that makes applicants.",
        )
    _warn(run, plan)
    _Intake(run, plan, max_quarantine, workers, events, spark).all()


def _warn(run: Run, plan: Plan) -> None:
    if plan.ignored:
        shown = ", ".join(file.name for file in plan.ignored[:5]) + (", ..." if len(plan.ignored) > 5 else "")
        run.document["warnings"].append({"ref": "files-not-used", "text": f"{len(plan.ignored)} files were not used: {shown}"})


class _Intake:
    """One intake under way."""

    def __init__(self, run: Run, plan: Plan, max_quarantine: float | None, workers: int, events: Events, spark: str | None) -> None:
        self.spark = spark
        self.run, self.plan, self.max_quarantine, self.workers, self.events = run, plan, max_quarantine, workers, events
        self.journal = Journal(run)
        self.parts = run.scratch / "intake"  # what each finished input leaves for the end: its counts and its quarantine
        self.scratch = run.scratch / "reading"
        self.outcomes: list[Outcome] = []
        self.made: set[str] = set()  # macros

    def all(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        self.parts.mkdir(exist_ok=True)
        place = self.run.root / "inputs"
        place.mkdir(exist_ok=True)
        os.chmod(place, 0o700)
        self.con = connect(self.workers, MEMORY_MB, self.scratch)
        try:
            distrust_statistics(self.con)
            self.dealer = self._dealer()
            with ThreadPoolExecutor(1, thread_name_prefix="digest") as pool:
                digests = [(file, pool.submit(file.digest)) for file in self.plan.files]
                self._inputs()
                self._finish([(file, digest.result()) for file, digest in digests])
        finally:
            self.con.close()
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _make_macros(self, sql: str) -> None:
        """Those that ``sql`` needs and that are not made yet."""
        wanted = [name for name in macros_of(sql) if name not in self.made]
        self.con.execute("".join(map(statement, wanted)))
        self.made.update(wanted)

    def _dealer(self) -> write.Here:
        if self.spark is None:
            return write.Here(self.con)
        from qqloan_cli.intake.on_spark import OnSpark

        return OnSpark(self.spark)

    def _inputs(self) -> None:
        names = self.plan.inputs()
        todo = [name for name in names if ("intake", name) not in self.journal.done]
        self.events.started("intake", sum(file.path.stat().st_size for file in self.plan.files))
        if any(name in todo for mapping, _ in self.plan.mapped for name in mapping.inputs):
            self.outcomes = [run_mapping(mapping, tables, self.scratch, self.workers, MEMORY_MB) for mapping, tables in self.plan.mapped]
        for name in names:
            if name in todo:
                self._input(name)
            elif name == "applicants":
                self.run.document["buckets"] = self._part(name)["buckets"]
            if name == "applicants":
                write.know_batch(self.con, self.run)

    def _input(self, name: str) -> None:
        groups = grouping.own_groups(self.con, name, self.plan.own.get(name, []), self.scratch)
        groups += [outcome.groups[name] for outcome in self.outcomes if name in outcome.groups]
        refuse.begin(self.con)
        written = self._read(name, groups)
        counts = self._count(name, groups, written)
        part = self.parts / f"{name}.parquet"
        refuse.write(self.con, name, part)
        self._not_too_many(name, counts)
        noted = self.parts / f"{name}.json"
        unused = sorted({column for group in groups for column in group.unused if group.files and name in self.plan.own})
        write_json(noted, {
            "counts": counts, "buckets": self.run.document["buckets"], "unused": unused,
            "files": {file.name: {"rows": file.rows, "skipped": file.skipped} for group in groups for file in group.files},
            "left_out": sum(outcome.left_out[name].rows for outcome in self.outcomes if name in outcome.left_out),
        })
        self.journal.record("intake", name, counts, [*written.files, part, noted])
        self.events.advanced("intake", sum(file.path.stat().st_size for group in groups for file in group.files))

    def _read(self, name: str, groups: list[Group]) -> write.Written:
        """One pass; again with the careful way for CSV in which DuckDB met a line that is not regular."""
        try:
            return self._pass(name, groups)
        except write.NotDealt as error:
            irregular = [i for i, group in enumerate(groups) if group.reads]
            if not irregular:
                raise self._unreadable(name, groups, error) from None
        for i in irregular:
            groups[i] = grouping.careful_group(name, groups[i].reads[0], self.scratch)
        try:
            return self._pass(name, groups)
        except write.NotDealt as error:
            raise self._unreadable(name, groups, error) from None

    def _unreadable(self, name: str, groups: list[Group], error: write.NotDealt) -> InputError:
        files = [file.name for group in groups for file in group.files]
        return InputError("file-unreadable", f"{name} cannot be read ({error.kind})", ", ".join(files[:3]), "The file is damaged inside: export it again.")

    def _pass(self, name: str, groups: list[Group]) -> write.Written:
        self._make_macros(" ".join(group.checked(self.run.as_of) for group in groups))
        if name != "applicants":
            return write.write_supporting(self.con, self.run, name, groups, self.scratch, self.dealer)
        return write.write_applicants(self.con, self.run, groups, self.scratch, self.dealer)

    def _count(self, name: str, groups: list[Group], written: write.Written) -> dict[str, int]:
        """in = accepted + refused + unmatched; what was no data (blank rows, totals, headers again) is in none of them."""
        self._make_macros(macros() if written.bad else "mask(")  # for what is said of refused rows
        if written.bad:
            for group in groups:
                refuse.explain(self.con, group, self.run.as_of)
        if name == "applicants":
            refuse.add_doubles(self.con, self.plan.files)
        for group in groups:
            refuse.add_broken(self.con, group)
        refused = refuse.rows(self.con)
        self._files(groups, written)
        counts = {"in": written.accepted + refused + written.unmatched, "accepted": written.accepted, "refused": refused, "unmatched": written.unmatched}
        if name == "applicants" and counts["in"] == 0:
            raise InputError("no-applications", "there is a header and no row under it", groups[0].files[0].name, "Export it again with its rows.")
        return counts

    def _files(self, groups: list[Group], written: write.Written) -> None:
        """Rows of each file that DuckDB read itself; the careful way has counted its own."""
        for group in groups:
            for file in group.files:
                if not file.rows:
                    skipped = sum(len(rows) for rows in file.skipped.values())
                    file.rows = max(written.by_file.get(file.no, 0) - skipped, 0)

    def _not_too_many(self, name: str, counts: dict[str, int]) -> None:
        if self.max_quarantine is None or not counts["in"] or counts["refused"] <= self.max_quarantine * counts["in"]:
            return
        rule, rows = refuse.top_rule(self.con)
        raise InputError(
            "quarantine-too-large", f"{counts['refused']} of {counts['in']} rows are refused, {rows} of them for {rule}", name,
            "Mend the files, or allow more with --max-quarantine. Without it qqloan run goes on and quarantine.parquet names every row.",
        )

    def _part(self, name: str) -> dict:
        return json.loads((self.parts / f"{name}.json").read_text(encoding="utf-8"))

    def _finish(self, digests: list[tuple[File, str]]) -> None:
        names, document = self.plan.inputs(), self.run.document
        parts = {name: self._part(name) for name in names}
        refuse.gather(self.con, [self.parts / f"{name}.parquet" for name in names], self.run.file("quarantine"))
        document["counts"] = {name: part["counts"] for name, part in parts.items()}
        for name, part in parts.items():
            if part["unused"]:
                document["warnings"].append({"ref": "columns-not-used", "text": f"{name} has columns that nothing reads: {', '.join(part['unused'])}"})
        known = {file: told for part in parts.values() for file, told in part["files"].items()}
        document["inputs"] = [self._entry(file, digest, known.get(file.name, {})) for file, digest in digests]
        left_out = {name: part["left_out"] for name, part in parts.items() if part["left_out"]}
        if left_out:
            document["left_out"] = left_out

    def _entry(self, file: File, digest: str, told: dict) -> dict:
        own = [name for name, reads in self.plan.own.items() if any(read.file is file for read in reads)]
        mapped = [f"{mapping.name}.{table}" for mapping, tables in self.plan.mapped for table, reads in tables.items() if any(read.file is file for read in reads)]
        entry = {"no": file.no, "input": (own + mapped)[0], "file": file.name, "bytes": file.path.stat().st_size, "sha256": digest, "rows": told.get("rows", file.rows)}
        skipped = told.get("skipped") or file.skipped
        if skipped:
            entry["skipped"] = {kind: {"rows": len(rows), "first": rows[:5]} for kind, rows in sorted(skipped.items())}
        return entry
