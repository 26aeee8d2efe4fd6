"""One person's raw data goes, and the chain, the counts and the decisions stay what they were; retention ends the rest; holds keep it."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
import time

import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import AS_OF, ROOT, call, done, tables

PERSON, APPLICATION = "P000000001", "A000000001"


@pytest.fixture(scope="module")
def sealed(lender_run, sample_run, tmp_path_factory):
    """Two runs in one archive; the person is in both, approved in one."""
    archive = tmp_path_factory.mktemp("erase") / "archive"
    for run in (lender_run, sample_run):
        done("archive", run, "--to", archive)
    return archive


@pytest.fixture
def archive(sealed, tmp_path):
    shutil.copytree(sealed, tmp_path / "archive")
    return tmp_path / "archive"


def _runs(archive) -> list[str]:
    return [run["run_id"] for run in json.loads(done("audit", archive, "--format", "json").out)["runs"]]


def _erase(archive, person=PERSON, **options):
    return call("erase", person, "--from", archive, "--by", "li", "--why", "asked for it", "--format", "json", **options)


def _raw_rows(archive, person=PERSON) -> int:
    """Rows of a person in whatever Parquet lies in the archive that has a name, a number or a line of theirs."""
    found = 0
    with duckdb.connect() as con:
        for path in archive.glob("chain/*/objects/*"):
            try:
                names = pq.read_schema(path).names
            except Exception:
                continue
            if "src_row" in names and "applicant_id" in names:
                found += con.execute(f"SELECT count(*) FROM read_parquet('{path}') WHERE applicant_id = ?", [person]).fetchone()[0]
            elif "src_row" in names and "dst" in names:
                found += con.execute(f"SELECT count(*) FROM read_parquet('{path}') WHERE src = ? OR dst = ?", [person, person]).fetchone()[0]
    return found


def test_nothing_raw_is_left_and_everything_still_verifies(archive):
    before, runs = _raw_rows(archive), _runs(archive)
    found = json.loads(_erase(archive).out)
    assert before == sum(found["rows"].values()) > 20 and found["rows"]["applicants"] == 2 and sorted(found["runs"]) == sorted(runs)
    assert _raw_rows(archive) == 0
    audit = json.loads(done("audit", archive, "--format", "json").out)
    assert audit["ok"] and [event["kind"] for event in audit["events"]] == ["erasure"] and not audit["notes"]


def test_a_stranger_verifies_what_is_left_as_the_format_says(archive):
    """No line of ours: digests of files, and JSON."""
    _erase(archive)
    done("archive", "hold", archive, _runs(archive)[1], "--by", "li", "--why", "stays")
    _prune(archive, "2042-01-01")
    manifests = [json.loads(path.read_text()) for path in sorted(archive.glob("chain/*/manifest.json"))]
    brought, taken, people = {}, {}, set()
    for manifest in manifests:
        chain, event = manifest["predicate"]["qqloan_chain"], manifest["predicate"].get("event", {})
        brought |= {digest: f"chain/{sequence:06d}/objects/{digest}" for digest, sequence in chain["objects"].items()}
        taken |= event.get("replaced", {})
        people |= {event["people"]} if "people" in event else set()
    stands = {taken.get(subject["digest"]["sha256"], subject["digest"]["sha256"]) for manifest in manifests if "event" not in manifest["predicate"] for subject in manifest["subject"]}
    there = {str(path.relative_to(archive)): hashlib.sha256(path.read_bytes()).hexdigest() for path in archive.glob("chain/*/objects/*")}
    assert there == {brought[digest]: digest for digest in (stands - {None}) | people} and None in stands


def test_everybody_else_replays_and_the_person_is_told_of(archive):
    run = _runs(archive)[0]
    _erase(archive)
    whole = done("replay", archive, run, "--format", "json")
    document = json.loads(whole.out)
    assert document["identical"] and document["erased"] == 1
    others = done("replay", archive, run, "--application", "A000000061", "--format", "json")
    assert json.loads(others.out)["identical"]
    gone = call("replay", archive, run, "--application", APPLICATION)
    assert gone.code == 2 and "applicant-erased" in gone.err and "entry 3" in gone.err


def test_what_was_decided_is_still_explained(archive, lender_run):
    before = json.loads(done("explain", archive, APPLICATION, "--run-id", _runs(archive)[0], "--format", "json").out)
    _erase(archive)
    told = call("explain", archive, APPLICATION, "--run-id", _runs(archive)[0], "--format", "json")
    assert told.code == 0 and "applicant-erased" in told.err
    after = json.loads(told.out)
    assert all(after[part] == before[part] for part in ("decisions", "limit", "score") if part in before) and "Application A000000001: approve" in done("explain", archive, APPLICATION, "--run-id", _runs(archive)[0]).out
    assert "applicant-erased" in call("explain", archive, APPLICATION, "--run-id", _runs(archive)[0], "--how-to-approve").err


def test_a_changed_number_is_still_found_after_somebody_was_erased(archive):
    """The replay of the others is a real one: a decision that was written otherwise before sealing parts from it."""
    run = _runs(archive)[0]
    _erase(archive)
    manifest = archive / "chain" / "000001" / "manifest.json"
    document = json.loads(manifest.read_text())
    name = next(subject for subject in document["subject"] if subject["name"] == "limit/000.parquet")
    old = archive / "chain" / "000001" / "objects" / name["digest"]["sha256"]
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT * REPLACE (CASE WHEN application_id = 'A000000061' THEN 1 ELSE amount_fen END AS amount_fen) FROM read_parquet('{old}')) TO '{archive}/new' (FORMAT parquet)")
    new = hashlib.sha256((archive / "new").read_bytes()).hexdigest()
    (archive / "new").rename(old.with_name(new))
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace(old.name, new))
    parted = call("replay", archive, run, "--format", "json")
    assert parted.code == 4 and json.loads(parted.out)["first_parted"] == "limit"


def test_a_book_is_decided_anew_without_who_was_erased(archive, lender_run):
    _erase(archive)
    with duckdb.connect() as con:
        everybody = con.execute(f"SELECT count(*) FROM '{lender_run}/decisions.parquet'").fetchone()[0]
    found = json.loads(done("replay", archive, _runs(archive)[0], "--policy", "configs", "--format", "json").out)
    assert sum(row["applications"] for row in found["all"]) == everybody - 1 and all(row["before"] == row["after"] for row in found["all"])


def test_two_are_erased_one_after_the_other(archive):
    _erase(archive)
    assert json.loads(_erase(archive, "P000000003").out)["rows"]["applicants"] >= 1
    assert _raw_rows(archive) == _raw_rows(archive, "P000000003") == 0
    assert json.loads(done("audit", archive, "--format", "json").out)["ok"]
    assert json.loads(done("replay", archive, _runs(archive)[0], "--format", "json").out)["erased"] == 2


def test_who_is_not_there_or_gone_already_is_said(archive):
    assert _erase(archive, "nobody").code == 2
    _erase(archive)
    again = _erase(archive)
    assert again.code == 2 and "nothing-to-erase" in again.err and json.loads(done("audit", archive, "--format", "json").out)["ok"]


def test_the_same_run_sealed_again_does_not_bring_the_person_back(archive, lender_run, tmp_path):
    _erase(archive)
    assert "sealed already" in done("archive", lender_run, "--to", archive).err
    shutil.copytree(lender_run, tmp_path / "run")
    document = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**document, "source": "another"}))  # another run of the same files
    done("archive", tmp_path / "run", "--to", archive)
    assert _raw_rows(archive) == 0 and json.loads(done("audit", archive, "--format", "json").out)["ok"]
    assert json.loads(done("replay", archive, _runs(archive)[-1], "--format", "json").out)["erased"] == 1


def test_killed_before_the_old_file_was_gone_the_next_entry_removes_it(archive, lender_run):
    name = next(path for path in archive.glob("chain/000001/objects/*") if _is_applicants(path))
    content = name.read_bytes()
    _erase(archive)
    assert not name.exists()
    name.write_bytes(content)
    audit = json.loads(done("audit", archive, "--format", "json").out)
    assert audit["ok"] and "was to be taken away" in audit["notes"][0]
    done("archive", "hold", archive, _runs(archive)[0], "--by", "li", "--why", "any entry")
    assert not name.exists() and not json.loads(done("audit", archive, "--format", "json").out)["notes"]


def test_killed_at_any_moment_somebody_is_erased_or_not_and_the_archive_verifies(sealed, tmp_path):
    rng, ends = random.Random(5), set()
    started = time.monotonic()
    shutil.copytree(sealed, tmp_path / "timed")
    _erase(tmp_path / "timed")
    usual = time.monotonic() - started
    for trial in range(8):
        archive = tmp_path / str(trial)
        shutil.copytree(sealed, archive)
        child = subprocess.Popen([sys.executable, "-m", "qqloan_cli", "erase", PERSON, "--from", str(archive), "--by", "li", "--why", "x"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.1) * usual)
        child.kill()
        child.wait()
        audit = json.loads(done("audit", archive, "--format", "json").out)
        assert audit["ok"], audit["findings"]
        ends.add(erased := bool(audit["events"]))
        assert _erase(archive).code == (2 if erased else 0)
        done("archive", "hold", archive, _runs(archive)[0], "--by", "li", "--why", "any entry")
        assert _raw_rows(archive) == 0
    assert False in ends


def _is_applicants(path) -> bool:
    try:
        return "id_number" in pq.read_schema(path).names
    except Exception:
        return False


def test_another_file_in_place_of_what_is_left_is_found(archive):
    _erase(archive)
    left = max(archive.glob("chain/000003/objects/*"), key=lambda path: path.stat().st_size)
    left.chmod(0o644)
    left.write_bytes(left.read_bytes()[:-1] + b"x")
    assert call("audit", archive).code == 4
    left.unlink()
    assert call("audit", archive).code == 4


def test_encrypted_inputs_are_encrypted_again(lender_run, tmp_path):
    import pyrage

    key = pyrage.x25519.Identity.generate()
    (tmp_path / "key").write_text(str(key) + "\n")
    done("archive", lender_run, "--to", tmp_path / "archive", "--encrypt-to", str(key.to_public()))
    env = {"QQLOAN_AGE_IDENTITY": str(tmp_path / "key")}
    assert "inputs-encrypted" in _erase(tmp_path / "archive").err
    assert _erase(tmp_path / "archive", env=env).code == 0
    assert not any(_is_applicants(path) for path in (tmp_path / "archive").glob("chain/*/objects/*"))
    assert json.loads(done("replay", tmp_path / "archive", "2026", "--format", "json", env=env).out)["identical"]


def test_a_hold_keeps_a_run_and_a_person_until_it_is_released(archive):
    lender, sample = _runs(archive)
    done("archive", "hold", archive, lender, "--by", "zhao", "--why", "court")
    assert "legal-hold" in _erase(archive).err and _raw_rows(archive) > 0
    done("archive", "hold", archive, lender, "--applicant", "P000000003", "--by", "zhao", "--why", "complaint")
    listed = json.loads(done("archive", "holds", archive, "--format", "json").out)["holds"]
    assert [(one["number"], one["applicant_id"]) for one in listed] == [(3, None), (4, "P000000003")]
    done("archive", "release", archive, 3, "--by", "zhao", "--why", "over")
    assert _erase(archive).code == 0
    assert "legal-hold" in _erase(archive, "P000000003").err
    assert call("archive", "release", archive, 3, "--by", "zhao", "--why", "again").code == 2


def test_a_hold_on_one_run_keeps_what_another_shares_with_it(archive, lender_run, tmp_path):
    shutil.copytree(lender_run, tmp_path / "run")
    document = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**document, "source": "another"}))  # another run of the same files
    done("archive", tmp_path / "run", "--to", archive)
    done("archive", "hold", archive, _runs(archive)[-1], "--by", "zhao", "--why", "court")
    before = _raw_rows(archive)
    assert "legal-hold" in _erase(archive).err and _raw_rows(archive) == before
    _prune(archive, "2029-11-25")
    held = done("replay", archive, _runs(archive)[-1], "--format", "json")
    assert json.loads(held.out)["erased"] == 0 and json.loads(held.out)["identical"]


def _prune(archive, as_of, *options) -> dict:
    return json.loads(done("archive", "prune", archive, "--by", "cron", "--as-of", as_of, "--format", "json", *options).out)


def test_retention_takes_first_who_was_never_approved_then_inputs_then_tables(archive, lender_run, sample_run):
    lender, sample = _runs(archive)
    with duckdb.connect() as con:
        approved = {row[0] for run in (lender_run, sample_run) for row in con.sql(f"SELECT DISTINCT applicant_id FROM '{run}/decisions.parquet' WHERE decision = 'approve'").fetchall()}
        people = {run: {row[0] for row in con.sql(f"SELECT DISTINCT applicant_id FROM '{path}/decisions.parquet'").fetchall()} for run, path in ((lender, lender_run), (sample, sample_run))}
    assert _prune(archive, "2029-11-24") == {"schema_version": 1, "as_of": "2029-11-24", "done": True, "files": {}, "people": {}, "held": []}, "its last day is kept"
    would = _prune(archive, "2029-11-25", "--dry-run")
    assert would["people"] == {run: len(of - approved) for run, of in people.items()} and len(json.loads(done("audit", archive, "--format", "json").out)["events"]) == 0
    assert _prune(archive, "2029-11-25")["people"] == would["people"]
    declined, kept = sorted(people[lender] - approved)[0], sorted(approved & people[lender])[0]
    assert _raw_rows(archive, declined) == 0 and _raw_rows(archive, kept) > 0
    assert _prune(archive, "2029-11-26")["people"] == {}
    assert json.loads(done("replay", archive, lender, "--format", "json").out)["identical"]
    done("archive", "hold", archive, sample, "--by", "zhao", "--why", "court")
    late = _prune(archive, "2041-11-25")
    assert set(late["files"]) == {"inputs", "tables"} and late["held"] == [sample]
    gone = call("replay", archive, lender)
    assert gone.code == 2 and "data-pruned" in gone.err
    assert json.loads(done("replay", archive, sample, "--format", "json").out)["identical"]
    audit = json.loads(done("audit", archive, "--format", "json").out)
    assert audit["ok"] and [event["kind"] for event in audit["events"]] == ["pruning-of-people", "legal-hold", "pruning"]


def test_what_was_pruned_and_comes_again_is_kept_again(archive, lender_run, tmp_path):
    lender = _runs(archive)[0]
    _prune(archive, "2042-01-01")
    shutil.copytree(lender_run, tmp_path / "run")
    document = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**document, "source": "another"}))
    done("archive", tmp_path / "run", "--to", archive)
    assert json.loads(done("audit", archive, "--format", "json").out)["ok"]
    again = [run for run in _runs(archive) if run != lender][-1]
    assert json.loads(done("replay", archive, again, "--format", "json").out)["identical"]


def test_an_archive_command_with_a_run_still_seals(lender_run, tmp_path):
    done("archive", lender_run, "--to", tmp_path / "a")
    done("archive", "--to", tmp_path / "b", lender_run)
    done("archive", "seal", lender_run, "--to", tmp_path / "c")
    assert len({(tmp_path / name / "HEAD.json").read_text() for name in "abc"}) == 1
    assert "prune" in done("archive", "--help").out


def test_the_key_is_changed_without_losing_who_came_before(lender, tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).write_text(name * 20)
    old, new = ({"QQLOAN_KEY_FILE": str(tmp_path / name)} for name in ("old", "new"))
    done("run", lender, "--out", tmp_path / "before", "--as-of", AS_OF, env=old)
    done("generate", "--applicants", 300, "--seed", 24, "--format", "csv", "--out", tmp_path / "next", "--as-of", "2026-12-04")
    refused = call("run", tmp_path / "next", "--out", tmp_path / "after", "--as-of", "2026-12-04", "--history", tmp_path / "before", env=new)
    assert refused.code == 2 and "history-key-differs" in refused.err and "qqloan rekey" in refused.err
    assert "key-the-same" in call("rekey", tmp_path / "before", "--out", tmp_path / "history", env=old).err
    done("rekey", tmp_path / "before", "--out", tmp_path / "history", env=new)
    assert sorted(path.name for path in (tmp_path / "history").iterdir()) == ["cash_calendar.parquet", "decisions.parquet", "keys", "run.json"]
    done("run", tmp_path / "next", "--out", tmp_path / "after", "--as-of", "2026-12-04", "--history", tmp_path / "history", env=new)
    done("run", tmp_path / "next", "--out", tmp_path / "as-ever", "--as-of", "2026-12-04", "--history", tmp_path / "before", env=old)
    ours, theirs = (tables(tmp_path / run) for run in ("after", "as-ever"))
    apart = {name.split("/")[0] for name in ours if ours[name] != theirs[name]}
    assert apart == {"keys", "verify"}, "the hashes differ, and nothing that is decided by them"
    done("archive", tmp_path / "after", "--to", tmp_path / "archive")
    assert json.loads(done("replay", tmp_path / "archive", "2026", "--format", "json", env=new).out)["identical"]
