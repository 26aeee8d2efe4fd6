"""how-to-approve: the smallest changes, of what an applicant can change, after which the same score, rules and waterfall approve.

Each way has steps from little to much. Every step of every way is put at once; where none suffices, every pair of ways is. A way moves
all that hangs together: to pay down cards lowers their use, what is owed on them, and what is owed in all.
"""

from __future__ import annotations

from typing import NamedTuple

from qqloan_cli.asking import question
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage

STEPS = 10
PAIR_STEPS = (2, 4, 6, 8, 10)
MOST = 5


class Way(NamedTuple):
    """``sets``: by table, an assignment in SQL with ``{k}`` for the step, 1 to STEPS. ``shows``: the figure that tells the change, and from where."""

    code: str
    sets: dict[str, str]
    shows: tuple[str, str]
    steps: int = STEPS


_LEFT = "(1.0 - {k} / 10.0)"
WAYS = (
    Way("ask-less", {"applicants": "requested_amount_fen = greatest(CAST(requested_amount_fen * (1.0 - {k} * 0.09) AS BIGINT) // 10000 * 10000, 10000)"}, ("applicants", "requested_amount_fen")),
    # the next longer terms that the product has
    Way("ask-longer", {"applicants": "term_months = (SELECT list_sort(list(t.term_months))[{k}] FROM product_terms t WHERE t.product = coalesce(applicants.product, "
                                     "(SELECT product FROM product_book WHERE place = 0)) AND t.term_months > applicants.term_months)"}, ("applicants", "term_months"), 6),
    Way("pay-down-cards", {"credit": f"utilisation = utilisation * {_LEFT}, unsecured_balance_fen = CAST(greatest(unsecured_balance_fen - revolving_balance_fen * {{k}} / 10.0, 0) AS BIGINT), "
                                     f"total_balance_fen = CAST(greatest(total_balance_fen - revolving_balance_fen * {{k}} / 10.0, 0) AS BIGINT), "
                                     f"revolving_balance_fen = CAST(revolving_balance_fen * {_LEFT} AS BIGINT)"}, ("credit", "utilisation")),
    Way("pay-down-loans", {"credit": f"account_debt_service_fen = CAST(account_debt_service_fen * {_LEFT} AS BIGINT), unsecured_balance_fen = CAST(unsecured_balance_fen * {_LEFT} AS BIGINT)",
                           "income": f"statement_debt_service_fen = CAST(statement_debt_service_fen * {_LEFT} AS BIGINT), undeclared_debt_service_fen = CAST(undeclared_debt_service_fen * {_LEFT} AS BIGINT)"},
        ("credit", "account_debt_service_fen")),
    Way("show-more-income", {"income": "monthly_income_fen = CAST(monthly_income_fen * (1.0 + {k} * 0.06) AS BIGINT)"}, ("income", "monthly_income_fen")),
    Way("confirm-income", {"income": "income_confidence = CASE WHEN {k} = 1 AND income_confidence = 'low' THEN 'medium' ELSE 'high' END, months_covered = greatest(months_covered, 6)"}, ("income", "income_confidence"), 2),
    # no inquiry for one month, three, six
    Way("no-new-inquiries", {"credit": "hard_inquiries_1m = 0, hard_inquiries_3m = CASE WHEN {k} >= 2 THEN 0 ELSE hard_inquiries_3m - hard_inquiries_1m END, "
                                       "hard_inquiries_6m = CASE {k} WHEN 1 THEN hard_inquiries_6m - hard_inquiries_1m WHEN 2 THEN hard_inquiries_6m - hard_inquiries_3m ELSE 0 END"}, ("credit", "hard_inquiries_6m"), 3),
)
STAGE = Stage(name="how_to_approve", kind="map", reads=(), writes=(), module=__name__, settings=question.settings)


def how_to_approve(run: Run, application_id: str, bucket: int) -> list[dict]:
    """Up to MOST ways, smallest first: [{"ways": [{"way", "before", "after"}, ...], "amount_fen", "term_months", "annual_rate", "score", "grade"}, ...].

    ``before`` and ``after`` are the figures that the way moves. Empty where nothing that an applicant can change suffices.
    """
    with question.on_the_spot(run, bucket, STAGE) as task:
        question.bind(task)
        singles = [((number, k),) for number, way in enumerate(WAYS) for k in range(1, way.steps + 1)]
        found = _approved(task, application_id, singles)
        if not found:
            steps = [(number, k) for number, way in enumerate(WAYS) for k in range(1, way.steps + 1) if k in PAIR_STEPS or way.steps < STEPS]
            found = _approved(task, application_id, [(one, other) for one in steps for other in steps if one[0] < other[0]])
        return found


def _approved(task, application_id: str, tries: list[tuple]) -> list[dict]:
    con = task.con
    rows = ", ".join(f"({n}, {', '.join(_step(of, w) for w in range(len(WAYS)))})" for n, of in enumerate(tries))
    names = ", ".join(f"w{w}" for w in range(len(WAYS)))
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE asked AS
        SELECT a.application_id || '#' || lpad(CAST(t.n AS VARCHAR), 5, '0') AS candidate_id, a.application_id, a.requested_amount_fen AS asks_fen,
          coalesce(a.term_months, p.term_usual) AS term_months, coalesce(a.product, p.product) AS product, t.*
        FROM all_applicants a JOIN product_book p ON p.product = a.product OR (a.product IS NULL AND p.place = 0), (VALUES {rows}) t(n, {names})
        WHERE a.application_id = ?
    """, [application_id])
    question.put(task, _updates())
    shown = {w: way.shows for w, way in enumerate(WAYS)}
    answers = con.sql("""
        SELECT c.n, l.amount_fen, l.term_months, l.annual_rate, s.score, s.grade
        FROM asked c JOIN "limit" l ON l.application_id = c.candidate_id JOIN score s ON s.application_id = c.candidate_id
        WHERE l.decision = 'approve' ORDER BY c.n
    """).to_arrow_table().to_pylist()
    best: dict[tuple, tuple[float, dict]] = {}
    for answer in answers:
        n = answer.pop("n")
        of = tries[n]
        size = sum(k / WAYS[w].steps for w, k in of)
        ways = tuple(w for w, _ in of)
        if ways not in best or size < best[ways][0]:
            candidate = f"{application_id}#{n:05d}"
            told = [{"way": WAYS[w].code, "before": _figure(con, f"all_{shown[w][0]}", shown[w][1], application_id), "after": _figure(con, shown[w][0], shown[w][1], candidate),
                     "figure": shown[w][1]} for w, _ in of]
            best[ways] = (size, {"ways": told, **answer})
    moved = [(size, ways, found) for ways, (size, found) in best.items() if all(way["before"] != way["after"] for way in found["ways"])]
    return [found for _, _, found in sorted(moved, key=lambda one: one[:2])[:MOST]]


def _step(of: tuple, w: int) -> str:
    return next((str(k) for number, k in of if number == w), "NULL::INTEGER")


def _updates() -> list[str]:
    return [
        f'UPDATE "{table}" SET {assignment.format(k=f"c.w{w}")} FROM asked c WHERE "{table}".application_id = c.candidate_id AND c.w{w} IS NOT NULL'
        for w, way in enumerate(WAYS) for table, assignment in way.sets.items()
    ]


def _figure(con, table: str, column: str, application_id: str):
    row = con.execute(f'SELECT "{column}" FROM "{table}" WHERE application_id = ?', [application_id]).fetchall()
    return row[0][0] if row else None
