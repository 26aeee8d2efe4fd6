"""What differs between two configurations, setting by setting, and the same in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from qqloan_cli.engine.files import sha256
from qqloan_cli.policy.load import read_toml
from qqloan_cli.policy.settings import entries
from qqloan_cli.policy.version import model_version


class Change(NamedTuple):
    """``kind``: new, gone, changed, order or file. ``before`` and ``after``: values as JSON has them; None where there is none."""

    file: str
    key: str
    kind: str
    before: Any
    after: Any


def changes(before: Path, after: Path) -> list[Change]:
    """Every difference, in order of file and of setting. The model counts as one; other files than TOML are told apart by their content."""
    found: list[Change] = []
    for name in sorted(_names(before) | _names(after)):
        sides = [folder / name for folder in (before, after)]
        have = [side.is_file() for side in sides]
        if all(have) and sha256(sides[0]) == sha256(sides[1]):
            continue
        if name.endswith(".toml"):
            one, other = (read_toml(side) if there else {} for side, there in zip(sides, have))
            found += _between(name, "", _plain(one), _plain(other))
        else:
            found.append(Change(name, "", "changed" if all(have) else "gone" if have[0] else "new", *(_lines(side) if there else None for side, there in zip(sides, have))))
    models = [model_version(folder) for folder in (before, after)]
    if models[0] != models[1]:
        found.append(Change("model", "", "changed", *(_model(folder, version) for folder, version in zip((before, after), models))))
    return found


def _names(folder: Path) -> set[str]:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith("model/")}


def _plain(document: dict) -> dict:
    return json.loads(json.dumps(document, default=str))


def _lines(path: Path) -> str:
    return f"{len(path.read_bytes().splitlines()):,} lines, sha256 {sha256(path)[:12]}"


def _model(folder: Path, version: str | None) -> dict | None:
    if version is None:
        return None
    manifest = folder / "model" / "manifest.json"
    measures = json.loads(manifest.read_text(encoding="utf-8")).get("measures", {}) if manifest.is_file() else {}
    held = measures.get("model", {}).get("cross_validated", {})
    return {"version": version, **{name: held[name] for name in ("auc", "brier") if name in held}}


def _between(file: str, key: str, before: Any, after: Any) -> list[Change]:
    if before == after:
        return []
    one, other = _named(before), _named(after)
    if one is None or other is None:
        return [Change(file, key, "changed", before, after)]
    found: list[Change] = []
    for name in dict.fromkeys([*one, *other]):
        inside = f"{key}.{name}" if key else name
        if name not in other:
            found.append(Change(file, inside, "gone", one[name], None))
        elif name not in one:
            found.append(Change(file, inside, "new", None, other[name]))
        else:
            found += _between(file, inside, one[name], other[name])
    kept = [[name for name in side if name in one and name in other] for side in (one, other)]
    if isinstance(before, list) and kept[0] != kept[1]:  # the order of a list of entries counts: rules are weighed by it
        found.append(Change(file, key, "order", *kept))
    return found


def _named(tree: Any) -> dict[str, Any] | None:
    """The entries of a table, or of a list whose entries all have a name of their own; None of a value."""
    found = entries(tree)
    if found is None or isinstance(tree, list) and (len(found) < len(tree) or any(name.isdigit() for name in found)):
        return None
    return {name: value for name, (_, value) in found.items()}


_WORDS = {
    "new": ("{where} is new: {after}", "{where} 新增：{after}"), "gone": ("{where} is gone; it was {before}", "{where} 删除，原为 {before}"),
    "changed": ("{where} is {after}, was {before}", "{where} 由 {before} 改为 {after}"), "order": ("{where} stand in another order: {after}", "{where} 顺序改变：{after}"),
    "model": ("the model is {after}, was {before}", "模型由 {before} 改为 {after}"),
}


def in_words(change: Change, lang: str = "en") -> str:
    """One sentence."""
    pattern = _WORDS["model" if change.file == "model" else change.kind][lang == "zh"]
    where = f"{change.file}: {change.key}" if change.key else change.file
    return pattern.format(where=where, before=_told(change.before), after=_told(change.after))


def _told(value: Any) -> str:
    """A value as an officer reads it: of a rule what it does and when, of an entry its settings in a line."""
    if isinstance(value, dict) and {"effect", "when"} <= set(value):
        return f"{value['effect']} when {value['when']}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(part)}" for name, part in value.items()) or "empty"
    if isinstance(value, list):
        return "[" + ", ".join(_told(part) for part in value) + "]"
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
