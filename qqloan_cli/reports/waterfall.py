"""The waterfall's steps in words: how each cap came about, in English and Chinese."""

from __future__ import annotations

from decimal import Decimal

from qqloan_cli.reports.money import yuan

_WORDS = {
    "asked": ("asked for", "申请金额"),
    "approved": ("as a person approved of {asked} asked for", "人工核准额（申请 {asked}）"),
    "at most": ("{product} lends at most this", "{product} 的最高额度"),
    "income": ("income {counted}", "收入 {counted}"),
    "income in part": ("income {counted} ({share} of {income})", "收入 {counted}（{income} 的 {share}）"),
    "income unknown": ("income unknown", "收入未知"),
    "multiple": ("{income} x {times}", "{income} × {times}"),
    "payment": ("{share} of {income} = {room} a month, {months} months at {rate} (stressed)", "{income} 的 {share} = 每月 {room}，{months} 个月，压力利率 {rate}"),
    "debt": ("{share} of {income} less debts {less} = {room} a month, {months} months at {rate}", "{income} 的 {share} 减月还款 {less} = 每月 {room}，{months} 个月，利率 {rate}"),
    "grade": ("grade {grade}: {of}", "等级 {grade}：{of}"),
    "strong": (" + {more} social", "，社交信息 +{more}"),
    "history": ("history {history}, overdue months {overdue}", "信用记录 {history}，逾期月数 {overdue}"),
    "weak band": ("{band}: policy caps -{less} from {of}", "{band}：各政策上限 {of} 下调 {less}"),
    "neutral band": ("{band}: lowers nothing", "{band}：不下调"),
    "law": ("{of} on {date}", "{date} 适用 {of}"),
    "no law": ("no cap on {date}", "{date} 无上限"),
    "person": ("{of} a person", "每人 {of}"),
    "held": (" less {less} held", "，减本机构存量 {less}"),
    "not": ("does not apply", "不适用"),
    "unknown": ("unknown", "未知"),
}


def basis(step: dict, found: dict[str, list[dict]], lang: str) -> str:
    """A row of limit_steps in words; ``found`` is the dossier that it is of."""
    def say(key: str, **values) -> str:
        return _WORDS[key][1 if lang == "zh" else 0].format(**values)

    limit, income, credit, social, person = ((found.get(table) or [{}])[0] for table in ("limit", "income", "credit", "social", "reviews"))
    name, of, times, less = step["step"], step["of_fen"], step["times"], step["less_fen"]
    if name == "requested":
        asked = limit.get("requested_amount_fen")
        return say("asked") if person.get("amount_fen") is None or step["cap_fen"] == asked else say("approved", asked=yuan(asked))
    if name == "product":
        return say("at most", product=limit.get("product"))
    if name in ("income_multiple", "payment_to_income", "debt_to_income"):
        return _of_income(say, step, person.get("monthly_income_fen") or income.get("monthly_income_fen"))
    if name == "grade":
        return say("grade", grade=limit.get("grade") or say("unknown"), of=yuan(of)) + (say("strong", more=percent(times - 1)) if times > 1 else "")
    if name == "credit_history":
        overdue = credit.get("overdue_months_24m")
        return say("history", history=credit.get("history") or say("unknown"), overdue=say("unknown") if overdue is None else overdue)
    if name == "social":
        band = social.get("social_band") or say("unknown")
        return say("neutral band", band=band) if times is None else say("weak band", band=band, less=percent(1 - times), of=yuan(of))
    held = say("held", less=yuan(less)) if less else ""
    if name == "regulation":
        date = limit["applied_at"].date()
        return (say("no law", date=date) if of is None else say("law", of=yuan(of), date=date)) + held
    return say("person", of=yuan(of)) + held


def _of_income(say, step: dict, monthly_fen: int | None) -> str:
    counted, times = step["of_fen"], step["times"]
    if counted is None:
        return say("income unknown")
    if monthly_fen and counted != monthly_fen:
        share = percent((Decimal(counted) / monthly_fen).quantize(Decimal("0.001")))
        income = say("income in part", counted=yuan(counted), share=share, income=yuan(monthly_fen))
    else:
        income = say("income", counted=yuan(counted))
    if step["step"] == "income_multiple":
        return say("multiple", income=income, times=f"{times.normalize():f}")
    if step["annual_rate"] is None:
        return say("not")
    less = step["less_fen"] or 0
    room = max(int(counted * times) - less, 0)
    key = "payment" if step["step"] == "payment_to_income" else "debt"
    return say(key, share=percent(times), income=income, less=yuan(less), room=yuan(room), months=step["term_months"], rate=percent(step["annual_rate"]))


def percent(share: Decimal) -> str:
    """0.085 as 8.5 %."""
    return f"{(share * 100).normalize():f} %"
