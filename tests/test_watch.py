"""An inbox: complete or not, decided once, set aside with its reason, and stopped at any moment."""

from __future__ import annotations

import datetime
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT, call, done
from qqloan_cli.engine.events import SILENT
from qqloan_cli.errors import InputError
from qqloan_cli.oversight.inbox import steps
from qqloan_cli.oversight.inbox.batch import Asked, Batches
from qqloan_cli.oversight.inbox.drops import Settling, day_of, drops
from qqloan_cli.oversight.inbox.journal import Journal
from qqloan_cli.oversight.inbox.steps import Wanted
from qqloan_cli.oversight.inbox.watch import Watch

DECIDED = ("2026-11-24", "loans 2026.11.28.zip", "放款_1__2026-12-01")  # of the inbox that `looked` looks at
FILES = ("applicants.csv", "payroll.csv")


def drop(inbox: Path, name: str, marker: str | None = "_READY", rows: int = 40, skip: int = 0) -> Path:
    """A lender's folder: so many applications of the sample, with their pay."""
    folder = inbox / name
    folder.mkdir(parents=True)
    for file in FILES:
        head, *lines = (ROOT / "sample_data" / file).read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / file).write_text("".join([head, *lines[skip:skip + rows]]), encoding="utf-8")
    if marker:
        (folder / marker).touch()
    return folder


def options(at: Path) -> list:
    return [at / "inbox", "--runs", at / "runs", "--to", at / "sealed", "--book", at / "book", "--workers", 1]


def journal(at: Path) -> list[dict]:
    return [json.loads(line) for line in (at / "inbox.watch" / "journal.jsonl").read_text(encoding="utf-8").splitlines()]


def ends(at: Path) -> dict[str, str]:
    """What the journal says last of each batch; of one that was set aside, why."""
    return {line["batch"]: line.get("ref") or line["event"] for line in journal(at)}


def reason(at: Path, batch: str) -> dict:
    return json.loads((at / "inbox.watch" / "refused" / batch / "reason.json").read_text(encoding="utf-8"))


def begun(*arguments, **more) -> subprocess.Popen:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QQLOAN_")}
    return subprocess.Popen([sys.executable, "-m", "qqloan_cli", *map(str, arguments)], cwd=ROOT, env=clean, text=True, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more})


def until(holds, seconds: float = 120.0) -> float:
    """How long it took."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it never came"
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.fixture(scope="module")
def looked(tmp_path_factory) -> Path:
    """One look at an inbox in which all sorts of things lie."""
    at = tmp_path_factory.mktemp("watch")
    inbox = at / "inbox"
    drop(inbox, "2026-11-24")
    drop(inbox, "resend-20261124", marker=None)
    (inbox / "resend-20261124.done").touch()
    drop(inbox, "2026-11-25", rows=40)
    drop(inbox, "undated", rows=30)
    drop(inbox, "2026-11-01_2026-11-24", rows=31)
    drop(inbox, "2026-11-26-arriving", marker=None, rows=32)
    (drop(inbox, "2026-11-26-cut-short", rows=33) / "bank_statements.csv.part").write_text("half")
    (drop(inbox, "2026-11-26-linked", rows=34) / "credit_accounts.csv").symlink_to("/etc/hostname")
    os.mkfifo(drop(inbox, "2026-11-26-piped", rows=35) / "wealth.csv")
    (inbox / "2026-11-26-empty").mkdir()
    (inbox / "2026-11-26-empty" / "_READY").touch()
    (inbox / "2026-11-26-nothing").mkdir()
    bad = drop(inbox, "2026-11-27-bad", rows=36)
    (bad / "applicants.csv").write_bytes(b"PAR1\0\0 not what it says")
    away = drop(at / "away", "of the day", marker=None, rows=50, skip=60)
    with zipfile.ZipFile(inbox / "loans 2026.11.28.zip", "w") as packed:
        for file in FILES:
            packed.write(away / file, f"of the day/{file}")
    (inbox / "loans 2026.11.28.zip.ok").touch()
    with zipfile.ZipFile(inbox / "2026-11-29.zip", "w") as packed:
        for name in ("applicants.csv", "../../runs/payroll.csv"):
            packed.writestr(name, "a,b\n1,2\n")
    (inbox / "2026-11-29.zip.ok").touch()
    (inbox / "2026-11-30.csv.part").write_text("half a file")
    drop(inbox, os.fsdecode("放款".encode("gb18030")) + "[1]\n2026-12-01", rows=20, skip=200)
    (drop(inbox, "2026-12-02", rows=20, skip=220) / os.fsdecode("流水.csv".encode("gb18030"))).write_text("a\n1\n")
    at.joinpath("said").write_text(done("watch", *options(at), "--once", "--marker-only").err, encoding="utf-8")
    return at


def test_what_is_complete_is_decided_archived_and_in_the_book(looked):
    assert {batch for batch, end in ends(looked).items() if end == "done"} == set(DECIDED)
    for batch in DECIDED:
        events = [line["event"] for line in journal(looked) if line["batch"] == batch]
        assert events == ["taking", "taken", "identified", "ran", "archived", "opened", "monitored", "done"]
        assert (looked / "runs" / batch / "decisions.parquet").is_file()
    assert len(list((looked / "sealed" / "chain").glob("*/manifest.json"))) == 3
    done("audit", looked / "sealed")
    book = json.loads((looked / "book" / "book.json").read_text())
    assert [opened["as_of"] for opened in book["opens"]] == ["2026-11-24", "2026-11-28", "2026-12-01"]


def test_a_run_of_the_watch_is_the_run_that_qqloan_run_makes(looked, tmp_path):
    done("run", looked / "inbox.watch" / "done" / "2026-11-24" / "2026-11-24", "--out", tmp_path / "run", "--as-of", "2026-11-24")
    ours, theirs = (json.loads((run / "run.json").read_text()) for run in (looked / "runs" / "2026-11-24", tmp_path / "run"))
    assert ours["digests"] == theirs["digests"] and ours["inputs"] == theirs["inputs"]


@pytest.mark.parametrize("batch,ref", [
    ("undated", "batch-undated"), ("2026-11-01_2026-11-24", "batch-of-two-days"), ("2026-11-26-linked", "batch-not-files"), ("2026-11-26-piped", "batch-not-files"),
    ("2026-11-26-empty", "batch-empty"), ("2026-11-27-bad", "parquet-broken"), ("2026-11-29.zip", "archive-unsafe"), ("resend-20261124", "batch-repeated"), ("2026-11-25", "batch-repeated"),
    ("2026-12-02", "batch-name-unreadable"),
])
def test_what_cannot_be_decided_is_set_aside_with_its_reason(looked, batch, ref):
    assert ends(looked)[batch] == ref
    assert reason(looked, batch)["ref"] == ref and reason(looked, batch)["hint"]
    assert (looked / "inbox.watch" / "refused" / batch / batch).exists() or (looked / "inbox.watch" / "refused" / batch / batch).is_symlink()
    assert not (looked / "runs" / batch).exists()


def test_what_is_not_complete_stays_where_it_is(looked):
    assert sorted(path.name for path in (looked / "inbox").iterdir()) == ["2026-11-26-arriving", "2026-11-26-cut-short", "2026-11-26-nothing", "2026-11-30.csv.part"]
    said = looked.joinpath("said").read_text(encoding="utf-8")
    assert "2026-11-26-arriving: it has no marker yet" in said and "2026-11-26-cut-short: an upload into it is under way" in said


def test_whoever_is_told_of_alerts_is_told_of_what_was_set_aside(looked):
    told = [json.loads(line) for line in (looked / "inbox.watch" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()]
    refused = {row["subject"]: row for row in told if row["measure"] == "batch-refused"}
    assert refused.keys() == {batch for batch, end in ends(looked).items() if end != "done"}
    assert refused["2026-11-27-bad"]["severity"] == "red" and refused["2026-11-25"]["severity"] == "amber"


def test_nobody_else_may_look_into_what_the_watch_keeps(looked):
    for place in (looked / "inbox.watch", *(looked / "inbox.watch" / "done").iterdir(), *(looked / "inbox.watch" / "refused").iterdir()):
        assert place.stat().st_mode & 0o077 == 0, place
    names = set(pq.read_table(looked / "runs" / "2026-11-24" / "inputs" / "applicants", columns=["name"]).column("name").drop_null().to_pylist())
    told = "".join((looked / "inbox.watch" / name).read_text(encoding="utf-8") for name in ("journal.jsonl", "alerts.jsonl", "told.jsonl")) + looked.joinpath("said").read_text(encoding="utf-8")
    assert names and not [name for name in names if name in told]


def test_moved_back_it_is_tried_again_and_no_longer_told_of(looked, tmp_path):
    at = shutil.copytree(looked, tmp_path / "again", symlinks=True, ignore=lambda _, names: [name for name in names if name.endswith("-piped")])
    back = at / "inbox" / "2026-11-30 undated"
    (at / "inbox.watch" / "refused" / "undated" / "undated").rename(back)
    done("watch", *options(at), "--once", "--marker-only")
    assert ends(at)["2026-11-30 undated"] == "done"
    told = [json.loads(line) for line in (at / "inbox.watch" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"event": "resolved", "subject": "undated"}.items() <= [row for row in told if row["subject"] == "undated"][-1].items()


def test_the_same_name_again_is_another_batch_and_the_same_files_on_another_day_are_decided_where_that_is_said(looked, tmp_path):
    at = shutil.copytree(looked, tmp_path / "again", symlinks=True, ignore=lambda _, names: [name for name in names if name.endswith("-piped")])
    drop(at / "inbox", "2026-11-24", rows=45, skip=100)
    drop(at / "inbox", "2026-11-29")
    result = call("watch", *options(at), "--once", "--marker-only", "--again", "--history", 2)
    assert ends(at)["2026-11-24.2"] == ends(at)["2026-11-29"] == "done", result.err
    run = json.loads((at / "runs" / "2026-11-29" / "run.json").read_text())
    assert [Path(path).name for path in run["history"]] == ["2026-11-24.2", "loans 2026.11.28.zip"]


def test_two_watches_of_one_inbox(tmp_path):
    (tmp_path / "inbox").mkdir()
    first = begun("watch", *options(tmp_path), "--every", 0.1)
    try:
        until(lambda: (tmp_path / "inbox.watch" / "working").is_dir())
        second = call("watch", *options(tmp_path), "--state", tmp_path / "other", "--once")
        assert second.code == 75 and "inbox-watched" in second.err
        first.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert first.wait(10) == 143 and time.monotonic() - started < 2
    finally:
        first.kill()
        first.communicate()


def test_alerts_leave_within_seconds_of_a_late_marker_and_ctrl_c_ends_at_once(tmp_path):
    folder = drop(tmp_path / "inbox", "2026-11-24", marker=None, rows=250)
    watch = begun("watch", *options(tmp_path), "--every", 0.2, "--marker-only", "--log-format", "jsonl", stderr=open(tmp_path / "said", "w"))
    alerts = tmp_path / "inbox.watch" / "alerts.jsonl"
    try:
        until(lambda: "batch-waits" in (tmp_path / "said").read_text())
        time.sleep(0.5)
        assert folder.is_dir()
        (folder / "_SUCCESS").touch()
        took = until(alerts.is_file)
        until(lambda: ends(tmp_path) == {"2026-11-24": "done"})
        [ran] = [line["seconds"] for line in journal(tmp_path) if line["event"] == "ran"]
        print(f"alerts {took:.1f} s after the marker, of which {ran} s the chain")
        assert took < 5 + 5 * ran  # 4 s where nobody else is at work
        watch.send_signal(signal.SIGINT)
        assert watch.wait(5) == 130
        said = [json.loads(line) for line in (tmp_path / "said").read_text(encoding="utf-8").splitlines()]
        assert [line["ref"] for line in said if line["event"] == "note"].count("batch-waits") == 1
    finally:
        watch.kill()
        watch.communicate()


def test_without_a_marker_it_is_complete_when_it_is_still(tmp_path):
    folder = drop(tmp_path / "inbox", "2026-11-24", marker=None)
    settling = Settling(0.15)
    for _ in range(4):
        time.sleep(0.06)
        with open(folder / "payroll.csv", "a", encoding="utf-8") as arriving:
            arriving.write("\n")
        assert settling.look(drops(folder.parent)) == ([], drops(folder.parent))
    os.utime(folder / "payroll.csv", (0, 0))  # an upload that keeps its sender's times
    assert settling.look(drops(folder.parent))[0] == []
    time.sleep(0.2)
    assert [one.name for one in settling.look(drops(folder.parent))[0]] == ["2026-11-24"]


@pytest.mark.parametrize("size", [40_000, 90_000])
def test_a_full_disk_holds_the_batch_and_loses_nothing(tmp_path, size):
    """Files may not grow past a size: what a full disk is to whoever copies, and to DuckDB."""
    drop(tmp_path / "inbox", "2026-11-24")
    full = begun("watch", *options(tmp_path), "--once", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    _, err = full.communicate(timeout=60)
    assert full.returncode == 70 and "machine-failed" in err, err
    assert (tmp_path / "inbox.watch" / "working" / "2026-11-24" / "2026-11-24").is_dir()
    done("watch", *options(tmp_path), "--once")
    assert ends(tmp_path) == {"2026-11-24": "done"}


def test_what_fails_after_the_decision_is_not_decided_again(tmp_path):
    drop(tmp_path / "inbox", "2026-11-24")
    done("watch", *options(tmp_path), "--once")
    drop(tmp_path / "inbox", "2026-11-25", skip=50)
    manifest = tmp_path / "sealed" / "chain" / "000001" / "manifest.json"
    good = manifest.read_bytes()
    manifest.chmod(0o644)
    manifest.write_bytes(b"{}")
    result = call("watch", *options(tmp_path), "--once", "--fail-on", "refused")
    assert result.code == 1 and "batches-refused" in result.err
    assert reason(tmp_path, "2026-11-25")["step"] == "archived"
    manifest.write_bytes(good)
    (tmp_path / "inbox.watch" / "refused" / "2026-11-25" / "2026-11-25").rename(tmp_path / "inbox" / "2026-11-25")
    done("watch", *options(tmp_path), "--once")
    assert ends(tmp_path)["2026-11-25.2"] == "done"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["2026-11-24", "2026-11-25"]


def test_a_file_that_is_written_while_it_is_read_makes_no_run(tmp_path):
    folder = drop(tmp_path / "inbox", "2026-11-24", rows=5)
    wanted = Wanted(tmp_path / "runs", tmp_path / "sealed", tmp_path / "told.jsonl")
    with pytest.raises(InputError, match="batch-changed"):
        steps.run(wanted, "2026-11-24", folder, datetime.date(2026, 11, 24), frozenset({"what it was before"}), SILENT)
    assert [path.name for path in (tmp_path / "runs").iterdir() if not path.name.endswith(".lock")] == []


def test_what_the_watch_may_not_read_or_move_stops_nobody_else(tmp_path, monkeypatch):
    batches = Batches(tmp_path / "inbox", tmp_path / "state", Asked(Wanted(tmp_path / "runs", tmp_path / "sealed", tmp_path / "told.jsonl")), SILENT)
    for name in ("2026-11-24", "2026-11-25"):
        drop(batches.inbox, name)
    first, second = drops(batches.inbox)

    def forbidden(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr("qqloan_cli.oversight.inbox.batch.sha256", forbidden)
        batches.go(batches.take(first))
    assert json.loads((batches.state / "refused" / "2026-11-24" / "reason.json").read_text())["ref"] == "batch-unreadable"
    with monkeypatch.context() as patched:
        patched.setattr("os.rename", forbidden)
        held, _ = Watch(batches, Settling(None), SILENT).look()
    assert list(held) == ["2026-11-25"] and second.path.is_dir() and not (batches.state / "working" / "2026-11-25").exists()
    assert Batches(batches.inbox, batches.state, batches.asked, SILENT).recover() == []  # and it may have that name later


def test_an_upload_that_never_ends_is_not_waited_for_for_ever(tmp_path):
    batches = Batches(tmp_path / "inbox", tmp_path / "state", Asked(Wanted(tmp_path / "runs", tmp_path / "sealed", tmp_path / "told.jsonl")), SILENT)
    (drop(batches.inbox, "2026-11-24") / "wealth.csv.filepart").write_text("half")
    settling = Settling(0.1)
    assert settling.look(drops(batches.inbox))[0] == []
    time.sleep(0.15)
    [complete], _ = settling.look(drops(batches.inbox))
    batches.go(batches.take(complete))
    assert json.loads((batches.state / "refused" / "2026-11-24" / "reason.json").read_text())["ref"] == "batch-unfinished"


def test_a_configuration_that_cannot_be_right_sets_no_batch_aside(tmp_path):
    config = shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (config / "limit.toml").write_text("nonsense = 1\n")
    folder = drop(tmp_path / "inbox", "2026-11-24")
    result = call("watch", *options(tmp_path), "--once", "--config", config)
    assert result.code == 2 and "config-wrong" in result.err and folder.is_dir()


def test_the_watch_itself_loads_nothing_heavy():
    """It stays for months, and forks: what a step needs is loaded in the step's own process."""
    script = "import sys, qqloan_cli.commands.watch, qqloan_cli.oversight.night, qqloan_cli.oversight.inbox.watch\nprint(sorted({'duckdb', 'pyarrow', 'numpy', 'pandas', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True).stdout.strip() == "[]"


def survives(at: Path, seed: int, kills: int) -> None:
    """Killed so many times at moments that are drawn, with batches dropped meanwhile; then left alone."""
    drawn = random.Random(seed)
    names = [f"2026-11-{24 + number}" for number in range(2)]
    for number, name in enumerate(names):
        drop(at / "inbox", name, rows=40, skip=50 * number)
    (drop(at / "inbox", "2026-11-23-bad") / "applicants.csv").write_bytes(b"PAR1")
    killed = 0
    for _ in range(kills):
        process = begun("watch", *options(at), "--once", "--marker-only", "--quiet", start_new_session=True)
        how = drawn.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        try:
            process.communicate(timeout=drawn.uniform(0.6, 3.5))
        except subprocess.TimeoutExpired:
            started = time.monotonic()
            process.send_signal(how)  # the watch alone: its own processes are to go with it
            process.communicate()
            assert time.monotonic() - started < 5 and process.returncode in ({signal.SIGKILL: -9, signal.SIGTERM: 143}[how], 0)
            killed += 1
        if all(end in ("done", "parquet-broken") for end in ends(at).values()) and len(ends(at)) == len(names) + 1 if (at / "inbox.watch" / "journal.jsonl").exists() else False:
            names.append(f"2026-12-{len(names):02d}")
            drop(at / "inbox", names[-1], rows=20, skip=20 * len(names))
    assert killed > kills // 3
    done("watch", *options(at), "--once", "--marker-only")
    assert ends(at) == {**dict.fromkeys(names, "done"), "2026-11-23-bad": "parquet-broken"}
    assert sorted(path.name for path in (at / "inbox.watch" / "done").iterdir()) == sorted(names)
    assert [*(at / "inbox").iterdir(), *(at / "inbox.watch" / "working").iterdir()] == []
    assert sorted(path.name for path in (at / "runs").iterdir() if not path.name.endswith(".lock")) == sorted(names)
    run_ids = [line["run_id"] for line in journal(at) if line["event"] == "ran"]
    assert len(run_ids) == len(set(run_ids)) == len(names)
    manifests = [json.loads(path.read_text()) for path in (at / "sealed" / "chain").glob("*/manifest.json")]
    assert sorted(one["predicate"]["runDetails"]["metadata"]["invocationId"] for one in manifests) == sorted(run_ids)
    assert sorted(opened["run_id"] for opened in json.loads((at / "book" / "book.json").read_text())["opens"]) == sorted(run_ids)
    told = [json.loads(line)["id"] for line in (at / "inbox.watch" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(told) == len(set(told)) > 0
    done("audit", at / "sealed")
    reference = at / "reference"
    done("run", at / "inbox.watch" / "done" / names[0] / names[0], "--out", reference, "--as-of", names[0])
    assert (reference / "decisions.parquet").read_bytes() == (at / "runs" / names[0] / "decisions.parquet").read_bytes()


def test_killed_at_any_moment_nothing_is_lost_and_nothing_done_twice(tmp_path):
    survives(tmp_path, seed=13, kills=7)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_many_moments(tmp_path, seed):
    survives(tmp_path, seed, kills=25)


@given(st.dates(datetime.date(2000, 1, 1), datetime.date(2099, 12, 31)), st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y_%m_%d", "%Y.%m.%d", "%Y%m%dT0830", "%Y%m%d083059"]), st.sampled_from(["", "loans_", "批次-", "v12 "]), st.sampled_from(["", "_part1", ".csv.gz", "-final"]))
def test_the_day_in_a_name(day, form, before, after):
    assert day_of(before + day.strftime(form) + after) == [day]


@pytest.mark.parametrize("name", ["loans", "20261324", "2026-02-30", "12026112400", "2026-11", "20261124000000000", "2026-1124", "19991231"])
def test_what_is_no_day(name):
    assert day_of(name) == []


@given(st.lists(st.sampled_from(["taken", "identified", "ran", "archived", "done"]), min_size=1, max_size=8), st.integers(0, 400))
def test_a_journal_cut_anywhere_is_read_up_to_its_last_whole_line(tmp_path_factory, events, cut):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    written = Journal(path)
    for event in events:
        written.add("b", event, text="贷款")
    content = path.read_bytes()
    path.write_bytes(content[: max(len(content) - cut, 0)])
    whole = path.read_bytes().count(b"\n")
    read = Journal(path)
    assert ([read.batches["b"]["event"]] if whole else []) == events[:whole][-1:]
    read.add("b", "done")
    assert len(Journal(path).path.read_bytes().splitlines()) == whole + 1
