"""What the rules did: hits as counted by hand, and which decide nothing."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations

import duckdb
import pytest
from conftest import call, done

from qqloan_cli.policy.rules import EFFECTS, load_rules


@pytest.fixture(scope="module")
def counted(lender_run) -> tuple[dict, list]:
    table = {row["code"]: row for row in json.loads(done("rule", "--hits", lender_run, "--format", "json").out)["rows"]}
    with duckdb.connect() as con:
        said = con.sql(f"SELECT rules_hit, rules_unknown FROM '{lender_run}/limit/*.parquet'").fetchall()
    return table, said


def test_every_rule_is_there_with_its_hits_and_what_it_left_open(counted, lender_run):
    table, said = counted
    rules = {rule.code: rule for rule in load_rules(lender_run / "config")}
    assert list(table) == list(rules)
    hits, unknown = (Counter(code for row in said for code in row[side]) for side in (0, 1))
    weight = {code: EFFECTS.index(rule.effect) for code, rule in rules.items()}
    for code, row in table.items():
        alone = sum(code in hit and not any(weight[other] <= weight[code] for other in hit if other != code) for hit, _ in said)
        assert (row["hits"], row["left_open"], row["alone"]) == (hits[code], unknown[code], alone), code


def test_never_hit_and_shadowed_are_what_they_say(counted):
    table, said = counted
    order = list(table)
    for code, row in table.items():
        mine = [set(hit) for hit, _ in said if code in hit]
        assert (row["finding"] == "never") == (not mine)
        for other in row["shadowed_by"]:
            assert all(other in hit for hit in mine) and order.index(other) < order.index(code), (code, other)
        if row["overlaps_most"]:
            together = sum(row["overlaps_most"] in hit for hit in mine)
            assert row["overlap_share"] == pytest.approx(together / len(mine), abs=1e-4) and 0 < row["overlap_share"] <= 1
    assert any(row["finding"] == "shadowed" for row in table.values()) and any(row["finding"] == "never" for row in table.values())
    pairs = Counter(pair for hit, _ in said for pair in combinations(sorted(hit), 2))
    assert all(max(n for pair, n in pairs.items() if code in pair) == round(row["overlap_share"] * row["hits"]) for code, row in table.items() if row["overlaps_most"])


def test_before_the_rules_were_asked_it_says_so(lender, tmp_path):
    done("intake", lender, "--out", tmp_path / "run", "--as-of", "2026-11-24")
    refused = call("rule", "--hits", tmp_path / "run")
    assert refused.code == 2 and "no rule has been asked yet" in refused.err
