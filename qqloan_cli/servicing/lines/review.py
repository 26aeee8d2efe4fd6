"""The nightly review of lines: from the night before, what stands at the end of the day and the rules in force on it to one decision a line.

A night is a function of the book as it was known at the end of its day, of the night before, of the configuration and of the score: done
again it gives the same bytes. Nights are done in order; those left out are not missed, for each looks at all that is known by then.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.contracts.lines import BEHAVIOUR
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect, literal
from qqloan_cli.engine.stage import put
from qqloan_cli.errors import UsageError
from qqloan_cli.policy.limits import FEN
from qqloan_cli.policy.lines import Policy
from qqloan_cli.policy.products import PPM, Product, ppm
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.lanes import Agreements
from qqloan_cli.servicing.lines.figures import figures_of, must_have_lines
from qqloan_cli.servicing.parts import as_one

_HERE = Path(__file__).parent
_MEMORY_MB = 1_500


class Score(Protocol):
    """Of a table of ``line_months`` columns: behaviour_pd, behaviour_score and score_reasons of each row, in its order."""

    version: str

    def __call__(self, table: pa.Table) -> pa.Table: ...


@dataclass(frozen=True)
class Night:
    """What a review is made with. ``before`` is the last night's file, where there is one."""

    book: Book
    at: datetime.date
    policy: Policy
    products: dict[str, Product]
    score: Score
    refresh: Run | None
    before: Path | None


def file_of(book: Book, at: datetime.date) -> Path:
    return book.root / "lines" / f"{at}.parquet"


def nights(book: Book) -> list[datetime.date]:
    """Those reviewed so far, in order."""
    return sorted(datetime.date.fromisoformat(path.stem) for path in (book.root / "lines").glob("????-??-??.parquet"))


def night_of(book: Book, at: datetime.date, policy: Policy, products: dict[str, Product], score: Score, refresh: Run | None) -> Night:
    """Raises UsageError at a day that is not closed or before a night that was reviewed, at a book without lines, and at a refresh of a later day."""
    book.must_be_closed(at, "--at")
    must_have_lines(book)
    done = nights(book)
    if done and done[-1] > at:
        raise UsageError("night-out-of-order", f"{done[-1]} is reviewed already", "--at", f"Every night begins from the one before: review {done[-1]} again, or a later day.")
    if refresh is not None:
        if refresh.as_of > at:
            raise UsageError("refresh-too-late", f"the run is of {refresh.as_of}, after the night", "--refresh", "A night looks at nothing later.")
        if not refresh.whole("limit"):
            raise UsageError("refresh-without-limit", "the run has no limit", str(refresh.root), "qqloan limit RUN makes one.")
    earlier = [night for night in done if night < at]
    return Night(book, at, policy, products, score, refresh, file_of(book, earlier[-1]) if earlier else None)


def review(night: Night, out: Path, workers: int) -> int:
    """Writes the contract ``line_reviews`` to ``out``, whole or not at all; returns its rows."""
    return as_one(night.book, "line_reviews", out, workers, lambda beside: _Review(night, beside))


class _Review:
    def __init__(self, night: Night, beside: Path) -> None:
        self.night, self.beside, self.agreements = night, beside, Agreements.of(night.book)
        self.rules = night.policy.rules(night.at)

    def __call__(self, bucket: int) -> None:
        night, lines = self.night, self.night.policy.lines
        con = connect(1, _MEMORY_MB)
        try:
            figures_of(con, night.book, bucket, night.at, self.agreements, lines.late.after_days)
            _scored(con, night.score)
            before = f"SELECT * FROM read_parquet({literal(str(night.before))})" if night.before else CONTRACTS["line_reviews"].empty()
            con.execute(f"CREATE TEMP TABLE prior AS SELECT * FROM ({before}) SEMI JOIN line_figures USING (line_id)")
            _refreshed(con, night.refresh, night.book, bucket)
            con.register("some_steps", pa.table({"product": list(night.products), "step_fen": [product.amount_step * FEN for product in night.products.values()]}))
            con.execute("CREATE TEMP TABLE steps AS SELECT * FROM some_steps")
            con.register("some_rules", self.rules.table())
            con.execute("CREATE TEMP TABLE line_rules AS SELECT * FROM some_rules")
            for name, type, value in (
                ("raise_pause", "INTEGER", lines.raising.pause_days), ("after_adverse", "INTEGER", lines.raising.after_adverse_days), ("cut_pause", "INTEGER", lines.cutting.pause_days),
                ("at_most_ppm", "BIGINT", round(lines.raising.at_most_times * PPM)), ("share_ppm", "BIGINT", ppm(lines.raising.at_most_share)),
                ("stopped_by", "VARCHAR[]", lines.stopped_by), ("scored_by", "VARCHAR", night.score.version), ("policy_version", "VARCHAR", night.policy.version),
                ("refreshed_by", "VARCHAR", night.refresh.run_id if night.refresh else None),
            ):
                con.execute(f"SET VARIABLE {name} = $1::{type}", [value])
            con.execute((_HERE / "review.sql").read_text(encoding="utf-8").replace("/*asked*/", self.rules.select))
            put(con, "line_reviews", self.beside / f"{bucket:03d}.parquet", "line_reviews", True)
        finally:
            con.close()


def _scored(con, score: Score) -> None:
    """Lines of which an instalment fell due have behaved; of a broken loan nothing is known."""
    shown = con.sql(f"SELECT line_id, {', '.join(BEHAVIOUR)} FROM line_figures WHERE instalments_fallen > 0 ORDER BY line_id").to_arrow_table()
    found = score(shown) if len(shown) else pa.table({"behaviour_pd": pa.array([], pa.float64()), "behaviour_score": pa.array([], pa.int32()), "score_reasons": pa.array([], pa.list_(pa.string()))})
    con.register("some_scored", found.append_column("line_id", shown.column("line_id")))
    con.execute("CREATE TEMP TABLE scored AS SELECT line_id, behaviour_pd, behaviour_score, score_reasons FROM some_scored")


def _refreshed(con, run: Run | None, book: Book, bucket: int) -> None:
    columns = "application_id, applicant_id, product, pd, decision, max_amount_fen"
    if run is None:
        con.execute(f"CREATE TEMP TABLE refreshed AS SELECT {columns} FROM ({CONTRACTS['limit'].empty()})")
        return
    run.bind(con, "limit", bucket if run.buckets == book.buckets else None, "fresh_limit")
    con.execute(f"CREATE TEMP TABLE refreshed AS SELECT {columns} FROM fresh_limit SEMI JOIN line_figures USING (applicant_id)")


# --- what a night says ---


def summary(reviewed: Path) -> pa.Table:
    """By action: lines, and their limits before and after."""
    con = connect(2)
    try:
        return con.sql(f"""
            SELECT action, count(*) AS lines, CAST(sum(limit_before_fen) AS BIGINT) AS limit_before_fen, CAST(sum(limit_fen) AS BIGINT) AS limit_fen,
              CAST(sum(available_fen) AS BIGINT) AS available_fen, CAST(sum(len(stopping)) AS BIGINT) AS tranches_stopped,
              count(*) FILTER (len(rules_unknown) > 0) AS lines_unknown
            FROM read_parquet({literal(str(reviewed))}) GROUP BY action ORDER BY action""").to_arrow_table()
    finally:
        con.close()


def stops(reviewed: Path) -> pa.Table:
    """A cancellation of every tranche that the night stopped, as a file of events has it."""
    con = connect(2)
    try:
        return con.sql(f"""
            SELECT 'stop-' || loan_id AS event_id, loan_id, 'cancel' AS kind, reviewed_on AS value_date
            FROM (SELECT unnest(stopping) AS loan_id, reviewed_on FROM read_parquet({literal(str(reviewed))})) ORDER BY loan_id""").to_arrow_table()
    finally:
        con.close()


def notices(reviewed: Path, policy: Policy) -> pa.Table:
    """The texts for borrowers whose line changed: line_id, applicant_id, action, adverse, en, zh."""
    con = connect(2)
    try:
        con.register("texts", pa.table({"notice": list(policy.lines.notice), **{lang: [notice.text(lang) for notice in policy.lines.notice.values()] for lang in ("en", "zh")}}))
        con.register("words", pa.table({"code": list(policy.reasons), **{lang: [reason.text(lang) for reason in policy.reasons.values()] for lang in ("en", "zh")}}))
        filled = {lang: f"{lang}" for lang in ("en", "zh")}
        for lang in filled:
            for name in ("line", "day", "limit_before", "limit", "available"):
                filled[lang] = f"replace({filled[lang]}, '{{{name}}}', notice_values['{name}'])"
            filled[lang] = f"replace({filled[lang]}, '{{reasons}}', because_{lang})"
        con.execute("SET VARIABLE by_score = $1::VARCHAR[]", [policy.by_score])
        return con.sql(f"""
            WITH changed AS (
              SELECT * EXCLUDE (reason_codes), CASE WHEN list_has_any(reason_codes, getvariable('by_score')) THEN list_concat(reason_codes, score_reasons) ELSE reason_codes END AS codes
              FROM read_parquet({literal(str(reviewed))}) WHERE notice IS NOT NULL
            ),
            told AS (SELECT codes, unnest(codes) AS code, generate_subscripts(codes, 1) AS nth FROM (SELECT DISTINCT codes FROM changed)),
            because AS (
              SELECT codes, string_agg(words.en, ' ' ORDER BY nth) AS because_en, string_agg(words.zh, '' ORDER BY nth) AS because_zh
              FROM told JOIN words USING (code) GROUP BY codes
            )
            SELECT line_id, applicant_id, action, adverse, {filled['en']} AS en, {filled['zh']} AS zh
            FROM changed JOIN texts USING (notice) JOIN because USING (codes) ORDER BY line_id""").to_arrow_table()
    finally:
        con.close()
