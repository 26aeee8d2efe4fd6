"""Real lenders' files by mapping alone: how many rows come in, and their sums, worked out with plain Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import done

from qqloan_cli.errors import InputError
from qqloan_cli.intake.check import check

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


def test_berka_has_682_loans_and_a_last_booking_that_is_cut(shared):
    found = check([shared / "data" / "berka"], CONFIGS, "berka")
    counts = found["inputs"]
    assert (counts["applicants"]["accepted"], counts["applicants"]["refused"]) == (682, 0)
    assert (counts["bank_statements"]["accepted"], counts["bank_statements"]["refused"]) == (49_102, 1)
    assert [(m["currency"], m["in_fen"], m["out_fen"]) for m in found["money"]] == [(None, 17_736_629_630, 13_812_015_350)]
    assert counts["social_edges"]["accepted"] == 1_595 + 6_471
    assert counts["outcomes"]["accepted"] == 682


def test_berka_loan_accounts_joins_two_folders_on_the_account(shared):
    found = check([shared / "data" / "berka", shared / "data" / "berka_loan_accounts"], CONFIGS, "berka_loan_accounts")
    counts = found["inputs"]
    assert counts["applicants"]["accepted"] == counts["outcomes"]["accepted"] == 354
    assert (counts["bank_statements"]["accepted"], counts["bank_statements"]["refused"]) == (30_200, 0)
    assert [(m["in_fen"], m["out_fen"]) for m in found["money"]] == [(14_308_723_200, 12_807_438_580)]
    assert counts["social_edges"]["accepted"] == 549


def test_lending_club_has_39786_loans_without_keys(shared):
    found = check([shared / "data" / "lending_club"], CONFIGS)
    assert found["source"] == "lending_club"
    counts = found["inputs"]
    assert {name: (c["accepted"], c["refused"]) for name, c in counts.items()} == {
        "applicants": (39_786, 0), "credit_accounts": (39_786, 0), "credit_inquiries": (34_576, 0), "outcomes": (39_786, 0),
    }


def test_home_credit_joins_its_history_tables(shared):
    found = check([shared / "data" / "home_credit"], CONFIGS, "home_credit")
    assert {name: (c["accepted"], c["refused"]) for name, c in found["inputs"].items()} == {
        "applicants": (1_000, 0), "credit_accounts": (3_435 + 2_193, 0), "credit_inquiries": (2_471, 0), "outcomes": (1_000, 0),
    }


@pytest.mark.parametrize("folder, edges", [("facebook", 88_234), ("bitcoin_otc", 35_592)])
def test_edge_lists_are_read_without_a_header(shared, folder, edges):
    found = check([shared / "data" / folder], CONFIGS)
    assert (found["source"], found["inputs"]["social_edges"]["accepted"], found["refused"]) == (folder, edges, 0)


def test_a_mapping_whose_files_are_not_there_says_which(shared):
    with pytest.raises(InputError) as error:
        check([shared / "data" / "berka_loan_accounts"], CONFIGS, "berka_loan_accounts")
    assert "loan" in str(error.value)


def test_what_check_says_is_what_intake_does(shared, tmp_path):
    folder = shared / "data" / "home_credit"
    said = check([folder], CONFIGS, "home_credit")["inputs"]
    done("intake", folder, "--source", "home_credit", "--out", tmp_path / "run", "--as-of", "2018-01-01", "--quiet")
    counts = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["counts"]
    assert {name: (c["in"], c["accepted"] + c["unmatched"], c["refused"]) for name, c in counts.items()} == {
        name: (c["rows"], c["accepted"], c["refused"]) for name, c in said.items()
    }
