"""Completion in the shell: commands and options, without anything heavy."""

from __future__ import annotations

import pytest

from conftest import call


@pytest.mark.parametrize("line, offered", [
    ("qqloan ex", ["explain", "export"]),
    ("qqloan run --work", ["--workers"]),
    ("qqloan source ch", ["check"]),
    ("qqloan ingest", ["ingest-income"]),
])
def test_the_shell_is_offered_what_fits(line, offered):
    words = line.split()
    env = {"_QQLOAN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    assert call(env=env).out.split() == offered
