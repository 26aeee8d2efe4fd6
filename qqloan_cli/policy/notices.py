"""configs/notices/: the letters as data, in two languages; and the law that they name, regulation/cited.toml.

A letter is a list of blocks. A block is there where its conditions hold and the law that it names is in force on the letter's date. What
is constant (the lender, its days, the law) is filled in here; what is a person's own is numbered, for SQL to fill in (oversight/notices).
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.load import load, read_toml
from qqloan_cli.policy.products import Lender, Strict, load_lender
from qqloan_cli.policy.reasons import Reason, load_reasons
from qqloan_cli.policy.regulation import OPEN, Certainty, load_regulation

LANGS = ("en", "zh")
OF_RUN = ("approval", "partial", "decline", "referral")
KINDS = (*OF_RUN, "adverse")
# What SQL fills in, by its place in format(); a letter of one kind knows its own.
_OF_BOTH = ("name", "id_masked", "product", "dated", "application_id")
_APPLIED = (
    *_OF_BOTH, "applied_on", "requested_amount", "requested_term", "decide_by", "reasons", "changes", "sources", "offers", "offer_costs",
    "amount", "less", "term", "annual_rate", "all_in", "payment", "first_due", "conditions", "valid_until", "cost_table",
)
_BORROWED = (*_OF_BOTH, "loan_id", "dpd", "oldest_due", "owed", "owed_table", "pay_by")
FIELDS: dict[str, tuple[str, ...]] = {**dict.fromkeys(OF_RUN, _APPLIED), "adverse": _BORROWED}
# By their bits in a letter's mask.
_WHENS = ("named", "offers", "changes", "credit_used")
WHENS: dict[str, tuple[str, ...]] = {**dict.fromkeys(OF_RUN, (*_WHENS, "cut", "other_term", "planned", "conditions", "waiting")), "adverse": (*_WHENS, "grows")}
_CONSTANTS = ("lender", "contact", "review", "bureau", "bureau_where", "review_ask_days", "review_answer_days", "dispute_days")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_WORDS = (
    "item", "how", "standard", "payee", "amount", "annualised", "contingent", "none", "months", "offer_no", "product", "term", "annual_rate", "all_in", "payment", "cost_of_offer", "condition",
    "from_date", "no_reason", *(f"item_{item}" for item in ("principal", "interest", "monthly_fee", "upfront_fee", "total", "late_interest", "early_repayment")),
    *(f"per_{item}" for item in ("interest", "monthly_fee", "upfront_fee", "late_interest", "early_repayment")),
    *(f"how_{way}" for way in ("equal_instalment", "equal_principal", "interest_only", "bullet", "monthly_fee", "upfront_fee", "late_interest", "early_repayment")),
    *(f"source_{source}" for source in ("application", "payroll", "fund", "bank", "credit", "wealth", "activity")),
    *(f"owed_{part}" for part in ("part", "principal", "interest", "penalty", "fees", "total")),
)
Text = Annotated[str, Field(min_length=1)]
Days = Annotated[int, Field(ge=1, le=365)]


class Words(Strict):
    en: Text
    zh: Text

    def text(self, lang: str) -> str:
        return self.zh if lang == "zh" else self.en


class Cited(Strict):
    """Law that letters name. ``rule``: its dates, document and certainty are those of that rule."""

    id: Text
    title_en: Text
    title_zh: Text
    rule: str | None = None
    from_: Annotated[datetime.date | None, Field(alias="from")] = None
    to: datetime.date = OPEN
    document: str | None = None
    source: str | None = None
    certainty: Certainty | None = None
    verified_through: datetime.date | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Cited":
        said = (self.from_, self.document, self.source, self.certainty, self.verified_through)
        if (self.rule is None) != all(part is not None for part in said) or (self.rule is not None and any(part is not None for part in said)):
            raise ValueError(f"{self.id}: give rule, or from, document, source, certainty and verified_through")
        return self


class _CitedFile(Strict):
    cited: list[Cited]


class Block(Strict):
    use: str | None = None
    when: list[str] = []
    before_law: str | None = None
    en: str | None = None
    zh: str | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> "Block":
        if (self.use is None) != (self.en is not None and self.zh is not None) or (self.use is not None and (self.when or self.before_law)):
            raise ValueError("give use alone, or both en and zh")
        return self


class _Blocks(Strict):
    block: Annotated[list[Block], Field(min_length=1)]


class _Letter(_Blocks):
    title_en: Text
    title_zh: Text


class Say(Strict):
    """What a letter says of reason codes; ``change``, what the person can do."""

    codes: Annotated[list[str], Field(min_length=1)]
    en: Text
    zh: Text
    change_en: Text | None = None
    change_zh: Text | None = None
    weak: bool = False
    silent: bool = False
    within: list[str] = []

    @model_validator(mode="after")
    def _both(self) -> "Say":
        if (self.change_en is None) != (self.change_zh is None):
            raise ValueError("give change_en and change_zh, or neither")
        return self


class LetterLender(Strict):
    name_en: Text
    name_zh: Text
    contact_en: Text
    contact_zh: Text
    review_en: Text
    review_zh: Text


class Bureau(Strict):
    name_en: Text
    name_zh: Text
    where_en: Text
    where_zh: Text


class LetterDays(Strict):
    offer_valid: Days
    review_ask: Days
    review_answer: Days
    dispute: Days
    pay_before_report: Days


class Adverse(Strict):
    from_dpd: Annotated[int, Field(ge=1)]


class Pdf(Strict):
    font: str | None = None


class Settings(Strict):
    lender: LetterLender
    bureau: Bureau
    days: LetterDays
    adverse: Adverse
    pdf: Pdf = Pdf()


class Law(NamedTuple):
    """``from_``, ``to``: in force, the last day included; ``sure``: it may be named."""

    id: str
    en: str
    zh: str
    from_: datetime.date
    to: datetime.date
    sure: bool
    verified_through: datetime.date

    def names(self, date: datetime.date) -> bool:
        return self.sure and self.from_ <= date <= self.to

    def text(self, lang: str) -> str:
        return f"{self.zh}（自{self.from_}起施行）" if lang == "zh" else f"{self.en} (in force since {self.from_})"


@dataclass(frozen=True)
class Letters:
    """``blocks`` by kind, with what they share in its place; ``says`` by reason code; ``said_by``: the name of what is said, by code."""

    settings: Settings
    words: dict[str, Words]
    conditions: dict[str, Words]
    titles: dict[str, Words]
    blocks: dict[str, list[Block]]
    laws: dict[str, Law]
    says: dict[str, Say]
    said_by: dict[str, str]

    def word(self, name: str, lang: str) -> str:
        return self.words[name].text(lang).replace("{bureau}", self._constants(lang)["bureau"])

    def template(self, kind: str, lang: str, mask: int, date: datetime.date) -> str:
        """A letter's text in Markdown, for format() of DuckDB: {0}, {1}, ... stand for FIELDS[kind]."""
        whens = {name: bool(mask >> place & 1) for place, name in enumerate(WHENS[kind])}
        parts = [f"# {self.titles[kind].text(lang)}"]
        for block in self.blocks[kind]:
            text = block.zh if lang == "zh" else block.en
            if all(whens[name.lstrip("!")] != name.startswith("!") for name in block.when) and self._dated(block, text, date):
                parts.append(text.strip())
        return "\n\n".join(self._filled(part, kind, lang) for part in parts) + "\n"

    def notes(self, kinds: tuple[str, ...], date: datetime.date) -> list[tuple[str, str]]:
        """What letters of these kinds, dated so, have to say of their law: what they name and nobody has checked up to that date."""
        named = {law for kind in kinds for block in self.blocks[kind] for law in laws_in(block.en)}
        old = [law for law in self.laws.values() if law.id in named and law.names(date) and date > law.verified_through]
        if not old:
            return []
        return [("regulation-unverified", f"{', '.join(law.id for law in old)}: verified through {min(law.verified_through for law in old)}, the letters are dated {date}")]

    def _dated(self, block: Block, text: str, date: datetime.date) -> bool:
        if block.before_law and self.laws[block.before_law].names(date):
            return False
        return all(self.laws[law].names(date) for law in laws_in(text))

    def _filled(self, text: str, kind: str, lang: str) -> str:
        constants, fields = self._constants(lang), FIELDS[kind]

        def put(found: re.Match) -> str:
            name = found[1]
            if name.startswith("law:"):
                return _literal(self.laws[name.removeprefix("law:")].text(lang))
            return _literal(constants[name]) if name in constants else "{" + str(fields.index(name)) + "}"

        return _PLACEHOLDER.sub(put, text)

    def _constants(self, lang: str) -> dict[str, str]:
        of = lambda model, name: getattr(model, f"{name}_{lang}")  # noqa: E731
        lender, bureau, days = self.settings.lender, self.settings.bureau, self.settings.days
        return {
            "lender": of(lender, "name"), "contact": of(lender, "contact"), "review": of(lender, "review"), "bureau": of(bureau, "name"), "bureau_where": of(bureau, "where"),
            "review_ask_days": str(days.review_ask), "review_answer_days": str(days.review_answer), "dispute_days": str(days.dispute),
        }


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def laws_in(text: str) -> list[str]:
    return [name.removeprefix("law:") for name in _PLACEHOLDER.findall(text) if name.startswith("law:")]


def load_letters(config_dir: Path) -> Letters:
    """Raises ConfigError at a placeholder that is not known, at one that stands in one language alone, and at law that is not cited."""
    folder = config_dir / "notices"
    laws = _laws(config_dir)
    shared = {name: load(folder / "common.toml", _Blocks, content).block for name, content in read_toml(folder / "common.toml").items()}
    titles, blocks = {}, {}
    for kind in KINDS:
        path = folder / f"{kind}.toml"
        letter = load(path, _Letter)
        titles[kind] = Words(en=letter.title_en, zh=letter.title_zh)
        blocks[kind] = []
        for block in letter.block:
            if block.use is not None and block.use not in shared:
                raise ConfigError("notice-block-unknown", f"common.toml has no blocks {block.use!r}", str(path), f"There are: {', '.join(shared)}.")
            blocks[kind] += shared[block.use] if block.use else [block]
        for block in blocks[kind]:
            _check_block(block, kind, laws, path)
    words, conditions = _words(folder / "words.toml")
    says, said_by = _says(folder / "reasons.toml", load_reasons(config_dir))
    settings = load(folder / "letters.toml", Settings)
    return Letters(settings, words, conditions, titles, blocks, laws, says, said_by)


def _check_block(block: Block, kind: str, laws: dict[str, Law], path: Path) -> None:
    known = {*FIELDS[kind], *_CONSTANTS}
    found = {lang: sorted(_PLACEHOLDER.findall(text)) for lang, text in (("en", block.en), ("zh", block.zh))}
    for name in (*found["en"], *found["zh"]):
        if name.startswith("law:") and name.removeprefix("law:") not in laws or not name.startswith("law:") and name not in known:
            raise ConfigError("notice-placeholder-unknown", f"a letter of kind {kind} knows no {{{name}}}", str(path), f"There are: {', '.join(sorted(known))}, and law:ID of regulation/cited.toml.")
    if found["en"] != found["zh"]:
        raise ConfigError("notice-languages-differ", f"{kind}: the placeholders of a block differ between en and zh: {' '.join(found['en'])} against {' '.join(found['zh'])}", str(path), "Say the same in both.")
    for text in (block.en, block.zh):
        if set("{}") & set(_PLACEHOLDER.sub("", text)):
            raise ConfigError("notice-placeholder-unknown", f"{kind}: a brace that belongs to no placeholder", str(path), "Write a placeholder as {name}.")
    wrong = [name for name in block.when if name.lstrip("!") not in WHENS[kind]]
    if wrong:
        raise ConfigError("notice-condition-unknown", f"a letter of kind {kind} knows no condition {wrong[0]!r}", str(path), f"There are: {', '.join(WHENS[kind])}.")
    if block.before_law and block.before_law not in laws:
        raise ConfigError("notice-placeholder-unknown", f"before_law: {block.before_law} is not in regulation/cited.toml", str(path), f"There are: {', '.join(laws)}.")


def _laws(config_dir: Path) -> dict[str, Law]:
    path = config_dir / "regulation" / "cited.toml"
    rules = {rule.id: rule for rule in load_regulation(config_dir).rules}
    lender: Lender = load_lender(config_dir)
    found: dict[str, Law] = {}
    for cited in load(path, _CitedFile).cited:
        if cited.id in found or (cited.rule is not None and cited.rule not in rules):
            raise ConfigError("cited-law-wrong", f"{cited.id} stands twice, or its rule is none of regulation/", str(path), "Cite each law once, by a rule that is there.")
        dated = cited if cited.rule is None else rules[cited.rule]
        sure = dated.certainty == "H" and (cited.rule is None or (dated.kind == "law" and dated.binds(lender)))
        found[cited.id] = Law(cited.id, cited.title_en, cited.title_zh, dated.from_, dated.to, sure, dated.verified_through)
    return found


def _words(path: Path) -> tuple[dict[str, Words], dict[str, Words]]:
    content = read_toml(path)
    conditions = {name: load(path, Words, entry) for name, entry in content.pop("condition_words", {}).items()}
    words = {name: load(path, Words, entry) for name, entry in content.items()}
    lacking = [name for name in _WORDS if name not in words]
    if lacking:
        raise ConfigError("notice-word-missing", f"words.toml lacks {', '.join(lacking)}", str(path), "Write each in en and zh.")
    for name, word in {**words, **conditions}.items():
        if set("|\n") & set(word.en + word.zh):
            raise ConfigError("notice-word-wrong", f"{name}: a word of a table holds no | and no new line", str(path), "Leave it out.")
    return words, conditions


def _says(path: Path, reasons: dict[str, Reason]) -> tuple[dict[str, Say], dict[str, str]]:
    """By name what is said; by reason code its name. What is told in its own words has the code for a name."""
    says = {name: load(path, Say, entry) for name, entry in read_toml(path).items()}
    said_by: dict[str, str] = {}
    for name, say in says.items():
        for code in say.codes:
            if code not in reasons or code in said_by:
                raise ConfigError("notice-reason-wrong", f"{name}: {code} is no reason code, or is said twice", str(path), "Codes are those of configs/reasons/, each once.")
            said_by[code] = name
        if unknown := [other for other in say.within if other not in says]:
            raise ConfigError("notice-reason-wrong", f"{name}: within names {unknown[0]}, which is none of what is said", str(path), "Name others of this file.")
    for code, reason in reasons.items():
        if code not in said_by:
            says[code], said_by[code] = Say(codes=[code], en=reason.en, zh=reason.zh), code
    return says, said_by
