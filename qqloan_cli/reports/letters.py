"""Letters as files: one .md or .pdf each, in folders by kind."""

from __future__ import annotations

import os
import re
from pathlib import Path

from qqloan_cli.engine.files import remove
from qqloan_cli.engine.workers import each

AT_ONCE = 500  # letters that a worker writes before it is told the next
_HARMLESS = re.compile(r"[^A-Za-z0-9._\-]")


def write_files(parts: list[Path], to: Path, ending: str, workers: int, private: bool, font: Path | None = None, author: str = "") -> int:
    """The letters of ``parts`` (Parquet, contract notices) as ``to``/KIND/APPLICATION.LANG.md or .pdf; the folder is there whole or not at all.

    ``private``: nobody but the owner may read them. ``font``: for Chinese in PDF (configs/notices/letters.toml). Returns how many.
    """
    import pyarrow.parquet as pq

    beside = to.with_name(f".{to.name}.building")
    remove(beside)
    beside.mkdir(parents=True, mode=0o700 if private else 0o777)
    tasks = [(part, start) for part in parts for start in range(0, pq.ParquetFile(part).metadata.num_rows, AT_ONCE)]
    written = sum(count for _, count in each(tasks, _Some(beside, ending, private, font, author), workers))
    remove(to)
    os.replace(beside, to)
    return written


def name_of(application_id: str, loan_id: str | None, lang: str, ending: str) -> str:
    """A file's name: what a file system would take amiss is written as %XX of its bytes."""
    plain = _HARMLESS.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), loan_id or application_id)
    return f"{'%2E' + plain[1:] if plain.startswith('.') else plain}.{lang}.{ending}"


class _Some:
    """What a worker does: the letters from one row of a part on."""

    def __init__(self, folder: Path, ending: str, private: bool, font: Path | None, author: str) -> None:
        self.folder, self.ending, self.private, self.font, self.author = folder, ending, private, font, author
        self._open: tuple[Path, object] | None = None

    def __call__(self, task: tuple[Path, int]) -> int:
        part, start = task
        rows = self._rows(part, start)
        for row in rows:
            folder = self.folder / row["kind"]
            folder.mkdir(exist_ok=True, mode=0o700 if self.private else 0o777)
            content = row["text"].encode("utf-8") if self.ending == "md" else self._pdf(row)
            path = folder / name_of(row["application_id"], row["loan_id"], row["lang"], self.ending)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if self.private else 0o666), "wb") as handle:
                handle.write(content)
        return len(rows)

    def _rows(self, part: Path, start: int) -> list[dict]:
        import duckdb

        con = duckdb.connect(config={"threads": 1})
        try:
            return con.sql("SELECT application_id, loan_id, kind, lang, dated, text FROM read_parquet($part) LIMIT $many OFFSET $start", params={"part": str(part), "many": AT_ONCE, "start": start}).to_arrow_table().to_pylist()
        finally:
            con.close()

    def _pdf(self, row: dict) -> bytes:
        from qqloan_cli.reports.letter_pdf import as_pdf

        return as_pdf(row["text"], row["lang"], self.author, self.font)
