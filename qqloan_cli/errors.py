"""Every error that a user can meet, and the exit code it ends in.

    QqloanError                        70
    ├── Findings                        1   done, with findings the caller asked to fail on
    ├── UsageError                      2   a wrong option, or a command that makes no sense here
    │   └── ConfigError                 2   a setting that cannot be right
    ├── InputError                      3   a file that is not what it says
    ├── IntegrityError                  4   a seal, a digest or a replay that does not agree
    ├── InternalError                  70   ours, or the machine's: a full disk
    ├── LockedError                    75   somebody else is writing: try again
    └── UndeliveredError               75   an alert did not reach somebody: try again

130 and 143 are left by SIGINT and SIGTERM. An error is one line: reference,
what, where, how to mend it. It never carries a value out of a row: those are
people.
"""

from __future__ import annotations

import errno
import os
import re

_REFERENCE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")


class QqloanError(Exception):
    """``ref`` is kebab-case and stable; ``where`` is a file, row, column or setting; ``hint`` says how to mend it."""

    exit_code = 70
    trail: list[str] | None = None  # where it came from, if that was another process

    def __init__(self, ref: str, what: str, where: str = "", hint: str = "") -> None:
        assert _REFERENCE.fullmatch(ref), ref
        super().__init__(what)
        self.ref, self.what, self.where, self.hint = ref, what, where, hint

    def __str__(self) -> str:
        parts = [f"{self.ref}: {self.what}"]
        if self.where:
            parts.append(f"({self.where})")
        line = " ".join(parts)
        return " ".join((f"{line}. {self.hint}" if self.hint else line).split())

    def __reduce__(self):
        return type(self), (self.ref, self.what, self.where, self.hint)


_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)  # disk full, read-only, not ours


class Findings(QqloanError):
    exit_code = 1


class UsageError(QqloanError):
    exit_code = 2


class ConfigError(UsageError):
    exit_code = 2


class InputError(QqloanError):
    exit_code = 3


class IntegrityError(QqloanError):
    exit_code = 4


class InternalError(QqloanError):
    exit_code = 70


class LockedError(QqloanError):
    exit_code = 75


class UndeliveredError(QqloanError):
    exit_code = 75


def frames(error: BaseException) -> list[str]:
    """Where it came from, outermost first, without values; what happened in another process stands last."""
    import traceback

    return [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)] + (getattr(error, "trail", None) or [])


def _of_the_machine(error: BaseException) -> int | None:
    """The error's number, if it is the machine's. Whoever copies a folder has it in words, and so has DuckDB."""
    if isinstance(error, OSError) and error.errno in _MACHINE:
        return error.errno
    if isinstance(error, OSError) and error.errno is None or type(error).__name__ == "IOException":
        return next((number for number in _MACHINE if os.strerror(number) in str(error)), None)
    return None


def unexpected(error: BaseException) -> InternalError:
    """Ours, or the machine's: says where, never with what values. Messages of libraries quote rows, so they stay inside."""
    number = _of_the_machine(error)
    if number is not None:
        failed = InternalError("machine-failed", os.strerror(number), str(getattr(error, "filename", None) or ""), "Mend that and try again; nothing half-written stands in place of a good file.")
        failed.__traceback__ = error.__traceback__
        return failed
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}" if frame else ""
    ours = InternalError("internal-error", f"{type(error).__name__} was not expected", where, "Run again with --debug and report it.")
    ours.__traceback__ = error.__traceback__
    return ours
