"""What ``qqloan source`` says: a mapping's yield, and the mappings there are."""

from __future__ import annotations

from qqloan_cli.reports import formats


def show_check(found: dict, format: str) -> None:
    """``found`` is intake.check's document."""
    if format == "json":
        formats.document(found)
        return
    formats.draw(
        ["input", "rows", "accepted", "refused", "left out"],
        [[name, *(f"{counts[key]:,}" for key in ("rows", "accepted", "refused", "left_out"))] for name, counts in found["inputs"].items()],
        f"{found['source']}: {found['title']}", [False] + [True] * 4,
    )
    if found["money"]:
        formats.draw(
            ["currency", "lines", "in", "out"],
            [[m["currency"] or "lender's own", f"{m['lines']:,}", _yuan(m["in_fen"]), _yuan(m["out_fen"])] for m in found["money"]],
            "Money", [False, True, True, True],
        )
    if found["reasons"]:
        formats.draw(
            ["", "input", "file", "rule", "rows", "first rows", "in words"],
            [[r["kind"].replace("_", " "), r["input"], r["file"], r["rule"], f"{r['rows']:,}", " ".join(map(str, r["first"])), r["reason"]] for r in found["reasons"]],
            "Refused, left out, skipped", [False] * 4 + [True, False, False],
        )


def show_list(mappings: list[dict], format: str) -> None:
    if format == "json":
        formats.document({"sources": mappings})
        return
    formats.draw(
        ["source", "files", "brings", "title"],
        [[m["source"], ", ".join(m["files"]), ", ".join(m["inputs"]), m["title"]] for m in mappings],
    )


def _yuan(fen: int) -> str:
    return f"{fen / 100:,.2f}"
