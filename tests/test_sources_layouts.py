"""How a file finds its mapping, what is near is named, and what a draft looks like. Every file here is made up."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from conftest import call, done

from qqloan_cli.errors import ConfigError, InputError
from qqloan_cli.intake.check import catalogue, check
from qqloan_cli.intake.draft import draft
from qqloan_cli.intake.files import find
from qqloan_cli.intake.recognise import recognise

CONFIGS = Path(__file__).resolve().parent.parent / "configs"

ALIPAY = "交易时间,交易分类,交易对方,对方账号,商品说明,收/支,金额,收/付款方式,交易状态,交易订单号,商家订单号,备注,\n"
WECHAT = "交易时间,交易类型,交易对方,商品,收/支,金额(元),支付方式,当前状态,交易单号,商户单号,备注\n"


def _file(tmp_path: Path, text: str, name: str = "someone.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def _money(found: dict) -> tuple[int, int]:
    return found["in_fen"], found["out_fen"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_same_export_in_any_encoding_gives_the_same(tmp_path, encoding):
    """
    收入 1,200.00, 支出 35.00 after 24 lines of preamble
    """
    text = "".join(f"说明第{i}行\n" for i in range(24)) + ALIPAY + (
        "2024-03-02 10:00:00,餐饮,甲店,/,午餐,支出,35.00,余额,交易成功,2024030200000100000001\t,M1\t,,\n"
        '2024-03-03 11:00:00,收入,某公司,/,劳务,收入,"1,200.00",余额,交易成功,2024030300000200000002\t,M2\t,,\n'
    )
    found = check([_file(tmp_path, text, encoding=encoding)], CONFIGS)
    assert (found["source"], found["rows"], _money(found)) == ("alipay", 2, (120000, 3500))


def test_a_closed_order_counts_only_with_its_refund(tmp_path):
    """
    键盘 299.00 closed, never paid: left out
    鼠标  50.00 closed after it was paid, and its refund: both stay, and cancel
    """
    text = ALIPAY + (
        "2024-03-04 12:00:00,数码,乙店,/,键盘,支出,299.00,花呗,交易关闭,1003\t,M3\t,,\n"
        "2024-03-05 12:00:00,数码,乙店,/,鼠标,支出,50.00,余额,交易关闭,1004\t,M4\t,,\n"
        "2024-03-06 12:00:00,退款,乙店,/,退款-鼠标,不计收支,50.00,余额,退款成功,1004_7\t,M4\t,,\n"
    )
    found = check([_file(tmp_path, text)], CONFIGS)
    assert (found["rows"], found["left_out"], _money(found)) == (2, 1, (5000, 5000))


def test_a_line_that_is_neither_in_nor_out_is_refused_when_its_words_do_not_tell(tmp_path):
    text = ALIPAY + "2024-03-04 12:00:00,其他,乙店,/,未知的业务,不计收支,10.00,余额,交易成功,1\t,1\t,,\n"
    found = check([_file(tmp_path, text)], CONFIGS)
    assert (found["accepted"], found["refused"], _money(found)) == (0, 1, (0, 0))


@pytest.mark.parametrize("sign", ["收人", "", "-", "income"])
def test_a_sign_that_is_not_known_is_refused_and_never_read_as_money_in(tmp_path, sign):
    text = WECHAT + f"2024-03-02 10:00:00,商户消费,甲店,家具,{sign},¥10.00,零钱,支付成功,1,1,/\n"
    found = check([_file(tmp_path, text)], CONFIGS)
    assert (found["accepted"], found["refused"]) == (0, 1)


def test_a_renamed_column_is_refused_and_named(tmp_path):
    near = WECHAT.replace("金额(元)", "金额")
    with pytest.raises(InputError) as error:
        check([_file(tmp_path, near + "2024-03-02 10:00:00,商户消费,甲店,家具,支出,¥10.00,零钱,支付成功,1,1,/\n")], CONFIGS)
    said = str(error.value)
    assert "wechat" in said and "金额(元)" in said and "甲店" not in said


def test_a_new_column_is_refused_and_named_for_it_may_turn_the_signs(tmp_path):
    """
    The same header with a column that says debit or credit: amounts are no longer signed
    """
    text = "date,memo,counterparty,amount,dr_cr\n2024-01-05,工资,某公司,8000.00,CR\n2024-01-06,房租,房东,3000.00,DR\n"
    with pytest.raises(InputError) as error:
        check([_file(tmp_path, text)], CONFIGS)
    assert "plain_counterparty" in str(error.value) and "dr_cr" in str(error.value) and "房东" not in str(error.value)


def _statements() -> list[str]:
    read = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in (CONFIGS / "sources").glob("*.toml")}
    return sorted(name for name, mapping in read.items() if list(mapping["inputs"]) == ["bank_statements"])


@pytest.mark.parametrize("source", _statements())
def test_no_statement_layout_takes_a_header_with_one_column_renamed(tmp_path, source):
    """Whatever column it is, and whatever other mappings there are."""
    header = tomllib.loads((CONFIGS / "sources" / f"{source}.toml").read_text(encoding="utf-8"))["files"][0]["header"]
    for place in range(len(header)):
        renamed = [*header[:place], "新列", *header[place + 1:]]
        with pytest.raises(InputError) as error:
            recognise(find([_file(tmp_path, ",".join(renamed) + "\n" + ",".join("1" for _ in renamed) + "\n")]), CONFIGS, source)
        assert header[place] in str(error.value)


def test_a_missing_column_is_refused_and_named(tmp_path):
    near = ALIPAY.replace("交易状态,", "")
    with pytest.raises(InputError) as error:
        check([_file(tmp_path, near + "2024-03-02 10:00:00,餐饮,甲店,/,午餐,支出,35.00,余额,1,1,,\n")], CONFIGS)
    assert "alipay" in str(error.value) and "交易状态" in str(error.value)


def test_named_mapping_over_the_wrong_file_says_what_is_missing(tmp_path):
    with pytest.raises(InputError) as error:
        check([_file(tmp_path, ALIPAY + "2024-03-02 10:00:00,餐饮,甲店,/,午餐,支出,35.00,余额,交易成功,1,1,,\n")], CONFIGS, "jd")
    assert "商户名称" in str(error.value)


def test_a_file_that_nothing_knows_points_to_draft(tmp_path):
    with pytest.raises(InputError) as error:
        check([_file(tmp_path, "foo,bar\n1,2\n")], CONFIGS)
    assert "draft" in str(error.value)


def test_an_unknown_source_names_those_there_are(tmp_path):
    with pytest.raises(ConfigError) as error:
        check([_file(tmp_path, ALIPAY)], CONFIGS, "alipai")
    assert "alipay" in str(error.value)


def test_dates_without_a_year_take_it_from_the_title(tmp_path):
    """
    A January 2024 statement: 12/29 is of 2023, 01/03 of 2024
    """
    head = "交易日,记账日,交易摘要,人民币金额,卡号末四位,交易地金额\n"
    rows = ",12/29,还款,-1.23,1234,-1.23\n01/02,01/03,电影票,56.78,1234,56.78\n"
    found = check([_file(tmp_path, "招商银行信用卡对账单（2024年01月）\n" + head + rows)], CONFIGS)
    assert (found["from"], found["to"], _money(found)) == ("2023-12-29", "2024-01-03", (123, 5678))
    assert check([_file(tmp_path, head + rows)], CONFIGS)["refused"] == 2  # no title, no year, no date


def test_a_negative_amount_in_the_out_column_is_money_back(tmp_path):
    text = "记账日,交易日期,交易时间,支出,收入,账户余额,币种,摘要,对方账号,对方户名,交易地点\n20250101,20250101,10:00:00,-5.50,0.00,5.50,人民币,冲正,,,\n"
    assert _money(check([_file(tmp_path, text)], CONFIGS)) == (550, 0)


def test_in_and_out_in_one_row_is_refused(tmp_path):
    text = "记账日,交易日期,交易时间,支出,收入,账户余额,币种,摘要,对方账号,对方户名,交易地点\n20250101,20250101,10:00:00,5.50,7.00,5.50,人民币,消费,,,\n"
    assert check([_file(tmp_path, text)], CONFIGS)["refused"] == 1


def test_every_shipped_mapping_is_listed_and_says_who_it_is_for():
    listed = {m["source"]: m for m in catalogue(CONFIGS)}
    assert {path.stem for path in (CONFIGS / "sources").glob("*.toml")} == set(listed)
    assert all(m["title"] and m["inputs"] and m["files"] for m in listed.values())


def test_check_on_the_command_line(tmp_path):
    file = _file(tmp_path, "date,memo,counterparty,amount\n2024-01-05,工资,某公司,8000.00\n2024-01-06,房租,房东,-3000.00\n")
    import json

    got = json.loads(done("source", "check", file, "--format", "json", "--quiet").out)
    assert {key: got[key] for key in ("schema_version", "source", "rows", "accepted", "refused", "left_out", "in_fen", "out_fen")} == {
        "schema_version": 1, "source": "plain_counterparty", "rows": 2, "accepted": 2, "refused": 0, "left_out": 0, "in_fen": 800000, "out_fen": 300000,
    }
    assert "某公司" not in done("source", "check", file).out


def test_a_draft_of_an_unknown_export_passes_its_own_check(tmp_path):
    """
    A bank that no mapping knows: GB18030, semicolons, two lines above the header, money in and out apart
    """
    text = "某银行交易明细\n账号: ****1234\n交易日期;收入金额;支出金额;账户余额;币种;交易摘要;对方户名\n" + (
        "20240105;8000.00;;8000.00;CNY;工资;某公司\n20240106;;120.50;7879.50;CNY;消费;某店\n"
    )
    file = _file(tmp_path, text, "newbank.csv", "gb18030")
    drafted = done("source", "draft", file, "--quiet").out
    assert tomllib.loads(drafted)["name"] == "newbank" and "某公司" not in drafted
    home = tmp_path / "configs"
    (home / "sources").mkdir(parents=True)
    (home / "sources" / "newbank.toml").write_text(drafted, encoding="utf-8")
    found = check([file], home)
    assert (found["source"], found["accepted"], _money(found)) == ("newbank", 2, (800000, 12050))


def test_a_draft_of_nothing_known_says_so(tmp_path):
    result = call("source", "draft", _file(tmp_path, "foo,bar\n1,2\n"))
    assert (result.code, result.out) == (3, "") and "draft-no-header" in result.err


def test_a_draft_does_not_turn_amounts_that_carry_their_signs(tmp_path):
    text = "Post date,Description,Billing amount,Billing currency,Credit / Debit\n13/04/2025,SHOP,-18.00,CNY,DEBIT\n01/04/2025,RETURN,25.00,CNY,CREDIT\n"
    drafted = tomllib.loads(draft(_file(tmp_path, text)))["inputs"]["bank_statements"]["columns"]
    assert drafted["amount"] == 'yuan("Billing amount")' and "%d/%m/%Y" in drafted["booked_at"]


def test_a_draft_says_what_it_did_not_find_and_still_can_be_tried(tmp_path):
    file = _file(tmp_path, "loan_amnt,term,addr_state,phone\n5000,36,AZ,\n", "lender.csv")
    text = draft(file)
    assert "applicant_id = 'CAST(_row AS VARCHAR)'  # not found" in text
    home = tmp_path / "configs"
    (home / "sources").mkdir(parents=True)
    (home / "sources" / "lender.toml").write_text(text, encoding="utf-8")
    assert check([file], home)["inputs"]["applicants"]["accepted"] == 1


def test_a_statement_named_by_its_person_joins_the_lenders_own_applicants(tmp_path):
    """
    applicants.csv has P001; P001.csv is P001's wallet export; P002.csv is somebody's who has not applied
    """
    folder = tmp_path / "lender"
    folder.mkdir()
    _file(folder, "application_id,applicant_id,requested_amount,term_months\nA1,P001,50000,12\n", "applicants.csv")
    line = "2024-03-03 11:00:00,收入,某公司,/,劳务,收入,1200.00,余额,交易成功,2\t,M2\t,,\n"
    _file(folder, ALIPAY + line, "P001.csv", "gb18030")
    _file(folder, ALIPAY + line, "P002.csv")
    counts = check([folder], CONFIGS)["inputs"]
    assert (counts["applicants"]["accepted"], counts["bank_statements"]["accepted"]) == (1, 2)
    done("intake", folder, "--out", tmp_path / "run", "--as-of", "2024-06-30", "--quiet")
    import json

    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert run["counts"]["bank_statements"] == {"in": 2, "accepted": 1, "refused": 0, "unmatched": 1}


def _mapped(tmp_path, amount: str = "yuan(amount)", where: str = "amount <> ''") -> Path:
    home = tmp_path / "configs"
    (home / "sources").mkdir(parents=True, exist_ok=True)
    (home / "sources" / "ours.toml").write_text(
        'name = "ours"\ntitle = "ours"\n[[files]]\nname = "lines"\npattern = "ours.csv"\nheader = ["who", "day", "amount"]\n'
        f'[inputs.bank_statements]\nfrom = "lines"\nwhere = """{where}"""\n[inputs.bank_statements.columns]\napplicant_id = "who"\nbooked_at = "moment(day)"\namount = """{amount}"""\n',
        encoding="utf-8")
    return home


@pytest.mark.parametrize("asked", [
    {"amount": "getenv('HOME')"}, {"amount": "random()"}, {"amount": "\"random\"()"}, {"amount": "system.main.getenv('HOME')"}, {"amount": "'HOME'.getenv()"},
    {"amount": "current_date - DATE '2020-01-01'"}, {"amount": "CURRENT_TIMESTAMP"}, {"amount": "now()"}, {"amount": "(SELECT max(x) FROM read_csv('/etc/passwd') t(x))"},
    {"amount": "(SELECT content FROM read_text('/etc/passwd'))"}, {"amount": "(SELECT 1 FROM '/etc/passwd')"}, {"amount": "(FROM other)"}, {"amount": "(SELECT 1 FROM main.lines)"},
    {"amount": "(SELECT 1 FROM (SHOW TABLES))"}, {"amount": "(SELECT 1 FROM (SUMMARIZE lines))"}, {"amount": "$1"}, {"amount": "?"}, {"amount": "1; DROP TABLE lines"}, {"amount": "1 +"},
    {"amount": "(SELECT 1 FROM query('SELECT 1'))"}, {"amount": "(SELECT 1 FROM duckdb_settings())"}, {"amount": "(WITH x AS (SELECT random() AS r) SELECT r FROM x)"}, {"where": "random() > 0.5"}, {"where": "EXISTS (FROM glob('/*'))"},
])
def test_a_mapping_that_looks_beyond_the_files_or_at_the_clock_is_refused_before_a_byte_is_read(tmp_path, asked):
    file = _file(tmp_path, "who,day,amount\nP1,2024-01-05,5.00\n", "ours.csv")
    assert check([file], _mapped(tmp_path), "ours")["accepted"] == 1
    with pytest.raises(ConfigError) as refused:
        check([file], _mapped(tmp_path, **asked), "ours")
    assert refused.value.ref == "config-invalid" and len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("amount", [
    "(WITH x AS (SELECT sum(n) AS s FROM range(3) r(n)) SELECT s FROM x)", "list_sum(list_transform([1, 2], lambda n: n))", "lines.amount::DECIMAL(10, 2)", "CASE WHEN amount LIKE '%5' THEN 1 ELSE 2 END",
    "(SELECT count(*) FROM unnest([1, 2]))", "(SELECT count(*) FROM lines AS others WHERE others.who = lines.who)", "yuan(amount) /* as it stands */",
])
def test_what_a_mapping_may_work_out_of_its_files(tmp_path, amount):
    file = _file(tmp_path, "who,day,amount\nP1,2024-01-05,5.00\n", "ours.csv")
    assert check([file], _mapped(tmp_path, amount), "ours")["accepted"] == 1
