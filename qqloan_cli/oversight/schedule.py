"""The night, and the watch of an inbox, as crontab lines or systemd units: texts to be read, changed and installed by whoever runs the machine.

Both call `qqloan night` (and `qqloan watch`), and nothing between: no shell script has to be kept right beside them. Every path is absolute,
or in a crontab's line below the folder that it goes to first, and written as each kind wants it: cron ends a command at a bare `%`, systemd takes `%` for a specifier and `$` for a variable.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from qqloan_cli.errors import UsageError

KINDS = ("crontab", "systemd")
NIGHT, WATCH, FAILED = "qqloan-night", "qqloan-watch", "qqloan-failed@"
_LONGEST_LINE = 998  # of a command in Debian's and Vixie's cron
_WAIT_SECONDS = 3600  # for a night that is still at work
_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")


@dataclass(frozen=True)
class Plan:
    """``night`` and ``watch``: options of the commands, paths absolute; ``watch`` is None where the night takes the inbox. ``writes``: what is written, by rename between each other
    where they stand together in a tuple. ``environment``: QQLOAN_* that the job needs. ``talks``: whether a sink is beyond this machine."""

    program: list[str]
    night: list[str]
    watch: list[str] | None
    time: str
    zone: str | None
    user: str | None
    mail: str | None
    log: Path | None
    lock: Path
    workdir: Path
    writes: list[tuple[Path, ...]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    talks: bool = False

    def __post_init__(self) -> None:
        words = [*self.program, *self.night, *(self.watch or []), *self.environment.values(), self.user or "", self.mail or "", self.zone or "", str(self.log or ""), str(self.lock), str(self.workdir)]
        if any(not word.isprintable() or word.endswith("\\") for word in words):
            raise UsageError("schedule-unprintable", "a path or name has a line break or another character that cannot be printed", hint="Neither crontab nor units can hold it.")
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", self.time):
            raise UsageError("time-wrong", f"{self.time!r} is not a time of day", "--time", "Write it as 02:15.")
        if self.user is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*\$?", self.user):
            raise UsageError("user-wrong", f"{self.user!r} is not the name of a user", "--user")
        if self.mail is not None and not re.fullmatch(r"[^\s@'\"%$\\,;|&<>()`]+@[^\s@'\"%$\\,;|&<>()`]+|[A-Za-z_][A-Za-z0-9_.-]*", self.mail):
            raise UsageError("mail-wrong", "that is no address", "--mail")
        if self.zone is not None and not re.fullmatch(r"[A-Za-z0-9_+/-]+", self.zone):
            raise UsageError("zone-wrong", f"{self.zone!r} is no time zone", "--time-zone", "As Asia/Shanghai.")


def printed(plan: Plan, kind: str) -> dict[str, str]:
    """Text of each file, by its name."""
    return {"qqloan.crontab": _crontab(plan)} if kind == "crontab" else _units(plan)


# crontab
def for_cron(words: list[str]) -> str:
    """A command as cron hands it to sh: quoted for the shell, and `%` escaped, which to cron is a line's end."""
    return shlex.join(words).replace("%", r"\%")


def _crontab(plan: Plan) -> str:
    hour, minute = plan.time.split(":")
    who = f"{plan.user} " if plan.user else ""
    lines = [f"{int(minute)} {int(hour)} * * * {who}{_job(plan, ['flock', '-w', str(_WAIT_SECONDS), '-E', '75', str(plan.lock)], plan.night, 'qqloan night')}"]
    if plan.watch is not None:
        lock = plan.lock.with_name(f"{plan.lock.name}.watch")
        lines.insert(0, f"*/5 * * * * {who}{_job(plan, ['flock', '-n', '-E', '0', str(lock)], plan.watch, 'qqloan watch')}")
    for line in lines:
        if len(line.encode()) > _LONGEST_LINE:
            raise UsageError("crontab-line-too-long", f"a line of {len(line.encode())} characters is cut short by cron, which takes {_LONGEST_LINE}", hint="Use shorter paths, or --kind systemd.")
    zone = f"# CRON_TZ is cronie's; another cron reads the hour in the machine's zone.\nCRON_TZ={plan.zone}\nTZ={plan.zone}" if plan.zone else ""
    install = "Install: into /etc/cron.d/qqloan, owned by root, mode 0644." if plan.user else "Install: crontab -e."
    return _filled("crontab", {
        "install": install, "mail_note": f" to {plan.mail}" if plan.mail else "", "mailto": f"MAILTO={plan.mail}" if plan.mail else "", "lines": "\n".join(lines), "zone": zone,
    })


def _job(plan: Plan, lock: list[str], words: list[str], name: str) -> str:
    """flock, the command, its log; and a line for cron to mail where it did not end in 0."""
    variables = [f"{variable}={value}" for variable, value in plan.environment.items()]
    command = [*lock, *(["env", *variables] if variables else []), *plan.program, *words]
    below = f"{plan.workdir}/"  # a line is short, and it begins with a cd
    command = [f"./{word.removeprefix(below)}" if word.startswith(below) else word for word in command]
    log = for_cron([f"./{str(plan.log).removeprefix(below)}" if str(plan.log).startswith(below) else str(plan.log)])
    return f"umask 077; cd {for_cron([str(plan.workdir)])} && {for_cron(command)} >> {log} 2>&1 || echo {name} ended in $?, see {for_cron([str(plan.log)])}"


# systemd
def for_systemd(word: str, variables: bool = True) -> str:
    """A word of a unit file: in quotes where it must be, specifiers and (in commands) variables kept from being read as such."""
    word = word.replace("%", "%%")
    if variables:
        word = word.replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./$-]+", word):
        return word
    return '"' + word.replace("\\", r"\\").replace('"', r"\"") + '"'


def _units(plan: Plan) -> dict[str, str]:
    files = {
        f"{NIGHT}.service": _service(plan, NIGHT, plan.night, "The night of qqloan: inbox, events, close, report, alerts", "oneshot", plan.writes),
        f"{NIGHT}.timer": _filled("night.timer", {"description": "When the night of qqloan begins", "calendar": f"*-*-* {plan.time}:00" + (f" {plan.zone}" if plan.zone else ""), "unit": f"{NIGHT}.service"}),
        f"{FAILED}.service": _filled("failed.service", {"tell": for_systemd(_tell(plan.mail))}),
    }
    if plan.watch is not None:
        files[f"{WATCH}.service"] = _service(plan, WATCH, plan.watch, "The inbox of qqloan: what a lender drops is run, archived and monitored", "exec", plan.writes)
    return files


def _tell(mail: str | None) -> str:
    """What sh does with the name of the unit, which it has as $0."""
    if mail is None:
        return 'exec logger -p daemon.err -t qqloan "$0 failed"'
    return f'{{ echo "To: {mail}"; echo "Subject: $0 failed on $(hostname)"; echo; systemctl status --full --lines=40 "$0"; }} | sendmail {shlex.quote(mail)}'


def _service(plan: Plan, unit: str, words: list[str], description: str, kind: str, writes: list[tuple[Path, ...]]) -> str:
    roots = mounts(writes)
    touched = [*roots, plan.workdir, Path(plan.program[0]), *(Path(word) for word in words if word.startswith("/"))]
    program, *rest = [*plan.program, *words]
    variables = {"QQLOAN_LOG_FORMAT": "jsonl", **plan.environment, **({"TZ": plan.zone} if plan.zone else {})}
    restart = "Restart=on-failure\nRestartPreventExitStatus=1 2 3 4 70\nRestartSec=5min" if kind == "oneshot" else "Restart=on-failure\nRestartPreventExitStatus=2\nRestartSec=30s"
    network = "# No network: every sink is on this machine.\nPrivateNetwork=yes\nRestrictAddressFamilies=AF_UNIX"
    return _filled("job.service", {
        "what": description, "description": description, "enable": f"{NIGHT}.timer" if unit == NIGHT else f"{unit}.service", "unit": f"{unit}.service", "identifier": unit,
        "type": kind, "user": plan.user or "qqloan", "workdir": str(plan.workdir).replace("%", "%%"),  # to the line's end, blanks and all
        "command": " ".join([for_systemd(program, False), *map(for_systemd, rest)]),
        "environment": "\n".join(f"Environment={for_systemd(f'{name}={value}', False)}" for name, value in variables.items()),
        "restart": restart, "read_write": "\n".join(f"ReadWritePaths={for_systemd(str(root), False)}" for root in roots),
        "home": "read-only" if _below(touched, _HOMES) else "yes", "private_tmp": "no" if _below(touched, _TEMPORARY) else "yes",
        "network": "# The network is for the sinks of monitor.toml alone.\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6" if plan.talks else network,
        "network_after": " network-online.target\nWants=network-online.target" if plan.talks else "",
        "install": "\n[Install]\nWantedBy=multi-user.target\n" if kind == "exec" else "",
    })


def mounts(writes: list[tuple[Path, ...]]) -> list[Path]:
    """The folders that a unit may write in, none within another. Each ReadWritePaths= is a mount of its own, and nothing is renamed from one
    mount to another: what is renamed between stands under one. UsageError where that would be everything."""
    found: list[Path] = []
    for together in writes:
        root = Path(os.path.commonpath(together))
        if root == Path("/"):
            raise UsageError("schedule-too-wide", f"{' and '.join(map(str, together))} have no folder in common but /", hint="Put what the job writes below one folder, as /srv/qqloan.")
        found.append(root)
    return sorted({root for root in found if not any(other != root and root.is_relative_to(other) for other in found)})


def _below(paths: list[Path], roots: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(root) for path in paths for root in roots)


def _filled(name: str, values: dict[str, str]) -> str:
    template = Template((Path(__file__).parent / "units" / name).read_text(encoding="utf-8"))
    return re.sub(r"\n{3,}", "\n\n", template.substitute(values)).rstrip() + "\n"
