"""keys: keyed hashes of ID, phone, card, device, contact and two lines of the statements, application by application; and a blocklist in the same form."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine import secret
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.links.hashing import Hasher

_HERE = Path(__file__).parent
_DOMAINS = {"id": "id", "phone": "phone", "card": "card", "device": "device", "contact": "phone", "least_line": "line", "largest_line": "line"}  # a contact is found among phones


def settings(run: Run) -> dict:
    return {"key": secret.for_hashing(secret.load())}


def compute(task: Task) -> None:
    task.script(_HERE / "numbers.sql")
    task.script(_HERE / "keys.sql")
    known = task.con.sql("FROM known_by").to_arrow_table()
    hasher = Hasher(task.values["key"])
    told = {name: known[name] for name in ("application_id", "applicant_id", "applied_at")}
    task.con.register("keys", pa.table(told | {f"{name}_hash": hasher.column(domain, known[name]) for name, domain in _DOMAINS.items()}))


def hashed_blocklist(run: Run, con) -> pa.Table:
    """The blocklist as (kind, hash, from_date, to_date), one row an entry and form.

    Hashed once for all buckets, because a list may be longer than a bucket. A
    value that looks like a keyed hash is taken as one and as a raw value too: a
    device's own number may look like a hash.
    """
    hasher = Hasher(secret.for_hashing(secret.load()))
    run.bind(con, "blocklist")
    for name in ("numbers.sql", "blocklist.sql"):
        con.execute((_HERE / name).read_text(encoding="utf-8"))
    parts = [con.sql("SELECT kind, value AS hash, from_date, to_date FROM as_given").to_arrow_table()]
    for (domain,) in con.execute("SELECT DISTINCT domain FROM to_hash ORDER BY ALL").fetchall():
        listed = con.sql("SELECT kind, value, from_date, to_date FROM to_hash WHERE domain = $1", params=[domain]).to_arrow_table()
        parts.append(listed.set_column(1, "hash", hasher.column(domain, listed["value"])))
    con.register("parts", pa.concat_tables(parts))
    return con.sql("SELECT DISTINCT * FROM parts WHERE hash IS NOT NULL ORDER BY ALL").to_arrow_table()


STAGE = Stage(name="keys", kind="map", reads=("applicants", "bank_statements"), writes=("keys",), module=__name__, settings=settings, compute=compute, in_order=("keys",))
