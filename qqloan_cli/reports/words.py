"""The words of the reports, in English and Chinese."""

from __future__ import annotations

WORDS = {
    "application": ("Application", "申请"), "approve": ("approve", "通过"), "refer": ("refer", "转人工"),
    "decline": ("decline", "拒绝"), "amount": ("amount", "金额"), "term": ("term", "期限"), "months": ("months", "个月"),
    "annual_rate": ("annual rate", "年利率"), "all_in": ("all-in annual cost", "综合融资年化成本"), "cost_cap": ("cost cap in force", "当时成本上限"),
    "effective": ("effective", "复利口径"), "decide_by": ("decide by", "决定期限"), "refer_to": ("refer to", "转交"), "reasons": ("Reasons", "原因"),
    "code": ("code", "代码"), "in_words": ("in words", "说明"), "checks": ("Identity, consent and lists", "身份、授权与名单核验"),
    "check": ("check", "核验项"), "outcome": ("outcome", "结果"), "pass": ("pass", "通过"), "note": ("note", "提示"), "fail": ("fail", "不通过"),
    "not_applicable": ("not applicable", "不适用"), "income": ("Income evidence", "收入证据"), "figure": ("figure", "指标"), "value": ("value", "数值"),
    "monthly_income": ("stable monthly income", "稳定月收入"), "income_rule": ("rule that won", "采用规则"), "confidence": ("confidence", "可信度"), "high": ("high", "高"), "medium": ("medium", "中"), "low": ("low", "低"),
    "payroll": ("payroll", "工资单"), "fund": ("provident fund", "公积金"), "bank": ("bank statements", "银行流水"), "stated": ("stated", "自报"),
    "over_months": ("over months", "覆盖月数"), "variation": ("variation", "波动系数"), "gaps": ("without income in between", "中断"), "employer_changed": ("change of employer", "更换单位"),
    "undeclared": ("to lenders not reported, a month", "未申报债务月还款"), "debt_service": ("debt service a month", "月还款支出"),
    "flags": ("flags", "异常信号"), "lines": ("lines behind it", "对应明细"), "input": ("input", "来源"), "row": ("row", "行号"),
    "date": ("date", "日期"), "class": ("taken for", "归类"), "credit": ("Credit history", "信用记录"), "social": ("Social evidence (it informs, never declines)", "社交信息（仅供参考，不得单独拒绝）"),
    "score": ("Score", "评分"), "pd": ("probability of default", "违约概率"), "points": ("points", "分值"), "grade": ("grade", "等级"),
    "champion": ("by the champion (boosted trees)", "主模型"), "challenger": ("by the challenger (points scorecard)", "挑战者评分卡"),
    "without_social": ("without social evidence", "不含社交信息"), "feature": ("feature", "特征"), "rules": ("Rules hit", "命中规则"),
    "rules_unknown": ("Rules left open by a missing value", "因缺值未决的规则"), "waterfall": ("Limit, step by step", "额度测算步骤"),
    "step": ("step", "步骤"), "cap": ("cap", "上限"), "left": ("left", "剩余"), "binding": ("binding", "生效"), "basis": ("basis", "依据"),
    "cost_table": ("Comprehensive costs, as they have to be shown", "综合融资成本明示表"), "item": ("item", "项目"), "standard": ("standard", "收取标准"), "annualised": ("annualised", "年化成本"),
    "item_principal": ("principal", "贷款本金"), "item_interest": ("interest", "利息"), "item_monthly_fee": ("monthly fee", "按月费用"), "item_upfront_fee": ("fee at the start", "一次性费用"),
    "item_total": ("total, on normal performance", "正常履约合计"), "item_late_interest": ("interest on what is late", "逾期罚息"), "item_early_repayment": ("early repayment", "提前还款违约金"),
    "per_interest": ("a year on what is owed", "/年，按剩余本金"), "per_monthly_fee": ("a month on the original amount", "/月，按初始本金"), "per_upfront_fee": ("once, on the original amount", "一次性，按初始本金"),
    "per_late_interest": ("a year on what is late", "/年，按逾期金额"), "per_early_repayment": ("once, on what is repaid early", "一次性，按提前还款金额"), "if_it_happens": ("if it happens", "发生时收取"),
    "nothing_else": ("Nothing else is charged.", "除上述项目外，不收取任何其他费用。"),
    "person": ("What a person said", "人工审核意见"), "at_most": ("at most (yuan)", "最高金额（元）"), "income_shown": ("income shown (yuan)", "已核实月收入（元）"), "exception": ("exception", "政策例外"),
    "what_if": ("If it were so", "假设分析"), "as_it_is": ("as it is", "现状"), "as_it_would_be": ("as it would be", "假设后"),
    "how_to_approve": ("After one of these it would be approved", "作出以下任一改变后可获批"), "way": ("change", "改变"),
    "no_way": ("Nothing that the applicant can change suffices: the reasons that stand are of another kind.", "申请人可改变的因素不足以获批：现有原因属于其他类型。"),
    "ask-less": ("ask for less", "减少申请金额"), "ask-longer": ("a longer term", "延长期限"), "pay-down-cards": ("pay down cards (share in use)", "偿还信用卡（使用率）"),
    "pay-down-loans": ("pay down loans (due a month)", "偿还贷款（月还款）"), "show-more-income": ("show more income a month", "提供更多收入证明（月收入）"),
    "confirm-income": ("confirm the income by a second source", "补充第二来源的收入证明"), "no-new-inquiries": ("wait, without new inquiries (in 6 months)", "一段时间内不新增查询（近6个月次数）"),
    "decision": ("decision", "决定"), "amount_fen": ("amount", "金额"), "term_months": ("term, months", "期限（月）"), "all_in_annual_cost": ("all-in annual cost", "综合融资年化成本"),
    "monthly_payment_fen": ("largest instalment", "最高月供"), "max_amount_fen": ("most that could be", "最高可贷额"), "binding_cap": ("what bound the amount", "额度约束"),
    "reason_codes": ("reasons", "原因"), "grade_without_social": ("grade without social evidence", "不含社交信息的等级"),
    "offers": ("Would be approved instead, as it stands", "可获批的替代方案"), "no": ("no.", "序号"), "monthly_payment": ("largest instalment", "最高月供"),
    "plan": ("Disbursement", "放款计划"), "tranche": ("tranche", "批次"), "pay_date": ("pay date", "放款日"), "source": ("source", "资金方"),
    "payee": ("payee", "收款方"), "condition": ("condition", "条件"), "schedule": ("Schedule", "还款计划"), "instalment": ("no.", "期数"),
    "due": ("due", "到期日"), "principal": ("principal", "本金"), "interest": ("interest", "利息"), "fee": ("fee", "费用"), "total": ("total", "合计"),
    "queued": ("waits for funds, place", "等待资金，排位"), "yes": ("yes", "是"), "none": ("none", "无"),
    "requested": ("requested", "申请额"), "product": ("product", "产品"), "income_multiple": ("income multiple", "收入倍数"),
    "payment_to_income": ("payment to income", "月供收入比"), "debt_to_income": ("debt to income", "负债收入比"), "credit_history": ("credit history", "信用记录"),
    "regulation": ("regulation", "监管上限"), "exposure": ("exposure held here", "本机构存量"),
    "worst_dpd_24m": ("worst days past due, 24 months", "近24个月最长逾期天数"), "overdue_months_24m": ("overdue months, 24 months", "近24个月逾期月数"),
    "utilisation": ("card utilisation", "信用卡使用率"), "lenders_open": ("lenders with open loans", "未结清放款机构数"),
    "hard_inquiries_3m": ("hard inquiries, 3 months", "近3个月硬查询次数"), "total_balance_fen": ("owed in all", "负债余额"), "history": ("history", "记录"),
    "social_score": ("social score", "社交分"), "social_band": ("band", "分档"), "account_age_days": ("account age, days", "账户天数"),
    "active_days_avg": ("active days a month", "月均活跃天数"), "degree": ("neighbours", "关联人数"), "ring_size": ("tied by shared keys", "关联团体规模"), "ring_shape": ("shape of the ring", "团体形态"),
    "pair": ("pair", "两人"), "star": ("star", "星形"), "chain": ("chain", "链形"), "tree": ("tree", "树形"), "mesh": ("mesh", "网状"),
    "strong": ("strong", "强"), "fair": ("fair", "中"), "weak": ("weak", "弱"), "unknown": ("unknown", "未知"), "thin": ("thin", "单薄"), "full": ("full", "充分"),
    "ring_alert": ("ring alert", "团伙预警"), "neighbour_bad_rate": ("bad among neighbours, shrunk", "关联人不良率（收缩）"),
}


def word(key: str, lang: str) -> str:
    """``key`` in words; a key without words is shown as it is."""
    pair = WORDS.get(key)
    return key if pair is None else pair[1 if lang == "zh" else 0]
