"""The command line as a user meets it: exit code, stdout and stderr together."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
AS_OF = "2026-11-24"


@dataclass
class Result:
    code: int
    out: str
    err: str

    def shows(self, code: int = 0, out: str | None = None, err: str | None = None) -> "Result":
        """Everything that came out is what was declared; undeclared stderr fails."""
        assert (self.code, self.err if err is not None else "", self.out if out is not None else "") == (
            code, err if err is not None else "", out if out is not None else ""), f"exit {self.code}\n{self.out}\n{self.err}"
        return self


def call(*arguments, cwd: Path | None = None, env: dict | None = None) -> Result:
    """``qqloan`` with these arguments, in a process of its own and with no configuration but what is named."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QQLOAN_")}
    done = subprocess.run(
        [sys.executable, "-m", "qqloan_cli", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd or ROOT, env={**clean, **(env or {})}, stdin=subprocess.DEVNULL,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def done(*arguments, **options) -> Result:
    """The same, where anything but exit 0 is the test's failure."""
    result = call(*arguments, **options)
    assert result.code == 0, f"exit {result.code}: {result.err}"
    return result


@pytest.fixture
def qqloan():
    return call


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory) -> Path:
    """The sample batch, decided once for all tests that only look."""
    out = tmp_path_factory.mktemp("sample") / "run"
    done("run", "sample_data", "--out", out, "--as-of", AS_OF)
    return out


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real files beside the checkout; tests that need them skip where they are not."""
    if not SHARED.is_dir():
        pytest.skip("no shared folder beside this checkout: the real files are not here")
    return SHARED


@pytest.fixture(scope="session")
def lender(tmp_path_factory) -> Path:
    """A generated lender of 1,200 applicants, as CSV."""
    out = tmp_path_factory.mktemp("lender") / "files"
    done("generate", "--applicants", 1200, "--seed", 23, "--format", "csv", "--out", out, "--as-of", AS_OF)
    return out


@pytest.fixture(scope="session")
def lender_run(lender, tmp_path_factory) -> Path:
    """Its decisions."""
    out = tmp_path_factory.mktemp("lender-run") / "run"
    done("run", lender, "--out", out, "--as-of", AS_OF)
    return out


def tables(run: Path, but: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Every Parquet file of a run but its inputs, by path."""
    found = sorted(p for p in run.rglob("*.parquet") if p.relative_to(run).parts[0] != "inputs" and p.name not in but)
    return {str(p.relative_to(run)): p.read_bytes() for p in found}


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium of the system's."""
    import shutil

    where = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if where is None:
        pytest.skip("no chromium on this machine: pages are not looked at in a real browser (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield opened
        opened.close()


def faults_of_page(browser, path: Path, **how) -> list[str]:
    """What a browser, and a reader who cannot see, would complain of: console messages, anything fetched, axe's findings."""
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(bypass_csp=True, viewport={"width": 1180, "height": 900}, **how)
    try:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: request.url != path.as_uri() and said.append(f"asks for {request.url}"))
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found = Axe().run(page)
        return said + [f"axe: {one['id']}: {one['nodes'][0]['html'][:120]}" for one in found.response["violations"]]
    finally:
        context.close()
