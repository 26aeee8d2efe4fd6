"""Files that are whole or not there, folders with one writer, and digests."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path

from qqloan_cli.errors import LockedError


def write_text(path: Path, text: str) -> None:
    """Writes beside and renames: a reader sees the old content or the new, never half."""
    beside = path.with_name(f".{path.name}.tmp")
    with open(beside, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(beside, path)


def write_json(path: Path, document: dict) -> None:
    write_text(path, json.dumps(document, ensure_ascii=False, indent=1, sort_keys=False, default=str) + "\n")


def sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest_folder(folder: Path) -> str:
    """One digest of every file's path and content, in order of path."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\n".encode())
    return total.hexdigest()


def remove(folder: Path) -> None:
    """A folder, made unreachable under its name at once and then removed."""
    if not folder.exists():
        return
    gone = folder.with_name(f".{folder.name.lstrip('.')}.gone-{os.getpid()}")
    os.replace(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


@contextlib.contextmanager
def only_writer(out: Path, notes=None):
    """Holds the lock of a run. The kernel lets go of it when the holder dies, so a dead holder's lock is taken over, and said."""
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.with_name(f".{out.name}.lock")
    while True:
        handle = open(path, "a+", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = _holder(handle.read())
            handle.close()
            raise LockedError("run-locked", f"another process is writing {out.name}", f"process {holder}", "Wait for it, or choose another --out.") from None
        if path.exists() and os.fstat(handle.fileno()).st_ino == path.stat().st_ino:
            break
        handle.close()  # removed by its holder between our open and our lock
    try:
        handle.seek(0)
        before = handle.read()
        if before.strip() and notes is not None:
            notes.note("lock-taken-over", f"process {_holder(before)} held {out.name} and is gone; its lock was taken over")
        handle.truncate(0)
        handle.write(json.dumps({"pid": os.getpid()}))
        handle.flush()
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        handle.close()


def _holder(text: str) -> str:
    try:
        return str(json.loads(text)["pid"])
    except (ValueError, KeyError):
        return "unknown"
