"""A book of many loans with a history of contacts: its state, its queue with and without a panel at hand, a check, a comparison. One JSON line.

    python tests/benchmarks/bench_collections.py [LOANS] [BUCKETS] [FOLDER]

The book is that of bench_servicing.py; every sixth borrower has eight contacts of the last months.
"""

from __future__ import annotations

import datetime
import json
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bench_servicing import made_here, timed

from qqloan_cli.engine.session import connect
from qqloan_cli.engine.stage import put
from qqloan_cli.policy.home import shipped
from qqloan_cli.servicing.book import Book
from qqloan_cli.servicing.close import close
from qqloan_cli.servicing.collect.check import check
from qqloan_cli.servicing.collect.compare import compare
from qqloan_cli.servicing.collect.export import contact_list
from qqloan_cli.servicing.collect.queue import write_queue
from qqloan_cli.servicing.panel import write_panel
from qqloan_cli.servicing.state import write_state

DAY = datetime.date.fromisoformat


def contacted(book: Book) -> int:
    con = connect(2, 2_000)
    con.execute(f"""CREATE TEMP VIEW told AS SELECT
        'C' || lpad(CAST(row_number() OVER (ORDER BY loan_id, k) AS VARCHAR), 9, '0') AS contact_id, loan_id AS applicant_id, CAST(NULL AS VARCHAR) AS loan_id, 'contact' AS kind,
        CAST(TIMESTAMP '2024-09-01 08:00:00' + to_days(CAST(k * 15 + hash(loan_id) % 12 AS INTEGER)) + to_minutes(CAST(hash(loan_id || k) % 800 AS INTEGER)) AS TIMESTAMP) AS begun_at,
        ['call', 'ai_call', 'sms', 'app'][CAST(1 + hash(k || loan_id) % 4 AS BIGINT)] AS channel, 'debtor' AS party, 'own_1' AS target, hash(loan_id) % 3 = 0 AS connected,
        CASE WHEN k = 2 AND hash(loan_id) % 3 = 0 THEN 'promise' END AS outcome, CASE WHEN k = 2 AND hash(loan_id) % 3 = 0 THEN DATE '2024-12-20' END AS promise_date, NULL AS promise_amount_fen,
        NULL AS hours_from, NULL AS hours_until, NULL AS hold, NULL AS until, NULL AS debt_details, NULL AS agent, NULL AS role, DATE '2024-12-31' AS received_on, 'bench' AS file, k AS row
        FROM ({book.source('loans')}), range(8) t(k) WHERE hash(loan_id || 'x') % 6 = 0""")
    rows = put(con, "contact_log", book.root / "contacts" / "00001.parquet", "told", True)
    con.close()
    book.document["contacts"] = [{"number": 1}]
    book.save()
    return rows


def main() -> None:
    loans = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    buckets = int(sys.argv[2]) if len(sys.argv) > 2 else max(2, 1 << max(0, (loans // 65_536)).bit_length())
    with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as scratch:
        root, out, config = Path(scratch) / "book", Path(scratch), shipped("configs")
        book = made_here(root, loans, buckets)
        close(book, DAY("2024-12-31"), 2)
        book = Book.open(root)
        contacts = contacted(book)
        stating, _ = timed(lambda: write_state(book, DAY("2024-12-31"), None, out / "state.parquet", 2))
        paneling, _ = timed(lambda: write_panel(book, DAY("2024-09-30"), DAY("2024-12-31"), out / "panel.parquet", 2))
        with_panel, told = timed(lambda: write_queue(book, DAY("2025-01-01"), None, None, config, out / "queue.parquet", 2, out / "panel.parquet"))
        alone, again = timed(lambda: write_queue(book, DAY("2025-01-01"), None, None, config, out / "again.parquet", 1))
        if (out / "queue.parquet").read_bytes() != (out / "again.parquet").read_bytes():
            raise SystemExit("the two queues differ")
        exporting, (_, listed) = timed(lambda: contact_list(out / "queue.parquet", "call", config, []))
        checking, (_, found) = timed(lambda: check(book, DAY("2024-09-01"), DAY("2024-12-31"), config))
        comparing, (tables, _) = timed(lambda: compare(book, DAY("2024-10-01"), DAY("2024-11-30"), config, 2))
    print(json.dumps({
        "bench": "collections", "loans": loans, "buckets": buckets, "contacts": contacts, "late_borrowers": told["borrowers"], "listed": listed["listed"], "state_s": stating, "panel_s": paneling,
        "queue_with_panel_s": with_panel, "queue_alone_1_worker_s": alone, "export_s": exporting, "check_s": checking, "breaches": found["breaches"], "compare_s": comparing,
        "entries": sum(tables["arms"]["entered"].to_pylist()), "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }))


if __name__ == "__main__":
    main()
