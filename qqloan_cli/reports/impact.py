"""What a coming rule would do, on the terminal: in English or Chinese."""

from __future__ import annotations

from qqloan_cli.reports import formats
from qqloan_cli.reports.money import yuan

_W = {
    "approvals": ("Approvals of the runs", "各批次通过申请"), "contracts": ("Contracts of the book", "存量合同"), "all": ("all", "合计"), "product": ("product", "产品"), "grade": ("grade", "等级"), "term": ("term, months", "期限（月）"),
    "by": ("by", "维度"), "whose": ("", ""), "looked_at": ("looked at", "检查数"), "amount": ("yuan", "金额（元）"), "over": ("would break it", "将违反数"), "over_amount": ("yuan", "涉及金额（元）"), "share": ("share", "占比"),
    "outstanding": ("of it outstanding", "其中未偿（元）"), "cost": ("all-in cost", "综合成本"), "rates": ("rate, before and after", "利率：前 → 后"), "forgone": ("interest forgone in 12 months", "12个月利息减少（元）"),
    "margins": ("margin, before and after", "利差：前 → 后"), "margin_money": ("margin left, yuan", "剩余利差（元）"), "lost": ("lost", "将不再放款"), "lost_amount": ("yuan", "金额（元）"), "below": ("below zero already", "原已为负"),
    "priced": (": those over the cap, repriced", "：超上限部分重新定价"), "month": ("month", "月份"), "cap": ("cap", "上限"), "months": ("By month", "按月"),
    "capped": ("{id}: at most {cap} a year all in", "{id}：综合融资年化成本不超过 {cap}"), "multiple": (", {multiple} times the one-year LPR", "，即一年期LPR的 {multiple} 倍"), "lpr": (" of {lpr} %", "（{lpr} %）"), "own": ("{id}: {multiple} times the one-year LPR of each contract's own day", "{id}：不超过合同当日一年期LPR的 {multiple} 倍"),
    "other": ("{id}: {topic} {value}", "{id}：{topic} {value}"), "of": ("; {kind} from {begins}: {document} (sure: {certainty}, verified through {verified})", "；{kind}，自 {begins} 起：{document}（确定性 {certainty}，核对至 {verified}）"),
    "lost_means": ("Lost: the margin (rate less cost of funds and expected loss; no fees, no cost of running it) falls below zero, or even the lowest price is over the cap.", "不再放款：利差（利率减资金成本与预期损失，不含费用与运营成本）降至零以下，或最低定价仍超上限。"),
    "nothing": ("Nothing in sight is what the rule is about.", "没有适用该规则的申请或合同。"), "law": ("law", "法规"), "guidance": ("guidance", "指导意见"), "standard": ("standard", "推荐性标准"), "self_regulation": ("self-regulation", "自律规则"), "report": ("press report", "媒体报道"),
}
_BY = ("all", "product", "grade", "term")


def show(found, lang: str) -> None:
    """``found``: an Impact (oversight/compliance/impact.py)."""
    groups, months = found.views["groups"].to_pylist(), found.views["months"].to_pylist()
    for rule in found.rules:
        print(_heading(rule, lang))
        of_price = rule["topic"] == "price_cap"
        own = [row for row in groups if row["rule"] == rule["id"]]
        if not own:
            print(_word("nothing", lang))
        for scope in ("approvals", "contracts"):
            rows = [row for row in own if row["scope"] == scope]
            if rows:
                _groups(rows, _word(scope, lang), lang, of_price)
        if len(over_time := [row for row in months if row["rule"] == rule["id"]]) > 1:
            _months(over_time, lang)
        if of_price and own:
            print(_word("lost_means", lang))


def _heading(rule: dict, lang: str) -> str:
    if rule["topic"] != "price_cap":
        told = _word("other", lang).format(id=rule["id"], topic=rule["topic"], value=f"{rule['value']:,g}")
    elif rule["cap"] is None:
        told = _word("own", lang).format(id=rule["id"], multiple=rule["lpr_multiple"])
    else:
        told = _word("capped", lang).format(id=rule["id"], cap=_share(rule["cap"]))
        if rule["lpr_multiple"]:
            told += _word("multiple", lang).format(multiple=rule["lpr_multiple"]) + _word("lpr", lang).format(lpr=f"{rule['lpr']:.2f}")
    return told + _word("of", lang).format(kind=_word(rule["kind"], lang), begins=rule["from"], document=rule["document"], certainty=rule["certainty"], verified=rule["verified_through"])


def _groups(rows: list[dict], title: str, lang: str, of_price: bool) -> None:
    rows = sorted(rows, key=lambda row: _BY.index(row["what"]))  # a sort that keeps the order within
    owed = rows[0]["outstanding_fen"] is not None
    names = ["by", "whose", "looked_at", "amount", "over", "over_amount", "share", *(["outstanding"] if owed else [])]
    formats.draw([_word(name, lang) for name in names], [
        [*_whose(row, lang), f"{row['looked_at']:,}", yuan(row["amount_fen"]), f"{row['over']:,}", yuan(row["over_amount_fen"]), _share(row["over_share"]), *([yuan(row["over_outstanding_fen"])] if owed else [])] for row in rows
    ], title, [False, False, *([True] * (len(names) - 2))])
    if of_price and rows[0]["over"]:
        names = ["by", "whose", "over", "cost", "rates", "forgone", "margins", "margin_money", "lost", "lost_amount", "below"]
        formats.draw([_word(name, lang) for name in names], [
            [*_whose(row, lang), f"{row['over']:,}", _share(row["cost_mean"]), _pair(row["rate_before"], row["rate_after"]), yuan(row["forgone_fen"]), _pair(row["margin_before"], row["margin_after"]),
             yuan(row["margin_after_fen"]), f"{row['lost']:,}", yuan(row["lost_amount_fen"]), f"{row['below_before']:,}"] for row in rows if row["over"]
        ], f"{title}{_word('priced', lang)}", [False, False, *([True] * (len(names) - 2))])


def _whose(row: dict, lang: str) -> list[str]:
    return ["", _word("all", lang)] if row["what"] == "all" else [_word(row["what"], lang), row["whose"]]


def _months(rows: list[dict], lang: str) -> None:
    formats.draw([_word(name, lang) for name in ("month", "whose", "looked_at", "over", "over_amount", "share", "cap", "forgone")], [
        ["-" if row["month"] is None else f"{row['month']:%Y-%m}", _word(row["scope"], lang), f"{row['looked_at']:,}", f"{row['over']:,}", yuan(row["over_amount_fen"]), _share(row["over_share"]), _share(row["cap"]), yuan(row["forgone_fen"])] for row in rows
    ], _word("months", lang), [False, False, True, True, True, True, True, True])


def _word(name: str, lang: str) -> str:
    return _W[name][0 if lang == "en" else 1]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _pair(before: float | None, after: float | None) -> str:
    return "-" if before is None else f"{_share(before)} → {_share(after)}"
