"""The ways out: a file, stdout, e-mail by SMTP, a webhook. Each takes messages and gives the ids of those that arrived, one by one.

A message is a dict (sinks.py makes it) with an ``id`` of its own that stays the same when it is sent again. Nothing here reads a proxy, a home
or an address from the environment: only what monitor.toml names.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import formatdate
from http.client import HTTPException
from pathlib import Path
from typing import Iterator
from urllib.parse import urlsplit

from qqloan_cli.policy.monitor import Sink, refuse_url

SIGNATURE, KEY = "X-Qqloan-Signature", "Idempotency-Key"


class Undelivered(Exception):
    """Why a sink could not be told, in words that hold no secret and no address of a person."""


def secret(reference: str, what: str) -> str:
    """What env:QQLOAN_NAME or file:PATH stands for; anything else is itself. Raises Undelivered where it is not there."""
    kind, _, name = reference.partition(":")
    if kind == "env" and name.startswith("QQLOAN_"):
        found = os.environ.get(name, "")
    elif kind == "file":
        try:
            found = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            found = ""
    else:
        return reference
    if not found.strip():
        raise Undelivered(f"{what} is not there ({reference})")
    return found.strip()


def send(sink: Sink, messages: list[dict], beside: Path) -> Iterator[str]:
    """The ids of ``messages`` as they arrive. ``beside``: the folder that a relative path is in. Raises Undelivered where the rest cannot be told."""
    ways = {"file": _to_file, "stdout": _to_stdout, "smtp": _by_mail, "webhook": _to_hook}
    return ways[sink.kind](sink, messages, beside)


def in_file(sink: Sink, beside: Path) -> set[str]:
    """Ids of the messages that a file holds."""
    path = beside / sink.path
    ids = set()
    if path.is_file():
        with open(path, encoding="utf-8", errors="replace") as handle:
            for line in handle:
                try:
                    ids.add(json.loads(line)["id"])
                except (ValueError, KeyError, TypeError):
                    continue  # not ours, or cut short by a kill
    return ids


def _to_file(sink: Sink, messages: list[dict], beside: Path) -> Iterator[str]:
    """A line a message, each at most once: what stands there already is not written again, and half a line that a kill left is cut off."""
    path = beside / sink.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        there = in_file(sink, beside)
        cut_short(path)
        with open(path, "a", encoding="utf-8") as handle:
            for message in messages:
                if message["id"] not in there:
                    handle.write(json.dumps(message, ensure_ascii=False) + "\n")
                    handle.flush()
                    os.fsync(handle.fileno())
                yield message["id"]
    except OSError as error:
        raise Undelivered(f"the file cannot be written: {os.strerror(error.errno or 0)}") from None


def cut_short(path: Path) -> None:
    """Takes away the last line of a file of lines where it has no end."""
    if not path.is_file():
        return
    with open(path, "rb+") as handle:
        size = handle.seek(0, os.SEEK_END)
        back = size
        while back > 0:
            step = min(65_536, back)
            handle.seek(back - step)
            end = handle.read(step).rfind(b"\n")
            if end >= 0:
                back = back - step + end + 1
                break
            back -= step
        if back < size:
            handle.truncate(back)


def _to_stdout(sink: Sink, messages: list[dict], beside: Path) -> Iterator[str]:
    for message in messages:
        print(json.dumps(message, ensure_ascii=False), flush=True)
        yield message["id"]


def _by_mail(sink: Sink, messages: list[dict], beside: Path) -> Iterator[str]:
    """One letter with all of them. Its Message-ID follows from their ids, so that a letter that is sent again is the same."""
    letter = compose(sink, messages)
    user, password = (secret(reference, what) if reference else None for reference, what in ((sink.user, "the user"), (sink.password, "the password")))
    port = sink.port or {"starttls": 587, "tls": 465, "none": 25}[sink.security]
    try:
        context = ssl.create_default_context(cafile=sink.ca_file) if sink.security != "none" else None
        if sink.security == "tls":
            server = smtplib.SMTP_SSL(sink.host, port, local_hostname="qqloan", timeout=sink.timeout_seconds, context=context)
        else:
            server = smtplib.SMTP(sink.host, port, local_hostname="qqloan", timeout=sink.timeout_seconds)
        try:
            if sink.security == "starttls":
                server.starttls(context=context)
            if user:
                server.login(user, password)
            refused = server.send_message(letter)
        finally:
            try:
                server.quit()
            except (smtplib.SMTPException, OSError):
                server.close()
    except smtplib.SMTPResponseException as error:
        raise Undelivered(f"the mail server answered {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused:
        raise Undelivered("the mail server refused every recipient") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise Undelivered(f"the mail server cannot be used ({type(error).__name__})") from None
    yield from (message["id"] for message in messages)
    if refused:  # the others have it, and are not sent it again
        raise Undelivered(f"the mail server refused {len(refused)} of {len(sink.to)} recipients")


def compose(sink: Sink, messages: list[dict]) -> EmailMessage:
    """The letter: worst first, English and Chinese."""
    order = {"red": 0, "amber": 1, "green": 2}
    messages = sorted(messages, key=lambda message: (order[message["severity"]], message["alert_id"]))
    counts = {severity: sum(message["severity"] == severity for message in messages) for severity in order}
    letter = EmailMessage()
    letter["Subject"] = f"[qqloan] {counts['red']} red, {counts['amber']} amber, {counts['green']} over, as of {messages[0]['as_of']}"
    letter["From"], letter["To"], letter["Date"] = sink.sender, ", ".join(sink.to), formatdate()
    letter["Message-ID"] = f"<{hashlib.sha256(' '.join(message['id'] for message in messages).encode()).hexdigest()[:32]}@qqloan>"
    letter["Auto-Submitted"] = "auto-generated"
    told = []
    for message in messages:
        told += [f"{message['severity'].upper()} {message['alert_id']} ({message['event']})", f"  {message['text_en']}", f"  {message['text_zh']}"]
        told += [f"  > {message[f'what_to_do_{lang}']}" for lang in ("en", "zh") if message[f"what_to_do_{lang}"]] + [""]
    letter.set_content("\n".join(told), cte="base64")  # not every server takes eight bits
    return letter


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What was meant for one address is sent to no other."""

    def redirect_request(self, *_):
        return None


def _to_hook(sink: Sink, messages: list[dict], beside: Path) -> Iterator[str]:
    """A POST a message, tried again after growing pauses while that may help; once one is given up, so are those after it."""
    url = secret(sink.url, "the url")
    try:
        refuse_url(url)
    except ValueError as error:
        raise Undelivered(str(error)) from None
    key = secret(sink.secret, "the secret").encode() if sink.secret else None
    handlers = [urllib.request.ProxyHandler({}), _NoRedirect()]
    if url.startswith("https:"):
        try:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=sink.ca_file)))
        except OSError:
            raise Undelivered("ca_file cannot be read") from None
    opener = urllib.request.build_opener(*handlers)
    until = time.monotonic() + sink.give_up_after_seconds
    for message in messages:
        _post(opener, url, message, key, sink, until)
        yield message["id"]


def _post(opener, url: str, message: dict, key: bytes | None, sink: Sink, until: float) -> None:
    body = json.dumps(message, ensure_ascii=False, sort_keys=True).encode()
    pause, why = sink.first_pause_seconds, "there was no time left"
    for attempt in range(1, sink.attempts + 1):
        left = until - time.monotonic()
        if left <= 0:
            break
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "qqloan", KEY: message["id"]}
        if key is not None:
            headers[SIGNATURE] = signature(key, int(time.time()), body)
        try:
            with opener.open(urllib.request.Request(url, body, headers, method="POST"), timeout=min(sink.timeout_seconds, left)) as answer:
                answer.read(65_536)
            return
        except urllib.error.HTTPError as error:
            why = f"{urlsplit(url).hostname} answered {error.code}"
            error.close()
            if error.code not in (408, 425, 429) and error.code < 500:
                break  # asking again gets the same answer
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            why = f"{urlsplit(url).hostname} cannot be reached ({type(reason).__name__})"
        if attempt < sink.attempts:
            time.sleep(max(0.0, min(pause, until - time.monotonic())))
            pause *= 2
    raise Undelivered(why)


def signature(key: bytes, at: int, body: bytes) -> str:
    """t=SECONDS,v1=HEX: HMAC-SHA256 over the seconds, a dot and the body, so that an old message cannot be sent again as a new one."""
    return f"t={at},v1={hmac.new(key, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"
