"""Making a run: under a hidden name beside its own, by one writer, renamed when it is whole; and going on with one that was killed."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Iterator

from qqloan_cli import __version__
from qqloan_cli.contracts import OUTPUTS
from qqloan_cli.engine import secret
from qqloan_cli.engine.events import Events
from qqloan_cli.engine.files import digest_folder, only_writer, remove, sha256, write_json
from qqloan_cli.engine.run import Run
from qqloan_cli.errors import InputError, InternalError, QqloanError, UsageError

SCHEMA_VERSION = 1
_LIBRARIES = ("duckdb", "pyarrow", "numpy", "scipy", "xgboost-cpu", "pydantic", "cryptography", "python-calamine", "chinesecalendar")


def request(inputs: list[Path], as_of: datetime.date, config: Path, source: str | None, history: list[Path]) -> dict:
    """What was asked for. Two requests that are equal make the same run, so a killed one may be gone on with."""
    files = []
    for given in inputs:
        paths = sorted(p for p in given.rglob("*") if p.is_file()) if given.is_dir() else sorted(given.parent.glob(given.name)) or [given]
        for path in paths:
            if not path.exists():
                raise InputError("input-not-found", "no such file or folder", str(given), "Check the path.")
            stat = path.stat()
            files.append([str(path), stat.st_size, stat.st_mtime_ns])
    return {
        "as_of": as_of.isoformat(), "inputs": files, "source": source, "history": [str(path.resolve()) for path in history],
        "config": digest_folder(config), "key_id": secret.fingerprint(secret.load()), "code": __version__,
    }


@contextlib.contextmanager
def building(out: Path, asked: dict, config: Path, events: Events, resume: bool) -> Iterator[Run]:
    """A run to fill. It gets its own name when the block ends well; an error of the input or the configuration leaves nothing behind."""
    hidden = out.with_name(f".{out.name}.building")
    with only_writer(out, events):
        if out.exists():
            raise UsageError("run-exists", "something stands under this name", str(out), "Choose another --out, or remove it.")
        run = _resumed(hidden, asked, events) if resume and (hidden / "run.json").exists() else _begun(hidden, asked, config, events)
        try:
            yield run
            finish(run)
        except QqloanError as error:
            if not isinstance(error, InternalError):  # ours, or the machine's: what is finished is kept for --resume
                remove(hidden)
            raise
        os.replace(hidden, out)
        run.root = out


def _begun(hidden: Path, asked: dict, config: Path, events: Events) -> Run:
    if hidden.exists():
        events.note("unfinished-run-removed", f"an unfinished {hidden.name} was removed; --resume would have gone on with it")
        remove(hidden)
    hidden.mkdir(parents=True)
    key = secret.load()
    if secret.is_public(key):
        events.note("key-public", "no key is set, so the hashes in this run keep nothing secret; name a key file in QQLOAN_KEY_FILE")
    shutil.copytree(config, hidden / "config")
    write_json(hidden / ".request", asked)
    run = Run(hidden, {
        "schema_version": SCHEMA_VERSION, "as_of": asked["as_of"], "buckets": None, "inputs": [], "counts": {}, "source": asked["source"],
        "history": asked["history"], "config_digest": asked["config"], "policy": asked["policy"], "key_id": asked["key_id"],
        "code": {"qqloan": __version__, **_commit()}, "command": ["qqloan", *sys.argv[1:]],
        "libraries": {name: version for name, version in versions().items() if name != "qqloan"}, "stages": {}, "warnings": [], "digests": {}, "timings": {},
    })
    run.save()
    return run


def _resumed(hidden: Path, asked: dict, events: Events) -> Run:
    import json

    before = json.loads((hidden / ".request").read_text(encoding="utf-8")) if (hidden / ".request").exists() else {}
    other = [name for name in asked if before.get(name) != asked[name]]
    if other:
        raise UsageError("resume-differs", f"the unfinished run was asked for with other {', '.join(other)}", str(hidden), "Leave out --resume to start anew.")
    events.note("resumed", "going on with the unfinished run")
    return Run.open(hidden)


def finish(run: Run) -> None:
    """Digests of what was made, and nothing left that was only needed on the way."""
    shutil.rmtree(run.root / ".scratch", ignore_errors=True)
    paths = [path for contract in OUTPUTS for path in run.whole(contract.name)]
    with ThreadPoolExecutor(2) as pool:
        digests = list(pool.map(lambda path: run.digested.get(path) or sha256(path), paths))
    run.document["digests"] = {str(path.relative_to(run.root)): digest for path, digest in zip(paths, digests)}
    run.save()
    for name in (".journal", ".request"):
        (run.root / name).unlink(missing_ok=True)


def versions() -> dict[str, str]:
    """Of this program and of every library that can change a byte."""
    found = {"qqloan": __version__}
    for name in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _commit() -> dict[str, str]:
    """The commit of a source checkout; nothing of an installed package."""
    git = Path(__file__).resolve().parents[2] / ".git"
    with contextlib.suppress(OSError):
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return {"commit": head}
        name = head.removeprefix("ref: ")
        loose = git / name
        if loose.is_file():
            return {"commit": loose.read_text(encoding="utf-8").strip()}
        for line in (git / "packed-refs").read_text(encoding="utf-8").splitlines():
            if line.endswith(f" {name}"):
                return {"commit": line.split()[0]}
    return {}
