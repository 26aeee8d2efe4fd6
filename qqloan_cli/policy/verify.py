"""configs/verify.toml: identity checks, their order, and what each finding does."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.load import load
from qqloan_cli.policy.reasons import load_reasons

OUTCOMES = ("pass", "note", "refer", "fail")
_AT_MOST = {"note": "note", "refer": "refer", "decline": "fail"}  # what a reason's effect allows

# Every check and every code that the stage can find: a configuration says what each does, none more and none fewer.
FINDINGS = {
    "id_number": ("V-ID-MISSING", "V-ID-FORM"),
    "id_generation": ("V-ID-OLD15", "V-ID-FOREIGN-OLD"),
    "id_date": ("V-ID-DATE",),
    "id_digit": ("V-ID-DIGIT",),
    "id_region": ("V-ID-REGION", "V-ID-REGION-RETIRED"),
    "birth_date": ("V-BIRTH-DIFFERS",),
    "gender": ("V-GENDER-DIFFERS",),
    "age": ("V-AGE-LOW", "V-AGE-HIGH", "V-AGE-UNKNOWN"),
    "student": ("V-STUDENT", "V-STUDENT-BANNED"),
    "phone": ("V-PHONE-MISSING", "V-PHONE-FORM", "V-PHONE-UNKNOWN", "V-PHONE-IOT", "V-PHONE-SATELLITE", "V-PHONE-VIRTUAL"),
    "card": ("V-CARD-MISSING", "V-CARD-FORM", "V-CARD-DIGIT", "V-CARD-DIGIT-OLD"),
    "employer_uscc": ("V-USCC-MISSING", "V-USCC"),
    "consent": ("V-CONSENT-MISSING", "V-CONSENT-SCOPE", "V-CONSENT-LATE", "V-CONSENT-WITHDRAWN", "V-CONSENT-WITHDRAWN-SINCE"),
    "same_id": ("V-SAME-ID", "V-SAME-ID-MANY"),
    "same_phone": ("V-SAME-PHONE", "V-SAME-PHONE-MANY"),
    "same_card": ("V-SAME-CARD", "V-SAME-CARD-MANY"),
    "same_device": ("V-SAME-DEVICE-FEW", "V-SAME-DEVICE", "V-SAME-DEVICE-MANY"),
    "same_contact": ("V-SAME-CONTACT", "V-SAME-CONTACT-MANY"),
    "same_statement": ("V-SAME-STATEMENT", "V-SAME-STATEMENT-MANY"),
    "own_contact": ("V-OWN-CONTACT",),
    "velocity": ("V-VELOCITY", "V-VELOCITY-MANY"),
    "open_application": ("V-OPEN-APPLICATION",),
    "past_declines": ("V-PAST-DECLINES",),
    "blocklist": ("V-BLOCK-ID", "V-BLOCK-APPLICANT", "V-BLOCK-CARD", "V-BLOCK-PHONE", "V-BLOCK-DEVICE", "V-BLOCK-CONTACT"),
}
NOT_APPLICABLE = ("V-NA-ID", "V-NA-PHONE", "V-NA-CARD", "V-NA-USCC", "V-NA-CONSENT")


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")


class Age(_Strict):
    min: int = Field(ge=0, le=120)
    max: int = Field(ge=0, le=120)

    @model_validator(mode="after")
    def _in_order(self) -> "Age":
        if self.min > self.max:
            raise ValueError("min is above max")
        return self


class IdRules(_Strict):
    numbers_since: int = Field(ge=1980, le=2000)
    oldest_years: int = Field(ge=65, le=150)


class Consent(_Strict):
    scope: list[Literal["credit", "income", "social"]]


class Threshold(_Strict):
    refer_from: int = Field(ge=1)
    many_from: int = Field(ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> "Threshold":
        if self.many_from <= self.refer_from:
            raise ValueError("many_from is not above refer_from")
        return self


class Shared(_Strict):
    id: Threshold
    phone: Threshold
    card: Threshold
    device: Threshold
    contact: Threshold
    statement: Threshold


class Velocity(_Strict):
    applications_1d: Threshold
    applications_7d: Threshold
    applications_30d: Threshold
    applications_90d: Threshold


class History(_Strict):
    declines_90d_refer_from: int = Field(ge=1)


class VerifyPolicy(_Strict):
    age: Age
    id: IdRules
    consent: Consent
    student: dict[str, Literal["pass", "refer", "fail"]]
    shared: Shared
    velocity: Velocity
    history: History
    checks: dict[str, dict[str, Literal["pass", "note", "refer", "fail"]]]

    @field_validator("checks")
    @classmethod
    def _complete(cls, checks):
        for check, codes in FINDINGS.items():
            if check not in checks:
                raise ValueError(f"{check} is missing")
            odd = set(codes) ^ set(checks[check])
            if odd:
                raise ValueError(f"{check} has codes missing or unknown: {', '.join(sorted(odd))}")
        unknown = set(checks) - set(FINDINGS)
        if unknown:
            raise ValueError(f"no such check: {', '.join(sorted(unknown))}")
        return checks

    def code_rows(self) -> list[tuple[str, int, str, str]]:
        """(check, its place, code, outcome), a not_applicable code standing under every check."""
        rows = []
        for place, (check, codes) in enumerate(self.checks.items()):
            rows += [(check, place, code, outcome) for code, outcome in codes.items()]
            rows += [(check, place, code, "not_applicable") for code in NOT_APPLICABLE]
        return rows


def load_verify(config_dir: Path) -> VerifyPolicy:
    """The policy, and the assurance that no code does more than its reason's effect says."""
    policy = load(config_dir / "verify.toml", VerifyPolicy)
    reasons = load_reasons(config_dir)
    for check, codes in policy.checks.items():
        for code, outcome in codes.items():
            where = f"checks.{check}.{code}"
            if code not in reasons:
                raise ConfigError("reason-missing", f"{where} has no text in reasons/", str(config_dir / "reasons"), "Write it in both languages.")
            if OUTCOMES.index(outcome) > OUTCOMES.index(_AT_MOST[reasons[code].effect]):
                raise ConfigError("outcome-beyond-effect", f"{where} is {outcome}, but its reason can {reasons[code].effect} at most",
                                  str(config_dir / "verify.toml"), "Change the outcome, or the effect in reasons/verify.toml.")
    return policy
