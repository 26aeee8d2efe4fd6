"""Identity numbers, ages, phones, cards and employers' codes: what passes, what is noted, what a person looks at, what is refused."""

import csv
import json
import random
import shutil

import pytest
from conftest import ROOT
from people import WHO, Batch, card_number, check_character, id_number, person

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.reasons import load_reasons
from qqloan_cli.policy.verify import FINDINGS, NOT_APPLICABLE, load_verify

ORACLE = json.loads((ROOT / "tests" / "oracles" / "identifiers.json").read_text(encoding="utf-8"))


def looked_at(tmp_path, *people, **tables):
    return Batch(tmp_path / "run").put(applicants=list(people), **tables).take(*WHO).rows("verify")


def codes_for(tmp_path, values, column):
    """Reasons of one person for each value of a column, all else without fault."""
    rows = looked_at(tmp_path, *(person(n, **{column: value}) for n, value in enumerate(values, 1)))
    return {value: set(rows[f"A{n:04d}"]["reasons"]) for n, value in enumerate(values, 1)}


def test_a_person_without_a_fault_passes_with_every_check_said(tmp_path):
    row = looked_at(tmp_path, person(1))["A0001"]
    assert (row["verdict"], row["reasons"]) == ("pass", ["V-OK"])
    order = row["passed"].split()
    assert row["checks"] == [] and len(order) >= 20
    assert order == [check for check in FINDINGS if check in order]
    assert (row["id_kind"], row["id_region"], row["id_region_status"], row["age_years"], row["phone_kind"]) == ("resident", "440305", "current", 56, "mobile")


def test_published_resident_numbers(tmp_path):
    good = [case["number"] for case in ORACLE["resident_id_valid"]]
    bad = [case["number"] for case in ORACLE["resident_id_invalid"]]
    found = codes_for(tmp_path, good + bad, "id_number")
    about_the_number = {"V-ID-FORM", "V-ID-DATE", "V-ID-DIGIT", "V-ID-REGION"}
    for number in good:
        if number != "440524188001010014":  # the standard's own man of 1880: right in form and region, but no living applicant
            assert not found[number] & about_the_number, number
    assert found["440524188001010014"] & about_the_number == {"V-ID-DATE"}
    for number in bad:
        assert found[number] & about_the_number, number


def test_a_retired_county_is_noted_and_an_unknown_one_refused(tmp_path, shared):
    """G01: A1 region 412723 (retired) passes with a note, A2 passes, A3 region 999999 is refused."""
    with open(shared / "cases" / "files" / "g01_retired_region.csv", encoding="utf-8") as lines:
        numbers = {row["app_id"]: row["id_no"] for row in csv.DictReader(lines)}
    rows = looked_at(tmp_path, *(person(n, application_id=key, id_number=number) for n, (key, number) in enumerate(numbers.items(), 1)))
    assert (rows["A1"]["verdict"], rows["A1"]["reasons"], rows["A1"]["id_region_status"]) == ("pass", ["V-ID-REGION-RETIRED"], "retired")
    assert rows["A2"]["verdict"] == "pass"
    assert rows["A3"]["verdict"] == "fail" and "V-ID-REGION" in rows["A3"]["reasons"]


def test_nobody_is_refused_for_being_older_than_the_district_s_code(tmp_path):
    """Codes begin around 1983, people do not: six districts, births from 1961 on."""
    districts = ("440104", "330103", "420102", "510104", "350203", "610102")
    numbers = [id_number(region, f"{year}0601", order=7) for region in districts for year in range(1961, 1984, 2)]
    for number, codes in codes_for(tmp_path, numbers, "id_number").items():
        assert codes <= {"V-OK", "V-ID-REGION-RETIRED", "V-AGE-HIGH"}, number


def test_a_county_gone_before_birth_is_not_possible(tmp_path):
    """Changping county, 110201, was in force until 1982: nobody has its number, and nobody born later can."""
    assert "V-ID-REGION" in codes_for(tmp_path, [id_number("110201", "19900101")], "id_number").popitem()[1]


def test_letters_blanks_and_impossible_dates_do_not_stop_the_batch(tmp_path):
    """G02: five rows in, five verdicts out; the full-width one is brought to half-width at intake, and passes here as such."""
    found = codes_for(tmp_path, ["11010519A01011000X", "110105199010110005", None, "110105199013110005", "110105199002290000"], "id_number")
    assert found["11010519A01011000X"] == {"V-ID-FORM", "V-AGE-UNKNOWN"}
    assert found["110105199010110005"] == {"V-OK"}
    assert found[None] == {"V-ID-MISSING", "V-AGE-UNKNOWN"}
    assert "V-ID-DATE" in found["110105199013110005"] and "V-ID-DATE" in found["110105199002290000"]


def test_a_leap_day_is_a_birth_date_in_leap_years_only(tmp_path):
    numbers = {id_number(birth=birth): good for birth, good in (("20000229", True), ("19960229", True), ("19900229", False), ("19000229", False))}
    for number, codes in codes_for(tmp_path, list(numbers), "id_number").items():
        assert ("V-ID-DATE" not in codes) == numbers[number], number


def test_kinds_of_documents(tmp_path):
    def permit(body):
        return body + check_character(body)

    people = {
        "hk": (permit("81000019900105001"), "hkmotw_permit", "pass"), "macau": (permit("82000019900105001"), "hkmotw_permit", "pass"),
        "taiwan": (permit("83000019900105001"), "hkmotw_permit", "pass"), "foreigner": (permit("91184019900105001"), "foreign_permit", "pass"),
        "no such province": (permit("99984019900105001"), "foreign_permit", "fail"), "foreigner, old": ("USA110090010511", "foreign_permit_old", "pass"),
        "fifteen digits": ("440305900105001", "resident_15", "refer"), "fourteen digits": ("44030590010500", None, "fail"),
    }
    rows = looked_at(tmp_path, *(person(n, application_id=key, id_number=number) for n, (key, (number, _, _)) in enumerate(people.items(), 1)))
    assert {key: (rows[key]["id_kind"], rows[key]["verdict"]) for key in people} == {key: (kind, verdict) for key, (_, kind, verdict) in people.items()}
    assert (rows["foreigner, old"]["age_years"], rows["foreigner, old"]["reasons"]) == (36, ["V-ID-FOREIGN-OLD"])


def test_fifteen_digits_and_eighteen_of_one_person_are_one_key(tmp_path):
    old = ORACLE["resident_id_15"][0]
    batch = Batch(tmp_path / "run").put(applicants=[person(1, id_number=old["old"]), person(2, id_number=old["new"])]).take("links.keys")
    keys = batch.rows("keys")
    assert keys["A0001"]["id_hash"] == keys["A0002"]["id_hash"]


def test_age_is_whole_years_on_the_day_of_application_within_the_product_s_bounds(tmp_path):
    """cash_loan 18 to 65; bridge_loan 22 to 60."""
    rows = looked_at(
        tmp_path,
        person(1, id_number=id_number(birth="20081121")), person(2, id_number=id_number(birth="20081120")),
        person(3, id_number=id_number(birth="19601121")), person(4, id_number=id_number(birth="19601120")),
        person(5, id_number=id_number(birth="20051120", order=5), product="bridge_loan"), person(6, id_number=id_number(birth="20051120", order=6), product=None),
        person(7, id_number=None, birth_date="1990-01-05", checks_not_applicable="id"), person(8, id_number=None, checks_not_applicable="id"),
    )
    found = {key: (row["age_years"], row["reasons"]) for key, row in rows.items()}
    assert found == {
        "A0001": (17, ["V-AGE-LOW"]), "A0002": (18, ["V-OK"]), "A0003": (65, ["V-OK"]), "A0004": (66, ["V-AGE-HIGH"]),
        "A0005": (21, ["V-AGE-LOW"]), "A0006": (21, ["V-OK"]), "A0007": (36, ["V-NA-ID"]), "A0008": (None, ["V-NA-ID"]),
    }


def test_stated_birth_date_and_gender_are_held_against_the_number(tmp_path):
    rows = looked_at(tmp_path, person(1, birth_date="1970-01-05", gender="male"), person(2, birth_date="1970-01-06", gender="male"))
    assert rows["A0001"]["reasons"] == ["V-OK"]
    assert (rows["A0002"]["verdict"], rows["A0002"]["reasons"]) == ("refer", ["V-BIRTH-DIFFERS", "V-GENDER-DIFFERS"])


def test_phones(tmp_path):
    expected = {
        "13800138000": "V-OK", "19912345678": "V-OK", "17400123456": "V-OK", "17012345678": "V-PHONE-VIRTUAL", "16512345678": "V-PHONE-VIRTUAL",
        "1441012345678": "V-PHONE-IOT", "1481234567890": "V-PHONE-IOT", "17491234567": "V-PHONE-SATELLITE", "17408123456": "V-PHONE-SATELLITE",
        "12012345678": "V-PHONE-UNKNOWN", "15412345678": "V-PHONE-UNKNOWN", "1380013800": "V-PHONE-FORM", "02012345678": "V-PHONE-FORM", None: "V-PHONE-MISSING",
        "8613800138001": "V-OK",
    }
    assert codes_for(tmp_path, list(expected), "phone") == {phone: {code} for phone, code in expected.items()}


def test_cards(tmp_path):
    right = card_number(77)
    wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
    published = {case["number"]: {"V-OK"} if case["valid"] else {"V-CARD-DIGIT"} for case in ORACLE["luhn"] if 16 <= len(case["number"]) <= 19}
    assert len(published) >= 4
    expected = {
        right: {"V-OK"}, wrong: {"V-CARD-DIGIT"}, "9" + wrong[1:]: None, "622202": {"V-CARD-FORM"}, None: {"V-CARD-MISSING"},
        "9558801234567890124": {"V-CARD-DIGIT-OLD"}, "622202123456789012a": {"V-CARD-FORM"}, **published,
    }
    found = codes_for(tmp_path, list(expected), "bank_card")
    assert {card: found[card] for card, codes in expected.items() if codes} == {card: codes for card, codes in expected.items() if codes}


def test_employers_codes(tmp_path):
    expected = {number: {"V-OK"} for number in ORACLE["uscc_valid"]} | {case["number"]: {"V-USCC"} for case in ORACLE["uscc_invalid"]} | {None: {"V-OK"}}
    assert codes_for(tmp_path, list(expected), "employer_uscc") == expected


def test_an_employers_region_is_of_digits_though_the_check_character_agrees(tmp_path):
    from stdnum.cn import uscc

    right, wrong = (body + uscc.calc_check_digit(body) for body in ("91110105MA01ABC12", "911A0105MA01ABC12"))
    assert codes_for(tmp_path, [right, wrong], "employer_uscc") == {right: {"V-OK"}, wrong: {"V-USCC"}}


def test_check_digits_dates_employers_and_cards_agree_with_stdnum_on_many_numbers(tmp_path):
    """50,000 of each, half of them with a digit changed. Regions are left out: there it refuses real people."""
    from stdnum import luhn
    from stdnum.cn import ric, uscc
    from stdnum.exceptions import ValidationError

    rng = random.Random(11)
    count = 50_000

    def spoilt(text):
        place = rng.randrange(len(text))
        return text[:place] + rng.choice("0123456789") + text[place + 1:] if rng.random() < 0.5 else text

    def resident():
        body = f"{rng.choice(('110105', '440305', '310101'))}{rng.randint(1930, 2015)}{rng.randint(0, 13):02d}{rng.randint(0, 32):02d}{rng.randint(0, 999):03d}"
        return spoilt(body + check_character(body))

    def employer():
        body = f"9{rng.randint(1, 3)}110105" + "".join(rng.choice("0123456789ABCDEFGHJKLMNPQRTUWXY") for _ in range(9))
        return spoilt(body + uscc.calc_check_digit(body))

    people = [person(n, id_number=resident(), employer_uscc=employer(), bank_card=spoilt(card_number(n))) for n in range(count)]
    rows = Batch(tmp_path / "run").put(applicants=people).take(*WHO).rows("verify")

    def says(check, number):
        try:
            check(number)
            return True
        except (ValidationError, ValueError):
            return False

    differ, accepted = [], [0, 0, 0]
    for one in people:
        row = rows[one["application_id"]]
        codes = {**dict.fromkeys(row["passed"].split()), **{check["check"]: check["code"] for check in row["checks"]}}
        number = one["id_number"]
        dated = says(ric.get_birth_date, number) and "19051120" < number[6:14] <= "20261120"  # no applicant is 121
        digits = number[-1] == ric.calc_check_digit(number) if number[:17].isdigit() else None
        ours = (codes.get("id_date") is None and "id_date" in codes, codes.get("id_digit") is None and "id_digit" in codes)
        if number[:17].isdigit() and number[0] != "9" and ours != (dated, digits):
            differ.append(("id", one["application_id"]))
        fits = says(uscc.validate, one["employer_uscc"])
        if (codes["employer_uscc"] is None) != fits and one["employer_uscc"][:8].isdigit():
            differ.append(("uscc", one["application_id"]))
        if (codes["card"] is None) != luhn.is_valid(one["bank_card"]) and one["bank_card"][0] != "9":
            differ.append(("card", one["application_id"]))
        for place, good in enumerate((dated and digits, fits, codes["card"] is None)):
            accepted[place] += bool(good)
    assert not differ, [(kind, next(o[{"id": "id_number", "uscc": "employer_uscc", "card": "bank_card"}[kind]] for o in people if o["application_id"] == key)) for kind, key in differ[:10]]
    assert all(count * 0.3 < good < count * 0.9 for good in accepted), accepted  # both answers occurred


def test_a_source_may_say_that_a_check_does_not_apply_and_nothing_is_faked(tmp_path):
    row = looked_at(tmp_path, {"application_id": "L1", "applicant_id": "X1", "requested_amount_fen": 100, "applied_at": "2026-11-20 10:00:00",
                               "birth_date": "1980-05-05", "checks_not_applicable": "id;phone;card;uscc;consent"})["L1"]
    assert row["verdict"] == "pass"
    assert row["reasons"] == list(NOT_APPLICABLE)
    outcomes = {check["check"]: check["outcome"] for check in row["checks"]}
    assert [outcomes[name] for name in ("id_number", "phone", "card", "employer_uscc", "consent")] == ["not_applicable"] * 5
    assert "age" in row["passed"].split() and "id_digit" not in outcomes and "id_digit" not in row["passed"].split()


def test_consent_covers_what_the_lender_asks_for_and_nothing_where_it_asks_for_nothing(tmp_path):
    people = [person(1), person(2, consent_scope="income"), person(3, consent_scope=None)]
    for scope, uncovered in (('["credit"]', ["A0002", "A0003"]), ("[]", [])):
        config = tmp_path / scope / "config"
        shutil.copytree(ROOT / "configs", config)
        text = (config / "verify.toml").read_text(encoding="utf-8")
        assert 'scope = ["credit"]' in text
        (config / "verify.toml").write_text(text.replace('scope = ["credit"]', f"scope = {scope}"), encoding="utf-8")
        rows = Batch(tmp_path / scope / "run", config=config).put(applicants=people).take(*WHO).rows("verify")
        assert [key for key, row in rows.items() if "V-CONSENT-SCOPE" in row["reasons"]] == uncovered


def test_without_anything_but_an_application_a_person_is_told_what_is_missing(tmp_path):
    row = looked_at(tmp_path, {"application_id": "L1", "applicant_id": "X1", "requested_amount_fen": 100, "applied_at": "2026-11-20 10:00:00"})["L1"]
    assert row["verdict"] == "fail"
    assert row["reasons"] == ["V-ID-MISSING", "V-AGE-UNKNOWN", "V-PHONE-MISSING", "V-CONSENT-MISSING", "V-CARD-MISSING"]


SHOPPING = [(-1_250 - 37 * n, f"2026-{5 + n // 5:02d}-{2 + 5 * (n % 5):02d} 1{n % 10}:2{n % 6}:0{n % 7}") for n in range(30)]


def statement(who: str, lines=SHOPPING, balance: int | None = 900_000, **more) -> list[dict]:
    return [{"applicant_id": who, "account": "1", "booked_at": at, "amount_fen": fen, "balance_fen": balance and balance - n, **more} for n, (fen, at) in enumerate(lines)]


def same_statement(tmp_path, *, people=2, **statements: list[dict]) -> dict[str, list[str]]:
    """Who is said to have another's statement, of applicants X0001, X0002, ... who apply an hour apart."""
    applicants = [person(number, applied_at=f"2026-11-20 {8 + number:02d}:00:00") for number in range(1, people + 1)]
    batch = Batch(tmp_path).put(applicants=applicants, bank_statements=[row for rows in statements.values() for row in rows]).take(*WHO)
    return {key: [code for code in row["reasons"] if code.startswith("V-SAME-STATEMENT")] for key, row in batch.rows("verify").items()}


def test_a_statement_that_is_somebody_else_s_sends_the_later_of_the_two_to_a_person(tmp_path):
    one, two = (row["applicant_id"] for row in (person(1), person(2)))
    assert same_statement(tmp_path / "same", a=statement(one), b=statement(two)) == {"A0001": [], "A0002": ["V-SAME-STATEMENT"]}
    other = [(fen - 1, at) for fen, at in SHOPPING]
    assert same_statement(tmp_path / "other", a=statement(one), b=statement(two, other)) == {"A0001": [], "A0002": []}
    # pay that was raised, and lines of one's own besides, hide nothing: it is the spending that is compared
    raised = [*statement(two), *statement(two, [(1_500_000, "2026-10-10 09:00:00"), (-777, "2026-10-11 09:00:01")])]
    assert same_statement(tmp_path / "raised", a=statement(one), b=raised)["A0002"] == ["V-SAME-STATEMENT"]
    assert same_statement(tmp_path / "three", people=5, **{f"of{n}": statement(person(n)["applicant_id"]) for n in range(1, 6)})["A0005"] == ["V-SAME-STATEMENT-MANY"]


def test_lines_that_many_have_are_no_sign(tmp_path):
    """Fees of the same day and amount, in files that tell neither the hour nor the balance."""
    one, two = (row["applicant_id"] for row in (person(1), person(2)))
    fees = [(-1_500, f"2026-{month:02d}-01 00:00:00") for month in range(1, 11)]
    assert same_statement(tmp_path / "fees", a=statement(one, fees, balance=None), b=statement(two, fees, balance=None)) == {"A0001": [], "A0002": []}
    assert same_statement(tmp_path / "few", a=statement(one, SHOPPING[:4]), b=statement(two, SHOPPING[:4])) == {"A0001": [], "A0002": []}


def test_a_statement_is_compared_up_to_the_day_of_application(tmp_path):
    one, two = (row["applicant_id"] for row in (person(1), person(2)))
    later = [(fen, at.replace("2026-", "2027-")) for fen, at in SHOPPING]
    assert same_statement(tmp_path, a=statement(one) + statement(one, later), b=statement(two))["A0002"] == ["V-SAME-STATEMENT"]


def test_a_run_from_before_there_were_lines_to_compare_is_history_all_the_same(tmp_path):
    import duckdb

    earlier = Batch(tmp_path / "earlier").put(applicants=[person(1)], bank_statements=statement("P0001")).take(*WHO)
    keys = earlier.run.file("keys", 0)
    duckdb.execute(f"COPY (SELECT * EXCLUDE (least_line_hash, largest_line_hash) FROM read_parquet('{keys}')) TO '{keys}' (FORMAT parquet)")
    now = Batch(tmp_path / "now", history=(earlier.root,)).put(applicants=[person(2, phone=person(1)["phone"])], bank_statements=statement("P0002")).take(*WHO)
    assert now.rows("links")["A0002"]["phone_other_applicants"] == 1 and now.rows("links")["A0002"]["statement_other_applicants"] == 0


def test_a_device_that_one_other_uses_is_said_and_no_more(tmp_path):
    people = [person(number, device_id="one and the same", applied_at=f"2026-11-20 {8 + number:02d}:00:00") for number in range(1, 5)]
    rows = Batch(tmp_path / "run").put(applicants=people).take(*WHO).rows("verify")
    assert [[code for code in row["reasons"] if "DEVICE" in code] for row in rows.values()] == [[], ["V-SAME-DEVICE-FEW"], ["V-SAME-DEVICE-FEW"], ["V-SAME-DEVICE"]]
    assert [row["verdict"] for row in rows.values()] == ["pass", "pass", "pass", "refer"]


def test_no_identifier_leaves_the_stage(tmp_path):
    one = person(1)
    batch = Batch(tmp_path / "run").put(applicants=[one]).take(*WHO)
    out = repr([batch.rows(table) for table in ("keys", "links", "verify")])
    assert not [one[name] for name in ("id_number", "phone", "bank_card", "device_id", "contact_phone") if one[name] in out]


@pytest.mark.parametrize("change, ref", [
    (lambda text: text.replace('V-ID-DIGIT = "fail"', 'V-ID-DIGITS = "fail"'), "config-invalid"),
    (lambda text: text.replace('V-CARD-MISSING = "note"', 'V-CARD-MISSING = "fail"'), "outcome-beyond-effect"),
    (lambda text: text.replace("[checks.gender]", "[checks.sex]"), "config-invalid"),
    (lambda text: text.replace("many_from = 5 }", "many_from = 1 }"), "config-invalid"),
])
def test_a_configuration_that_cannot_be_right_is_refused(tmp_path, change, ref):
    import shutil

    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    path = tmp_path / "configs" / "verify.toml"
    before = path.read_text(encoding="utf-8")
    path.write_text(change(before), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != before
    with pytest.raises(ConfigError) as error:
        load_verify(tmp_path / "configs")
    assert error.value.ref == ref


def test_every_code_has_its_words_in_both_languages():
    reasons = load_reasons(ROOT / "configs")
    said = {code for codes in FINDINGS.values() for code in codes} | set(NOT_APPLICABLE) | {"V-OK"}
    assert said <= set(reasons)
    assert {code for code in reasons if code.startswith("V-")} == said
