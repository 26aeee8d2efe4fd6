"""The list of errors, read from the code itself, so that it cannot be stale."""

from __future__ import annotations

import ast
from pathlib import Path

from qqloan_cli import errors as tree

_PACKAGE = Path(__file__).resolve().parent.parent


def errors() -> list[tuple[int, str, str]]:
    """(exit code, reference, what) of every error that the package can raise, by exit code and reference."""
    found = {}
    for path in sorted(_PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            kind = getattr(node.func, "id", None) if isinstance(node, ast.Call) else None
            raised = getattr(tree, kind, None) if kind else None
            if raised is None or len(node.args) < 2 or not isinstance(node.args[0], ast.Constant):
                continue
            found.setdefault((raised.exit_code, node.args[0].value), _words(node.args[1]))
    return [(code, ref, what) for (code, ref), what in sorted(found.items())]


def _words(node: ast.expr) -> str:
    """A message as written, with ... for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values)
    return "..."
