"""What collections keep and make (qqloan collections): contacts as a file tells them and as the book holds them, the queue of a day, breaches."""

from __future__ import annotations

from qqloan_cli.contracts.model import Column as C
from qqloan_cli.contracts.model import Contract, Rule

CHANNELS = ("call", "ai_call", "sms", "app", "letter", "visit")
VOICE = ("call", "ai_call")
TO_A_NUMBER = ("call", "ai_call", "sms")
PARTIES = ("debtor", "contact", "co_obligor")
OUTCOMES = (
    "promise", "refused", "disputed", "unreachable", "dead_number", "no_more_contact", "agreed_hours", "paid_already", "deceased", "incapable", "message_left", "spoken", "other",
)
NEVER_CONNECTED = ("unreachable", "dead_number")
SLOTS = {"own": "debtor", "contact": "contact", "co_obligor": "co_obligor"}
SLOT = f"({'|'.join(SLOTS)})_[1-9]"  # which number, never the number itself
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"


def _among(column: str, names: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(name) for name in names)})"


_CONTACT = "coalesce(nullif(trim(kind), ''), 'contact') = 'contact'"
_PARTY_OF_SLOT = "CASE " + " ".join(f"WHEN starts_with(target, '{slot}_') THEN '{party}'" for slot, party in SLOTS.items()) + " END"
_OF_CONTACT = (
    C("applicant_id", "VARCHAR", "the borrower, as the book calls them"),
    C("loan_id", "VARCHAR", "the loan that it was about", null="the borrower as a whole"),
    C("kind", "VARCHAR", "contact, hold, release", null="contact"),
    C("begun_at", "TIMESTAMP", "when it began, by the clock in China", "minutes"),
    C("channel", "VARCHAR", ", ".join(CHANNELS), null="a hold or its release"),
    C("party", "VARCHAR", ", ".join(PARTIES), null="a hold or its release"),
    C("target", "VARCHAR", "which number: own_1, contact_1, co_obligor_1; never the number itself", null="no number: app, letter, visit"),
    C("connected", "BOOLEAN", "somebody answered; of an AI voice too", null="a hold or its release"),
    C("outcome", "VARCHAR", ", ".join(OUTCOMES), null="nothing came of it"),
    C("promise_date", "DATE", "the day by which it was promised", "date", "no promise"),
    C("promise_amount_fen", "BIGINT", "promised", "fen", "no amount was named: any money keeps it"),
    C("hours_from", "VARCHAR", "of hours that were agreed, HH:MM", null="none were"),
    C("hours_until", "VARCHAR", "their end, HH:MM, itself not in them", null="none were"),
    C("hold", "VARCHAR", "of a hold or its release: a kind in collections.toml", null="a contact"),
    C("until", "DATE", "a hold's last day", "date", "as its kind has it"),
    C("debt_details", "BOOLEAN", "the debt was told to who was reached", null="not recorded"),
    C("agent", "VARCHAR", "who did it, ';' between several", null="not given"),
    C("role", "VARCHAR", "in which role a hold was lifted", null="not given"),
)

CONTACTS = Contract(
    "contacts", "contact, hold or release", ("contact_id", "src_file", "src_row"),
    (
        C("contact_id", "VARCHAR", "the contact's own number: the same contact may come any number of times"),
        *_OF_CONTACT,
        C("src_file", "USMALLINT", "number of the file"),
        C("src_row", "BIGINT", "row of the file"),
    ),
    (
        Rule("contact-id-missing", "contact_id", "contact_id IS NULL OR contact_id = ''", "no contact_id"),
        Rule("applicant-id-missing", "applicant_id", "applicant_id IS NULL OR applicant_id = ''", "no borrower that it is about"),
        Rule("kind-unknown", "kind", "kind IS NOT NULL AND kind NOT IN ('contact', 'hold', 'release')", "no such kind; there are contact, hold, release"),
        Rule("begun-at-missing", "begun_at", "begun_at IS NULL", "no time at which it began"),
        Rule("channel-unknown", "channel", f"{_CONTACT} AND (channel IS NULL OR NOT {_among('channel', CHANNELS)})", f"no such channel; there are {', '.join(CHANNELS)}"),
        Rule("party-unknown", "party", f"{_CONTACT} AND (party IS NULL OR NOT {_among('party', PARTIES)})", f"no such party; there are {', '.join(PARTIES)}"),
        Rule("target-missing", "target", f"{_CONTACT} AND {_among('channel', TO_A_NUMBER)} AND (target IS NULL OR target = '')", "no slot of the number: own_1, contact_1, co_obligor_1"),
        Rule("target-no-slot", "target", f"target <> '' AND NOT regexp_full_match(target, '{SLOT}')", "a slot is wanted (own_1, contact_1, co_obligor_1), never a number"),
        Rule("target-of-another", "target", f"{_CONTACT} AND regexp_full_match(target, '{SLOT}') AND {_PARTY_OF_SLOT} <> party", "the slot is not the party's"),
        Rule("connected-missing", "connected", f"{_CONTACT} AND connected IS NULL", "whether somebody answered is not said"),
        Rule("outcome-unknown", "outcome", f"{_CONTACT} AND outcome IS NOT NULL AND NOT {_among('outcome', OUTCOMES)}", f"no such outcome; there are {', '.join(OUTCOMES)}"),
        Rule("outcome-against-connected", "outcome", f"{_CONTACT} AND connected AND {_among('outcome', NEVER_CONNECTED)}", "nobody can have answered with this outcome"),
        Rule("promise-date-missing", "promise_date", f"{_CONTACT} AND outcome = 'promise' AND (promise_date IS NULL OR promise_date < CAST(begun_at AS DATE))", "a promise wants a day, from that of the contact on"),
        Rule("promise-not-positive", "promise_amount_fen", "outcome = 'promise' AND promise_amount_fen <= 0", "an amount above 0 is wanted"),
        Rule("hours-wrong", "hours_from",
             f"{_CONTACT} AND outcome = 'agreed_hours' AND NOT coalesce(regexp_full_match(hours_from, '{_CLOCK}') AND regexp_full_match(hours_until, '{_CLOCK}') AND hours_from < hours_until, false)",
             "agreed hours want hours_from and a later hours_until, each HH:MM"),
        Rule("hold-missing", "hold", f"NOT {_CONTACT} AND (hold IS NULL OR hold = '')", "no kind of hold"),
        Rule("until-wrong", "until", "kind = 'hold' AND until < CAST(begun_at AS DATE)", "a day from that of the hold on is wanted"),
    ),
)

CONTACT_LOG = Contract(
    "contact_log", "contact, hold or release", ("contact_id",),
    (
        CONTACTS.columns[0], *_OF_CONTACT,
        C("received_on", "DATE", "business day on which the book came to know it", "date"),
        C("file", "VARCHAR", "the file it came in"),
        C("row", "BIGINT", "its row there"),
    ),
)

QUEUE = Contract(
    "queue", "borrower who is late on the day", ("priority",),
    (
        C("priority", "INTEGER", "1 is first: by expected recovery, then broken promises, then what is owed, then days late"),
        C("applicant_id", "VARCHAR", "the borrower, the lender's own pseudonym"),
        C("day", "DATE", "day of the contacts", "date"),
        C("now_at", "TIMESTAMP", "contacts from then on were not known or not counted", "minutes"),
        C("state_on", "DATE", "day at whose end the loans are taken", "date"),
        C("arm", "VARCHAR", "strategy that the borrower is under"),
        C("stage", "VARCHAR", "stage of the loan that is latest"),
        C("dpd", "INTEGER", "of the loan that is latest", "days"),
        C("owed_fen", "BIGINT", "due and unpaid, of all late loans that are not paused", "fen"),
        C("at_risk_fen", "BIGINT", "all that is outstanding of them: principal, interest, penalty, fees", "fen"),
        C("chance", "DOUBLE", "that what is late is paid within a month, by what is owed", "share"),
        C("chance_from", "VARCHAR", "book, shrunk (few in the book, drawn to the prior) or prior, of the loan that is latest"),
        C("expected_fen", "BIGINT", "owed x chance, loan by loan", "fen"),
        C("loans", "STRUCT(loan_id VARCHAR, dpd INTEGER, bucket VARCHAR, owed_fen BIGINT, at_risk_fen BIGINT, chance DOUBLE, expected_fen BIGINT, paused BOOLEAN)[]",
          "the late loans"),
        C("promise", "VARCHAR", "of the last one: open, kept, broken", null="none was made"),
        C("promise_date", "DATE", "of the last one", "date", "none was made"),
        C("promise_amount_fen", "BIGINT", "of the last one", "fen", "no amount was named"),
        C("window_from", "VARCHAR", "first minute of the day from which the debtor may be contacted, not before now, HH:MM"),
        C("window_until", "VARCHAR", "its end, HH:MM, itself not in it"),
        C("calls_left", "INTEGER", "connected voice calls with the debtor that are left today", null="no limit is known"),
        C("targets", "STRUCT(target VARCHAR, party VARCHAR, channels VARCHAR[], tries_left INTEGER, calls_left INTEGER, window_from VARCHAR, window_until VARCHAR)[]", "numbers that may be used and by what, in this order until one connects"),
        C("channels", "VARCHAR[]", "the strategy's channels, in its order"),
        C("channel", "VARCHAR", "the first of them by which one may: the plan of the day", null="by none"),
        C("script", "VARCHAR", "what is said"),
        *(C(f"why_not_{channel}", "VARCHAR", f"why not by {channel}", null="one may") for channel in CHANNELS),
    ),
)

BREACHES = Contract(
    "breaches", "contact and rule that it broke", ("breach", "rule", "begun_at", "contact_id"),
    (
        C("breach", "VARCHAR", "outside-hours, calls-used-up, tries-used-up, third-party, third-party-refused, debt-told, visit-alone, hold, agreed-hours, paused, "
          "numbering-gap; may-be-erased is none"),
        C("rule", "VARCHAR", "rule of the regulation, or the lender's own"),
        C("force", "VARCHAR", "law, guidance, standard (recommended), self_regulation, policy"),
        C("certainty", "VARCHAR", "how sure the rule is: H, M, L"),
        C("observed", "BOOLEAN", "the lender holds itself to it"),
        C("verified_through", "DATE", "of the rule", "date", "the lender's own"),
        C("document", "VARCHAR", "where it stands"),
        C("contact_id", "VARCHAR", "the contact"),
        C("applicant_id", "VARCHAR", "the borrower", null="of a series of numbers"),
        C("begun_at", "TIMESTAMP", "when it began", "minutes"),
        C("channel", "VARCHAR", "its channel", null="a hold or its release"),
        C("party", "VARCHAR", "who was reached for", null="a hold or its release"),
        C("target", "VARCHAR", "which number", null="no number"),
        C("says", "VARCHAR", "what was counted, against what may be"),
    ),
)

STAGE_ENTRIES = Contract(
    "stage_entries", "loan and day on which its stage changes", ("loan_id", "day"),
    (
        C("loan_id", "VARCHAR", "the loan"),
        C("applicant_id", "VARCHAR", "the borrower"),
        C("day", "DATE", "the day", "date"),
        C("stage", "SMALLINT", "0 not late, then by collections.toml"),
        C("owed_fen", "BIGINT", "due and unpaid at its end", "fen"),
    ),
)

COLLECTIONS = (CONTACTS, CONTACT_LOG, QUEUE, BREACHES, STAGE_ENTRIES)
