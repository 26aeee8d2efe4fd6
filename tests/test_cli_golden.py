"""Golden runs: exit code, stdout and stderr together, as they meet the user. Seconds and megabytes are the only thing left out.

``GOLDEN=write python -m pytest tests/test_cli_golden.py`` writes tests/golden/ anew; the difference is then read in review.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from conftest import AS_OF, ROOT, call

GOLDEN = Path(__file__).parent / "golden"

CASES = {
    "run": ["run", "sample_data", "--out", "{tmp}/run", "--as-of", AS_OF],
    "run-json": ["run", "sample_data", "--out", "{tmp}/run", "--as-of", AS_OF, "--format", "json", "--quiet"],
    "run-dry": ["run", "sample_data", "--out", "{tmp}/run", "--as-of", AS_OF, "--dry-run"],
    "intake": ["intake", "sample_data", "--out", "{tmp}/run", "--as-of", AS_OF],
    "explain-approved": ["explain", "{run}", "{approved}"],
    "explain-declined-zh": ["explain", "{run}", "{declined}", "--lang", "zh"],
    "explain-json": ["explain", "{run}", "{declined}", "--format", "json"],
    "sql-table": ["sql", "{run}", "select decision, count(*) as n from decisions group by all order by all"],
    "sql-csv": ["sql", "{run}", "select application_id, decision, reason_codes from decisions order by 1 limit 3", "--format", "csv"],
    "sql-jsonl": ["sql", "{run}", "select application_id, decide_by, annual_rate from decisions order by 1 limit 3", "--format", "jsonl"],
    "sql-refused": ["sql", "{run}", "drop table decisions"],
    "quarantine": ["sql", "{run}", "select input, file, row, \"column\", rule, reason, raw_masked from quarantine", "--format", "jsonl"],
    "rule": ["rule", "R-LIAN3-LEI6"],
    "rule-zh": ["rule", "R-LIAN3-LEI6", "--lang", "zh"],
    "errors": ["errors"],
    "no-command": ["rnu"],
    "no-run": ["explain", "{tmp}/nothing", "A1"],
    "no-application": ["explain", "{run}", "nobody"],
    "no-input": ["run", "{tmp}/nothing", "--out", "{tmp}/run", "--as-of", AS_OF],
    "wrong-date": ["run", "sample_data", "--out", "{tmp}/run", "--as-of", "24.11.2026"],
    "wrong-option": ["run", "sample_data", "--out", "{tmp}/run", "--as-of", AS_OF, "--wrokers", "2"],
    "wrong-format": ["sql", "{run}", "select 1 as one", "--format", "yaml"],
    "too-much-quarantine": ["run", "sample_data", "--out", "{tmp}/run", "--as-of", AS_OF, "--max-quarantine", "0.01%"],
    "error-jsonl": ["run", "{tmp}/nothing", "--out", "{tmp}/run", "--as-of", AS_OF, "--log-format", "jsonl"],
    "taken": ["run", "sample_data", "--out", "{run}", "--as-of", AS_OF],
    "step-too-late": ["limit", "{run}"],
}


@pytest.fixture(scope="session")
def places(sample_run):
    import duckdb

    pick = lambda decision: duckdb.execute(
        f"SELECT min(application_id) FROM '{sample_run}/decisions.parquet' WHERE decision = ?", [decision]).fetchall()[0][0]
    return {"run": str(sample_run), "approved": pick("approve"), "declined": pick("decline")}


def _plain(text: str, places: dict[str, str]) -> str:
    text = text.replace(places["tmp"], "TMP").replace(places["run"], "RUN").replace(str(ROOT), "HERE")
    text = re.sub(r"[\d.]+ s +[\d,]+ MB", "SECONDS MEMORY", text)
    text = re.sub(r'"seconds": [\d.]+', '"seconds": SECONDS', text)
    text = re.sub(r'"at": "[^"]+"', '"at": "NOW"', text)
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    return text


@pytest.mark.parametrize("name", CASES)
def test_golden(name, places, tmp_path):
    known = {**places, "tmp": str(tmp_path)}
    result = call(*(str(part).format(**known) for part in CASES[name]))
    got = f"exit {result.code}\n--- stdout\n{_plain(result.out, known)}--- stderr\n{_plain(result.err, known)}"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(got, encoding="utf-8")
    assert got == path.read_text(encoding="utf-8")


def test_every_documented_exit_code_is_shown_by_a_test():
    """0, 2 and 3 above; 75, 130 and 143 in test_cli_exit_codes.py; 1 and 4 wait for the commands that fail on findings and verify seals."""
    codes = {int(path.read_text(encoding="utf-8").split("\n")[0].split()[1]) for path in GOLDEN.glob("*.txt")}
    assert codes == {0, 2, 3}
