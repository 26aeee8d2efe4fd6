"""One table of a lender's, read by itself and not as part of a run: the same reading, mending and refusing as intake."""

from __future__ import annotations

from pathlib import Path

from qqloan_cli.intake import refuse
from qqloan_cli.intake.check import judge
from qqloan_cli.intake.files import File
from qqloan_cli.intake.groups import own_groups
from qqloan_cli.intake.mapped import run_mapping
from qqloan_cli.intake.mend import make_ready
from qqloan_cli.intake.recognise import own_read, recognise, wrong_columns

_THREADS, _MEMORY_MB = 2, 1500


def take(con, name: str, files: list[File], config: Path, source: str | None, scratch: Path) -> None:
    """Leaves ``checked`` (the contract's columns and ``_bad``) and ``refused`` in ``con``. The files have our own columns, or those of
    the mapping ``source``. Raises what intake raises."""
    for number, file in enumerate(files):
        file.no = number
    make_ready(con)
    if source is None:
        reads = []
        for file in files:
            read = own_read(file, name)
            if read is None:
                raise wrong_columns(file, name)
            reads.append(read)
        groups = own_groups(con, name, reads, scratch)
    else:
        plan = recognise(files, config, source)
        groups = [group for mapping, tables in plan.mapped for group in run_mapping(mapping, tables, scratch, _THREADS, _MEMORY_MB).groups.values() if group.input == name]
        if not groups:
            raise wrong_columns(files[0], name)
    groups = judge(con, name, groups, scratch)
    refuse.begin(con)
    [(bad,)] = con.execute("SELECT bool_or(_bad) FROM checked").fetchall()
    for group in groups:
        if bad:  # the second look plans a statement a rule
            refuse.explain(con, group, None)
        refuse.add_broken(con, group)
