"""Processes that work beside this one: each with its own memory, which goes when it ends.

On Linux they are forked from this process, with everything that it has loaded, while it has no thread but its own; so nothing
heavy may run here before. Threads of one process would cost a quarter of the speed: whenever one gives memory back, the kernel
stops the others.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import pickle
import resource
import signal
import sys
from multiprocessing.connection import Connection, wait
from typing import Any, Callable, Iterator

from qqloan_cli.errors import InternalError, QqloanError, frames, unexpected
from qqloan_cli.process import signals_come, signals_wait

_LINUX = sys.platform == "linux"
_CONTEXT = multiprocessing.get_context("fork" if _LINUX else "spawn")
_DIES_WITH_PARENT = 1  # prctl(2): PR_SET_PDEATHSIG


def memory_mb() -> int:
    """The most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class Apart:
    """A call in a process of its own, at work from now on. A context manager: leaving it ends the process. ``alone``: it begins no others."""

    def __init__(self, function: Callable[..., Any], *arguments, alone: bool = True) -> None:
        self._ours, theirs = _CONTEXT.Pipe()
        held = (self._ours,) if _LINUX else ()
        self._process = _CONTEXT.Process(target=_call, args=(theirs, os.getpid(), held, function, arguments), daemon=alone)
        with signals_wait():
            self._process.start()
        theirs.close()

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *_) -> None:
        _end(self._process, self._ours)

    def result(self) -> Any:
        """What it returned, or the error that it ended in."""
        return _opened(self._ours)


class Workers:
    """Up to ``count`` processes that call ``function`` with one task after another. A context manager: leaving it ends them."""

    def __init__(self, count: int, function: Callable[[Any], Any]) -> None:
        gc.freeze()  # what stands now, the collector of no worker shall touch: touched pages are copied
        self._count, self._function = count, function
        self._idle: list[Connection] = []
        self._busy: dict[Connection, Any] = {}
        self._processes: dict[Connection, Any] = {}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_) -> None:
        for process in self._processes.values():  # all of them first: each takes its time to give its memory back
            process.kill()
        for ours, process in self._processes.items():
            _end(process, ours)

    @property
    def room(self) -> int:
        return self._count - len(self._busy)

    @property
    def is_busy(self) -> bool:
        return bool(self._busy)

    def give(self, task: Any) -> None:
        """To a worker that has nothing to do; there must be room."""
        ours = self._idle.pop() if self._idle else self._another()
        ours.send(task)
        self._busy[ours] = task

    def take(self) -> list[tuple[Any, Any]]:
        """(task, result) of those that are done by now, one at least. Raises what a worker ended in."""
        done = []
        for ours in wait(list(self._busy)):
            result = _opened(ours)
            done.append((self._busy.pop(ours), result))
            self._idle.append(ours)
        return done

    def _another(self) -> Connection:
        ours, theirs = _CONTEXT.Pipe()
        held = (ours, *self._processes) if _LINUX else ()
        process = _CONTEXT.Process(target=_serve, args=(theirs, os.getpid(), held, self._function), daemon=True)
        with signals_wait():
            process.start()
        theirs.close()
        self._processes[ours] = process
        return ours


def each(tasks: list, function: Callable[[Any], Any], count: int) -> Iterator[tuple[Any, Any]]:
    """(task, result) of every task, as they are done, by up to ``count`` processes; here, one after another, where that is one."""
    if min(count, len(tasks)) <= 1:
        for task in tasks:
            yield task, function(task)
        return
    with Workers(min(count, len(tasks)), function) as workers:
        waiting = list(reversed(tasks))
        while waiting or workers.is_busy:
            while waiting and workers.room:
                workers.give(waiting.pop())
            yield from workers.take()


def _opened(ours: Connection) -> Any:
    try:
        well, content = pickle.loads(ours.recv_bytes())
    except (EOFError, ConnectionResetError):
        raise InternalError("worker-ended", "a worker process ended before its work was done", hint="Is there enough memory? Try fewer --workers; qqloan run --resume goes on.") from None
    if well:
        return content
    error, trail = content
    error.trail = trail
    raise error


def _end(process, ours: Connection) -> None:
    """At once: what it made is in place by now, and of what it was at nothing stands under a good name."""
    process.kill()
    process.join()
    ours.close()


def _call(theirs: Connection, parent: int, held: tuple[Connection, ...], function: Callable[..., Any], arguments: tuple) -> None:
    _behave(parent, held)
    theirs.send_bytes(_answer(lambda: function(*arguments)))


def _serve(theirs: Connection, parent: int, held: tuple[Connection, ...], function: Callable[[Any], Any]) -> None:
    _behave(parent, held)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            task = theirs.recv()
            theirs.send_bytes(_answer(lambda: function(task)))


def _answer(function: Callable[[], Any]) -> bytes:
    try:
        return pickle.dumps((True, function()))
    except QqloanError as error:
        return pickle.dumps((False, (error, frames(error))))
    except Exception as error:  # its words may hold a row, and its kind may not travel
        return pickle.dumps((False, (unexpected(error), frames(error))))


def _behave(parent: int, held: tuple[Connection, ...]) -> None:
    """Ctrl-C is for the parent, who ends us; and when it is gone, killed even, so are we. ``held`` are the parent's ends of the
    pipes that were forked with it: a pipe closes only when nobody holds it."""
    for connection in held:
        connection.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals_come()
    if _LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
