"""A book of policies: what each changes in words, and how it stands."""

from __future__ import annotations

from qqloan_cli.policy.changes import Change, in_words
from qqloan_cli.reports import formats

OVERLAP = 0.8  # of a rule's hits, with one other: worth a look


def document(release) -> dict:
    return {"number": release.number, "state": release.state, "approved_by": release.approved_by, **release.says}


def worded(differences: list[dict], lang: str) -> list[dict]:
    return [{**difference, "in_words": in_words(Change(**difference), lang)} for difference in differences]


def show_differences(differences: list[dict], lang: str, none: str | None = None) -> None:
    for difference in differences:
        print(in_words(Change(**difference), lang))
    if not differences:
        print(none or {"en": "Nothing differs.", "zh": "没有差异。"}[lang])


def show_all(found: list, now, date) -> None:
    formats.draw(["policy", "version", "model", "effective", "state", "proposed by", "signed by", "why"], [
        [str(release.number), release.says["version"], release.says["model_version"] or "-", release.effective, _state(release, now), release.says["by"],
         ", ".join(release.approved_by) or "-", release.says["why"]] for release in found
    ], f"Policies as of {date}", [True] + [False] * 7)


def _state(release, now) -> str:
    if now is not None and release.number == now.number:
        return "in force"
    if release.says["rolls_back_to"]:
        return f"{release.state}, back to {release.says['rolls_back_to']}"
    return release.state


def stands(release) -> str:
    """In one line."""
    missing = release.says["approvers"]["needed"] - len(release.approved_by)
    then = {
        "released": f"released, in force from {release.effective}", "withdrawn": "withdrawn",
    }.get(release.state, f"{release.state}, waits for {missing} of {', '.join(sorted(set(release.says['approvers']['people']) - {release.says['by'], *release.approved_by}))}")
    return f"policy {release.says['version']} is release {release.number}: {then}"


def show_cases(found: list) -> None:
    if found:
        formats.draw(["case", "application", "decided", "", "expected", "found"], [
            [outcome.name, outcome.application_id, outcome.decision, "wrong" if wrong else "ok", f"{wrong[0]}: {wrong[1]}" if wrong else "", wrong[2] if wrong else ""]
            for outcome in found for wrong in outcome.wrong or [()]
        ], "Cases", [False] * 6)


def show_usage(rules: list[dict], what: str) -> None:
    """The rules that say nothing, always the same, or only what others say."""
    rows = [[rule["code"], rule["effect"], f"{rule['hits']:,}", _finding(rule, what)] for rule in rules]
    rows = [row for row in rows if row[3]]
    if rows:
        formats.draw(["rule", "does", "hits", "finding"], rows, "Rules", [False, False, True, False])


def _finding(rule: dict, what: str) -> str:
    return {"never": f"no {what} hits it", "always": f"every {what} hits it", "shadowed": f"decides nothing: wherever it hits, so does {', '.join(rule['shadowed_by'])}"}.get(
        rule["finding"], f"{rule['overlap_share']:.0%} of its hits are hits of {rule['overlaps_most']}" if (rule["overlap_share"] or 0) >= OVERLAP else "")
