"""Rules, reasons and settings as people and machines read them."""

from __future__ import annotations

import json

from qqloan_cli.policy.reasons import Reason
from qqloan_cli.policy.rules import Rule, Rules
from qqloan_cli.policy.settings import Setting, dates
from qqloan_cli.reports import formats
from qqloan_cli.reports.console import SCHEMA_VERSION

_LABELS = {
    "effect": ("does", "效果"), "when": ("when", "条件"), "unknown": ("a missing value", "缺值时"), "unknown_reason": ("and then says", "缺值原因码"),
    "refer_to": ("desk", "转交"), "explained_by": ("explained by", "说明环节"), "why": ("why", "依据"), "edge": ("at the edge", "边界"),
}
_EFFECTS = {"decline": "拒绝", "refer": "转人工", "note": "提示", "pass": "不影响"}


def rule_document(code: str, rule: Rule | None, reason: Reason, lang: str) -> dict:
    document = {"schema_version": SCHEMA_VERSION, "code": code, "effect": reason.effect, "en": reason.en, "zh": reason.zh, "text": reason.text(lang)}
    return document if rule is None else {**document, **rule.model_dump()}


def show_rule(code: str, rule: Rule | None, reason: Reason, lang: str) -> None:
    """A rule in full; of any other code what it says and can do."""
    print(f"{code}  {reason.text(lang)}")
    fields = {"effect": reason.effect} if rule is None else rule.model_dump()
    for name, labels in _LABELS.items():
        value = fields.get(name)
        if value is not None:
            value = _EFFECTS.get(value, value) if lang == "zh" else value
            print(f"  {labels[1] if lang == 'zh' else labels[0]}: {value}")
    if rule is not None:
        names = (("examples_hit", "hits", "命中"), ("examples_miss", "misses", "不命中"), ("examples_unknown", "leaves open", "未决"))
        for name, en, zh in names:
            for facts in fields[name]:
                print(f"  {zh if lang == 'zh' else en}: {', '.join(f'{k} = {v}' for k, v in facts.items()) or '-'}")


def rule_rows(rules: Rules, lang: str) -> list[dict]:
    return [
        {"code": rule.code, "effect": rule.effect, "unknown": rule.unknown, "refer_to": rule.refer_to, "text": rules.reasons[rule.code].text(lang), "when": rule.when}
        for rule in rules
    ]


def setting_document(setting: Setting, folder: str, as_of: str) -> dict:
    return {
        "schema_version": SCHEMA_VERSION, "key": setting.key, "value": json.loads(json.dumps(setting.value, default=str, ensure_ascii=False)),
        "origin": f"{setting.file}:{setting.line}", "configuration": folder, "as_of": as_of,
        "law": [json.loads(rule.model_dump_json(by_alias=True, exclude_none=True)) for rule in setting.law],
    }


def show_setting(setting: Setting, folder: str, origin: bool) -> None:
    """The value; with ``origin`` the file and line, and why that folder is the one in force."""
    print(_plain(setting.value))
    if origin:
        print(f"  in {setting.file}:{setting.line}")
        print(f"  configuration: {folder}")
    for rule in setting.law:
        limit = rule.value if rule.value is not None else f"{rule.lpr_multiple} x LPR (1 year)"
        print(f"  law: {rule.id}: {rule.topic} {limit}, {dates(rule)}, {rule.document} [{rule.kind}, certainty {rule.certainty}, verified through {rule.verified_through}]")


def _plain(value) -> str:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return str(value).lower() if isinstance(value, bool) else str(value)


def show_check(rows: list[dict], format: str) -> None:
    import pyarrow as pa

    if format == "table":
        formats.draw(["checked", "", "says"], [[row["what"], "ok" if row["ok"] else "wrong", row["says"]] for row in rows])
    else:
        formats.emit(pa.Table.from_pylist(rows), format)
