"""The model's tables as text: what each feature adds to the log odds of going bad, bin by bin, and which pairs say something together."""

from __future__ import annotations

import numpy as np

from qqloan_cli.scoring.tables import Tables

FEATURES, PAIRS = 15, 10  # drawn, those that move most
ROWS, CELLS, BAR = 10, 4, 16  # bins in a drawing after merging, parts of a pair's side, and a bar's length in blocks


def drawn(tables: Tables, names: tuple[str, ...], reference: list[dict], order: list[str]) -> list[str]:
    """Markdown sections: the tables of the first features of ``order``, and of the pairs that move most."""
    shares = [np.array(column["shares"]) for column in reference]
    parts = ["Log odds of going bad against the average applicant, purified; neighbouring bins are merged for the drawing."]
    for name in order[:FEATURES]:
        i = names.index(name)
        if len(tables.cuts[i]) or shares[i][-1] > 0:
            parts.append(f"### {name}\n\n```\n" + "\n".join(_bars(tables.single[i], tables.cuts[i], shares[i])) + "\n```")
    pairs = []
    for i, j, half in tables.pairs:
        table = 2 * half.reshape(-1, tables.stride)[:, : len(shares[j])]
        pairs.append((float(np.sqrt(shares[i] @ table**2 @ shares[j])), i, j, table))
    pairs.sort(key=lambda pair: (-round(pair[0], 9), pair[1], pair[2]))
    if pairs:
        parts.append(f"### Pairs\n\n{len(pairs)} pairs of features say something together that neither says alone. Those that move most (standard deviation of log odds):\n\n"
                     "| pair | moves |\n|---|---|\n" + "\n".join(f"| {names[i]} with {names[j]} | {spread:.4f} |" for spread, i, j, _ in pairs[:PAIRS]))
        parts += [_heat(names[i], names[j], table, tables.cuts[i], tables.cuts[j], shares[i], shares[j]) for _, i, j, table in pairs[:3]]
    return parts


def _merged(cuts: np.ndarray, shares: np.ndarray, most: int) -> list[tuple[str, np.ndarray]]:
    """(in words, which bins) of at most ``most`` runs of bins of about even share, and of the missing ones where there are any."""
    last = len(cuts)
    upto = np.cumsum(shares[: last + 1])
    run = np.minimum((upto - shares[: last + 1] / 2) / max(upto[-1], 1e-12) * most, most - 1).astype(int) if last >= most else np.arange(last + 1)
    found = []
    for r in dict.fromkeys(run.tolist()):
        bins = np.flatnonzero(run == r)
        low = None if bins[0] == 0 else _short(cuts[bins[0] - 1])
        high = None if bins[-1] == last else _short(cuts[bins[-1]])
        found.append(("all" if low is None and high is None else f"below {high}" if low is None else f"{low} and more" if high is None else f"{low} to {high}", bins))
    if shares[-1] > 0:
        found.append(("missing", np.array([last + 1])))
    return found


def _short(value) -> str:
    return f"{float(value):,.4g}" if abs(float(value)) < 10_000 else f"{float(value):,.0f}"


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(values, weights=weights)) if weights.sum() > 0 else float(values.mean())


def _bars(table: np.ndarray, cuts: np.ndarray, shares: np.ndarray) -> list[str]:
    rows = [(words, float(shares[bins].sum()), _mean(table[bins], shares[bins])) for words, bins in _merged(cuts, shares, ROWS)]
    wide, most = max(len(words) for words, _, _ in rows), max(max(abs(value) for _, _, value in rows), 1e-9)
    lines = []
    for words, share, value in rows:
        blocks = "#" * int(round(abs(value) / most * BAR))
        left, right = (blocks, "") if value < 0 else ("", blocks)
        lines.append(f"{words:>{wide}}  {share:6.1%}  {value:+.3f}  {left:>{BAR}}|{right}".rstrip())
    return lines


def _heat(first: str, second: str, table: np.ndarray, cuts_i, cuts_j, shares_i, shares_j) -> str:
    """Mean log odds of a pair's table in a few parts a side."""
    down, across = _merged(cuts_i, shares_i, CELLS), _merged(cuts_j, shares_j, CELLS)
    lines = [f"| {first} \\ {second} | " + " | ".join(words for words, _ in across) + " |", "|---" * (len(across) + 1) + "|"]
    for words, rows in down:
        cells = [_mean(table[np.ix_(rows, columns)].ravel(), np.outer(shares_i[rows], shares_j[columns]).ravel()) for _, columns in across]
        lines.append(f"| {words} | " + " | ".join(f"{cell:+.3f}" for cell in cells) + " |")
    return "\n".join(lines)
