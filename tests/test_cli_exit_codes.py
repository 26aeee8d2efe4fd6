"""Exit codes that need a second process, a signal or a fault of ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import AS_OF, ROOT, call
from qqloan_cli import errors
from qqloan_cli.engine.files import only_writer


def test_75_while_another_process_writes(tmp_path):
    out = tmp_path / "run"
    with only_writer(out):
        refused = call("run", "sample_data", "--out", out, "--as-of", AS_OF)
    assert refused.code == 75 and refused.out == "" and refused.err.startswith("error: run-locked") and refused.err.count("\n") == 1


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_leaves_no_half_run(tmp_path, number, code):
    out = tmp_path / "run"
    child = subprocess.Popen([sys.executable, "-m", "qqloan_cli", "run", "sample_data", "--out", str(out), "--as-of", AS_OF],
                             cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / ".run.building" / "run.json").exists():
        time.sleep(0.01)
        assert child.poll() is None
    child.send_signal(number)
    _, err = child.communicate(timeout=60)
    assert child.returncode == code and "Traceback" not in err
    assert not out.exists()


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_waits_until_what_is_being_imported_is_whole(tmp_path, number, code):
    """A C++ library that meets an exception while it is loaded aborts the process (DuckDB 1.4 to 2.0 do)."""
    (tmp_path / "loaded.py").write_text(f"import os, time\nos.kill(os.getpid(), {int(number)})\ntime.sleep(0.1)\nprint('whole', flush=True)\n")
    script = (
        "from qqloan_cli import app\nfrom qqloan_cli.commands import errors\n"
        "def loads(format='table'):\n    import loaded, time\n    time.sleep(20)\n    print('still here')\n"
        "errors.errors = loads\nimport sys\nsys.argv = ['qqloan', 'errors']\napp.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (code, "whole\n")


def test_70_says_where_and_never_with_what(tmp_path):
    script = (
        "from qqloan_cli import app\nfrom qqloan_cli.commands import errors\n"
        "def broken(format='table'):\n    secret = '110105199010110005'\n    raise ValueError(secret)\n"
        "errors.errors = broken\nimport sys\nsys.argv = ['qqloan', 'errors', '--debug']\napp.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 70 and "internal-error: ValueError" in done.stderr
    assert "110105199010110005" not in done.stderr + done.stdout


@pytest.mark.parametrize("kind", [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.QqloanError)], ids=lambda e: e.__name__)
def test_every_error_is_one_line_and_ends_in_its_code(kind, capsys, monkeypatch):
    from qqloan_cli import app
    from qqloan_cli.reports import console

    def fails(*_, **__):
        raise kind("some-thing-wrong", "what\nwas wrong", "where it was", "Mend it so.")

    monkeypatch.setattr(app.typer.main, "get_command", fails)
    monkeypatch.setattr(app.process, "heed_signals", lambda: None)
    console.configure()
    with pytest.raises(SystemExit) as left:
        app.main([])
    assert left.value.code == kind.exit_code
    assert capsys.readouterr().err == "error: some-thing-wrong: what was wrong (where it was). Mend it so.\n"
