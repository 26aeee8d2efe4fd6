"""configs/credit.toml: how the codes, kinds and inquiries of a credit report are read."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qqloan_cli.policy.load import load

KINDS = ("mortgage", "car_loan", "consumer_loan", "microloan", "business_loan", "student_loan", "credit_card", "quasi_card", "other")


class _Strict(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)


class Code(_Strict):
    """One letter of the repayment grid. ``dpd``: days past due at most."""

    code: str = Field(min_length=1, max_length=1)
    means: str
    dpd: int = Field(ge=0)
    overdue: bool = False
    bad: bool = False
    reported: bool = False


class Kind(_Strict):
    """A kind of tradeline: an annuity on what is owed, or a share of it, where no payment is given."""

    secured: bool = False
    revolving: bool = False
    annual_rate: float | None = Field(default=None, ge=0, le=1)
    months: int | None = Field(default=None, ge=1)
    share: float | None = Field(default=None, gt=0, le=1)
    unknown_balance: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _one_of(self) -> "Kind":
        if (self.share is None) == (self.annual_rate is None or self.months is None):
            raise ValueError("give annual_rate and months, or share")
        return self

    @property
    def payment_ppm(self) -> int:
        """Due a month in millionths of what is owed."""
        if self.share is not None:
            return round(self.share * 1_000_000)
        rate = self.annual_rate / 12
        return round(1_000_000 * (rate / (1 - (1 + rate) ** -self.months) if rate else 1 / self.months))


class CreditPolicy(_Strict):
    thin_months: int = Field(ge=0)
    thin_reported: int = Field(ge=0)
    soft_inquiries: tuple[str, ...]
    inquiry_days: tuple[int, int, int]
    code: tuple[Code, ...]
    kind: dict[str, Kind]

    @model_validator(mode="after")
    def _whole(self) -> "CreditPolicy":
        if missing := [kind for kind in KINDS if kind not in self.kind]:
            raise ValueError(f"no [kind.{missing[0]}]")
        if len({code.code for code in self.code}) != len(self.code):
            raise ValueError("a repayment code is explained twice")
        return self


def load_credit(config_dir: Path) -> CreditPolicy:
    return load(config_dir / "credit.toml", CreditPolicy)
