"""The house: one-way imports, light commands, a complete table of them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from qqloan_cli.app import COMMANDS
from qqloan_cli.contracts import CONTRACTS

PACKAGE = Path(__file__).resolve().parent.parent / "qqloan_cli"
HEAVY = ("duckdb", "pandas", "pyarrow", "numpy", "scipy", "xgboost", "pydantic", "python_calamine", "pyspark")

# Who may import whom. commands may also reach engine and policy for what they hand over.
MAY = {
    "errors": set(),
    "contracts": {"errors"},
    "engine": {"errors", "contracts", "process"},
    "policy": {"errors", "contracts", "engine"},
    "loans": {"errors", "contracts", "engine", "policy"},
    "scoring": {"errors", "contracts", "engine", "policy"},
    "funding": {"errors", "contracts", "engine", "policy", "loans"},
    "intake": {"errors", "contracts", "engine", "policy"},
    "links": {"errors", "contracts", "engine", "policy"},
    "stages": {"errors", "contracts", "engine", "policy", "loans", "scoring", "funding", "intake", "links"},
    "generate": {"errors", "contracts", "policy", "engine"},
    "asking": {"errors", "contracts", "engine", "policy", "loans", "stages"},
    "chain": {"errors", "engine", "stages", "links", "asking"},
    "making": {"errors", "engine", "policy", "intake", "archive", "chain"},
    "archive": {"errors", "contracts", "engine", "policy", "chain"},
    "servicing": {"errors", "contracts", "engine", "policy", "loans", "intake"},
    "oversight": {"errors", "contracts", "engine", "policy", "loans", "funding", "scoring", "servicing", "archive", "chain", "making", "asking", "intake"},
    "reports": {"errors", "contracts", "engine", "policy"},
    "notebook": {"errors", "contracts", "engine", "oversight", "servicing", "reports"},
    "commands": {"errors", "app", "chain", "making", "asking", "archive", "servicing", "oversight", "contracts", "engine", "policy", "intake", "scoring", "loans", "funding", "links", "generate", "reports", "commands"},
    "process": set(),
    "app": {"errors", "process", "reports", "commands"},
}


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def _imports(path: Path, top_level_only: bool = False):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py") or path.parent != PACKAGE)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    room = _room(path)
    wanted = {name.split(".")[1] for name in _imports(path) if name.startswith("qqloan_cli.") and len(name.split(".")) > 1}
    wanted -= {room, "__version__"}
    assert wanted <= MAY[room], f"{path.name} in {room} reaches {sorted(wanted - MAY[room])}"


def test_no_stage_imports_another():
    for path in (PACKAGE / "stages").glob("*.py"):
        others = {name for name in _imports(path) if name.startswith("qqloan_cli.stages.")}
        assert not others, f"{path.name}: {others}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "commands").glob("*.py")), ids=lambda p: p.name)
def test_a_command_imports_nothing_heavy_until_it_is_called(path):
    heavy = {name for name in _imports(path, top_level_only=True) if name.split(".")[0] in HEAVY}
    assert not heavy


def test_help_of_every_command_imports_nothing_heavy():
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom qqloan_cli.app import app, COMMANDS, _load\n"
        "for entry in COMMANDS: _load(entry)\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    got = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert got == "[]"


def test_every_command_has_a_file_and_says_what_it_does():
    from qqloan_cli.app import _load

    for entry in COMMANDS:
        command = _load(entry)
        assert command.help, entry.name
        assert entry.help.endswith(".")


def test_modules_stay_short():
    longest = max(MODULES, key=lambda path: len(path.read_text(encoding="utf-8").splitlines()))
    assert len(longest.read_text(encoding="utf-8").splitlines()) < 500, longest


def test_money_is_never_float_nor_is_a_rate_that_money_is_made_of():
    for contract in CONTRACTS.values():
        for column in contract.columns:
            if column.name.endswith("_fen"):
                assert column.type == "BIGINT", f"{contract.name}.{column.name}"
            if column.name.endswith("_rate") and contract.name == "limit":
                assert column.type.startswith("DECIMAL"), f"{contract.name}.{column.name}"


def test_no_stage_leaves_a_personal_column():
    from qqloan_cli.contracts import INPUTS, OUTPUTS

    personal = {column.name for contract in INPUTS for column in contract.columns if column.personal} - {"employer", "value"}
    for contract in OUTPUTS:
        assert not personal & set(contract.names), contract.name


def test_every_column_says_what_it_means():
    for contract in CONTRACTS.values():
        assert contract.grain and contract.key and set(contract.key) <= set(contract.names), contract.name
        assert all(column.meaning and column.null for column in contract.columns), contract.name
