"""The programme and the spread: best worth, whole loans, never over a limit, the same whatever the order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qqloan_cli.funding import cohorts, programme
from qqloan_cli.funding.sources import Book, Loans
from qqloan_cli.funding.spread import WAITS, spread
from qqloan_cli.policy.funding import Funding

YUAN = 100
FREE = {"net_tier1_capital": 10**12, "single_partner_share": 1, "total_loans": 10**12, "joint_share": 1, "licences": ["bank"]}


def policy(sources: dict, structures: dict, **more) -> Funding:
    own = {"title_en": "Own", "title_zh": "自有", "kind": "own", "cost_of_funds": "0.03"}
    other = {"title_en": "Other", "title_zh": "他行", "kind": "institution", "cost_of_funds": "0.02", "partner_group": "p"}
    return Funding.model_validate({
        "partner_share_min": {"bank": "0.3"}, "concentration": FREE,
        "sources": {name: {**(own if name == "own" else other), **given} for name, given in sources.items()},
        "structures": structures, **more,
    })


def loans_of(amounts, terms=None, grades=None, regions=None, pd=0.02, leaves=(1_000_000,)) -> Loans:
    """``leaves``: millionths that leave on each day."""
    n = len(amounts)
    grades, regions = list(["A"] * n if grades is None else grades), list(["440300"] * n if regions is None else regions)
    names, places = sorted(set(grades)), sorted(set(regions) - {None})
    return Loans(
        np.array(amounts, np.int64) * YUAN, np.array(terms or [12] * n, np.int64), np.full(n, int(pd * 1e6)), np.zeros(n, np.int64),
        np.array([names.index(g) for g in grades], np.int64), np.array([-1 if r is None else places.index(r) for r in regions], np.int64),
        ["cash_loan"], names, places, np.zeros(n, np.int64), np.array(leaves)[:, None],
    )


def fund(loans: Loans, given: Funding, licence: str = "bank", refused=None):
    book = Book(given, licence, [f"day {n}" for n in range(1, len(loans.leaves_ppm) + 1)])
    eligible = book.eligible(loans, refused)
    grouped = cohorts.gather(loans, eligible)
    plan = programme.solve(loans, grouped, book)
    return book, plan, spread(loans, eligible, grouped, plan, book)


def names(book: Book, found) -> list[str]:
    return ["waits" if at == WAITS else book.structures[at].name for at in found.structure]


def test_cheap_money_first_then_own_then_the_queue():
    """
    Three loans of 100.00; the partner has 140.00 at 70 % of a loan, we have 160.00.
    Two go through both (140.00 + 60.00), one on our own; nothing is left but 0.00.
    """
    given = policy({"own": {"capacity": 160}, "bank": {"capacity": 140}}, {"joint": {"shares": {"own": "0.3", "bank": "0.7"}, "priority": 1}, "own": {"shares": {"own": 1}}})
    book, plan, found = fund(loans_of([100, 100, 100, 100]), given)
    assert names(book, found) == ["joint", "joint", "own", "waits"]
    assert found.room_fen.tolist()[:2] == [0, 0]
    assert found.reason.tolist() == ["", "", "", "F-NO-CAPACITY"]


def test_what_one_more_yuan_is_worth():
    """Own money alone, short: one more yuan funds one more yuan, worth 1 - 0.03 - 0.02 x 0.6."""
    given = policy({"own": {"capacity": 150}}, {"own": {"shares": {"own": 1}}})
    _, plan, _ = fund(loans_of([100, 100]), given)
    assert plan.prices[0] == pytest.approx(1 - 0.03 - 0.012, abs=1e-5)
    _, plan, _ = fund(loans_of([100]), given)
    assert plan.prices[0] == 0


def test_a_partners_30_percent_lever_is_priced():
    """30 % of ours brings 70 % of the partner's, who has plenty: our yuan is worth the whole loan it opens."""
    given = policy({"own": {"capacity": 30}, "bank": {"capacity": 10_000}}, {"joint": {"shares": {"own": "0.3", "bank": "0.7"}}, "own": {"shares": {"own": 1}}})
    _, plan, _ = fund(loans_of([100] * 5), given)
    assert plan.prices[1] == pytest.approx((1 - (0.3 * 0.03 + 0.7 * 0.02) - 0.012) / 0.3, abs=1e-4)


def test_the_split_is_worth_what_scipy_finds_without_our_rows():
    """The optimum of a small case against every way to fund four loans whole."""
    import itertools

    given = policy(
        {"own": {"capacity": 250}, "bank": {"capacity": 150, "grades": ["A"]}},
        {"joint": {"shares": {"own": "0.3", "bank": "0.7"}, "priority": 1}, "own": {"shares": {"own": 1}, "priority": 2}},
    )
    loans = loans_of([100, 100, 100, 100], grades=["A", "B", "A", "B"])
    book, plan, found = fund(loans, given)
    best = 0.0
    for ways in itertools.product(("joint", "own", "waits"), repeat=4):
        own = sum({"joint": 30, "own": 100, "waits": 0}[way] for way in ways)
        bank = sum({"joint": 70, "own": 0, "waits": 0}[way] for way in ways)
        if own <= 250 and bank <= 150 and not (ways[1] == "joint" or ways[3] == "joint"):
            best = max(best, sum({"joint": 100 * (1 - 0.023 - 0.012), "own": 100 * (1 - 0.03 - 0.012), "waits": 0.0}[way] for way in ways))
    reached = sum({"joint": 100 * (1 - 0.023 - 0.012), "own": 100 * (1 - 0.03 - 0.012), "waits": 0.0}[way] for way in names(book, found))
    assert reached == pytest.approx(best) and plan.worth_yuan >= best - 1e-6


@pytest.mark.parametrize("block", [1, 2, 3])
def test_looking_at_a_part_of_the_loans_at_a_time_changes_nothing(monkeypatch, block):
    given = policy(
        {"own": {"capacity": 700, "daily_cash": 500}, "bank": {"capacity": 400, "grades": ["A"], "grade_limits": {"A": 300}}},
        {"joint": {"shares": {"own": "0.3", "bank": "0.7"}, "priority": 1}, "own": {"shares": {"own": 1}, "priority": 2}},
    )
    loans = loans_of([130, 60, 210, 90, 40, 170, 80, 300, 20, 110], grades=list("ABAABBAABA"))
    book, _, whole = fund(loans, given)
    monkeypatch.setattr("qqloan_cli.funding.spread._BLOCK", block)
    _, _, parts = fund(loans, given)
    assert len(set(names(book, whole))) == 3
    assert (parts.structure.tolist(), parts.reason.tolist(), parts.room_fen.tolist()) == (whole.structure.tolist(), whole.reason.tolist(), whole.room_fen.tolist())


def test_the_better_score_is_served_first():
    given = policy({"own": {"capacity": 100}}, {"own": {"shares": {"own": 1}}})
    book, _, found = fund(loans_of([60, 60, 40]), given)
    assert names(book, found) == ["own", "waits", "own"]  # the second does not fit as a whole, the third does


@pytest.mark.parametrize("limit, loans, reason", [
    ({"capacity": 50}, {}, "F-NO-CAPACITY"),
    ({"capacity": 500, "daily_cash": 50}, {}, "F-NO-CASH"),
    ({"capacity": 500, "grade_limits": {"A": 50}}, {}, "F-GRADE-LIMIT"),
    ({"capacity": 500, "products": ["other"]}, {}, "F-NO-SOURCE"),
    ({"capacity": 500, "grades": ["B"]}, {}, "F-NO-SOURCE"),
    ({"capacity": 500, "term_max": 6}, {}, "F-NO-SOURCE"),
    ({"capacity": 500, "amount_max": 99}, {}, "F-NO-SOURCE"),
    ({"capacity": 500, "regions": ["11"]}, {}, "F-NO-SOURCE"),
    ({"capacity": 500, "regions_excluded": ["4403"]}, {}, "F-NO-SOURCE"),
    ({"capacity": 500, "regions": ["44"]}, {"regions": [None]}, "F-NO-SOURCE"),
    ({"capacity": 500, "regions_excluded": ["11"]}, {"regions": [None]}, "F-NO-SOURCE"),
    ({"capacity": 500, "regions_excluded": ["11"], "regions": ["44"], "amount_max": 100, "term_max": 12, "grades": ["A"], "products": ["cash_loan"]}, {}, ""),
])
def test_why_a_loan_waits(limit, loans, reason):
    """One loan of 100.00, grade A, 12 months, in Shenzhen; one source."""
    _, _, found = fund(loans_of([100], **loans), policy({"own": limit}, {"own": {"shares": {"own": 1}}}))
    assert found.reason.tolist() == [reason]


def test_a_partners_concentration_counts_our_own_money_with_him():
    """25 % of 400.00 of net tier-1, 40.00 of it used: 60.00 of ours may join him, which is 200.00 of loans at 30 %."""
    given = policy(
        {"own": {"capacity": 10_000}, "bank": {"capacity": 10_000}}, {"joint": {"shares": {"own": "0.3", "bank": "0.7"}}},
        concentration={**FREE, "net_tier1_capital": 400, "single_partner_share": "0.25", "outstanding": {"p": 40}},
    )
    _, _, found = fund(loans_of([100] * 3), given)
    assert found.reason.tolist() == ["", "", "F-CONCENTRATION"]
    _, _, free = fund(loans_of([100] * 3), given, licence="microloan")  # whom it does not bind
    assert free.reason.tolist() == ["", "", ""]


def test_a_day_s_cash_holds_back_what_leaves_on_that_day_and_no_day_is_forgotten():
    given = policy({"own": {"capacity": 1_000, "daily_cash": 151}}, {"own": {"shares": {"own": 1}}})
    assert fund(loans_of([100, 100, 100]), given)[2].reason.tolist() == ["", "F-NO-CASH", "F-NO-CASH"]
    assert fund(loans_of([100, 100, 100], leaves=(500_000, 500_000)), given)[2].reason.tolist() == ["", "", ""]
    assert fund(loans_of([100, 100, 100], leaves=(200_000, 800_000)), given)[2].reason.tolist() == ["", "F-NO-CASH", "F-NO-CASH"]


def test_a_source_that_refused_a_loan_is_not_asked_again_and_another_takes_a_second_look():
    given = policy({"own": {"capacity": 1_000}, "bank": {"capacity": 1_000}}, {"joint": {"shares": {"own": "0.3", "bank": "0.7"}, "priority": 1}, "own": {"shares": {"own": 1}}})
    refused = np.array([[True, False, False], [False, False, False]])  # sources in order of name: bank, own
    book, _, found = fund(loans_of([100, 100, 100]), given, refused=refused)
    assert names(book, found) == ["own", "joint", "joint"]
    alone = policy({"own": {"capacity": 1_000}, "bank": {"capacity": 1_000}}, {"joint": {"shares": {"own": "0.3", "bank": "0.7"}}})
    assert fund(loans_of([100, 100, 100]), alone, refused=refused)[2].reason.tolist() == ["F-NO-SOURCE", "", ""]


def test_a_guarantor_stands_for_ten_times_its_net_assets_and_for_one_debtor_a_tenth_of_them():
    """fg.mult: 10 x 30.00 less 100.00 outstanding is 200.00; one debtor 0.5 x 30.00 at most."""
    firm = {"title_en": "G", "title_zh": "保", "net_assets": 30, "multiple": 10, "outstanding": 290}
    given = policy({"own": {"capacity": 1_000}}, {"own": {"shares": {"own": 1}}}, guarantors={"g": {**firm, "products": ["cash_loan"], "single_share": "0.5"}})
    assert fund(loans_of([10, 16, 7]), given)[2].reason.tolist() == ["", "F-NO-SOURCE", "F-GUARANTEE"]
    other = policy({"own": {"capacity": 1_000}}, {"own": {"shares": {"own": 1}}}, guarantors={"g": {**firm, "products": ["renovation_loan"], "single_share": "0.5"}})
    assert fund(loans_of([10, 16, 7]), other)[2].reason.tolist() == ["", "", ""]


def test_a_source_shares_loans_with_the_licences_that_it_names():
    given = policy({"own": {"capacity": 1_000}, "bank": {"capacity": 1_000, "licences": ["cfc"]}}, {"joint": {"shares": {"own": "0.3", "bank": "0.7"}, "priority": 1}, "own": {"shares": {"own": 1}}})
    assert names(*fund(loans_of([100]), given, "bank")[::2]) == ["own"] and names(*fund(loans_of([100]), given, "cfc")[::2]) == ["joint"]


def test_the_gap_between_whole_loans_and_the_programme_is_small_and_never_below_nothing():
    given = policy({"own": {"capacity": 150}}, {"own": {"shares": {"own": 1}}})
    loans = loans_of([100, 100])
    book = Book(given, "bank")
    eligible = book.eligible(loans)
    grouped = cohorts.gather(loans, eligible)
    plan = programme.solve(loans, grouped, book)
    found = spread(loans, eligible, grouped, plan, book)
    worth = 1 - 0.03 - 0.012
    assert programme.reached(plan, grouped, loans, found.structure) == pytest.approx(100 * worth)
    assert plan.worth_yuan == pytest.approx(150 * worth, abs=0.1)  # a loan of 100.00 and half another, which cannot be


def test_a_commitment_that_cannot_be_met_is_said_and_the_rest_is_funded():
    given = policy({"own": {"capacity": 1_000}, "bank": {"capacity": 800, "commitment": 500, "grades": ["B"]}},
                   {"own": {"shares": {"own": 1}}, "bank": {"shares": {"bank": 1}}})
    book, plan, found = fund(loans_of([100, 100, 100], grades=["A", "A", "B"]), given)
    assert names(book, found) == ["own", "own", "bank"]
    assert plan.notes == ("bank was promised 500 yuan and gets 100: approved loans that it takes come to 100 of its money at most",)


def test_limits_that_collide_with_a_commitment_are_named():
    given = policy({"own": {"capacity": 60}, "bank": {"capacity": 800, "commitment": 500}}, {"joint": {"shares": {"own": "0.3", "bank": "0.7"}}})
    _, plan, _ = fund(loans_of([100] * 10), given)
    [note] = plan.notes
    assert note.startswith("bank was promised 500 yuan and gets 1") and note.endswith("used up: capacity of own")


def test_a_commitment_draws_loans_to_a_dearer_source():
    given = policy({"own": {"capacity": 1_000}, "bank": {"capacity": 800, "commitment": 200, "cost_of_funds": "0.08"}},
                   {"own": {"shares": {"own": 1}}, "bank": {"shares": {"bank": 1}}})
    book, plan, found = fund(loans_of([100, 100, 100]), given)
    assert sorted(names(book, found)) == ["bank", "bank", "own"] and plan.notes == ()


BOOK = policy(
    {
        "own": {"capacity": 3_000, "daily_cash": 2_500, "grade_limits": {"C": 400}},
        "bank": {"capacity": 2_000, "grades": ["A", "B"], "term_max": 24, "regions": ["44"]},
        "trust": {"capacity": 1_500, "daily_cash": 900, "cost_of_funds": "0.05", "partner_group": "q", "amount_max": 400},
    },
    {
        "own": {"shares": {"own": 1}, "priority": 3}, "joint": {"shares": {"own": "0.333333", "bank": "0.666667"}, "priority": 1},
        "three": {"shares": {"own": "0.3", "bank": "0.35", "trust": "0.35"}, "priority": 2}, "trust": {"shares": {"trust": 1}, "priority": 4},
    },
    concentration={**FREE, "net_tier1_capital": 4_000, "single_partner_share": "0.25"},
)

BATCH = st.lists(
    st.tuples(st.integers(1, 900), st.sampled_from([6, 12, 36]), st.sampled_from("ABC"), st.sampled_from(["440300", "110000", None])), min_size=1, max_size=60,
)


def limits_used(book: Book, loans: Loans, found) -> np.ndarray:
    """Fen used of every limit, counted anew, loan by loan."""
    used = np.zeros(len(book.limits), np.int64)
    for n, at in enumerate(found.structure):
        if at == WAITS:
            continue
        shares = dict(zip(book.structures[at].sources, book.shares(at, loans.amount_fen[n:n + 1])[0]))
        assert sum(shares.values()) == loans.amount_fen[n]
        for r, limit in enumerate(book.limits):
            if limit.grade in (None, loans.grades[loans.grade[n]]):
                used[r] += sum(shares[book.structures[at].sources[k]] for k in limit.counted[at])
    return used


@settings(deadline=None, max_examples=60)
@given(BATCH)
def test_no_limit_is_ever_passed_and_nothing_is_lost(batch):
    amounts, terms, grades, regions = zip(*batch)
    loans = loans_of(amounts, list(terms), grades, regions)
    book, _, found = fund(loans, BOOK)
    used = limits_used(book, loans, found)
    assert (used <= np.array([limit.fen for limit in book.limits])).all()
    assert (np.array([limit.fen for limit in book.limits]) - used == found.room_fen).all()
    eligible = book.eligible(loans)
    for n, at in enumerate(found.structure):
        assert (found.reason[n] == "") == (at != WAITS)
        assert at == WAITS or eligible[at, n]
    # Nobody waits for whom there is room.
    for n in np.flatnonzero(found.structure == WAITS):
        for number, structure in enumerate(book.structures):
            if eligible[number, n]:
                assert (book.use(number, loans, np.array([n]))[0] > found.room_fen[list(structure.limits)]).any()


@settings(deadline=None, max_examples=30)
@given(BATCH)
def test_whole_loans_are_worth_no_more_than_the_programme_says(batch):
    amounts, terms, grades, regions = zip(*batch)
    loans = loans_of(amounts, list(terms), grades, regions)
    book = Book(BOOK, "bank")
    eligible = book.eligible(loans)
    grouped = cohorts.gather(loans, eligible)
    plan = programme.solve(loans, grouped, book)
    found = spread(loans, eligible, grouped, plan, book)
    funded = np.flatnonzero(found.structure != WAITS)
    worth = (plan.value[grouped.of[funded], found.structure[funded]] * loans.amount_fen[funded]).sum() / 100
    assert worth <= plan.worth_yuan + len(batch) * 0.02 * len(book.limits)  # a fen a loan is kept free of each limit


def test_a_large_batch_fills_what_is_offered_and_stays_under_it():
    rng = np.random.default_rng(5)
    n = 20_000
    loans = loans_of(rng.integers(10, 900, n) * 7 + 1, [int(t) for t in rng.choice([6, 12, 36], n)], rng.choice(list("ABC"), n), rng.choice(["440300", "110000"], n))
    given = BOOK.model_dump(mode="json")
    for source in given["sources"].values():
        for key in ("capacity", "daily_cash"):
            source[key] = source[key] and source[key] * 7_000
        source["grade_limits"] = {grade: yuan * 7_000 for grade, yuan in source["grade_limits"].items()}
        source["amount_max"] = None
    given["concentration"].update(net_tier1_capital=10**10)
    book, plan, found = fund(loans, Funding.model_validate(given))
    used = limits_used(book, loans, found)
    offered = np.array([limit.fen for limit in book.limits])
    assert (used <= offered).all()
    short = plan.prices > 0
    assert short.any() and (found.room_fen[short] < 900 * 7 * 100 + 100).all()  # less than a loan is left of what is short


def test_no_loans_and_nobody_who_takes_them():
    given = policy({"own": {"capacity": 100, "grades": ["B"]}}, {"own": {"shares": {"own": 1}}})
    assert fund(loans_of([]), given)[2].structure.tolist() == []
    assert fund(loans_of([10]), given)[2].reason.tolist() == ["F-NO-SOURCE"]
