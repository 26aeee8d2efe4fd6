"""funding.toml: what cannot be right is refused in words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import ROOT

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.funding import load_funding
from qqloan_cli.policy.reasons import load_reasons

SHIPPED = (ROOT / "configs/funding.toml").read_text(encoding="utf-8")


def changed(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    text = SHIPPED
    for old, new in pairs:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    (tmp_path / "funding.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("pair, words", [
    (("own = 0.30, coast_bank = 0.70", "own = 0.30, coast_bank = 0.69"), "structure own_coast add up to 0.99"),
    (("own = 0.60, delta_cfc = 0.40", "own = 0.40, delta_cfc = 0.60"), "gives delta_cfc 60.00%, outside its 30.00% to 50.00%"),
    (("own = 0.60, delta_cfc = 0.40", "own = 0.60, delta = 0.40"), "names delta, which is no source"),
    (("shares = { harbour_trust = 1.0 }", "shares = { own = 1.0 }"), "harbour_trust is in no structure"),
    (("min_share = 0.30", "min_share = 0.80"), "min_share is above max_share"),
    (("term_min = 3", "term_min = 30"), "lower bound is above its upper bound"),
    (("commitment = 0 ", "commitment = 9_000_000_000_000 "), "are promised, but only"),
    (("coast = 2_000_000_000", "coasts = 2_000_000_000"), "outstanding names coasts"),
    (("daily_cash = 36", "daily_money = 36"), "daily_money"),
])
def test_what_cannot_be_right_is_said(tmp_path, pair, words):
    with pytest.raises(ConfigError) as error:
        load_funding(changed(tmp_path, pair))
    assert words in str(error.value)


def test_a_bank_lends_jointly_only_where_the_partner_carries_30_percent(tmp_path):
    """jl.partner.min: 29.99 % is not enough, 30 % is."""
    funding = load_funding(changed(tmp_path, ("delta_cfc = 0.40 }", "delta_cfc = 0.30 }"), ("own = 0.60,", "own = 0.70,")))
    assert "own_delta" in funding.allowed("bank")
    loose = changed(tmp_path, ("delta_cfc = 0.40 }", "delta_cfc = 0.2999 }"), ("own = 0.60,", "own = 0.7001,"), ("min_share = 0.30\nmax_share = 0.50", "min_share = 0.20\nmax_share = 0.50"))
    assert "own_delta" not in load_funding(loose).allowed("bank")


def test_a_microloan_company_keeps_30_percent_itself():
    """Seen from the other side: own_pearl leaves us 20 %."""
    funding = load_funding(ROOT / "configs")
    assert "own_pearl" in funding.allowed("bank") and "own_pearl" not in funding.allowed("microloan_network")
    assert {"own_only", "harbour_only"} <= set(funding.allowed("microloan_network"))  # one source alone is no joint loan


def test_structures_come_in_one_order_however_they_are_written(tmp_path):
    shutil.copy(ROOT / "configs/funding.toml", tmp_path)
    names = list(load_funding(tmp_path).allowed("bank"))
    blocks = SHIPPED.split("[structures.own_only]")[1].split("[structures.own_coast]")[0]
    moved = SHIPPED.replace("[structures.own_only]" + blocks, "") + "\n[structures.own_only]" + blocks.split("# ---")[0]
    (tmp_path / "funding.toml").write_text(moved, encoding="utf-8")
    assert list(load_funding(tmp_path).allowed("bank")) == names


def test_every_code_that_funding_can_give_has_a_text():
    from qqloan_cli.funding.sources import REASONS

    reasons = load_reasons(ROOT / "configs")
    assert {*REASONS.values(), "F-NO-SOURCE", "F-QUEUED"} <= set(reasons)
