"""Flat tables: data that did not come through the chain. Training on one, and scoring one."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.files import sha256
from qqloan_cli.engine.session import connect, duckdb_error, quoted
from qqloan_cli.errors import ConfigError, InputError, UsageError
from qqloan_cli.policy.scale import Scale
from qqloan_cli.scoring.drift import score_bins
from qqloan_cli.scoring.features import Features, columns_of, load_features, of_columns
from qqloan_cli.scoring.model import Scorer
from qqloan_cli.scoring.study import Material

MOST_WORDS, LEAST_SHARE = 12, 0.01  # words of a text column that become features, and the share of rows that each must have
MOSTLY = 0.95  # of what a text column holds must be a number, or one of its frequent words
NUMBER = re.compile(r"\s*-?[\d,]*\.?\d+\s*%?\s*")

def read_table(path: Path, only: list[str] | None = None) -> pa.Table:
    """A Parquet or CSV file (plain, gzipped or zipped; any line ends; UTF-8, UTF-16 or GB18030). Raises InputError where it is neither."""
    import pyarrow.csv
    import pyarrow.parquet

    if not path.is_file():
        raise InputError("table-not-found", "no such file", str(path))
    try:
        with open(path, "rb") as handle:
            head = handle.read(4)
        if head == b"PAR1":
            names = pyarrow.parquet.read_schema(path).names
            return pyarrow.parquet.read_table(path, columns=None if only is None else [name for name in names if name in only])
        return _read_csv(path, head)
    except (pa.ArrowException, zipfile.BadZipFile, UnicodeError, OSError) as error:
        raise InputError("table-unreadable", f"the file cannot be read as Parquet or CSV ({type(error).__name__})", str(path), "Look at its first lines.") from None


def _read_csv(path: Path, head: bytes) -> pa.Table:
    import gzip

    import pyarrow.csv

    if head[:2] == b"\x1f\x8b":
        content = gzip.decompress(path.read_bytes())
    elif head[:2] == b"PK":
        with zipfile.ZipFile(path) as archive:
            inside = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
            if len(inside) != 1:
                raise InputError("table-many-files", f"the archive holds {len(inside)} files", str(path), "Unpack it and name one.")
            content = archive.read(inside[0])
    else:
        content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        encoding = "gb18030"
    if encoding != "utf-8-sig":
        content = content.decode(encoding).encode()
    first = content[:65536].splitlines()[:1]
    delimiter = max((b",", b";", b"\t", b"|"), key=lambda mark: first[0].count(mark) if first else 0)
    native = pa.BufferOutputStream()  # Arrow's reading threads hold on to it: a Python object there can end the process at exit
    native.write(content)
    table = pyarrow.csv.read_csv(
        pa.BufferReader(native.getvalue()), parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter.decode(), newlines_in_values=b'"' in content),
        read_options=pyarrow.csv.ReadOptions(block_size=max(1 << 20, len(content) // 16)),
    )
    twice = {name for name in table.column_names if table.column_names.count(name) > 1}
    if twice:
        raise InputError("column-twice", f"columns stand twice: {', '.join(sorted(twice))}", str(path), "Rename one.")
    return table


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)


def numbers(table: pa.Table, names, where: str) -> pa.Table:
    """The named columns as float64. Raises InputError naming every column that is not numbers."""
    wrong = [name for name in names if not _is_number(table.schema.field(name).type)]
    if wrong:
        raise InputError("column-not-numbers", f"not numbers: {', '.join(wrong)}", where, "Mend the column, or leave it out with --ignore when training.")
    return pa.table({name: table.column(name).cast(pa.float64()) for name in names})


def feature_columns(table: pa.Table, features: Features, where: str, allow_missing: bool = False) -> tuple[list[np.ndarray], list[str]]:
    """Float32 columns of the features from a flat table's columns, rows in their order; and the features that were not there.

    Raises InputError naming every column that the table lacks, unless those are to count as missing in every row.
    """
    reads, there = features.reads(), set(table.column_names)
    lacks = list(dict.fromkeys(column for name in features.names for column in sorted(reads[name]) if column not in there))
    if lacks and not allow_missing:
        raise InputError(
            "column-missing", f"the table lacks {', '.join(lacks)}", where,
            "Bring every column that the model looks at, in any order; --allow-missing takes them for missing values.",
        )
    absent = [name for name in features.names if not reads[name] <= there]
    plain = [name for name in features.names if features.feature[name].sql is None and name not in absent]
    given = numbers(table, plain, where)
    found = {name: given.column(name) for name in plain}
    worked_out = [name for name in features.names if features.feature[name].sql is not None and name not in absent]
    if worked_out:
        con = connect(1)
        try:
            con.register("flat", table.select(sorted(set().union(*(reads[name] for name in worked_out)))))
            made = con.sql(features.model_copy(update={"feature": {name: features.feature[name] for name in worked_out}}).select_table()).to_arrow_table()
        except duckdb_error() as error:
            raise ConfigError("feature-unreadable", f"the expressions do not fit the table: {str(error).splitlines()[0]}", where, "Mend features.toml.") from None
        finally:
            con.close()
        for name in worked_out:
            found[name] = made.column(name)
    for name in absent:
        found[name] = pa.chunked_array([pa.nulls(len(table), pa.float32())])
    return columns_of(pa.table(found), features.names), absent


def outcome(table: pa.Table, target: str, where: str, bad_words: tuple[str, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """(known, bad): rows that have an outcome, and 0 or 1 for those. A blank outcome is not known; it is never taken for bad.

    ``bad_words``: what the column says of a bad one, where it has words; anything else in it is good.
    """
    if target not in table.column_names:
        raise InputError("column-missing", f"the table lacks {target}", where, "Name the outcome's column.")
    column = table.column(target).combine_chunks()
    if bad_words:
        said = column.cast(pa.string()).to_pylist()
        lacking = [word for word in bad_words if word not in said]
        if lacking:
            raise InputError("outcome-unknown", f"{target} nowhere says {', '.join(lacking)}", where, "Spell --bad as the column does.")
        value = np.array([np.nan if word is None or not word.strip() else float(word in bad_words) for word in said])
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        words = [None if word is None else word.strip().lower() for word in column.to_pylist()]
        meaning = {None: None, "": None, "0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0, "f": 0.0, "t": 1.0, "no": 0.0, "yes": 1.0}
        if any(word not in meaning for word in words):
            raise InputError("outcome-unknown", f"{target} holds other words than 0, 1, true, false", where, "Bring 0 for good, 1 for bad, blank for not known, or say which words mean bad: --bad WORD.")
        value = np.array([np.nan if meaning[word] is None else meaning[word] for word in words])
    elif _is_number(column.type):
        value = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    else:
        raise InputError("outcome-unknown", f"{target} is not 0 or 1", where, "Bring 0 for good, 1 for bad, blank for not known.")
    known = ~np.isnan(value)
    bad = value[known]
    if not np.isin(bad, (0.0, 1.0)).all():
        raise InputError("outcome-unknown", f"{target} holds other numbers than 0 and 1", where, "Bring 0 for good, 1 for bad, blank for not known.")
    return known, bad


def table_material(path: Path, target: str, features_file: Path | None, ignore: list[str], by: tuple[str, ...] = (), bad_words: tuple[str, ...] = ()) -> Material:
    """What a flat table has to learn from; ``by`` are columns of groups, and no features."""
    table = read_table(path)
    where = path.name
    known, bad = outcome(table, target, where, bad_words)
    for option, named in (("--ignore", ignore), ("--by", by)):
        unknown = [name for name in named if name not in table.column_names]
        if unknown:
            raise UsageError("column-missing", f"the table has no {', '.join(unknown)}", option, "Name columns as the table has them.")
    no_evidence = {*ignore, *by}
    if features_file is not None:
        features, notes = _of_file(load_features(features_file), no_evidence), []
    else:
        features, notes = drawn_up(table.drop([target, *sorted(no_evidence)]), where)
    left_out = int((~known).sum())
    if left_out:
        notes.append(("outcome-blank", f"{left_out} rows without outcome left out"))
    columns = feature_columns(table, features, where)[0]
    people = np.arange(len(table))
    groups = {name: np.array(table.column(name).cast(pa.string()).to_pylist(), object)[known] for name in by}
    facts = {"about": f"Trained on a flat table of {len(table.column_names)} columns.", "left_out": left_out, "table_sha256": sha256(path), "target": target}
    return Material(
        features, [column[known] for column in columns], bad, people[known], None, facts, notes, [column[~known] for column in columns], people[~known], groups,
    )


def drawn_up(table: pa.Table, where: str) -> tuple[Features, list[tuple[str, str]]]:
    """Features of every column that can be one: numbers as they are, text that holds numbers (``83.70%``, ``1,200``) read as such, a few
    words as an indicator each; and what was left out, in words. Raises InputError where no column is left."""
    kinds, left_out, counters = {}, [], []
    for name in table.column_names:
        if not _is_number(table.schema.field(name).type):
            kind = _as_numbers_or_words(table.column(name), name)
            if kind is None:
                left_out.append(name)
            else:
                kinds[name] = kind
        elif _counts_rows(table.column(name)):
            counters.append(name)
        else:
            kinds[name] = None
    if not kinds:
        raise InputError("no-columns", "no column is left to learn from: none holds numbers or a few words", where)
    notes = []
    if left_out:
        notes.append(("columns-not-numbers", f"left out, neither numbers nor a few words: {', '.join(left_out)}"))
    if counters:
        notes.append(("columns-count-rows", f"left out, they number the rows: {', '.join(name or 'the one without a name' for name in counters)}"))
    return of_columns(kinds), notes


def _as_numbers_or_words(column: pa.ChunkedArray, name: str) -> str | list[str] | None:
    """The expression that reads a text column's numbers, or the words that are frequent in it, or None."""
    import pyarrow.compute as pc

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return None
    given = pc.filter(column, pc.not_equal(pc.fill_null(column, ""), ""))
    counts = sorted(((entry["values"], entry["counts"]) for entry in pc.value_counts(given).to_pylist()), key=lambda entry: (-entry[1], entry[0]))
    words = [word for word, count in counts if count >= LEAST_SHARE * len(column)]
    if len(counts) > MOST_WORDS and counts and sum(count for word, count in counts if NUMBER.fullmatch(word)) >= MOSTLY * len(given):
        return f"TRY_CAST(replace(replace({quoted(name)}, '%', ''), ',', '') AS DOUBLE)"
    return words if 2 <= len(counts) and words and len(words) <= MOST_WORDS and sum(count for _, count in counts[:MOST_WORDS]) >= MOSTLY * len(given) else None


def _of_file(features: Features, ignore: set[str]) -> Features:
    """A features file for a flat table: what it lacks in reason codes is filled in from the columns' names."""
    from qqloan_cli.scoring.features import code_of

    reads = features.reads()
    forbidden = sorted(set(features.protected) & set().union(*reads.values()))
    if forbidden:
        raise ConfigError("feature-column-protected", f"{', '.join(forbidden)}: protected, no feature may touch it", "features.toml", "Compliance keeps the list `protected`.")
    taken = {f.reason for f in features.feature.values() if f.reason}
    kept = {
        name: f.model_copy(update={"reason": f.reason or code_of(name, taken), "description": f.description or name, "block": ""})
        for name, f in features.feature.items() if not reads[name] & ignore and name not in ignore
    }
    return Features(protected=features.protected, feature=kept)


def _counts_rows(column: pa.ChunkedArray) -> bool:
    """0, 1, 2, ... or 1, 2, 3, ... from row to row: that says where a row stands, and nothing about it."""
    if not pa.types.is_integer(column.type) or column.null_count or len(column) < 20:
        return False
    numbers = column.to_numpy()
    return bool(numbers[0] in (0, 1) and (np.diff(numbers) == 1).all())


class ScoredTable(NamedTuple):
    rows: int
    absent: list[str]  # features that the table had no column for
    score_bins: pa.Table  # for drift


def score_table(table_path: Path, model_dir: Path, out_path: Path, scale: Scale, allow_missing: bool = False) -> ScoredTable:
    """Scores a flat table and writes row, pd, score, grade, reason_codes, reasons and what champion and challenger say apart, in the
    order of its rows.

    Raises InputError where a column of the model is missing, unless ``allow_missing`` takes it for missing in every row.
    """
    import pyarrow.parquet

    scorer = Scorer.load(model_dir, scale)
    if scorer.features.over_runs:
        raise UsageError("model-needs-a-run", "this model looks at a run's tables, not at a flat one", str(model_dir), "Use qqloan score RUN.")
    table = read_table(table_path, sorted(set().union(*scorer.features.reads().values())))
    columns, absent = feature_columns(table, scorer.features, table_path.name, allow_missing)
    found = scorer.score(columns)
    scored = _spelled_out(pa.table({
        "row": pa.array(np.arange(1, len(columns[0]) + 1)), **found.figures, "model_version": pa.repeat(pa.scalar(scorer.version), len(columns[0])),
    }))
    out_path.parent.mkdir(parents=True, exist_ok=True)
    beside = out_path.with_name(f".{out_path.name}.tmp")
    pyarrow.parquet.write_table(scored, beside, compression="lz4")
    os.replace(beside, out_path)
    return ScoredTable(len(scored), absent, score_bins(scorer, found))


def _spelled_out(table: pa.Table) -> pa.Table:
    """Dictionary-encoded words as the words, wherever they stand."""
    def plain(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_dictionary(kind):
            return kind.value_type
        if pa.types.is_list(kind):
            return pa.list_(plain(kind.value_type))
        if pa.types.is_struct(kind):
            return pa.struct([(part.name, plain(part.type)) for part in kind])
        return kind

    return table.cast(pa.schema([(field.name, plain(field.type)) for field in table.schema]))
