"""The night, and how it is printed for cron and systemd: read back as they read it, verified by systemd's own, and run."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import AS_OF, ROOT, call, done
from qqloan_cli.errors import UsageError
from qqloan_cli.oversight.schedule import for_cron, for_systemd, mounts
from test_watch import drop, ends

AWKWARD = "a lender's 5% \"in$HOME\" 收件箱"


def asked(at: Path, *more) -> list:
    return ["schedule", at / AWKWARD, "--runs", at / "the runs", "--to", at / "sealed", "--book", at / "book", "--report", at / "pages 100%", *more]


def cron_job(text: str) -> str:
    """The command of the last line as cron gives it to sh: five fields, a user where the line has one, `%` a line's end unless escaped."""
    line = text.strip().splitlines()[-1]
    command = line.split(" ", 5)[5]
    assert not re.search(r"(?<!\\)%", command)
    return command.replace(r"\%", "%")


def words_of(line: str) -> list[str]:
    """A command line as systemd takes it apart (systemd.service(5), quoting); what is a specifier or a variable fails."""
    assert not re.search(r"%[^%]", line.replace("%%", "")) and not re.search(r"\$[^$]", line.replace("$$", ""))
    found = []
    for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line):
        found.append((re.sub(r"\\(.)", r"\1", quoted) if not plain else plain).replace("%%", "%").replace("$$", "$"))
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> Path:
    """A place with awkward names, an application's batch in it, and all that can be printed for it."""
    at = tmp_path_factory.mktemp("night")
    drop(at / AWKWARD, AS_OF)
    done(*asked(at, "--kind", "crontab", "--out", at / "cron"), "--mail", "risk@lender.example", "--close", "today", "--fail-on", "refused", cwd=at)  # from there: a crontab's line is short
    done(*asked(at, "--kind", "systemd", "--out", at / "units"), "--as-it-happens", "--mail", "risk@lender.example", "--time-zone", "Asia/Shanghai", "--events", at / "events" / "*.csv")
    return at


def test_a_printed_crontab_line_runs_the_night(printed):
    text = (printed / "cron" / "qqloan.crontab").read_text(encoding="utf-8")
    assert max(len(line.encode()) for line in text.splitlines()) < 1000
    job = cron_job(text)
    assert subprocess.run(["sh", "-n", "-c", job]).returncode == 0
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QQLOAN_")} | dict(re.findall(r"^(SHELL|MAILTO)=(.*)$", text, re.MULTILINE))
    ran = subprocess.run(["sh", "-c", job], cwd="/", env=clean, capture_output=True, text=True)
    log = [json.loads(line) for line in (printed / "qqloan.log").read_text(encoding="utf-8").splitlines()]
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", ""), log
    assert not [line for line in log if line["event"] == "error"], log
    kept = printed / f"{AWKWARD}.watch"
    assert [json.loads(line)["event"] for line in (kept / "journal.jsonl").read_text(encoding="utf-8").splitlines()][-1] == "done"
    assert json.loads((printed / "book" / "book.json").read_text())["closed_to"] == datetime.date.today().isoformat()
    assert (printed / "pages 100%" / f"night-{datetime.date.today()}.html").is_file() and (kept / "alerts.jsonl").is_file()
    assert (printed / "qqloan.log").stat().st_mode & 0o077 == 0

    locked = subprocess.run(["flock", kept.with_name(f".{kept.name}.night"), "sh", "-c", job.replace("flock -w 3600", "flock -w 0")], cwd="/", env=clean, capture_output=True, text=True)
    assert locked.stdout == f"qqloan night ended in 75, see {printed}/qqloan.log\n"

    watch, night = ((printed / "units" / f"qqloan-{name}.service").read_text(encoding="utf-8") for name in ("watch", "night"))
    words = words_of(re.search(r"^ExecStart=(.*)$", watch, re.MULTILINE)[1])
    assert words[words.index("watch") + 1] == str(printed / AWKWARD) and str(printed / "the runs") in words
    again = subprocess.run([*words, "--once"], cwd=ROOT, env=clean, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    words = words_of(re.search(r"^ExecStart=(.*)$", night, re.MULTILINE)[1])
    missing = subprocess.run(words, cwd=ROOT, env=clean, capture_output=True, text=True)
    assert missing.returncode == 3 and "input-not-found" in missing.stderr  # no file of events came: no day is closed without it
    assert "night-close" not in missing.stderr and "night-report" in missing.stderr and "night-monitor" in missing.stderr


def test_systemd_finds_the_units_right_and_shut_off(printed):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: units are not verified by systemd itself")
    units = sorted(printed.joinpath("units").iterdir())
    assert [unit.name for unit in units] == ["qqloan-failed@.service", "qqloan-night.service", "qqloan-night.timer", "qqloan-watch.service"]
    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    for unit in units[1], units[3]:
        scored = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit], capture_output=True, text=True)
        if "unrecognized option" in scored.stderr:
            pytest.skip("this systemd-analyze gives no score to a file")
        assert scored.returncode == 0, scored.stdout[-300:]
    calendar = re.search(r"^OnCalendar=(.*)$", units[2].read_text(), re.MULTILINE)[1]
    assert calendar == "*-*-* 02:15:00 Asia/Shanghai" and subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True).returncode == 0


def test_an_inbox_and_what_the_watch_keeps_are_one_mount(printed):
    night = (printed / "units" / "qqloan-watch.service").read_text(encoding="utf-8")
    [line] = re.findall(r"^ReadWritePaths=(.*)$", night, re.MULTILINE)
    assert words_of(line) == [str(printed)]
    assert "PrivateNetwork=yes" in night and "UMask=0077" in night and "ProtectSystem=strict" in night


def test_with_a_sink_beyond_this_machine_there_is_a_network(tmp_path):
    config = shutil.copytree(ROOT / "configs", tmp_path / "configs")
    with open(config / "monitor.toml", "a", encoding="utf-8") as file:
        file.write('\n[[sink]]\nname = "hook"\nkind = "webhook"\nurl = "https://lender.example/alerts"\nsecret = "env:QQLOAN_HOOK"\n')
    (tmp_path / "inbox").mkdir()
    result = done("schedule", tmp_path / "inbox", "--runs", tmp_path / "runs", "--to", tmp_path / "sealed", "--config", config, env={"QQLOAN_HOOK": "a secret", "QQLOAN_KEY_FILE": "key"})
    assert "PrivateNetwork" not in result.out and "AF_INET" in result.out and "network-online.target" in result.out
    assert "secret-of-a-sink" in result.err and "a secret" not in result.out
    assert f"Environment=QQLOAN_KEY_FILE={ROOT}/key" in result.out


@pytest.mark.parametrize("more,ref", [
    (["--kind", "launchd"], "schedule-unknown"), (["--time", "24:00"], "time-wrong"), (["--user", "a b"], "user-wrong"), (["--mail", "a@b; rm x"], "mail-wrong"), (["--time-zone", "Asia/Sh ai"], "zone-wrong"),
    (["--close", "2026-11-24"], "schedule-of-one-day"), (["--state", "/elsewhere/state"], "schedule-too-wide"), (["--book", "a\nb"], "schedule-unprintable"),
    (["--kind", "crontab", "--book", "b" * 900], "crontab-line-too-long"), (["--config", "/nowhere"], "config-not-found"), (["--as-of", "24.11."], "date-wrong"),
])
def test_what_could_not_run_at_night_is_refused_by_day(tmp_path, more, ref):
    (tmp_path / "inbox").mkdir()
    result = call("schedule", tmp_path / "inbox", "--runs", tmp_path / "runs", "--to", tmp_path / "sealed", *more)
    assert result.code == 2 and f"error: {ref}: " in result.err and result.out == ""


def test_as_it_happens_cron_starts_a_watch_that_is_not_there(tmp_path):
    (tmp_path / "inbox").mkdir()
    text = done("schedule", tmp_path / "inbox", "--runs", tmp_path / "runs", "--to", tmp_path / "sealed", "--kind", "crontab", "--as-it-happens", "--user", "qq", cwd=tmp_path).out
    watch, night = text.strip().splitlines()[-2:]
    assert watch.startswith("*/5 * * * * qq ") and "flock -n -E 0" in watch and " watch " in watch
    assert night.startswith("15 2 * * * qq ") and " night --runs" in night


TEXT = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Cf", "Cn", "Co"), blacklist_characters="\xa0"), min_size=1, max_size=30)


@given(st.lists(TEXT, min_size=1, max_size=5))
def test_any_word_comes_through_cron_and_the_shell(words):
    assert shlex.split(for_cron(words).replace(r"\%", "%")) == words
    assert not re.search(r"(?<!\\)%", for_cron(words))


@given(st.lists(TEXT, min_size=1, max_size=5))
def test_any_word_comes_through_systemd(words):
    assert words_of(" ".join(map(for_systemd, words))) == words


PATHS = st.lists(st.sampled_from(["srv", "a", "b", "c"]), min_size=1, max_size=4).map(lambda parts: Path("/", *parts))


@given(st.lists(st.lists(PATHS, min_size=1, max_size=2).map(tuple), min_size=1, max_size=5))
def test_what_is_renamed_between_stands_under_one_mount(writes):
    try:
        roots = mounts(writes)
    except UsageError:
        assert any(len({path.parts[1] for path in together}) > 1 for together in writes)
        return
    for together in writes:
        assert len([root for root in roots if all(path.is_relative_to(root) for path in together)]) == 1


def test_a_night_closes_no_day_whose_batch_is_held_and_names_what_was_set_aside(tmp_path):
    drop(tmp_path / "inbox", AS_OF)
    drop(tmp_path / "inbox", "undated", skip=50)
    common = ["--runs", tmp_path / "runs", "--to", tmp_path / "sealed", "--book", tmp_path / "book", "--workers", 1]
    first = call("night", tmp_path / "inbox", *common, "--close", AS_OF, "--fail-on", "refused")
    assert first.code == 1 and "night-with-findings" in first.err and ends(tmp_path)["undated"] == "batch-undated"
    assert json.loads((tmp_path / "book" / "book.json").read_text())["closed_to"] == AS_OF
    again = done("night", tmp_path / "inbox", *common, "--close", AS_OF, "--fail-on", "refused")
    assert f"{AS_OF} is closed already" in again.err
    held = os.open(tmp_path / "inbox", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    locked = call("night", tmp_path / "inbox", *common, "--close", "2026-11-25")
    os.close(held)
    assert locked.code == 75 and "night-close" not in locked.err and "night-monitor" in locked.err
