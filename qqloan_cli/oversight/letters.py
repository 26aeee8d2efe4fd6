"""What letters of a run and letters of a book have in common: words as small tables, templates for what occurs, and the files they go to."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.policy.notices import Letters
from qqloan_cli.policy.products import Product

HERE = Path(__file__).parent
AT_ONCE = 20_000  # letters of a language: so many texts are held at a time
SCHEMA = pa.schema([(column.name, pa.date32() if column.type == "DATE" else pa.string()) for column in CONTRACTS["notices"].columns])
_ITEMS = ("principal", "interest", "monthly_fee", "upfront_fee", "total", "late_interest", "early_repayment")


def run_config(run: Run, named: Path | None, otherwise: Path) -> Path:
    """Where a run's letters are worded: where that is named; else by its own copy, in the words of its day; else, of a run from before there were letters, ``otherwise``."""
    return named or (run.config_dir if (run.config_dir / "notices").is_dir() else otherwise)


def furnish(con, letters: Letters, products: dict[str, Product], langs: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    """The small tables that the queries join."""
    words = []
    for lang in langs:
        w = lambda name: letters.word(name, lang)  # noqa: E731,B023
        row = lambda *names: "| " + " | ".join(w(name) for name in names) + " |"  # noqa: E731,B023
        words.append({
            "lang": lang, **{name: w(name) for name in letters.words if name.startswith(("source_", "owed_")) or name in ("no_reason", "cost_of_offer", "condition", "from_date")},
            "cost_head": row("item", "how", "standard", "payee", "amount", "annualised") + "\n| --- | --- | --- | --- | ---: | ---: |",
            "contingent_head": w("contingent") + "\n\n" + row("item", "how", "standard", "payee") + "\n| --- | --- | --- | --- |",
            "offers_head": row("offer_no", "product", "amount", "term", "annual_rate", "all_in", "payment") + "\n| --- | --- | ---: | --- | ---: | ---: | ---: |",
            "owed_head": row("owed_part", "amount") + "\n| --- | ---: |",
        })
    said = [(say, lang) for say in letters.says for lang in langs]
    _put(con, "words", words)
    _put(con, "kinds", [{"kind": kind} for kind in kinds])
    _put(con, "reason_of", [{"code": code, "say": name, "weak": letters.says[name].weak, "silent": letters.says[name].silent} for code, name in letters.said_by.items()])
    _put(con, "says", [{
        "say": name, "lang": lang, "text": getattr(letters.says[name], lang), "change": getattr(letters.says[name], f"change_{lang}"),
    } for name, lang in said])
    _put(con, "within", [{"say": name, "other": other} for name, say in letters.says.items() for other in say.within] or [{"say": None, "other": None}])
    _put(con, "charges", [_charge(letters, name, product, item, lang) for name, product in products.items() for item in _ITEMS for lang in langs])
    _put(con, "product_words", [{"product": name, "lang": lang, "title": cell(getattr(product, f"title_{lang}"))} for name, product in products.items() for lang in langs])
    _put(con, "condition_words", [{"condition": name, "lang": lang, "text": word.text(lang)} for name, word in letters.conditions.items() for lang in langs]
         or [{"condition": None, "lang": None, "text": None}])
    con.execute((HERE / "letters.sql").read_text(encoding="utf-8"))


def _charge(letters: Letters, name: str, product: Product, item: str, lang: str) -> dict:
    """An item of the cost table in words: how it is charged, what its standard is of, and who charges it."""
    none = letters.word("none", lang)
    contingent = item in ("late_interest", "early_repayment")
    payee = getattr(product.shown, item, None) if item in ("interest", "monthly_fee", "upfront_fee") else product.shown.interest if contingent else None
    how = None if item in ("principal", "total") else f"how_{product.method}" if item == "interest" else f"how_{item}"
    return {
        "product": name, "item": item, "lang": lang, "none": none, "name": letters.word(f"item_{item}", lang), "how": none if how is None else letters.word(how, lang),
        "per": letters.word(f"per_{item}", lang) if f"per_{item}" in letters.words else "", "payee": none if payee is None else cell(getattr(payee, lang)),
    }


def cell(text: str) -> str:
    """Text of configuration that stands in a cell of a table."""
    return " ".join(text.replace("|", "/").split())


def _put(con, name: str, rows: list[dict]) -> None:
    table = pa.Table.from_pylist(rows)
    table = table.cast(pa.schema([(field.name, pa.string() if pa.types.is_null(field.type) else field.type) for field in table.schema]))
    con.register(f"_{name}", table)
    con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS SELECT * FROM "_{name}"')
    con.unregister(f"_{name}")


def templates(con, letters: Letters, source: str, langs: tuple[str, ...], date) -> None:
    """Leaves ``templates``: a text for every kind and mask that ``source``, a query of them, gives."""
    rows = [{"kind": kind, "lang": lang, "mask": mask, "text": letters.template(kind, lang, mask, date)} for kind, mask in con.execute(source).fetchall() for lang in langs]
    _put(con, "templates", [{**row, "mask": int(row["mask"])} for row in rows] or [{"kind": "", "lang": "", "mask": 0, "text": ""}])


def write(con, view: Path, count: int, path: Path) -> int:
    """The letters that ``view`` leaves (contract notices), in order, some at a time; returns how many. Whole or not at all."""
    import pyarrow.parquet as pq

    beside, written = path.with_name(f".{path.name}.tmp"), 0
    con.execute(f"SET VARIABLE from_place = 0; SET VARIABLE to_place = {AT_ONCE}")
    con.execute(view.read_text(encoding="utf-8"))
    text = CONTRACTS["notices"].select("notices")
    with pq.ParquetWriter(beside, SCHEMA, compression="zstd", compression_level=1, use_dictionary=["kind", "lang", "dated"]) as writer:
        for start in range(0, count, AT_ONCE):
            con.execute(f"SET VARIABLE from_place = {start}; SET VARIABLE to_place = {start + AT_ONCE}")
            made = con.sql(text).to_arrow_table().cast(SCHEMA)
            writer.write_table(made)
            written += len(made)
    os.replace(beside, path)
    return written
