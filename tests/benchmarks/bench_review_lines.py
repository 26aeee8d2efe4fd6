"""Every line of a large book reviewed in one night, beside the state that it is worked out of. One JSON line.

    python tests/benchmarks/bench_review_lines.py [LINES] [BUCKETS] [FOLDER]

The book is bench_servicing's; the second night begins from the first. The bytes with one worker and with two must be the same.
"""

from __future__ import annotations

import datetime
import json
import sys
import tempfile
from pathlib import Path

from bench_servicing import made_here, timed

from qqloan_cli.policy.home import shipped
from qqloan_cli.policy.lines import load_line_policy
from qqloan_cli.policy.products import load_products
from qqloan_cli.scoring.behaviour import ByCard
from qqloan_cli.servicing.close import close
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.lines.review import file_of, night_of, notices, review, summary
from qqloan_cli.servicing.state import write_state

FIRST, SECOND = datetime.date(2024, 12, 15), datetime.date(2024, 12, 16)


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    buckets = int(sys.argv[2]) if len(sys.argv) > 2 else max(2, 1 << max(0, (lines // 65_536)).bit_length())
    with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as scratch:
        root = Path(scratch) / "book"
        made_here(root, lines, buckets)
        book = Book.open(root)
        close(book, SECOND, 2)
        book = Book.open(root)
        policy, products = load_line_policy(shipped("configs")), load_products(shipped("configs"))
        score = ByCard(policy.lines.card, policy.lines)
        rows_from = datetime.date(2024, 1, 1)  # the shipped rules are of 2026: here they are in force
        policy = type(policy)(policy.lines.model_copy(update={"rule": [rule.model_copy(update={"from_": rows_from}) for rule in policy.lines.rule]}), policy.reasons, policy.version)
        stating, _ = timed(lambda: write_state(book, FIRST, FIRST, Path(scratch) / "state.parquet", 2))
        first, rows = timed(lambda: review(night_of(book, FIRST, policy, products, score, None), file_of(book, FIRST), 2))
        second, _ = timed(lambda: review(night_of(book, SECOND, policy, products, score, None), file_of(book, SECOND), 2))
        telling, told = timed(lambda: notices(file_of(book, FIRST), policy))
        bytes_of_two = file_of(book, SECOND).read_bytes()
        alone, _ = timed(lambda: review(night_of(book, SECOND, policy, products, score, None), file_of(book, SECOND), 1))
        if file_of(book, SECOND).read_bytes() != bytes_of_two:
            raise SystemExit("one worker and two disagree")
        actions = {row["action"]: row["lines"] for row in summary(file_of(book, FIRST)).to_pylist()}
    print(json.dumps({
        "bench": "review_lines", "date": str(datetime.date.today()), "lines": rows, "buckets": buckets, "state_s": stating, "first_night_s": first, "second_night_s": second,
        "second_night_one_worker_s": alone, "beyond_the_state_s": round(second - stating, 2), "notices": len(told), "notices_s": telling, "actions": actions,
    }))


if __name__ == "__main__":
    main()
