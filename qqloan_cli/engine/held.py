"""A run of one person, held in a database instead of files: of so few rows a file takes longer to open than to read, and a stage asks often."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import at_hand, settle
from qqloan_cli.engine.stage import Stage, furnish, work


class Held(Run):
    """``con``'s database holds its tables; ``root`` has its configuration. A database holds one such run at a time."""

    def __init__(self, root: Path, document: dict, con) -> None:
        super().__init__(root, document)
        self.con, self.tables = con, set()
        con.execute("DROP SCHEMA IF EXISTS held CASCADE; CREATE SCHEMA held")

    def take(self, table: str, query: str, con=None, kind: str = "TABLE") -> None:
        """Holds the rows of a query, which ``con`` can ask; as a ``VIEW`` where they are too many to hold."""
        (con or self.con).execute(f'CREATE {kind} held."{table}" AS {query}')
        self.tables.add(table)

    def source(self, table: str) -> str:
        """SQL for its rows."""
        return f'SELECT * FROM held."{table}"' if table in self.tables else CONTRACTS[table].empty()

    def bind(self, con, table: str, bucket: int | None = None, name: str | None = None) -> None:
        alone = bucket is not None or self.is_shared(table)
        source = self.source(table) if alone else f"SELECT *, CAST(0 AS USMALLINT) AS bucket FROM ({self.source(table)})"
        con.execute(f'CREATE OR REPLACE TEMP VIEW "{name or table}" AS {source}')

    def rows(self, con, table: str) -> int:
        return con.execute(f"SELECT count(*) FROM ({self.source(table)})").fetchall()[0][0]


def walk_alone(run: Held, stages: Iterable[Stage]) -> None:
    """Takes the stages one after the other in this process, for too little to give to workers."""
    for stage in stages:
        con = run.con.cursor()
        settle(con)
        con.execute("PRAGMA disable_optimizer")  # for one person's rows a plan takes longer to better than to follow
        with at_hand(run.con):
            values = stage.prepare(run, con)
        furnish(con, values)
        work(stage, run, None if stage.kind == "gather" else 0, con, values)
        for table in stage.writes:
            run.take(table, CONTRACTS[table].select(f'"{table}"', table not in stage.in_order, to_file=False), con)
        con.close()
