"""Runs, buckets, journals and locks: what makes a run whole, resumable and written by one."""

from __future__ import annotations

import json
import multiprocessing
import os

import duckdb
import pytest
from hypothesis import given, strategies as st

from qqloan_cli.contracts import CONTRACTS
from qqloan_cli.engine.events import SILENT
from qqloan_cli.engine.files import only_writer
from qqloan_cli.engine.journal import Journal
from qqloan_cli.engine.run import APPLICANTS_A_BUCKET, WORTH_TWO, Run, bucket_of, buckets_for
from qqloan_cli.engine.session import clear, connect
from qqloan_cli.engine.stage import Stage, perform
from qqloan_cli.errors import LockedError


def a_run(folder, buckets=1) -> Run:
    run = Run(folder, {"schema_version": 1, "as_of": "2026-11-24", "buckets": buckets, "stages": {}, "timings": {}, "warnings": [], "key_id": "k"})
    run.save()
    return run


@given(st.integers(0, 5_000_000))
def test_a_bucket_holds_no_more_than_it_may_and_no_bucket_is_made_for_nothing(applications):
    buckets = buckets_for(applications)
    assert buckets & (buckets - 1) == 0
    assert applications <= buckets * APPLICANTS_A_BUCKET
    assert buckets == 1 if applications < WORTH_TWO else buckets == 2 or applications > buckets // 2 * APPLICANTS_A_BUCKET


@given(st.text(min_size=1, max_size=30).filter(lambda t: "\0" not in t), st.sampled_from([1, 2, 8, 64, 1024]))
def test_python_and_sql_put_an_applicant_into_the_same_bucket(applicant, buckets):
    bits = buckets.bit_length() - 1
    applicant = applicant.encode("utf-8", "ignore").decode()
    in_sql = duckdb.execute("SELECT ('0x' || substr(sha256(?), 1, 4))::USMALLINT >> (16 - ?)", [applicant, bits]).fetchall()[0][0]
    assert bucket_of(applicant, buckets) == in_sql < buckets


def test_a_stage_without_rows_leaves_a_file_with_its_whole_schema(tmp_path):
    run = a_run(tmp_path)
    stage = Stage("funding", "map", ("limit",), ("funding",), __name__, compute=lambda task: task.con.execute(
        "CREATE OR REPLACE TEMP TABLE funding AS SELECT application_id, amount_fen, amount_fen AS funded_fen, 1 AS queue_rank, '' AS queue_reason FROM \"limit\""))
    assert perform(stage, run, 0, connect(), {}) == {"funding": 0}
    got = duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(run.file("funding", 0))]).fetchall()
    assert [(name, kind) for name, kind, *_ in got] == [(c.name, c.type) for c in CONTRACTS["funding"].columns]


def test_a_session_that_was_left_holds_no_table_and_leaves_rows_in_order(tmp_path):
    base = connect()
    session, other = base.cursor(), base.cursor()
    for con in (session, other):
        con.execute('CREATE TEMP TABLE "a name" AS SELECT 1 AS x; CREATE TEMP VIEW seen AS FROM "a name"')
    session.execute("SET preserve_insertion_order = false")
    clear(session)
    assert other.execute("SELECT current_setting('preserve_insertion_order')").fetchall() == [(True,)]
    assert session.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]
    assert other.execute("FROM seen").fetchall() == [(1,)]


def test_a_stage_that_fails_leaves_no_file_under_a_name(tmp_path):
    run = a_run(tmp_path)
    stage = Stage("funding", "map", (), ("funding",), __name__, compute=lambda task: task.con.execute("CREATE TEMP TABLE funding AS SELECT 1 AS application_id"))
    with pytest.raises(duckdb.Error):
        perform(stage, run, 0, connect(), {})
    assert not run.file("funding", 0).exists()


def test_the_journal_believes_only_what_is_on_disk(tmp_path):
    run = a_run(tmp_path)
    whole, cut, gone = (tmp_path / "funding" / f"{n:03d}.parquet" for n in range(3))
    whole.parent.mkdir()
    for bucket, path in enumerate((whole, cut, gone)):
        path.write_bytes(b"x" * 100)
        Journal(run).record("fund", bucket, {"funding": 5}, [path])
    cut.write_bytes(b"x" * 60)
    gone.unlink()
    with open(tmp_path / ".journal", "a") as handle:
        handle.write('{"stage": "fund", "bucket": 3, "rows"')  # killed in mid-line
    assert list(Journal(run).done) == [("fund", 0)]


def _hold(out, ready, leave):
    with only_writer(out):
        ready.set()
        leave.wait(30)


def test_a_second_writer_is_refused_and_told_who_holds_it(tmp_path):
    out, context = tmp_path / "run", multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(out, ready, leave))
    holder.start()
    try:
        assert ready.wait(30)
        with pytest.raises(LockedError, match=f"process {holder.pid}"):
            with only_writer(out):
                pass
    finally:
        leave.set()
        holder.join()
    with only_writer(out):
        pass
    assert not (tmp_path / ".run.lock").exists()


def test_a_dead_holders_lock_is_taken_over_and_said(tmp_path):
    out, context = tmp_path / "run", multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(out, ready, leave))
    holder.start()
    assert ready.wait(30)
    holder.kill()
    holder.join()
    said = []
    notes = type("Notes", (), {"note": lambda self, ref, text: said.append((ref, text))})()
    with only_writer(out, notes):
        pass
    assert said == [("lock-taken-over", f"process {holder.pid} held run and is gone; its lock was taken over")]


def test_the_digests_of_a_run_and_of_a_step_taken_again_are_those_of_its_files(lender_run, tmp_path):
    import hashlib
    import json
    import shutil

    from conftest import done

    run = tmp_path / "run"
    shutil.copytree(lender_run, run)
    for step in (None, "social", "disburse-plan"):
        if step:
            done(step, run, "--yes")
        digests = json.loads((run / "run.json").read_text(encoding="utf-8"))["digests"]
        assert len(digests) > 5
        assert {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in digests} == digests, step
        if step == "social":
            done("score", run), done("limit", run)
