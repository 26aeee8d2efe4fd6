"""What each source of data is worth, as people read it; machines get every figure."""

from __future__ import annotations

from qqloan_cli.reports import formats
from qqloan_cli.reports.money import yuan


def show(table, told: dict, format: str) -> None:
    if format == "json":
        formats.document({**told, "sources": table.to_pylist()})
    elif format != "table":
        formats.emit(table, format)
    else:
        _draw(table.to_pylist(), told)


def _draw(rows: list[dict], told: dict) -> None:
    formats.draw(
        ["source", "covered", "cost", "decisions changed", "only with", "only without", "amount moved", "loss moved", "margin moved", "worth", "an application"],
        [[row["source"], f"{row['covered'] / row['applicants']:.1%}" if row["applicants"] else "-", yuan(row["cost_fen"]), f"{row['decisions_changed']:,}", f"{row['approved_only_with']:,}",
          f"{row['approved_only_without']:,}", yuan(row["amount_moved_fen"]), yuan(row["expected_loss_moved_fen"]), yuan(row["margin_moved_fen"]), yuan(row["worth_fen"]), _each(row)] for row in rows],
        f"Worth of each source, yuan: what it brings against the run without it ({told['looked_at']:,} of {told['applicants']:,} applicants)", [False] + [True] * 10,
    )
    if told["outcomes"]:
        formats.draw(
            ["source", "outcomes", "Gini with", "without", "moved", "95 % interval", "only with: bad of known", "only without: bad of known"],
            [[row["source"], f"{row['outcomes']:,}", _gini(row["gini_with"]), _gini(row["gini_without"]), _gini(row["gini_moved"]),
              f"{_gini(row['gini_low'])} to {_gini(row['gini_high'])}", f"{row['only_with_bad']} of {row['only_with_known']}", f"{row['only_without_bad']} of {row['only_without_known']}"] for row in rows],
            "How well pd ranks", [False] + [True] * 7,
        )
    if told["sample"]:
        print("In brackets: 95 % intervals for everybody in this run, of whom these are a sample.")
    print(
        f"Margin: interest of the first {told['months']} months less cost of funds ({told['cost_of_funds']:.2%} a year) less expected loss (pd with every source x lgd {told['lgd']:.0%} x amount).\n"
        "Worth: margin moved less cost. The model is as it is and sees missing values; what was referred earns nothing; funding is not dealt out anew."
    )


def _each(row: dict) -> str:
    each = f"{row['worth_an_application_fen'] / 100:,.2f}"
    return each if row["worth_low_fen"] is None else f"{each} ({row['worth_low_fen'] / 100:,.2f} to {row['worth_high_fen'] / 100:,.2f})"


def _gini(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
