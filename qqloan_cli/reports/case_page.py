"""The case sheet: one application on one page, as a credit committee wants it. The parts are those of ``qqloan explain``; beside them stand
charts of income, score and limit, and a drawing of whom the applicant is tied to."""

from __future__ import annotations

from html import escape

from qqloan_cli.policy.reasons import Reason
from qqloan_cli.reports import explain, page
from qqloan_cli.reports.charts import COLOURS, YUAN, Drawer
from qqloan_cli.reports.money import yuan
from qqloan_cli.reports.words import word

# section: its parts of the dossier
_SECTIONS = {"decision": ("decisions", "reviews"), "checks": ("verify",), "income": ("income",), "history": ("credit", "social"), "ring": (), "score": ("score",), "limit": ("limit",), "offer": ("cost_table", "offers"),
             "plan": ("disburse_plan", "schedule"), "people": ()}
_SEVERITY = {"approve": "green", "refer": "amber", "decline": "red"}
_WORDS = {
    "title": ("Case {}", "案例 {}"), "decision": ("Decision", "决定"), "checks": ("Identity, consent and lists", "身份、授权与名单核验"), "income": ("Income", "收入"), "history": ("Credit and social", "信用与社交"),
    "ring": ("Whom the applicant is tied to", "关联关系"), "score": ("Score", "评分"), "limit": ("Limit", "额度"), "offer": ("Offer and its costs", "报价与成本"), "plan": ("Disbursement and schedule", "放款与还款计划"),
    "people": ("Decisions of people", "人工决定"), "income by month": ("Income by month and source; the line is the stable monthly income that counts", "各来源逐月收入；横线为认定的稳定月收入"), "month": ("month", "月份"), "yuan": ("yuan", "元"),
    "payroll": ("pay slips", "工资单"), "provident_fund": ("provident fund", "公积金"), "bank_statements": ("bank statements", "银行流水"), "reasons": ("What moved the score, in points", "影响评分的因素（分值）"),
    "waterfall": ("What is left after each step; the step that binds is marked", "每一步后的剩余额度；生效步骤已标注"), "binds": ("{} (binds)", "{}（生效）"), "left": ("left", "剩余"),
    "drawn": ("Applications and the keys that they share; {} more are tied and not shown", "申请与其共用的标识；另有 {} 笔关联申请未显示"), "drawn all": ("Applications and the keys that they share, as of the day of the application", "申请当日的申请与共用标识"),
    "application": ("application", "申请"), "steps": ("steps away", "距离"), "decided": ("decision", "决定"), "grade": ("grade", "等级"), "days before": ("days before", "提前天数"), "shares": ("shares", "共用"), "this one": ("this one", "本申请"),
    "no ring": ("Nobody is tied to the applicant by a shared device, card, phone or contact.", "未发现与申请人共用设备、银行卡、手机号或联系人的其他申请。"),
    "id": ("ID number {}", "证件号 {}"), "phone": ("phone {}", "手机号 {}"), "card": ("card {}", "银行卡 {}"), "device": ("device {}", "设备 {}"), "who": ("by", "决定人"), "when": ("when", "时间"), "why": ("why", "理由"), "amount": ("amount", "金额"),
    "committee": ("For the credit committee. Persons and keys are shown by numbers; nothing here names anybody.", "供信贷审批委员会使用。人员与标识均以编号显示，不含任何个人身份信息。"),
}


def html(found: dict[str, list[dict]], reasons: dict[str, Reason], lang: str, products: dict, ring: dict, said: list[dict]) -> str:
    """``found``: the dossier (engine/dossier.py); ``ring``: asking/ring.py; ``said``: people's decisions, in order."""
    case, drawer = _Case(lang), Drawer(lang)
    made = {
        "income": _income_chart(case, drawer, found), "score": _points_chart(case, drawer, found, reasons), "limit": _waterfall(case, drawer, found), "ring": [_ring(case, drawer, ring)] if found["links"] else [], "people": [_people(case, said)] if said else [],
    }
    sections = []
    for name, parts in _SECTIONS.items():
        sheet = _Sheet(reasons, lang, products)
        for part in parts:
            if found[part]:
                explain.PARTS[part](sheet, found)
        inside = "".join(made.get(name, [])) + sheet.html()
        if inside:
            sections.append(page.Section(name, case.w(name), inside))
    decided = (found["decisions"] or [{}])[0]
    known = decided.get("application_id") or next((row["application_id"] for row in found["applicants"]), "")
    head = f'<p class="lead">{_chip(decided["decision"], lang)}{escape(case.w("committee"))}</p>' if decided else f'<p class="lead">{escape(case.w("committee"))}</p>'
    return page.page(case.w("title").format(known), lang, head, sections)


def _chip(decision: str, lang: str) -> str:
    return f'<span class="chip {_SEVERITY[decision]}">{escape(word(decision, lang))}</span> '


class _Case:
    """Words of the sheet in its language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def w(self, key: str) -> str:
        return _WORDS[key][self.lang == "zh"]

    def figure(self, name: str, title: str, chart: str, names: list[str], rows: list[list]) -> list[str]:
        """A chart with the table that it is drawn of: a name, and numbers."""
        cells = [[str(row[0]), *(f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row[1:])] for row in rows]
        table = page.table(names, cells, self.w(title), self.lang, [False] + [True] * (len(names) - 1))
        return [page.figure(name, self.w(title), "", chart, table, {}, self.lang)]


class _Sheet(explain.Page):
    """The parts of ``qqloan explain``, kept as HTML: each head begins a block of its own."""

    def __init__(self, reasons: dict[str, Reason], lang: str, products: dict) -> None:
        self.reasons, self.lang, self.products = reasons, lang, products
        self._blocks: list[str] = []
        self._title, self._tables = "", 0

    def head(self, text: str) -> None:
        self._title = text
        self._blocks.append(f"<h3>{escape(text)}</h3>")

    def line(self, text: str) -> None:
        self._blocks.append(f"<p>{escape(text)}</p>")

    def table(self, names: list[str], rows: list[list], numeric: tuple[int, ...] = ()) -> None:
        cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
        self._tables += 1
        self._blocks.append(page.table([self.w(name) for name in names], cells, f"{self._title} ({self._tables})", self.lang, [place in numeric for place in range(len(names))], most=len(cells)))

    def html(self) -> str:
        return "".join(self._blocks)


def _income_chart(case: _Case, drawer: Drawer, found: dict) -> list[str]:
    """Lines that went into a figure of income, by month and source, and the income that counts."""
    months: dict[tuple[str, str], int] = {}
    for line in found["income_lines"]:
        if line["figure"].endswith("_income") and line["figure"] != "fund_income":  # a fund's payment is a share of the income, not income
            key = str(line["on_date"])[:7], case.w(line["input"])
            months[key] = months.get(key, 0) + line["amount_fen"]
    if not months:
        return []
    rows = [{"month": month, "source": source, "yuan": fen / 100} for (month, source), fen in sorted(months.items())]
    spec = {
        "width": 620, "height": 190,
        "layer": [
            {"data": {"values": rows}, "mark": {"type": "bar", "cornerRadiusEnd": 2}, "encoding": {
                "x": {"field": "month", "type": "ordinal", "title": case.w("month"), "axis": {"labelAngle": -35}}, "y": {"field": "yuan", "type": "quantitative", "title": case.w("yuan"), "stack": None, "axis": drawer.axis(YUAN)},
                "xOffset": {"field": "source"},
                "color": {"field": "source", "type": "nominal", "title": None, "scale": {"range": COLOURS[:3]}, "legend": {"orient": "top", "symbolType": "square"}}}},
            *([{"data": {"values": [{"yuan": found["income"][0]["monthly_income_fen"] / 100}]}, "mark": {"type": "rule", "strokeDash": [6, 4], "strokeWidth": 2, "color": "var(--ink)"}, "encoding": {"y": {"field": "yuan", "type": "quantitative"}}}]
              if found["income"][0]["monthly_income_fen"] else []),
        ],
    }
    return case.figure("income-months", "income by month", drawer.svg(case.w("income by month"), spec), [case.w("month"), word("source", case.lang), case.w("yuan")], [[row["month"], row["source"], row["yuan"]] for row in rows])


def _points_chart(case: _Case, drawer: Drawer, found: dict, reasons: dict[str, Reason]) -> list[str]:
    if not found["score"] or not found["score"][0]["reasons"]:
        return []
    rows = [{"code": reasons[one["code"]].text(case.lang)[:60] if one["code"] in reasons else one["code"], "points": one["points"]} for one in found["score"][0]["reasons"]]
    chart = drawer.bars(case.w("reasons"), rows, "code", "points", names={"points": word("points", case.lang), "code": ""}, format=".0f", lying=True)
    return case.figure("score-points", "reasons", chart, [word("in_words", case.lang), word("points", case.lang)], [[row["code"], row["points"]] for row in rows])


def _waterfall(case: _Case, drawer: Drawer, found: dict) -> list[str]:
    if not found["limit_steps"]:
        return []
    rows = []
    for step in found["limit_steps"]:
        name = word(step["step"], case.lang)
        rows.append({"step": case.w("binds").format(name) if step["binding"] else name, "left": step["running_fen"] / 100})
    chart = drawer.bars(case.w("waterfall"), rows, "step", "left", names={"left": case.w("left"), "step": ""}, format=YUAN, lying=True)
    return case.figure("limit-steps", "waterfall", chart, [word("step", case.lang), case.w("left")], [[row["step"], row["left"]] for row in rows])


def _ring(case: _Case, drawer: Drawer, ring: dict) -> str:
    if not ring["members"]:
        return f"<p>{escape(case.w('no ring'))}</p>"
    names = {key["no"]: case.w(key["kind"]).format(key["of_kind"]) for key in ring["keys"]}
    shares: dict[int, list[str]] = {}
    for tie in ring["ties"]:
        shares.setdefault(tie["member"], []).append(names[tie["key"]])
    rows = [
        [str(one["no"]), one["application_id"] + (f" ({case.w('this one')})" if one["steps"] == 0 else ""), str(one["steps"]), "-" if one["decision"] is None else word(one["decision"], case.lang), one["grade"] or "-", str(one["days_before"]), ", ".join(shares.get(one["no"], []))]
        for one in ring["members"]
    ]
    table = page.table([word("no", case.lang), *(case.w(name) for name in ("application", "steps", "decided", "grade", "days before", "shares"))], rows, case.w("drawn all"), case.lang, [True, False, True, False, False, True, False])
    title = case.w("drawn").format(ring["left_out"]) if ring["left_out"] else case.w("drawn all")
    return page.figure("ring-drawn", title, "", drawer.network(title, _points(case, ring, names), [{"source": f"m{tie['member']}", "target": f"k{tie['key']}"} for tie in ring["ties"]]), table, {}, case.lang)


def _points(case: _Case, ring: dict, names: dict[int, str]) -> list[dict]:
    colour = {"approve": COLOURS[2], "refer": COLOURS[4], "decline": COLOURS[6]}
    return [
        *({"id": f"m{one['no']}", "label": case.w("this one") if one["steps"] == 0 else f"{one['no']}{'' if one['decision'] is None else ' ' + word(one['decision'], case.lang)}", "shape": "circle", "size": 420 if one["steps"] == 0 else 220,
           "colour": colour.get(one["decision"], COLOURS[7])} for one in ring["members"]),
        *({"id": f"k{key['no']}", "label": names[key["no"]], "shape": "square", "size": 130, "colour": COLOURS[0]} for key in ring["keys"]),
    ]


def _people(case: _Case, said: list[dict]) -> str:
    rows = [[event["by"], str(event["at"])[:19].replace("T", " "), word(event["decision"], case.lang), "-" if event.get("amount_fen") is None else yuan(event["amount_fen"]), f"{event.get('reason', '')} {event.get('text', '')}".strip()] for event in said]
    return page.table([case.w(name) for name in ("who", "when", "decided", "amount", "why")], rows, case.w("people"), case.lang, [False, False, False, True, False])
