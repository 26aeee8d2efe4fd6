"""What lenders call their columns: words by which a draft recognises ours, in Chinese and English.

The first pattern of a column that fits the whole header cell wins; a file's column
is given away once. Patterns are matched without case, blanks and bracketed units.
"""

from __future__ import annotations

import re

# input -> our column -> patterns. ``+`` and ``-`` after a name are halves of a signed amount: money in, money out.
WORDS: dict[str, dict[str, str]] = {
    "bank_statements": {
        "applicant_id": r"applicant_?id|客户(编?号|id)|用户(编?号|id)|account_?id",
        "account": r"account|账号|账户|卡号(后四位|末四位)?|卡末四位|本方账号",
        "booked_at": r"booked_at|记账日期?|入账日期|银行记账日|post(ing)?date|交易日期?|transactiondate|date|日期|交易时间|时间|付款时间",
        "direction": r"收/支|收支|借贷(标志)?|direction|dr/cr|credit/debit|资金状态",
        "amount+": r"收入(金额)?|存入(金额)?|贷方(发生额|金额)?|记账金额\(收入\)|credit(amount)?|moneyin|deposit",
        "amount-": r"支出(金额)?|取出(金额)?|借方(发生额|金额)?|记账金额\(支出\)|debit(amount)?|moneyout|withdrawal",
        "amount": r"amount|金额|交易金额|发生额|入账金额|结算金额|人民币金额|billingamount|入账币种/金额|[^+-]*金额",
        "balance": r"balance|余额|账户余额|联机余额|本次余额|可用余额",
        "currency": r"currency|币种|货币|记账币种|结算币种|入账货币|交易货币|billingcurrency",
        "counterparty": r"counterparty|对方户名|交易对方|对手信息|对方名称|商户名称|交易对手名称|payee",
        "memo": r"memo|摘要|交易摘要|商品说明|商品|交易说明|交易描述|备注|附言|description|用途",
        "line_id": r"line_?id|交易订单号|交易单号|流水号|交易流水号|日志号|交易号|trans_?id|顺序号|序号",
    },
    "applicants": {
        "application_id": r"application_?id|app_?id|loan_?id|申请(编?号|单号)|进件(编?号)|sk_id_curr",
        "applicant_id": r"applicant_?id|client_?id|customer_?id|客户(编?号|id)|用户(编?号|id)|account_?id",
        "name": r"name|姓名|客户姓名|申请人(姓名)?",
        "id_number": r"id_?(no|number|card)|身份证号?码?|证件号码?|公民身份号码",
        "phone": r"phone|mobile|手机号?码?|联系电话|电话",
        "bank_card": r"bank_?card|card_?(no|number)|银行卡号?|收款卡号",
        "birth_date": r"birth_?(date|day)|出生日期|生日",
        "gender": r"gender|sex|性别|code_gender",
        "employer": r"employer|company|工作单位|单位名称|公司名称",
        "employer_uscc": r"employer_?uscc|uscc|统一社会信用代码",
        "region": r"region|province|city|addr_state|居住地|地区|城市|省份",
        "product": r"product|产品|产品(代码|名称)",
        "purpose": r"purpose|借款用途|贷款用途|用途",
        "requested_amount": r"requested_?amount|loan_?amnt|loan_?amount|amount|申请金额|借款金额|贷款金额|amt_credit",
        "term_months": r"term_?months|term|duration|期限|借款期限|期数|申请期限",
        "applied_at": r"applied_?at|application_?date|apply_?time|date|申请(时间|日期)|进件时间",
        "consent_at": r"consent_?at|授权(时间|日期)",
        "device_id": r"device_?id|设备(编?号|id)",
        "contact_phone": r"contact_?phone|联系人(手机号?|电话)",
        "stated_monthly_income": r"(stated_?)?monthly_?income|月收入|申报月收入|amt_income_total",
    },
    "payroll": {
        "applicant_id": r"applicant_?id|employee_?id|工号|客户(编?号|id)",
        "pay_date": r"pay_?date|发薪日期?|发放日期|工资日期",
        "employer": r"employer|单位名称|公司名称|代发单位",
        "gross": r"gross(_?pay)?|应发(工资|合计|金额)|税前(工资|收入)",
        "net": r"net(_?pay)?|实发(工资|合计|金额)|税后(工资|收入)",
    },
    "provident_fund": {
        "applicant_id": r"applicant_?id|个人账号|公积金账号|客户(编?号|id)",
        "month": r"month|缴存年月|汇缴年月|缴费月份|年月",
        "employer": r"employer|单位名称|缴存单位",
        "base": r"base|缴存基数|缴费基数|月缴基数",
        "personal_amount": r"personal_?amount|个人(缴存额|缴存金额|月缴额)",
        "employer_amount": r"employer_?amount|单位(缴存额|缴存金额|月缴额)",
    },
    "credit_accounts": {
        "applicant_id": r"applicant_?id|sk_id_curr|客户(编?号|id)",
        "opened_at": r"opened_?at|open_?date|开立日期|发放日期|days_credit",
        "closed_at": r"closed_?at|close_?date|关闭日期|结清日期",
        "kind": r"kind|业务种类|credit_type|贷款类型",
        "lender": r"lender|机构名称|管理机构|发放机构",
        "limit": r"limit|授信额度|借款金额|账户授信额度|amt_credit_sum",
        "monthly_payment": r"monthly_?payment|本月应还款|月还款额",
        "grid_24m": r"grid_?24m|还款记录|24个月还款状态",
        "status": r"status|账户状态",
    },
    "social_edges": {
        "src": r"src|source|from|rater|起点",
        "dst": r"dst|target|to|rated|终点",
        "kind": r"kind|关系(类型)?",
        "since": r"since|建立(时间|日期)",
        "weight": r"weight|rating|权重",
    },
}

# Without one of each group a header is not taken for that input's.
NEEDED = {
    "bank_statements": (("booked_at",), ("amount", "amount+", "amount-")),
    "applicants": (("application_id", "applicant_id", "requested_amount"), ("requested_amount", "id_number", "phone", "stated_monthly_income")),
    "payroll": (("pay_date",), ("gross", "net")),
    "provident_fund": (("month",), ("base", "personal_amount", "employer_amount")),
    "credit_accounts": (("applicant_id",), ("opened_at", "limit")),
    "social_edges": (("src",), ("dst",)),
}


def plain(header: str) -> str:
    """A header cell without blanks, case and what a unit in brackets adds (收入 and 支出 in brackets stay: they are signs)."""
    text = re.sub(r"\s+", "", header).replace("（", "(").replace("）", ")").lower()
    return re.sub(r"\((元|cny|rmb|人民币|yuan)\)$", "", text)


def recognise(header: list[str]) -> tuple[str | None, dict[str, int]]:
    """The input that a header looks like, and our columns by position in it; None where nothing needed is there."""
    best: tuple[int, str | None, dict[str, int]] = (0, None, {})
    for name, columns in WORDS.items():
        found: dict[str, int] = {}
        taken: set[int] = set()
        for column, pattern in columns.items():
            alternatives = [re.compile(p, re.I) for p in _split(pattern)]
            for alternative in alternatives:
                place = next((i for i, cell in enumerate(header) if i not in taken and alternative.fullmatch(plain(cell))), None)
                if place is not None:
                    found[column] = place
                    taken.add(place)
                    break
        if all(any(column in found for column in group) for group in NEEDED[name]) and len(found) > best[0]:
            best = (len(found), name, found)
    return best[1], best[2]


def _split(pattern: str) -> list[str]:
    """Top-level alternatives of a pattern, so that their order is an order of preference."""
    parts, depth, current = [], 0, ""
    for character in pattern:
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]
