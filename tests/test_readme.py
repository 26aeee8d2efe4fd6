"""README is true: every command in it runs, in order, as a reader would type them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_first_two_lines_are_the_two_commands():
    first, second = BLOCKS[0].strip().splitlines()
    assert "qqloan run sample_data" in first and "pytest" in second


def test_every_other_command_runs(tmp_path):
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "qqloan").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m qqloan_cli "$@"\n')
    (bin_dir / "qqloan").chmod(0o755)
    here = tmp_path / "reader"
    here.mkdir()
    for name in ("configs", "sample_data"):
        (here / name).symlink_to(ROOT / name)
    env = {k: v for k, v in os.environ.items() if not k.startswith("QQLOAN_")} | {"PATH": f"{bin_dir}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    script = "set -eu\n" + "\n".join(BLOCKS[1:])
    done = subprocess.run(["bash", "-c", script], cwd=here, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]


def test_every_command_is_in_it():
    from qqloan_cli.app import COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [entry.name for entry in COMMANDS if f"qqloan {entry.name}" not in text] == []


def test_every_exit_code_is_in_it():
    from qqloan_cli.commands.errors import EXIT_CODES

    table = (ROOT / "README.md").read_text(encoding="utf-8").split("| exit | meaning |")[1].split("\n\n")[0]
    assert all(str(code) in table for code, _ in EXIT_CODES)


def test_no_path_of_a_machine_is_in_the_project():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for name in listed:
        path = Path(ROOT, name)
        if path.suffix in (".py", ".toml", ".sql", ".md", ".lock") and path.name != "test_readme.py":
            assert "/wor" "k/" not in path.read_text(encoding="utf-8"), name
