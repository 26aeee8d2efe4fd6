"""links: what needs everybody. Tables go through SQL, the graph through whole columns; no row is looked at alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.session import leaving_room, literal
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.errors import ConfigError
from qqloan_cli.links.neighbourhood import Asking, Pairs, by_day, by_month, money_comes_back
from qqloan_cli.links.rings import SHAPES, Ties, Uses, rings
from qqloan_cli.policy.social import SocialPolicy, load_social

_HERE = Path(__file__).parent


def settings(run: Run) -> dict:
    policy = load_social(run.config_dir)
    kinds = policy.graph.kinds
    return {
        "policy": policy,
        "edge_kinds": pa.table({
            "kind": pa.array(list(kinds), pa.string()),
            **{flag: pa.array([getattr(kind, flag) for kind in kinds.values()], pa.bool_()) for flag in ("tie", "both_ways", "money", "ring")},
        }),
        "graph_rules": pa.table({"keep_negative": pa.array([policy.graph.negative_weights == "keep"])}),
        "ring_keys": pa.table({"kind": pa.array(policy.rings.ties, pa.string())}),
        "ring_rules": pa.table({
            "most_sharing": pa.array([policy.rings.most_sharing], pa.int32()),
            "contact_holder_from": pa.array([policy.rings.contact_holder_from], pa.int32()),
        }),
    }


def compute(task: Task) -> None:
    policy: SocialPolicy = task.values["policy"]
    task.con.execute("SET preserve_insertion_order = false")  # or half of the statements would run on one thread
    _bind_history(task)
    for name in ("everybody.sql", "shared.sql", "ties.sql"):
        task.script(_HERE / name)
    _rings(task.con)
    _graph(task, policy)
    task.script(_HERE / "links.sql")


def _bind_history(task: Task) -> None:
    """Earlier runs' keys and decisions as views; without history, views of no rows."""
    keys, decisions = [], []
    for number, folder in enumerate(task.run.document.get("history") or ()):
        root = Path(folder)
        day = _history_day(root, task.run.document["key_id"])
        said = f"CAST({number} AS INTEGER) AS run_no, DATE {literal(day)} AS run_day"
        files = sorted((root / "keys").glob("*.parquet"))
        if files:
            listed = ", ".join(literal(str(path)) for path in files)
            keys.append(f"SELECT {said}, * FROM read_parquet([{listed}], union_by_name = true)")
        if (root / "decisions.parquet").is_file():
            decisions.append(f"SELECT {said}, application_id, decision, amount_fen, term_months FROM read_parquet({literal(str(root / 'decisions.parquet'))})")
    nobody = "SELECT CAST(NULL AS INTEGER) AS run_no, CAST(NULL AS DATE) AS run_day, * FROM"
    undecided = f"{nobody} (SELECT application_id, decision, amount_fen, term_months FROM ({CONTRACTS['decisions'].empty()}))"
    for view, parts in (("history_keys", [*keys, f"{nobody} ({CONTRACTS['keys'].empty()})"]), ("history_decisions", decisions or [undecided])):
        task.con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS " + "\nUNION ALL BY NAME\n".join(parts))


def _history_day(root: Path, key_id: str) -> str:
    """The as-of date of an earlier run whose hashes mean the same as ours."""
    try:
        document = json.loads((root / "run.json").read_text(encoding="utf-8"))
        day, other = str(document["as_of"]), document["key_id"]
    except (OSError, ValueError, KeyError):
        raise ConfigError("history-not-a-run", "no run stands in a folder named as history", str(root), "Name the folder of an earlier run.") from None
    if other != key_id:
        raise ConfigError("history-key-differs", "an earlier run was made with another key, so its hashes cannot be compared", str(root),
                          "qqloan rekey makes a history of it under the key that is named now.")
    return day


def _columns(con, query: str) -> dict[str, np.ndarray]:
    return con.execute(query).fetchnumpy()


def _register(con, name: str, columns: dict) -> None:
    table = pa.table(columns)
    con.register("_columns", table)
    con.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS SELECT * FROM _columns')
    con.unregister("_columns")


def _rings(con) -> None:
    persons = con.execute("SELECT count(*) FROM members").fetchall()[0][0]
    ties = _columns(con, "SELECT a, b, day, ends FROM ties ORDER BY ALL")
    uses = _columns(con, "SELECT person, day, place, in_batch, n FROM member_uses ORDER BY n")
    found = rings(persons, Ties(**ties), Uses(uses["person"], uses["day"], uses["place"], uses["in_batch"]))
    tied = found.first >= 0
    _register(con, "found_rings", {"n": uses["n"][tied], "first": found.first[tied], "ring_size": found.size[tied], "ring_ties": found.ties[tied],
        "ring_shape": pa.array(SHAPES).take(pa.array(found.shape[tied]))})
    con.execute("""
        CREATE OR REPLACE TEMP TABLE ring_of AS
        SELECT f.n, left(sha256(e.application_id), 16) AS ring_id, f.ring_size, f.ring_ties, f.ring_shape
        FROM found_rings AS f JOIN member_uses AS u ON u.place = f.first JOIN everyone AS e ON e.n = u.n
    """)
    con.execute("DROP TABLE found_rings")


def _graph(task: Task, policy: SocialPolicy) -> None:
    con = task.con
    task.script(_HERE / "edges.sql")
    nodes = con.execute("SELECT count(*) FROM nodes").fetchall()[0][0]
    asked = _columns(con, "SELECT n, k, day, month_day FROM asking ORDER BY n")
    outcomes = _columns(con, "SELECT k, known, bad FROM known_outcomes ORDER BY k")
    edges = _columns(con, "SELECT source, target, day, tie, both_ways, money FROM edges_by_number")
    con.execute("DROP TABLE all_nodes; DROP TABLE edges_by_number")
    with leaving_room(con):
        pairs = Pairs.of(**edges)
        del edges
        asking = Asking(asked["k"], asked["day"], asked["month_day"])
        measures = by_day(pairs, asking, outcomes["k"], outcomes["known"], outcomes["bad"], nodes)
        cycle = policy.graph.money_cycle
        measures["money_cycle"] = money_comes_back(pairs, asking, nodes, cycle.most_arcs, cycle.shortest)
        measures |= by_month(pairs, asking, nodes, policy.graph.pagerank_rounds)
    _register(con, "graph_of", {"n": asked["n"], **measures})


STAGE = Stage(name="links", kind="gather", reads=("keys", "social_edges", "outcomes"), writes=("links",), module=__name__, settings=settings, compute=compute)
