"""The texts of reason codes, in two languages: configs/reasons/*.toml, one file a stage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qqloan_cli.errors import ConfigError
from qqloan_cli.policy.load import read_toml
from qqloan_cli.policy.review import load_review

EFFECTS = ("decline", "refer", "note")


@dataclass(frozen=True)
class Reason:
    """``effect`` is what the code can do at most: decline, refer or note."""

    code: str
    en: str
    zh: str
    effect: str

    def text(self, lang: str) -> str:
        return self.zh if lang == "zh" else self.en


def load_reasons(config_dir: Path) -> dict[str, Reason]:
    """Every reason code of a configuration, people's (review.toml) too. A code is said once, and in both languages."""
    review = config_dir / "review.toml"
    reasons = {code: Reason(code, why.en, why.zh, "decline") for code, why in load_review(config_dir).reasons.items()} if review.is_file() else {}
    for path in sorted((config_dir / "reasons").glob("*.toml")):
        for code, entry in read_toml(path).items():
            if not isinstance(entry, dict) or not entry.get("en") or not entry.get("zh") or entry.get("effect") not in EFFECTS:
                raise ConfigError("reason-incomplete", f"{code} needs en, zh and effect ({', '.join(EFFECTS)})", str(path), "Write all three.")
            if code in reasons:
                raise ConfigError("reason-twice", f"{code} is said in two files", str(path), "Keep one.")
            reasons[code] = Reason(code, entry["en"], entry["zh"], entry["effect"])
    return reasons
