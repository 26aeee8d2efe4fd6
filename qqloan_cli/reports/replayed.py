"""What a replay found, in words: identical, or what parts where."""

from __future__ import annotations

from qqloan_cli.reports import console, formats
from qqloan_cli.reports.money import yuan


def show(document: dict) -> None:
    said = console.current()
    for name, version in document["other_versions"].items():
        said.note("version-differs", f"{name} was {version['then']} when the run was made and is {version['now']} here")
    what = f"application {document['application_id']} of {document['run_id']}" if "application_id" in document else document["run_id"]
    if document.get("otherwise_written"):
        said.note("written-otherwise", f"{len(document['otherwise_written'])} files have the same rows in other bytes")
    if document.get("erased"):
        said.note("people-erased", f"the raw data of {document['erased']:,} people was erased, so the others alone were worked out again, with the links and the funding of all as they were sealed")
    for event in document.get("reviews", []):
        amount = f" of {yuan(event['amount_fen'])} yuan" if event["amount_fen"] else ""
        print(f"decided by a person, not by the chain: {event['at']} {event['by']}: {event['decision']}{amount}, {event['reason']}")
    if document["identical"]:
        print(f"{what}: identical ({', '.join(document['tables'])})" if "tables" in document else f"{what}: identical rows in {document['files']:,} files" if document.get("erased") else f"{what}: identical, {document['identical_files']:,} of {document['files']:,} files byte for byte")
        return
    print(f"{what}: NOT identical; it parts first at {document['first_parted']}")
    formats.draw(["table", "rows that differ", "only then", "only now", "columns"], [
        [d["table"], f"{d['rows']:,}", f"{d['only_before']:,}", f"{d['only_after']:,}", ", ".join(f"{name} ({count:,})" for name, count in d["columns"].items())] for d in document["parted"]
    ], None, [False, True, True, True, False])
    cells = [(d["table"], cell) for d in document["parted"] for cell in d["examples"]][:30]
    if cells:
        formats.draw(["table", "key", "column", "then", "now"], [[table, cell["key"], cell["column"], str(cell["before"]), str(cell["after"])] for table, cell in cells], "Examples", [False] * 5)


def show_why(application: str, steps: list[dict]) -> None:
    """What each swap changes; the parts of a column add up to the last line less the first."""
    formats.draw(["swapped", "decision", "amount (yuan)", "part", "score", "part", "income (yuan)", "part", "binding cap", "reasons"], [
        [s["what"], s["figures"]["decision"], _yuan(s["figures"]["amount_fen"]), _yuan(s["parts"].get("amount_fen")), str(s["figures"]["score"]), _plain(s["parts"].get("score")),
         _yuan(s["figures"]["monthly_income_fen"]), _yuan(s["parts"].get("monthly_income_fen")), s["figures"]["binding_cap"] or "-", ", ".join(s["figures"]["reason_codes"])]
        for s in steps
    ], f"Why {application} was decided otherwise", [False, False, True, True, True, True, True, True, False, False])


def _yuan(fen) -> str:
    return "-" if fen is None else yuan(fen)


def _plain(value) -> str:
    return "-" if value is None else f"{value:+g}"
