"""verify: who the applicant is, what consent there is, who else uses his keys, which lists he is on."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

import pyarrow as pa

from qqloan_cli import links
from qqloan_cli.engine.run import Run
from qqloan_cli.engine.stage import Stage, Task
from qqloan_cli.errors import ConfigError
from qqloan_cli.links.keys import hashed_blocklist
from qqloan_cli.policy.load import read_toml
from qqloan_cli.policy.verify import VerifyPolicy, load_verify

_NUMBERS = Path(links.__file__).parent / "numbers.sql"
_STUDENT_CODES = {"pass": "", "refer": "V-STUDENT", "fail": "V-STUDENT-BANNED"}


def settings(run: Run) -> dict:
    policy = load_verify(run.config_dir)
    products = read_toml(run.config_dir / "products.toml").get("products", {})
    checks, places, codes, outcomes = zip(*policy.code_rows())
    return {
        "rules": _rules(run, policy, next(iter(products), None)),
        "codes": pa.table({"check": checks, "code": codes, "outcome": outcomes}),
        "check_order": pa.table({"check": list(policy.checks), "place": pa.array(range(len(policy.checks)), pa.int32())}),
        "product_ages": pa.table({
            "product": pa.array(list(products), pa.string()),
            "age_min": pa.array([entry.get("age_min") for entry in products.values()], pa.int32()),
            "age_max": pa.array([entry.get("age_max") for entry in products.values()], pa.int32()),
        }),
        "regions": _regions(run.config_dir / "reference" / "regions.csv"),
        "phone_prefixes": _phone_prefixes(run.config_dir / "reference" / "phone_prefixes.csv"),
    }


def listed(run: Run, con) -> dict:
    return {"blocked": hashed_blocklist(run, con)}


def _rules(run: Run, policy: VerifyPolicy, first_product: str | None) -> pa.Table:
    licence = read_toml(run.config_dir / "lender.toml").get("licence")
    if licence not in policy.student:
        raise ConfigError("licence-without-student-rule", f"verify.toml says nothing of students for licence {licence}", str(run.config_dir / "verify.toml"),
                          "Add it under [student].")
    row = {
        "as_of": run.as_of, "first_product": first_product, "usual_age_min": policy.age.min, "usual_age_max": policy.age.max,
        "numbers_since": policy.id.numbers_since, "oldest_years": policy.id.oldest_years, "scope_needed": policy.consent.scope,
        "student_code": _STUDENT_CODES[policy.student[licence]], "declines_refer": policy.history.declines_90d_refer_from,
    }
    for name in ("id", "phone", "card", "device", "contact", "statement"):
        limits = getattr(policy.shared, name)
        row |= {f"{name}_refer": limits.refer_from, f"{name}_many": limits.many_from}
    for window in ("1d", "7d", "30d", "90d"):
        limits = getattr(policy.velocity, f"applications_{window}")
        row |= {f"refer_{window}": limits.refer_from, f"many_{window}": limits.many_from}
    return pa.Table.from_pylist([row])


def _columns(path: Path, *names: str) -> Iterator[tuple[str, ...]]:
    """The rows of a reference file, of each these columns. Raises ValueError or KeyError where one is missing."""
    try:
        with open(path, encoding="utf-8", newline="") as lines:
            rows = csv.reader(line for line in lines if not line.startswith("#"))
            places = {name: place for place, name in enumerate(next(rows, []))}
            yield from map(itemgetter(*[places[name] for name in names]), filter(None, rows))
    except FileNotFoundError:
        raise ConfigError("config-missing", f"no {path.name}", str(path.parent), "qqloan init DIR writes a whole configuration.") from None


def _regions(path: Path) -> pa.Table:
    """One row a code: the first year in which it was in force, and the last (9999 where it still is)."""
    spans: dict[str, tuple[int, int]] = {}
    try:
        for code, from_year, to_year in _columns(path, "code", "from_year", "to_year"):
            first, last = int(from_year or 0), int(to_year or 9999)
            before = spans.get(code, (first, last))
            spans[code] = (min(first, before[0]), max(last, before[1]))
    except (KeyError, IndexError, ValueError):
        raise ConfigError("regions-unreadable", "regions.csv does not have code, from_year, to_year", str(path), "Take the shipped one.") from None
    return pa.table({
        "code": list(spans),
        "first_from": pa.array([first for first, _ in spans.values()], pa.int32()),
        "last_to": pa.array([last for _, last in spans.values()], pa.int32()),
    })


def _phone_prefixes(path: Path) -> pa.Table:
    """Every beginning of five digits, so that one join finds the longest prefix that fits."""
    kinds: dict[tuple[str, int], tuple[int, str]] = {}
    try:
        for prefix, digits, kind in _columns(path, "prefix", "digits", "kind"):
            digits = int(digits)
            for rest in range(10 ** (5 - len(prefix))):
                beginning = prefix + (f"{rest:0{5 - len(prefix)}d}" if len(prefix) < 5 else "")
                if kinds.get((beginning, digits), (0, ""))[0] < len(prefix):
                    kinds[(beginning, digits)] = (len(prefix), kind)
    except (KeyError, IndexError, ValueError):
        raise ConfigError("prefixes-unreadable", "phone_prefixes.csv does not have prefix (at most five digits), digits, kind", str(path), "Take the shipped one.") from None
    return pa.table({
        "beginning": [beginning for beginning, _ in kinds], "digits": pa.array([digits for _, digits in kinds], pa.int32()),
        "kind": [kind for _, kind in kinds.values()],
    })


def compute(task: Task) -> None:
    task.script(_NUMBERS)
    task.script(STAGE.sql_file)


STAGE = Stage(
    name="verify", kind="map", reads=("applicants", "keys", "links", "blocklist"), writes=("verify",), module=__name__,
    settings=settings, listed=listed, compute=compute,
)
