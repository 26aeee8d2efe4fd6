"""Flat tables: data that did not come through the chain. Training on one, and scoring one."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.engine.files import sha256
from qqloan_cli.errors import InputError, UsageError
from qqloan_cli.policy.scale import load_scale
from qqloan_cli.scoring.features import Features, columns_of, load_features, of_columns
from qqloan_cli.scoring.model import Scorer
from qqloan_cli.scoring.train import Material


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
    """The named columns as float64. Raises InputError naming every column that is missing or is not numbers."""
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise InputError("column-missing", f"the table lacks {', '.join(missing)}", where, "Bring every column that the model looks at; their order does not matter.")
    wrong = [name for name in names if not _is_number(table.schema.field(name).type)]
    if wrong:
        raise InputError("column-not-numbers", f"not numbers: {', '.join(wrong)}", where, "Mend the column, or leave it out with --ignore when training.")
    return pa.table({name: table.column(name).cast(pa.float64()) for name in names})


def outcome(table: pa.Table, target: str, where: str) -> tuple[np.ndarray, np.ndarray]:
    """(known, bad): rows that have an outcome, and 0 or 1 for those. A blank outcome is not known; it is never taken for bad."""
    if target not in table.column_names:
        raise InputError("column-missing", f"the table lacks {target}", where, "Name the outcome's column.")
    column = table.column(target).combine_chunks()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        words = [None if word is None else word.strip().lower() for word in column.to_pylist()]
        meaning = {None: None, "": None, "0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0, "f": 0.0, "t": 1.0, "no": 0.0, "yes": 1.0}
        if any(word not in meaning for word in words):
            raise InputError("outcome-unknown", f"{target} holds other words than 0, 1, true, false", where, "Bring 0 for good, 1 for bad, blank for not known.")
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


def table_material(path: Path, target: str, features_file: Path | None, ignore: list[str]) -> Material:
    """What a flat table has to learn from."""
    table = read_table(path)
    where = path.name
    known, bad = outcome(table, target, where)
    unknown = [name for name in ignore if name not in table.column_names]
    if unknown:
        raise UsageError("column-missing", f"the table has no {', '.join(unknown)}", "--ignore", "Name columns as the table has them.")
    notes = []
    if features_file is not None:
        features = _of_file(load_features(features_file), set(ignore))
        numeric = numbers(table, features.names, where)
    else:
        candidates = [name for name in table.column_names if name != target and name not in ignore]
        words = [name for name in candidates if not _is_number(table.schema.field(name).type)]
        counters = [name for name in candidates if name not in words and _counts_rows(table.column(name))]
        if words:
            notes.append(("columns-not-numbers", f"left out, not numbers: {', '.join(words)}"))
        if counters:
            notes.append(("columns-count-rows", f"left out, they number the rows: {', '.join(name or 'the one without a name' for name in counters)}"))
        names = [name for name in candidates if name not in words and name not in counters]
        if not names:
            raise InputError("no-columns", "no numeric column is left to learn from", where)
        features = of_columns(names)
        numeric = numbers(table, names, where)
    left_out = int((~known).sum())
    if left_out:
        notes.append(("outcome-blank", f"{left_out} rows without outcome left out"))
    columns = [column[known] for column in columns_of(numeric, features.names)]
    facts = {"about": f"Trained on a flat table of {len(table.column_names)} columns.", "left_out": left_out, "table_sha256": sha256(path), "target": target}
    return Material(features, columns, bad, np.arange(len(bad)), None, facts, notes)


def _of_file(features: Features, ignore: set[str]) -> Features:
    """A features file for a flat table: what it lacks in reason codes is filled in from the columns' names."""
    from qqloan_cli.scoring.features import code_of

    taken = {f.reason for f in features.feature.values() if f.reason}
    kept = {
        name: f.model_copy(update={"reason": f.reason or code_of(name, taken), "description": f.description or name, "sql": None, "block": ""})
        for name, f in features.feature.items() if name not in ignore
    }
    return Features(protected=features.protected, feature=kept)


def _counts_rows(column: pa.ChunkedArray) -> bool:
    """0, 1, 2, ... or 1, 2, 3, ... from row to row: that says where a row stands, and nothing about it."""
    if not pa.types.is_integer(column.type) or column.null_count or len(column) < 20:
        return False
    numbers = column.to_numpy()
    return bool(numbers[0] in (0, 1) and (np.diff(numbers) == 1).all())


def score_table(table_path: Path, model_dir: Path, out_path: Path, config_dir: Path | None = None) -> int:
    """Scores a flat table and writes row, pd, score, grade, reason_codes and reasons in the order of its rows. Returns their number.

    Raises InputError where a column of the model is missing.
    """
    import pyarrow.parquet

    from qqloan_cli.policy.home import config_dir as in_force

    scorer = Scorer.load(model_dir, load_scale(config_dir or in_force()))
    if any(feature.sql is not None for feature in scorer.features.feature.values()):
        raise UsageError("model-needs-a-run", "this model looks at a run's tables, not at a flat one", str(model_dir), "Use qqloan score RUN.")
    table = read_table(table_path, list(scorer.features.names))
    numeric = numbers(table, scorer.features.names, table_path.name)
    columns = columns_of(numeric, scorer.features.names)
    figures = scorer.score(columns)
    if scorer.scorecard is not None:  # the challenger, in the same pass
        points = scorer.scorecard.score(dict(zip(scorer.features.names, columns)))
        figures |= {"challenger_score": pa.array(points), "challenger_pd": pa.array(scorer.scorecard.pd(points))}
    scored = pa.table({"row": pa.array(np.arange(1, len(numeric) + 1)), **figures, "model_version": pa.repeat(pa.scalar(scorer.version), len(numeric))})
    out_path.parent.mkdir(parents=True, exist_ok=True)
    beside = out_path.with_name(f".{out_path.name}.tmp")
    pyarrow.parquet.write_table(scored, beside, compression="lz4")
    os.replace(beside, out_path)
    return len(scored)
