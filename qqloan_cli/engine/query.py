"""Questions over a run's tables: read-only, no other file and no personal column within reach."""

from __future__ import annotations

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.parse import branches, queries_within, serialised
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import at_hand, connect, duckdb_error, literal
from qqloan_cli.errors import UsageError

_HARMLESS_FUNCTIONS = {"range", "generate_series", "unnest", "repeat", "repeat_row"}


def ask(run: Run, question: str, threads: int = 2):
    """The answer to one SELECT as an Arrow table. Inputs are seen without their personal columns."""
    return ask_all(run, [question], threads)[0]


def ask_all(run: Run, questions: list[str], threads: int = 2) -> list:
    """The answers to several, as ``ask`` gives them."""
    con = connect(threads)
    try:
        tables = set(_tables(run))
        with at_hand(con):
            trees = serialised([question.strip().rstrip(";") for question in questions])
        for name in sorted({name for tree in trees for name in _tables_of(tree, tables)}):
            _bind(con, run, name)
        _close_the_doors(con, run)
        return [con.sql(question).to_arrow_table() for question in questions]
    except duckdb_error() as error:
        first = str(error).splitlines()[0]
        raise UsageError("sql-wrong", first[:300], hint="Tables: " + ", ".join(sorted(_tables(run)))) from None
    finally:
        con.close()


def _tables(run: Run) -> list[str]:
    return [name for name in CONTRACTS if run.whole(name)]


def _bind(con, run: Run, name: str) -> None:
    files = ", ".join(literal(str(path)) for path in run.whole(name))
    shown = ", ".join(f'"{column.name}"' for column in CONTRACTS[name].columns if not column.personal)
    con.execute(f'CREATE TEMP VIEW "{name}" AS SELECT {shown} FROM read_parquet([{files}])')


def _close_the_doors(con, run: Run) -> None:
    con.execute(f"SET allowed_directories = [{literal(str(run.root.resolve()) + '/')}, {literal(str(run.root) + '/')}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _tables_of(tree: dict, tables: set[str]) -> list[str]:
    """The run's tables in a statement, as DuckDB itself parses it: one SELECT, over those and harmless functions alone."""
    hint = "Tables: " + ", ".join(sorted(tables))
    if tree.get("error"):
        raise UsageError("sql-refused", f"only one SELECT can be asked: {tree.get('error_message', 'not a SELECT')[:200]}", hint=hint)
    if len(tree["statements"]) != 1:
        raise UsageError("sql-refused", "only one SELECT can be asked at a time", hint="Ask them one by one.")
    nodes = list(branches(tree))
    for node in nodes:
        function = node["function"].get("function_name", "") if node.get("type") == "TABLE_FUNCTION" else None
        if function is not None and function not in _HARMLESS_FUNCTIONS:
            raise UsageError("sql-function-refused", f"{function} could reach beyond the run", hint="Ask over the run's own tables.")
    seen, own = [node["table_name"] for node in nodes if node.get("type") == "BASE_TABLE"], queries_within(nodes)
    for name in seen:
        if name.lower() not in tables and name.lower() not in own:
            raise UsageError("sql-table-unknown", f"no table {name[:80]!r} in this run", hint=hint)
    return sorted({name.lower() for name in seen} & tables)
