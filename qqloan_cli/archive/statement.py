"""The manifest of a run: an in-toto statement with SLSA provenance, and what the chain and a stranger need besides."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.archive.layout import BUILD, PROVENANCE, STATEMENT
from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect, literal, quoted


def statement(run: Run, files: dict[str, str], objects: dict[str, int], sequence: int, previous: str | None, format_sha256: str, tables: dict, encrypted: dict) -> dict:
    """``files``: digest by name. ``objects``: by digest, the entry that brought it. ``tables``: as ``of_tables`` has them."""
    document = run.document
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())],
        "predicateType": PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {"command": document.get("command"), "as_of": document["as_of"], "source": document.get("source"), **({"carries": document["carries"]} if "carries" in document else {})},
                "internalParameters": {"buckets": document["buckets"], "config_digest": document["config_digest"], "policy": document.get("policy"), "key_id": document["key_id"], "stages": list(document["stages"])},
                "resolvedDependencies": [{"name": f"{given['input']}: {given['file']}", "digest": {"sha256": given["sha256"]}} for given in document.get("inputs", [])],
            },
            "runDetails": {
                "builder": {"id": "urn:qqloan", "version": {**document["code"], **document["libraries"]}},
                "metadata": {"invocationId": run.run_id},
            },
            "qqloan_chain": {
                "sequence": sequence, "previous": previous, "format_sha256": format_sha256, "objects": dict(sorted(objects.items())), "counts": document["counts"], "tables": tables,
                **({"encrypted": dict(sorted(encrypted.items()))} if encrypted else {}),
            },
        },
    }


def of_tables(run: Run) -> dict[str, dict]:
    """Rows, schema and logical digest of every table of the run, inputs included."""
    import pyarrow.parquet as pq

    found, con = {}, connect(2, memory_mb=1000, scratch=run.scratch)
    try:
        for name in CONTRACTS:
            paths = run.whole(name)
            if paths:
                schema = pq.read_schema(paths[0])
                rows, digest = logical(con, paths, schema.names)
                found[name] = {"files": len(paths), "rows": rows, "schema": {field.name: str(field.type) for field in schema}, "logical_digest": digest}
    finally:
        con.close()
    return found


def logical(con, paths: list[Path], columns: list[str]) -> tuple[int, str]:
    """(rows, digest) of Parquet files; format.md says how, for strangers."""
    text = ", ".join(f"COALESCE(CAST({quoted(column)} AS VARCHAR), chr(0))" for column in columns)
    listed = ", ".join(literal(str(path)) for path in paths)
    rows, first, last = con.execute(f"""
        SELECT count(*), COALESCE(sum(CAST(v & {2**64 - 1}::UHUGEINT AS UBIGINT)), 0), COALESCE(sum(CAST(v >> 64 AS UBIGINT)), 0)  -- DuckDB reads the sixteen bytes as one little-endian number
        FROM (SELECT md5_number(concat_ws(chr(31), {text}))::UHUGEINT AS v FROM read_parquet([{listed}], union_by_name = true))
    """).fetchall()[0]
    return rows, f"{int(first) % 2**64:016x}{int(last) % 2**64:016x}"
