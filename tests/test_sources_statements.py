"""The wallet and bank exports as their owners publish them: rows and money of each, worked out by hand and by plain Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from qqloan_cli.intake.check import check

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
NEW, OLD, NODE = "double-entry-generator", "double-entry-generator-earlier", "beancount-import-node"

# file, mapping, accepted, refused, left out, {currency: (in, out)} in fen
FILES = [
    (f"{NEW}/alipay/*.csv", "alipay", 9, 0, 1, {"CNY": (22239387, 21164)}),
    (f"{OLD}/d765283/*.csv", "alipay_2021", 15, 0, 1, {"CNY": (28731, 339181)}),
    (f"{NODE}/alipay.csv", "alipay_2021", 2, 0, 0, {"CNY": (50000, 1600)}),
    (f"{OLD}/df466c5/*.csv", "alipay_2019", 6, 0, 0, {"CNY": (280843, 311000)}),
    (f"{NEW}/wechat/*.csv", "wechat", 25, 0, 2, {"CNY": (332849, 2306941)}),
    (f"{NEW}/wechat/*.xlsx", "wechat", 25, 0, 2, {"CNY": (332849, 2306941)}),
    (f"{NODE}/wechat.csv", "wechat", 1, 0, 0, {"CNY": (0, 260)}),
    (f"{OLD}/d0cf159/*.csv", "jd", 13, 0, 2, {"CNY": (310513, 191090)}),
    (f"{NEW}/icbc/debit-v1/*.csv", "icbc_debit", 11, 0, 0, {"CNY": (284174, 424108)}),
    (f"{NEW}/icbc/debit-v2/*.csv", "icbc_debit_v2", 11, 0, 0, {"CNY": (284174, 424108)}),
    (f"{NEW}/icbc/credit/*.csv", "icbc_credit", 9, 0, 0, {"CNY": (462101, 36313)}),
    (f"{NEW}/cmb/debit/*.csv", "cmb_debit", 5, 0, 0, {"CNY": (123400, 201314)}),
    (f"{NEW}/cmb/credit/*.csv", "cmb_credit", 6, 0, 0, {"CNY": (38080, 805678)}),
    (f"{NODE}/cmb-debitcard.csv", "cmb_debit_app", 3, 0, 0, {"CNY": (10000, 12400)}),
    (f"{NODE}/cmb-creditcard.csv", "cmb_credit_app", 1, 0, 0, {"CNY": (0, 470)}),
    (f"{NEW}/boc/credit/*.csv", "boc_credit", 14, 0, 0, {"CNY": (98984, 122809), "USD": (0, 372)}),
    (f"{NEW}/bocom_debit/*.csv", "bocom_debit", 6, 0, 0, {"CNY": (1125, 11400)}),
    (f"{NEW}/bocom_credit/*.csv", "bocom_credit", 8, 0, 0, {"CNY": (80527, 7358)}),
    (f"{NEW}/abc_debit/*.csv", "abc_debit", 4, 1, 0, {"CNY": (1000001, 1000)}),
    (f"{NEW}/cgb_credit/*.csv", "cgb_credit", 4, 0, 0, {"CNY": (122788, 40332)}),
    (f"{NEW}/ccb/*.xls", "ccb_debit", 6, 0, 0, {"CNY": (0, 70326)}),
    (f"{NEW}/citic/credit/*.xls", "citic_credit", 13, 0, 0, {"CNY": (141, 109880)}),
    (f"{NEW}/spdb_debit/*.xls", "spdb_debit", 4, 0, 0, {"CNY": (1000, 1164)}),
    (f"{OLD}/60d2f98/*cny*.xlsx", "cib_debit", 7, 0, 0, {"CNY": (1001, 10100)}),
    (f"{OLD}/60d2f98/*hkd*.xlsx", "cib_debit", 5, 0, 0, {"HKD": (1760, 1760)}),
    (f"{OLD}/60d2f98/*usd*.xlsx", "cib_debit", 3, 0, 0, {"USD": (7000, 7000)}),
    (f"{NEW}/hsbchk/debit/*.csv", "hsbc_hk_debit", 10, 0, 0, {"CNY": (1250000, 0), "HKD": (1300545, 352650)}),
    (f"{NEW}/hsbchk/credit/*.csv", "hsbc_hk_credit", 11, 0, 0, {"CNY": (329116, 155889), "HKD": (0, 2790)}),
]


@pytest.mark.parametrize("pattern, source, accepted, refused, left_out, money", FILES, ids=[row[0] for row in FILES])
def test_a_published_export_is_found_by_its_header_and_counted(shared, pattern, source, accepted, refused, left_out, money):
    [file] = (shared / "data" / "cn_statements").glob(pattern)
    found = check([file], CONFIGS)
    assert (found["source"], found["accepted"], found["refused"], found["left_out"]) == (source, accepted, refused, left_out)
    assert found["rows"] == accepted + refused
    assert {m["currency"]: (m["in_fen"], m["out_fen"]) for m in found["money"]} == money


def test_every_published_file_is_among_them(shared):
    files = {file for file in (shared / "data" / "cn_statements").rglob("*") if file.is_file()}
    named = {file for row in FILES for file in (shared / "data" / "cn_statements").glob(row[0])}
    assert named == files and len(files) == 28


def test_the_row_with_seven_of_nine_fields_is_refused_by_its_number(shared):
    [file] = (shared / "data" / "cn_statements").glob(f"{NEW}/abc_debit/*.csv")
    [refused] = [reason for reason in check([file], CONFIGS)["reasons"] if reason["kind"] == "refused"]
    assert refused["first"] == [3] and refused["rows"] == 1


def test_totals_under_the_rows_are_skipped_and_said(shared):
    [file] = (shared / "data" / "cn_statements").glob(f"{NEW}/icbc/debit-v1/*.csv")
    found = check([file], CONFIGS)
    assert found["skipped"] == 1 and any(reason["kind"] == "skipped" for reason in found["reasons"])


@pytest.mark.parametrize("file, source, into, out", [
    ("g07_alipay_gbk.csv", "alipay", 120000, 11550),
    ("g08_thousands.csv", "wechat", 1234567, 102350),
    ("g09_signs.csv", "plain_balance", 530000, 130550),
    ("g10_account_0001.csv", "plain_counterparty", 2400000, 900000),
    ("g10_account_0002.csv", "plain_counterparty", 1050000, 0),
])
def test_trouble_that_people_had_with_statements(shared, file, source, into, out):
    found = check([shared / "cases" / "files" / file], CONFIGS)
    assert (found["source"], found["in_fen"], found["out_fen"], found["refused"]) == (source, into, out, 0)


def test_the_cancelled_order_is_left_out_and_listed(shared):
    found = check([shared / "cases" / "files" / "g07_alipay_gbk.csv"], CONFIGS)
    assert (found["rows"], found["left_out"]) == (3, 1)
    assert [reason["first"] for reason in found["reasons"] if reason["kind"] == "left_out"] == [[3]]
