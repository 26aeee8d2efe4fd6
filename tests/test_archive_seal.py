"""Sealing and auditing: whatever happens to an archive is found, and a stranger finds the same with sha256sum and a reader of JSON."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, call, done


@pytest.fixture(scope="module")
def other_run(tmp_path_factory) -> Path:
    """The sample batch again, a day earlier."""
    out = tmp_path_factory.mktemp("earlier") / "run"
    done("run", ROOT / "sample_data", "--out", out, "--as-of", "2026-11-23")
    return out


@pytest.fixture(scope="module")
def sealed(sample_run, other_run, tmp_path_factory) -> Path:
    """An archive of two runs."""
    archive = tmp_path_factory.mktemp("archive") / "archive"
    done("archive", other_run, "--to", archive)
    done("archive", sample_run, "--to", archive)
    return archive


@pytest.fixture
def archive(sealed, tmp_path) -> Path:
    """A copy to do harm to."""
    shutil.copytree(sealed, tmp_path / "archive")
    for path in (tmp_path / "archive").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path / "archive"


def _found(archive, *options) -> tuple[int, dict]:
    result = call("audit", archive, "--format", "json", *options)
    return result.code, json.loads(result.out)


def test_an_archive_that_nobody_touched_is_as_it_was_sealed(sealed):
    code, found = _found(sealed)
    assert (code, found["ok"], found["findings"], found["notes"]) == (0, True, [], [])
    assert [run["as_of"] for run in found["runs"]] == ["2026-11-23", "2026-11-24"] and len({run["run_id"] for run in found["runs"]}) == 2


def test_one_copy_of_a_content_however_many_runs_share_it(sealed):
    manifests = [json.loads((sealed / f"chain/00000{n}/manifest.json").read_text(encoding="utf-8")) for n in (1, 2)]
    names = [{s["name"]: s["digest"]["sha256"] for s in manifest["subject"]} for manifest in manifests]
    shared = set(names[0].values()) & set(names[1].values())
    assert names[0]["config/model/model.json"] == names[1]["config/model/model.json"] and len(shared) > 40
    objects = [path.name for path in sealed.glob("chain/*/objects/*")]
    assert len(objects) == len(set(objects)) == len(set(names[0].values()) | set(names[1].values()))


def test_sealing_again_adds_nothing(archive, sample_run):
    before = sorted(str(path) for path in archive.rglob("*"))
    assert "was sealed already, as entry 2" in done("archive", sample_run, "--to", archive).err
    assert sorted(str(path) for path in archive.rglob("*")) == before


def test_a_stranger_verifies_it_with_sha256sum_and_json_as_the_format_says(sealed):
    """No line of ours is run: sha256sum for digests, json for manifests, and for logical digests DuckDB to read and hashlib to add up."""
    def sha256sum(*paths) -> list[str]:
        return [line.split()[0] for line in subprocess.run(["sha256sum", *map(str, paths)], capture_output=True, text=True, check=True).stdout.splitlines()]

    previous, seen = None, {"FORMAT.md", "HEAD.json"}
    for folder in sorted((sealed / "chain").iterdir()):
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        chain = manifest["predicate"]["qqloan_chain"]
        assert manifest["_type"] == "https://in-toto.io/Statement/v1" and manifest["predicateType"] == "https://slsa.dev/provenance/v1"
        assert chain["previous"] == previous and chain["sequence"] == int(folder.name)
        [previous] = sha256sum(folder / "manifest.json")
        [text] = sha256sum(sealed / "FORMAT.md")
        assert chain["format_sha256"] == text
        objects = sorted((folder / "objects").iterdir())
        assert sha256sum(*objects) == [path.name for path in objects]
        seen |= {str(path.relative_to(sealed)) for path in (*objects, folder / "manifest.json")}
        for subject in manifest["subject"]:
            digest = subject["digest"]["sha256"]
            assert (sealed / f"chain/{chain['objects'][digest]:06d}/objects/{digest}").is_file()
        tables = {subject["name"]: subject["digest"]["sha256"] for subject in manifest["subject"]}
        for table in ("decisions", "income", "schedule"):
            paths = [sealed / f"chain/{chain['objects'][d]:06d}/objects/{d}" for name, d in tables.items() if name in (f"{table}.parquet",) or name.startswith(f"{table}/")]
            first = last = rows = 0
            for path in paths:
                columns = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in chain["tables"][table]["schema"])
                for row in duckdb.sql(f"SELECT {columns} FROM read_parquet('{path}') ORDER BY random()").fetchall():
                    digest = hashlib.md5("\x1f".join("\0" if value is None else value for value in row).encode()).digest()
                    first, last, rows = first + int.from_bytes(digest[:8], "little"), last + int.from_bytes(digest[8:], "little"), rows + 1
            assert chain["tables"][table]["logical_digest"] == f"{first % 2**64:016x}{last % 2**64:016x}" and chain["tables"][table]["rows"] == rows
    assert json.loads((sealed / "HEAD.json").read_text(encoding="utf-8")) == {"sequence": 2, "manifest_sha256": previous}
    assert {str(path.relative_to(sealed)) for path in sealed.rglob("*") if path.is_file()} == seen


def test_a_flipped_bit_anywhere_is_found(archive):
    files = sorted(path for path in archive.rglob("*") if path.is_file() and path.stat().st_size)
    rng = random.Random(4)
    chosen = [archive / "FORMAT.md", archive / "HEAD.json", *archive.glob("chain/*/manifest.json"), *rng.sample(files, 8)]
    for path in chosen:
        content = path.read_bytes()
        at = rng.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1:])
        code, found = _found(archive)
        assert code == 4 and found["findings"], (path, at)
        path.write_bytes(content)
    assert _found(archive)[0] == 0


@pytest.mark.parametrize("harm", ["missing", "added", "linked", "truncated", "reordered", "cut off", "replaced", "head"])
def test_what_is_done_to_an_archive_is_named(archive, harm, tmp_path):
    one = sorted(archive.glob("chain/000001/objects/*"))[5]
    where = str(one.relative_to(archive))
    if harm == "missing":
        one.unlink()
        expected = ("missing", where)
    elif harm == "added":
        (archive / "chain/000001/objects" / ("0" * 64)).write_bytes(b"more")
        expected = ("added", f"chain/000001/objects/{'0' * 64}")
    elif harm == "linked":
        shutil.move(one, tmp_path / "elsewhere")
        one.symlink_to(tmp_path / "elsewhere")
        expected = ("linked", where)
    elif harm == "truncated":
        manifest = archive / "chain/000001/manifest.json"
        manifest.write_bytes(manifest.read_bytes()[:-100])
        expected = ("altered", "chain/000001/manifest.json")
    elif harm == "reordered":
        for old, new in (("000001", "x"), ("000002", "000001"), ("x", "000002")):
            shutil.move(archive / "chain" / old, archive / "chain" / new)
        expected = ("broken-link", "chain/000001/manifest.json")
    elif harm == "cut off":
        shutil.rmtree(archive / "chain/000002")
        expected = ("head-differs", "HEAD.json")
    elif harm == "replaced":  # the first manifest says something else, in good JSON
        manifest = archive / "chain/000001/manifest.json"
        manifest.write_text(manifest.read_text(encoding="utf-8").replace('"as_of": "2026-11-23"', '"as_of": "2026-11-22"'), encoding="utf-8")
        expected = ("broken-link", "chain/000002/manifest.json")
    else:
        (archive / "HEAD.json").unlink()
        expected = ("missing", "HEAD.json")
    code, found = _found(archive)
    assert code == 4 and expected in [(finding["what"], finding["where"]) for finding in found["findings"]], found["findings"][:3]
    shown = call("audit", archive)
    assert shown.code == 4 and "NOT what was sealed" in shown.err


def test_entries_taken_off_with_their_head_are_found_by_a_head_noted_elsewhere(archive):
    head = _found(archive)[1]["head"]
    shutil.rmtree(archive / "chain/000002")
    first = hashlib.sha256((archive / "chain/000001/manifest.json").read_bytes()).hexdigest()
    (archive / "HEAD.json").write_text(json.dumps({"sequence": 1, "manifest_sha256": first}), encoding="utf-8")
    assert _found(archive)[0] == 0, "the archive alone cannot know"
    code, found = _found(archive, "--head", head)
    assert code == 4 and found["findings"][0]["what"] == "head-differs"
    assert _found(archive, "--head", first)[0] == 0


def test_signatures_are_verified_with_the_public_key_alone(sample_run, tmp_path):
    for name in ("one", "other"):
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / f"{name}.pem"], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", tmp_path / f"{name}.pem", "-pubout", "-out", tmp_path / f"{name}.pub"], check=True, capture_output=True)
    archive = tmp_path / "archive"
    done("archive", sample_run, "--to", archive, "--sign", tmp_path / "one.pem")
    assert _found(archive)[1]["runs"][0]["signed"] and _found(archive, "--public-key", tmp_path / "one.pub")[0] == 0
    code, found = _found(archive, "--public-key", tmp_path / "other.pub")
    assert code == 4 and found["findings"][0]["what"] == "signature-wrong"
    refused = call("archive", sample_run, "--to", tmp_path / "again", "--sign", tmp_path / "one.pub")
    assert refused.code == 2 and "key-unusable" in refused.err and not list((tmp_path / "again").glob("chain/0*"))
    (archive / "chain/000001/signature.json").unlink()
    assert _found(archive, "--public-key", tmp_path / "one.pub")[0] == 4


def test_a_run_that_was_changed_is_not_sealed(sample_run, tmp_path):
    shutil.copytree(sample_run, tmp_path / "run")
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT * REPLACE ('approve' AS decision) FROM '{sample_run}/decisions.parquet') TO '{tmp_path}/run/decisions.parquet' (FORMAT parquet)")
    refused = call("archive", tmp_path / "run", "--to", tmp_path / "archive")
    assert refused.code == 4 and "decisions.parquet is not what the run made" in refused.err and not list((tmp_path / "archive").glob("chain/0*"))


def test_another_folder_is_not_made_an_archive(sample_run, tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers/letter.txt").write_text("dear sir", encoding="utf-8")
    assert call("archive", sample_run, "--to", tmp_path / "papers").code == 2
    assert call("audit", tmp_path / "papers").code == 2


def test_killed_at_any_moment_an_archive_verifies_and_has_the_run_whole_or_not_at_all(sample_run, other_run, tmp_path):
    """Twelve kills here; tests/benchmarks has hundreds."""
    archive, rng, whole = tmp_path / "archive", random.Random(9), 0
    done("archive", other_run, "--to", archive)
    done("archive", sample_run, "--to", tmp_path / "undisturbed-first")
    started = time.monotonic()
    done("archive", sample_run, "--to", tmp_path / "timed")
    usual = time.monotonic() - started
    for _ in range(12):
        child = subprocess.Popen([sys.executable, "-m", "qqloan_cli", "archive", str(sample_run), "--to", str(archive)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(rng.uniform(0.1, 1.2) * usual)
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        code, found = _found(archive)
        assert code == 0, found["findings"]
        assert len(found["runs"]) in (1, 2)
        whole += len(found["runs"]) == 2
        if len(found["runs"]) == 2:
            break
    done("archive", sample_run, "--to", archive)
    again = tmp_path / "again"
    done("archive", other_run, "--to", again)
    done("archive", sample_run, "--to", again)
    assert {str(p.relative_to(archive)): p.read_bytes() for p in archive.rglob("*") if p.is_file()} == {str(p.relative_to(again)): p.read_bytes() for p in again.rglob("*") if p.is_file()}


def test_two_at_once_wait_for_one_another_or_say_so(sample_run, other_run, tmp_path):
    archive = tmp_path / "archive"
    children = [subprocess.Popen([sys.executable, "-m", "qqloan_cli", "archive", str(run), "--to", str(archive)], cwd=ROOT, stderr=subprocess.PIPE, text=True) for run in (sample_run, other_run)]
    ends = [(child.communicate()[1], child.returncode) for child in children]
    assert sorted(code for _, code in ends)[0] == 0 and {code for _, code in ends} <= {0, 75}
    code, found = _found(archive)
    assert code == 0 and len(found["runs"]) == sum(code == 0 for _, code in ends)


def _pair(folder, name: str) -> tuple[str, Path]:
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    (folder / name).write_text(f"# a comment\n{identity}\n", encoding="utf-8")
    return str(identity.to_public()), folder / name


def test_inputs_are_encrypted_for_a_key_and_anybody_can_still_audit(sample_run, tmp_path):
    public, private = _pair(tmp_path, "key")
    done("archive", sample_run, "--to", tmp_path / "archive", "--encrypt-to", public)
    assert _found(tmp_path / "archive")[0] == 0, "no key is needed to see that nothing was altered"
    applicants = duckdb.sql(f"SELECT name, phone FROM '{sample_run}/inputs/applicants/000.parquet' WHERE phone IS NOT NULL LIMIT 20").fetchall()
    stored = [path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()]
    assert not any(phone.encode() in content for _, phone in applicants for content in stored)
    assert sum(content.startswith(b"age-encryption.org/v1") for content in stored) >= 5
    refused = call("replay", tmp_path / "archive", "2026")
    assert refused.code == 2 and "inputs-encrypted" in refused.err
    _, other = _pair(tmp_path, "other")
    assert "identity-differs" in call("replay", tmp_path / "archive", "2026", env={"QQLOAN_AGE_IDENTITY": str(other)}).err
    assert json.loads(done("replay", tmp_path / "archive", "2026", "--format", "json", env={"QQLOAN_AGE_IDENTITY": str(private)}).out)["identical"]


def test_a_stranger_opens_an_encrypted_input_with_the_key_and_finds_what_the_manifest_says(sample_run, tmp_path):
    import pyrage

    public, private = _pair(tmp_path, "key")
    done("archive", sample_run, "--to", tmp_path / "archive", "--encrypt-to", public)
    chain = json.loads((tmp_path / "archive/chain/000001/manifest.json").read_text(encoding="utf-8"))["predicate"]["qqloan_chain"]
    identity = pyrage.x25519.Identity.from_str(private.read_text(encoding="utf-8").splitlines()[1])
    for digest, made in chain["encrypted"].items():
        stored = (tmp_path / "archive/chain/000001/objects" / made["stored_sha256"]).read_bytes()
        assert hashlib.sha256(stored).hexdigest() == made["stored_sha256"] and hashlib.sha256(pyrage.decrypt(stored, [identity])).hexdigest() == digest


def test_what_is_no_age_key_is_refused(sample_run, tmp_path):
    refused = call("archive", sample_run, "--to", tmp_path / "archive", "--encrypt-to", "age1nonsense")
    assert refused.code == 2 and "recipient-wrong" in refused.err and not (tmp_path / "archive").exists()


def test_a_full_disk_leaves_no_half_of_a_run_and_is_said_in_a_line(sample_run, other_run, tmp_path):
    """A limit on the size of a file stands for a full disk: both end a write with an error."""
    archive = tmp_path / "archive"
    done("archive", other_run, "--to", archive)
    full = subprocess.run(["bash", "-c", f"trap '' XFSZ; ulimit -f 60; exec {sys.executable} -m qqloan_cli archive {sample_run} --to {archive}"], capture_output=True, text=True, cwd=ROOT)
    assert full.returncode == 70 and full.stderr.startswith("error: machine-failed: File too large") and len(full.stderr.splitlines()) == 1
    assert _found(archive)[0] == 0 and len(_found(archive)[1]["runs"]) == 1 and not list((archive / "chain").glob(".begun*"))
    done("archive", sample_run, "--to", archive)
    assert len(_found(archive)[1]["runs"]) == 2


def test_a_configuration_edited_after_the_fact_is_not_what_the_decisions_rest_on(sample_run, tmp_path):
    """The run's own digest of its configuration no longer holds, so it is not sealed."""
    shutil.copytree(sample_run, tmp_path / "run")
    limit = tmp_path / "run/config/limit.toml"
    limit.write_text(limit.read_text(encoding="utf-8") + "\n# a friend asked\n", encoding="utf-8")
    refused = call("archive", tmp_path / "run", "--to", tmp_path / "archive")
    assert refused.code == 4 and "run-altered" in refused.err and not list((tmp_path / "archive").glob("chain/0*"))


def test_a_head_that_a_killed_process_left_behind_is_said_and_mended(archive, sample_run):
    first = hashlib.sha256((archive / "chain/000001/manifest.json").read_bytes()).hexdigest()
    (archive / "HEAD.json").write_text(json.dumps({"sequence": 1, "manifest_sha256": first}), encoding="utf-8")
    code, found = _found(archive)
    assert code == 0 and "one entry behind" in found["notes"][0]
    done("archive", sample_run, "--to", archive)
    assert _found(archive)[1]["notes"] == []


def test_the_first_entry_brings_the_archive_itself_or_nothing(sample_run, tmp_path):
    rng = random.Random(5)
    for trial in range(6):
        archive = tmp_path / f"archive{trial}"
        child = subprocess.Popen([sys.executable, "-m", "qqloan_cli", "archive", str(sample_run), "--to", str(archive)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(rng.uniform(0.2, 1.0))
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert not archive.exists() or _found(archive)[0] == 0
        done("archive", sample_run, "--to", archive)
        assert _found(archive)[0] == 0


@pytest.fixture
def read_only(archive, tmp_path):
    """The archive on a file system that takes no writing: mounted so by root, or without the right to write for others."""
    at = tmp_path / "store" / "archive"
    at.mkdir(parents=True)
    if os.geteuid():
        at.rmdir()
        shutil.copytree(archive, at)
        folders = [tmp_path / "store", at, *(path for path in at.rglob("*") if path.is_dir())]
        for path in folders:
            path.chmod(0o555)
        yield at
        for path in folders:
            path.chmod(0o755)
        return
    shutil.copytree(archive, tmp_path / "there" / "archive")
    store = tmp_path / "store"
    mounted = subprocess.run(["mount", "--bind", tmp_path / "there", store], capture_output=True).returncode == 0
    if not mounted or subprocess.run(["mount", "-o", "remount,ro,bind", store], capture_output=True).returncode:
        pytest.skip("root writes anywhere, and nothing can be mounted read-only here")
    yield at
    subprocess.run(["umount", store], check=True)


def test_a_read_only_store_is_audited_and_replayed_and_takes_nothing_more(read_only, lender_run):
    assert _found(read_only)[0] == 0
    runs = [run["run_id"] for run in _found(read_only)[1]["runs"]]
    assert json.loads(done("replay", read_only, runs[0], "--format", "json").out)["identical"]
    assert json.loads(done("replay", read_only, runs[0], "--application", "A000000003", "--format", "json").out)["identical"]
    for refused in (call("archive", lender_run, "--to", read_only), call("archive", "hold", read_only, runs[0], "--by", "li", "--why", "x"), call("erase", "P000000001", "--from", read_only, "--by", "li", "--why", "x")):
        last = refused.err.splitlines()[-1]
        assert refused.code == 70 and last.startswith("error: machine-failed: ") and ("Read-only file system" in last or "Permission denied" in last), refused.err
    assert _found(read_only)[0] == 0
