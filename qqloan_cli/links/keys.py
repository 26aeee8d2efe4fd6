"""keys: HMAC-SHA256 of ID, phone, card, device and contact, application by application, in SQL; and a blocklist in the same form."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine import secret
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import Stage, Task

_HERE = Path(__file__).parent


def _pads() -> pa.Table:
    inner, outer = secret.pads(secret.load())
    return pa.table({"inner_pad": pa.array([inner], pa.binary()), "outer_pad": pa.array([outer], pa.binary())})


def settings(run: Run) -> dict:
    return {"hash_pads": _pads()}


def compute(task: Task) -> None:
    task.script(_HERE / "hashing.sql")
    task.script(_HERE / "keys.sql")


def hashed_blocklist(run: Run) -> pa.Table:
    """The blocklist as (kind, hash, from_date, to_date), one row an entry and form.

    Hashed once for all buckets, because a list may be longer than a bucket. A
    value that looks like a keyed hash is taken as one and as a raw value too: a
    device's own number may look like a hash.
    """
    con = connect(1, scratch=run.scratch)
    try:
        con.register("hash_pads", _pads())
        run.bind(con, "blocklist")
        for name in ("hashing.sql", "blocklist.sql"):
            con.execute((_HERE / name).read_text(encoding="utf-8"))
        return con.sql("SELECT * FROM blocked ORDER BY ALL").to_arrow_table()
    finally:
        con.close()


STAGE = Stage(name="keys", kind="map", reads=("applicants",), writes=("keys",), module=__name__, settings=settings, compute=compute)
