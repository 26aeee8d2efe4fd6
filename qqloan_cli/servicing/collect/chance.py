"""The chance that what is late is paid within a month, by arm and bucket: of the book's last months, drawn to a prior where they are few.

What was late at the end of a month is paid where nothing that is late at the end of the next one fell due by then: a loan may be late anew.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa

from qqloan_cli.engine.session import literal
from qqloan_cli.policy.collections import BUCKETS, Collections
from qqloan_cli.servicing.book import Book, month_ends
from qqloan_cli.servicing.collect.arms import arm_of
from qqloan_cli.servicing.panel import write_panel

_AGED = Path(__file__).parent.parent / "measured" / "aged.sql"


def write_months(book: Book, policy: Collections, state_on: datetime.date, out: Path, workers: int) -> Path | None:
    """The panel of the months that the chance is taken of; None where the book is too young for a month to follow another."""
    ends = month_ends(datetime.date.fromisoformat(book.document["opened_on"]), state_on)[-policy.chance.months - 1:]
    if len(ends) < 2:
        return None
    write_panel(book, ends[0], ends[-1], out, workers)
    return out


def bind_chance(con, policy: Collections, panel: Path | None, state_on: datetime.date) -> None:
    """Leaves ``chances`` (arm, bucket, chance, chance_from, loans, paid) of a panel; of nothing but the prior where there is none.
    ``loans`` (loan_id, applicant_id) must be there."""
    chance = policy.chance
    con.register("priors", pa.table({"bucket": list(BUCKETS), "prior": [float(chance.prior[name]) for name in BUCKETS]}))
    con.register("arms_there", pa.table({"arm": sorted(policy.arms.shares)}))
    con.execute("SET VARIABLE weight = $1::INTEGER", [chance.weight])
    if panel is None:
        con.execute("CREATE OR REPLACE TEMP TABLE moved AS SELECT '' AS arm, '' AS bucket, 0::BIGINT AS loans, 0::BIGINT AS paid WHERE false")
    else:
        con.execute(f"CREATE OR REPLACE TEMP VIEW panel AS SELECT * FROM read_parquet({literal(str(panel))})")
        con.execute("SET VARIABLE since = $1::DATE", [month_ends(_back(state_on, chance.months), state_on)[0]])
        con.execute("SET VARIABLE state_on = $1::DATE", [state_on])
        con.execute(_AGED.read_text(encoding="utf-8"))
        con.execute(f"""CREATE OR REPLACE TEMP TABLE moved AS
            WITH late AS (SELECT loan_id, month, bucket FROM aged WHERE dpd > 0 AND bucket LIKE 'M%' AND month >= getvariable('since') AND month < getvariable('state_on')),
            after AS (
              SELECT loan_id, last_day(month - INTERVAL 1 MONTH) AS month, bucket = 'paid' OR (bucket LIKE 'M%' AND dpd < day(month)) AS is_paid
              FROM aged WHERE month <= getvariable('state_on')
            )
            SELECT {arm_of(policy.arms, 'loans.applicant_id')} AS arm, late.bucket, count(*) AS loans, count(*) FILTER (WHERE is_paid) AS paid
            FROM late JOIN after USING (loan_id, month) JOIN loans USING (loan_id) GROUP BY ALL""")
    con.execute("""CREATE OR REPLACE TEMP TABLE chances AS
        WITH of_book AS (
          SELECT bucket, prior, coalesce(sum(loans), 0) AS seen, (coalesce(sum(paid), 0) + getvariable('weight') * prior) / (coalesce(sum(loans), 0) + getvariable('weight')) AS rate
          FROM priors LEFT JOIN moved USING (bucket) GROUP BY bucket, prior
        )
        SELECT
          arm, bucket, coalesce(loans, 0) AS loans, coalesce(paid, 0) AS paid,
          round((coalesce(paid, 0) + getvariable('weight') * rate) / (coalesce(loans, 0) + getvariable('weight')), 6)   AS chance,
          CASE WHEN seen = 0 THEN 'prior' WHEN coalesce(loans, 0) >= getvariable('weight') THEN 'book' ELSE 'shrunk' END     AS chance_from
        FROM of_book CROSS JOIN arms_there LEFT JOIN moved USING (arm, bucket)""")


def _back(day: datetime.date, months: int) -> datetime.date:
    """The first day of the month so many months before the last month that ended by ``day``."""
    ended = day + datetime.timedelta(1)
    place = ended.year * 12 + ended.month - 2 - months
    return datetime.date(place // 12, place % 12 + 1, 1)
