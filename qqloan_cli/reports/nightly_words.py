"""The words of the nightly report, in English and Chinese: sections, figures, columns and values."""

from __future__ import annotations

from qqloan_cli.reports.words import word as common

SECTIONS = {
    "now": ("What matters now", "当前要点"), "changes": ("Since the day before", "较前一日变化"), "funnel": ("Applications and decisions", "申请与决策"), "risk": ("Risk and score", "风险与评分"),
    "limits": ("Limits and price", "额度与定价"), "funding": ("Funding and liquidity", "资金与流动性"), "book": ("The book of loans", "存量贷款"), "reserve": ("Risk reserve pool", "风险准备金池"),
    "monitoring": ("Monitoring", "监测"), "compliance": ("Compliance", "合规"), "data": ("Data and runs", "数据与批次"),
}

# figure: title, what it says
FIGURES = {
    "changes": (("Headline figures", "主要指标"), ("The latest date's runs beside the date's before.", "最新批次与前一批次对比。")),
    "book_today": (("The book on the day", "当日存量变动"), ("What was booked on the day, and loans that became so late on it.", "当日入账金额，以及当日进入各逾期阶段的贷款。")),
    "funnel": (("Funnel", "漏斗"), ("From rows that came in to loans with a disbursement plan.", "从进件到形成放款计划。")),
    "decisions": (("Decisions by date", "各批次决策"), ("Shares of each date's applications.", "各批次申请的决策占比。")),
    "reasons": (("Why not", "未通过原因"), ("The most frequent reasons of declined and referred applications; an application may have several.", "拒绝与转人工的最常见原因，一笔申请可有多项。")),
    "grades": (("By grade", "按等级"), ("How many are approved, and how many of them are expected to go bad within twelve months.", "各等级通过率及12个月预期不良率。")),
    "bad_by_grade": (("What has shown in the book", "存量实际表现"), ("Loans by the grade of their decision: expected, and late by 30 and 90 days so far.", "按决策时等级：预期不良率与迄今逾期30天、90天以上占比。")),
    "scores": (("Distribution of scores", "评分分布"), ("Today and the date before, in bands of twenty points.", "当日与前一批次，每20分一档。")),
    "waterfall": (("Limit waterfall", "额度测算瀑布"), ("What all approved applications together might have after each step.", "全部通过申请在每一步后的剩余额度合计。")),
    "binding_caps": (("What set the amount", "额度生效约束"), ("The step of the waterfall that bound, by number of approved applications.", "按通过笔数统计的生效约束步骤。")),
    "amounts": (("Approved amounts", "批准金额分布"), ("By band of yuan.", "按金额分档（元）。")),
    "prices": (("Price by grade", "各等级定价"), ("Rates weighted by amount; the highest all-in annual cost against the lowest cap in force.", "利率按金额加权；最高综合融资年化成本与当时最低上限。")),
    "funding": (("Sources of funds", "资金方使用情况"), ("Used, of capacity.", "已用与可用额度。")),
    "funding_limits": (("Limits that bind or nearly do", "紧约束"), ("Used to nine tenths, or of which one more yuan is worth something.", "使用率达九成，或影子价格大于零。")),
    "liquidity": (("Money that leaves, by day", "每日出款"), ("By source.", "按资金方。")),
    "queue": (("Waiting for funds", "待资金申请"), ("", "")),
    "ageing": (("Ageing", "账龄"), ("Share of outstanding principal by days past due, at months' ends.", "月末各逾期档本金占比。")),
    "classes": (("Five classes", "五级分类"), ("With the provisions that the configuration asks for.", "含按配置计提的拨备。")),
    "rolls": (("Roll rates of the last month", "最近一月迁徙率"), ("Share of each bucket's balance by the bucket that it is in a month later.", "各逾期档余额一个月后的去向占比。")),
    "roll_rates": (("Rolling on, by month", "逐月向下迁徙率"), ("Share of a bucket's balance that was in the next worse bucket a month later.", "各逾期档余额次月进入下一档的占比。")),
    "vintages": (("Vintages", "Vintage 曲线"), ("Share of a month's loans ever more than 30 days late, by months on book.", "各放款月份贷款累计曾逾期30天以上占比（按账龄月）。")),
    "early": (("Early defaults", "早期违约"), ("First instalment unpaid 30 days on; more than 90 days late within six months.", "首期逾期30天以上；六个月内逾期90天以上。")),
    "yields": (("Net yield and early repayment", "净收益率与提前还款"), ("A year, over the mean balance of the month.", "年化，按月均余额。")),
    "stages": (("Stages and expected loss", "阶段与预期损失"), ("pd x lgd x ead.", "违约概率 × 违约损失率 × 风险敞口。")),
    "concentration": (("Concentration", "集中度"), ("Herfindahl-Hirschman: 1 where all is one's.", "赫芬达尔指数：全部集中于一方为1。")),
    "reserve": (("What is in the pool", "准备金池余额"), ("At months' ends.", "月末。")),
    "reserve_outlook": (("The pool a year ahead", "未来一年"), ("By scenario, from the book's own roll rates; exhaustion with its standard error.", "按情景模拟（以本存量迁徙率为基础）；耗尽概率附标准误。")),
    "quarantine": (("Refused rows", "隔离数据"), ("", "")), "feeds": (("What came in", "数据到达"), ("Rows an applicant: a feed that is thinner than it was.", "每位申请人的行数：用于发现数据变薄。")),
    "coverage": (("Evidence", "证据覆盖"), ("Share of applications that have it.", "具备该类证据的申请占比。")), "said": (("What the runs said", "批次提示"), ("", "")), "runs": (("Runs in sight", "纳入的批次"), ("", "")),
    "measures": (("Measures against their limits", "监测指标与阈值"), ("", "")), "csi": (("Drift of features since training", "特征漂移"), ("Stability index of each feature against the model's reference.", "各特征相对建模样本的稳定性指数。")),
    "rules": (("Rules, and what the book shows", "规则与检查结果"), ("", "")), "alerts": (("Alerts", "预警"), ("", "")),
}

COLUMNS = {
    "measure": ("measure", "指标"), "today": ("today", "当日"), "before": ("before", "前一批"), "change": ("change", "变化"), "step": ("step", "步骤"), "applications": ("applications", "申请数"), "share": ("share", "占比"),
    "as_of": ("date", "日期"), "decision": ("decision", "决策"), "amount_fen": ("amount, yuan", "金额（元）"), "funded_fen": ("funded, yuan", "已落实资金（元）"), "expected_bad_rate": ("expected bad rate", "预期不良率"),
    "expected_bad_rate_of_approved": ("expected bad rate of approved", "通过件预期不良率"), "code": ("code", "代码"), "share_before": ("share before", "前一批占比"), "grade": ("grade", "等级"), "approved": ("approved", "通过数"),
    "approval_rate": ("approval rate", "通过率"), "loans": ("loans", "贷款数"), "ever_30": ("ever over 30 days", "曾逾期30天以上"), "ever_90": ("ever over 90 days", "曾逾期90天以上"), "months_on_book": ("months on book, mean", "平均账龄（月）"),
    "points": ("points", "分数"), "date_of": ("date of", "批次"), "left_fen": ("left, yuan", "剩余（元）"), "taken_fen": ("taken off, yuan", "削减（元）"), "binding": ("bound", "生效笔数"), "share_of_requested": ("share of requested", "占申请额"),
    "binding_cap": ("cap", "约束"), "from_yuan": ("from yuan", "起（元）"), "annual_rate": ("annual rate", "年利率"), "all_in_annual_cost": ("all-in annual cost", "综合融资年化成本"), "highest_all_in_annual_cost": ("highest", "最高"),
    "lowest_cost_cap": ("lowest cap", "最低上限"), "source": ("source", "资金方"), "kind": ("kind", "类别"), "used_fen": ("used, yuan", "已用（元）"), "capacity_fen": ("capacity, yuan", "总额（元）"), "used_share": ("used", "使用率"),
    "weighted_cost": ("cost of funds", "资金成本"), "shadow_price": ("worth of one more yuan", "影子价格"), "limit_name": ("limit", "限制"), "limit_fen": ("limit, yuan", "限额（元）"), "pay_date": ("day", "日期"), "out_fen": ("leaves, yuan", "出款（元）"),
    "daily_cash_fen": ("may leave a day, yuan", "日限额（元）"), "run_id": ("run", "批次"), "wanted_fen": ("wanted, yuan", "需求（元）"), "waiting": ("waiting", "等待"), "gap": ("lost to whole loans", "取整损失"), "month": ("month", "月份"),
    "bucket": ("bucket", "逾期档"), "balance_fen": ("balance, yuan", "余额（元）"), "share_of_balance": ("share of balance", "余额占比"), "class": ("class", "分类"), "principal_fen": ("principal, yuan", "本金（元）"), "share_of_principal": ("share", "占比"),
    "provision_fen": ("provision, yuan", "拨备（元）"), "from_bucket": ("from", "起始档"), "to_bucket": ("to", "去向档"), "cohort": ("drawn in", "放款月"), "mob": ("months on book", "账龄（月）"), "ever_30_of_principal": ("ever over 30, of principal", "曾逾期30天以上（本金）"),
    "first_payment_default": ("first-payment default", "首期违约"), "early_payment_default": ("early-payment default", "早期违约"), "closing_fen": ("at the end, yuan", "期末（元）"), "interest_fen": ("interest, yuan", "利息（元）"), "fees_fen": ("fees, yuan", "费用（元）"),
    "lost_fen": ("lost, yuan", "损失（元）"), "recovered_fen": ("recovered, yuan", "回收（元）"), "net_yield": ("net yield a year", "年化净收益率"), "cpr": ("early repayment a year", "年化提前还款率"), "stage": ("stage", "阶段"), "ead_fen": ("ead, yuan", "敞口（元）"),
    "pd": ("pd", "违约概率"), "lgd": ("lgd", "违约损失率"), "expected_loss_fen": ("expected loss, yuan", "预期损失（元）"), "concentrated_in": ("in", "维度"), "parties": ("parties", "数量"), "hhi": ("HHI", "HHI"), "largest_share": ("largest share", "最大占比"), "largest": ("largest", "最大者"),
    "opening_fen": ("at the start, yuan", "期初（元）"), "contributed_fen": ("contributed, yuan", "计提（元）"), "compensation_fen": ("paid out, yuan", "代偿（元）"), "scenario": ("scenario", "情景"), "outstanding_fen": ("outstanding, yuan", "余额（元）"), "covered_fen": ("covered, yuan", "覆盖（元）"),
    "pool_fen": ("pool, yuan", "准备金（元）"), "contribution_fen": ("contributions, yuan", "计提（元）"), "expected_loss_se_fen": ("its standard error, yuan", "标准误（元）"), "loss_p95_fen": ("loss, 95 %, yuan", "损失95%分位（元）"), "loss_p99_fen": ("loss, 99 %, yuan", "损失99%分位（元）"),
    "coverage_of_expected": ("coverage of expected loss", "预期损失覆盖率"), "coverage_of_p99": ("coverage of 99 %", "99%分位覆盖率"), "exhaustion": ("chance of exhaustion", "耗尽概率"), "exhaustion_se": ("its standard error", "标准误"), "target": ("wanted", "目标"), "top_up_needed_fen": ("top-up needed, yuan", "需补充（元）"),
    "input": ("input", "输入"), "rule": ("rule", "规则"), "rows": ("rows", "行数"), "rows_before": ("rows before", "前一批行数"), "files": ("files", "文件数"), "rows_an_applicant": ("rows an applicant", "每人行数"), "rows_an_applicant_before": ("before", "前一批"), "evidence": ("evidence", "证据"),
    "ref": ("reference", "编号"), "said": ("said", "内容"), "runs": ("runs", "批次数"), "rows_in": ("came in", "进件"), "accepted": ("accepted", "接收"), "refused": ("refused", "拒收"), "policy": ("policy", "政策版本"), "draft": ("draft", "草案"), "seconds": ("seconds", "耗时（秒）"),
    "severity": ("severity", "级别"), "subject": ("of", "对象"), "value": ("value", "数值"), "reference": ("against", "基准"), "threshold": ("limit", "阈值"), "amber": ("amber", "黄色阈值"), "red": ("red", "红色阈值"), "note": ("note", "说明"), "lower": ("from", "下限"), "upper": ("to", "上限"),
    "status": ("result", "结果"), "topic": ("topic", "主题"), "document": ("document", "文件"), "certainty": ("certainty", "确定程度"), "rule_id": ("rule", "规则"), "looked_at": ("looked at", "检查行数"), "offending": ("break it", "违反行数"), "verified_through": ("verified through", "核实至"), "made_in": ("in", "所在"), "on_date": ("day", "日期"), "found": ("found", "实际"), "allowed": ("allowed", "允许"), "in_words": ("in words", "说明"),
}

VALUES = {
    "applications": ("applications", "申请数"), "quarantine_rate": ("refused rows, share", "隔离占比"), "approval_rate": ("approval rate", "通过率"), "referral_rate": ("referral rate", "转人工率"), "approved_fen": ("approved, yuan", "批准金额（元）"), "funded_fen": ("funded, yuan", "落实资金（元）"),
    "mean_amount_fen": ("mean amount, yuan", "件均金额（元）"), "mean_score": ("mean score", "平均分"), "expected_bad_rate": ("expected bad rate of all", "全体预期不良率"), "expected_bad_rate_of_approved": ("expected bad rate of approved", "通过件预期不良率"), "mean_all_in_annual_cost": ("mean all-in annual cost", "平均综合融资年化成本"),
    "outstanding": ("outstanding", "存量余额"), "overdue": ("overdue", "逾期"), "drawn_today": ("drawn", "当日放款"), "received_today": ("received", "当日回款"), "late_since_today": ("late since today", "当日新增逾期"), "over_30_since_today": ("over 30 days since today", "当日进入30天以上"),
    "over_90_since_today": ("over 90 days since today", "当日进入90天以上"), "written_off_today": ("written off", "当日核销"), "recovered_today": ("recovered", "当日核销回收"), "restated": ("told anew since", "事后更正"), "broken": ("broken: cannot be reckoned", "无法核算"),
    "came_in": ("came in", "进件"), "accepted": ("accepted", "接收"), "verified": ("not failed in verification", "核验未失败"), "not_declined": ("not declined", "未拒绝"), "approved": ("approved", "通过"), "funded": ("funded", "落实资金"), "planned": ("with a plan", "已排放款"),
    "today": ("today", "当日"), "before": ("before", "前一批"), "payroll": ("pay slips", "工资单"), "provident_fund": ("provident fund", "公积金"), "bank_statements": ("bank statements", "银行流水"), "credit_report": ("credit report", "信用报告"), "social": ("social", "社交"), "no_income": ("no evidence of income", "无收入证据"),
    "grade": ("grade", "等级"), "normal": ("normal", "正常"), "special_mention": ("special mention", "关注"), "substandard": ("substandard", "次级"), "doubtful": ("doubtful", "可疑"), "loss": ("loss", "损失"), "left": ("left the book", "离开"), "paid": ("paid", "结清"), "written_off": ("written off", "核销"),
    "borrower": ("borrower", "借款人"), "region": ("region", "地区"), "product": ("product", "产品"), "source": ("source of funds", "资金方"), "baseline": ("baseline", "基准"), "downturn": ("downturn", "下行"), "funding_run": ("funding run", "资金挤兑"), "regional_shock": ("regional shock", "区域冲击"),
    "passed": ("passed", "通过"), "failed": ("failed", "未通过"), "unknown": ("unknown", "未知"), "not_applicable": ("not applicable", "不适用"), "institution": ("institution", "机构"), "own": ("own", "自有"),
}

PAGE = {
    "title": ("Nightly risk report", "每日风险报告"), "runs_of": ("Runs of {}", "{} 的批次"), "book_on": ("book closed to {}", "存量截至 {}"), "against": ("against {}", "对比 {}"), "no_before": ("nothing to hold it against", "无可对比批次"), "left_out": ("Left out: not in sight", "未包含（缺少数据）"),
    "needs": ("needs {}", "需要 {}"), "no_alerts": ("Nothing is amber or red.", "无黄色或红色预警。"), "do": ("To do", "处理"), "no_book": ("No book was given (--book): loans, their ageing and the reserve are not in this report.", "未提供存量账簿（--book）：本报告不含贷款表现与准备金。"),
    "offending": ("The first rows that break it.", "违反该规则的部分数据行。"), "failed_rules": ("Rules that the book breaks", "未通过的规则"), "yes": ("yes", "是"), "no": ("no", "否"),
}


def _of(words: dict, key: str, lang: str) -> str | None:
    pair = words.get(key)
    return None if pair is None else pair[lang == "zh"]


def section(name: str, lang: str) -> str:
    return _of(SECTIONS, name, lang) or name


def title(name: str, lang: str) -> tuple[str, str]:
    """A figure's title, and what it says."""
    head, note = FIGURES[name]
    return head[lang == "zh"], note[lang == "zh"]


def column(name: str, lang: str) -> str:
    return _of(COLUMNS, name, lang) or name.replace("_fen", "").replace("_", " ")


def value(name: str, lang: str) -> str:
    """A value that is a word of ours; another is shown as it is."""
    return _of(VALUES, name, lang) or common(name, lang)


def page(name: str, lang: str) -> str:
    return PAGE[name][lang == "zh"]
