"""Replay: a sealed run worked out again, whole or one application, is the run; a forged one is found out, with what was forged."""

from __future__ import annotations

import hashlib
import json
import shutil

import duckdb
import pytest
from conftest import ROOT, call, done


@pytest.fixture(scope="module")
def archive(lender_run, tmp_path_factory):
    archive = tmp_path_factory.mktemp("replay") / "archive"
    done("archive", lender_run, "--to", archive)
    return archive


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sealed_run_replays_byte_for_byte(archive, workers):
    found = json.loads(done("replay", archive, "2026", "--workers", workers, "--format", "json").out)
    assert found["identical"] and found["parted"] == [] and found["identical_files"] == found["files"] > 15
    assert found["other_versions"] == {} and found["otherwise_written"] == []


def test_single_applications_replay_too_whatever_was_decided(archive, lender_run):
    with duckdb.connect() as con:
        some = [row[0] for row in con.sql(f"SELECT min(application_id) FROM '{lender_run}/decisions.parquet' GROUP BY decision, funded_fen IS NULL ORDER BY 1").fetchall()]
    assert len(some) >= 3
    for application in some:
        found = json.loads(done("replay", archive, "2026", "--application", application, "--format", "json").out)
        assert found["identical"] and {"verify", "income", "score", "limit", "decisions"} <= set(found["tables"]) and found["decision"]["application_id"] == application


def test_an_unknown_application_or_run_is_said(archive):
    assert "application-not-found" in call("replay", archive, "2026", "--application", "nobody").err
    unknown = call("replay", archive, "1999-nothing")
    assert unknown.code == 2 and "run-not-in-archive" in unknown.err


def _forged(lender_run, folder, change: str):
    """A run whose decisions were changed, and whose digests were mended by somebody who knows how."""
    shutil.copytree(lender_run, folder / "run")
    path = folder / "run/decisions.parquet"
    with duckdb.connect() as con:
        con.execute(f"COPY ({change.format(path=lender_run / 'decisions.parquet')}) TO '{path}' (FORMAT parquet)")
    document = json.loads((folder / "run/run.json").read_text(encoding="utf-8"))
    document["digests"]["decisions.parquet"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "run/run.json").write_text(json.dumps(document), encoding="utf-8")
    done("archive", folder / "run", "--to", folder / "archive")
    return folder / "archive"


def test_a_forged_decision_is_found_with_its_column_and_where_it_parts(lender_run, tmp_path):
    forged = _forged(lender_run, tmp_path, "SELECT * REPLACE (CASE WHEN application_id = (SELECT min(application_id) FROM '{path}' WHERE decision = 'decline') THEN 'approve' ELSE decision END AS decision) FROM '{path}' ORDER BY application_id")
    assert call("audit", forged).code == 0, "the archive holds what was sealed"
    result = call("replay", forged, "2026", "--format", "json")
    found = json.loads(result.out)
    assert result.code == 4 and not found["identical"] and found["first_parted"] == "decisions"
    [parted] = found["parted"]
    assert parted["rows"] == 1 and parted["columns"] == {"decision": 1} and parted["examples"][0]["before"] == "approve" and parted["examples"][0]["after"] == "decline"
    one = call("replay", forged, "2026", "--application", parted["examples"][0]["key"])
    assert one.code == 4 and "NOT identical; it parts first at decisions" in one.out


def test_an_application_that_was_taken_out_is_found(lender_run, tmp_path):
    forged = _forged(lender_run, tmp_path, "SELECT * FROM '{path}' ORDER BY application_id OFFSET 1")
    found = json.loads(call("replay", forged, "2026", "--format", "json").out)
    assert found["parted"][0]["only_after"] == 1 and found["parted"][0]["rows"] == 1


def test_the_same_rows_in_other_bytes_are_told_apart_from_other_rows(lender_run, tmp_path):
    rewritten = _forged(lender_run, tmp_path, "SELECT * FROM '{path}' ORDER BY application_id DESC")
    result = call("replay", rewritten, "2026", "--format", "json")
    found = json.loads(result.out)
    assert result.code == 0 and found["identical"] and found["otherwise_written"] == ["decisions.parquet"]


def test_an_altered_input_is_refused_before_anything_is_worked_out(archive, tmp_path):
    shutil.copytree(archive, tmp_path / "archive")
    manifest = json.loads((tmp_path / "archive/chain/000001/manifest.json").read_text(encoding="utf-8"))
    digest = next(s["digest"]["sha256"] for s in manifest["subject"] if s["name"].startswith("inputs/payroll"))
    path = tmp_path / "archive/chain/000001/objects" / digest
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    refused = call("replay", tmp_path / "archive", "2026")
    assert refused.code == 4 and "object-altered" in refused.err


def test_another_key_is_refused(archive, tmp_path):
    (tmp_path / "key").write_bytes(b"k" * 32)
    refused = call("replay", archive, "2026", env={"QQLOAN_KEY_FILE": str(tmp_path / "key")})
    assert refused.code == 2 and "key-differs" in refused.err


def test_a_run_that_looked_at_an_earlier_one_replays_with_it(lender_run, tmp_path):
    done("run", ROOT / "sample_data", "--out", tmp_path / "run", "--as-of", "2026-11-25", "--history", lender_run)
    done("archive", tmp_path / "run", "--to", tmp_path / "archive")
    shutil.rmtree(tmp_path / "run")
    assert json.loads(done("replay", tmp_path / "archive", "2026", "--format", "json").out)["identical"]
