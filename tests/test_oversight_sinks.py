"""Who is told of an alert and when, over real servers on loopback: once, again when it grows worse, when it lasts, and when it is over."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import json
import os
import socket
import ssl
import threading
import time
from email import message_from_bytes, policy
from pathlib import Path

import pyarrow as pa
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from hypothesis import given, settings
from hypothesis import strategies as st

from qqloan_cli.errors import IntegrityError, LockedError
from qqloan_cli.oversight import outlets
from qqloan_cli.oversight.sinks import deliver, preview
from qqloan_cli.policy.monitor import Sink

DAY = datetime.date.fromisoformat
RATE, CSI = "approval-rate", "csi:utilisation"
FILE = Sink(name="file", kind="file", path="alerts.jsonl")


def alerts(**severities: str) -> pa.Table:
    """A table of alerts by id (an underscore stands for the hyphen) and severity."""
    rows = [{
        "alert_id": alert_id, "severity": severity, "measure": alert_id.partition(":")[0], "subject": alert_id.partition(":")[2] or None, "as_of": DAY("2026-11-24"), "value": 0.4,
        "threshold": 0.5, "text_en": f"{alert_id} is {severity}", "text_zh": f"{alert_id} 为 {severity}", "what_to_do_en": "Look.", "what_to_do_zh": "查看。",
    } for alert_id, severity in severities.items()]
    return pa.Table.from_pylist(rows) if rows else pa.table({name: pa.array([], pa.string()) for name in ("alert_id", "severity")})


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def told(messages) -> list[tuple]:
    return [(message["alert_id"], message["event"], message["severity"]) for message in messages]


class Nights:
    """Deliveries of one journal on following days."""

    def __init__(self, folder: Path, *sinks: Sink) -> None:
        self.journal, self.sinks, self.day = folder / "journal.jsonl", list(sinks), DAY("2026-11-01")

    def night(self, undecided=None, **severities):
        self.day += datetime.timedelta(1)
        return deliver(alerts(**severities), self.day, self.sinks, self.journal, 7, undecided)


def test_an_alert_is_sent_when_new_when_worse_when_it_lasts_and_when_it_is_over_and_else_not(tmp_path):
    nights = Nights(tmp_path, FILE)
    assert told(nights.night(**{RATE: "amber"}).sent) == [(RATE, "new", "amber")]
    assert nights.night(**{RATE: "amber"}).sent == [], "not every night"
    assert told(nights.night(**{RATE: "red", CSI: "amber"}).sent) == [(RATE, "worse", "red"), (CSI, "new", "amber")], "the worst first"
    assert nights.night(**{RATE: "amber", CSI: "amber"}).sent == [], "nobody is told that it is less bad"
    assert told(nights.night(**{RATE: "red", CSI: "amber"}).sent) == [(RATE, "worse", "red")], "but that it is bad again"
    over = nights.night(**{CSI: "amber"}).sent
    assert told(over) == [(RATE, "resolved", "green")] and over[0]["text_en"] == f"over: {RATE} is red"
    assert [nights.night(**{CSI: "amber"}).sent for _ in range(3)] == [[], [], []]
    assert told(nights.night(**{CSI: "amber"}).sent) == [(CSI, "reminder", "amber")], "seven days after it was sent last"
    assert told(nights.night().sent) == [(CSI, "resolved", "green")]
    assert nights.night().sent == [] and told(nights.night(**{RATE: "amber"}).sent) == [(RATE, "new", "amber")], "new again"
    written = lines(tmp_path / "alerts.jsonl")
    assert len(written) == 8 == len({message["id"] for message in written})
    assert oct(os.stat(nights.journal).st_mode & 0o777) == "0o600"


def test_the_same_night_again_sends_nothing_and_an_earlier_night_neither(tmp_path):
    nights = Nights(tmp_path, FILE)
    nights.night(**{RATE: "red"})
    assert deliver(alerts(**{RATE: "red"}), nights.day, [FILE], nights.journal).sent == []
    late = deliver(alerts(**{CSI: "red"}), DAY("2026-10-01"), [FILE], nights.journal)
    assert late == ([], [], nights.day)


def test_an_alert_that_was_not_looked_at_is_not_over(tmp_path):
    nights = Nights(tmp_path, FILE)
    nights.night(**{RATE: "red", CSI: "red"})
    assert told(nights.night(lambda alert_id: alert_id == RATE).sent) == [(CSI, "resolved", "green")]


def test_a_sink_that_hears_of_red_alone_hears_when_red_is_over(tmp_path):
    nights = Nights(tmp_path, FILE.model_copy(update={"least": "red"}))
    assert nights.night(**{RATE: "amber"}).sent == []
    assert told(nights.night(**{RATE: "red"}).sent) == [(RATE, "new", "red")]
    assert told(nights.night(**{RATE: "amber"}).sent) == [(RATE, "resolved", "green")]


def test_a_preview_says_the_same_and_writes_nothing(tmp_path):
    nights = Nights(tmp_path, FILE)
    nights.night(**{RATE: "amber"})
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    next_day = nights.day + datetime.timedelta(1)
    shown = preview(alerts(**{RATE: "red"}), next_day, [FILE], nights.journal)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert [message["id"] for message in shown] == [message["id"] for message in nights.night(**{RATE: "red"}).sent]


def test_a_broken_journal_is_said_and_not_passed_over(tmp_path):
    nights = Nights(tmp_path, FILE)
    nights.night(**{RATE: "amber"})
    text = nights.journal.read_text(encoding="utf-8").splitlines(keepends=True)
    nights.journal.write_text("".join([text[0], "{nonsense\n", *text[1:]]), encoding="utf-8")
    with pytest.raises(IntegrityError, match="journal-broken"):
        nights.night(**{RATE: "amber"})


def test_two_at_once_do_not_tell_twice(tmp_path):
    from qqloan_cli.engine.files import only_writer

    with only_writer(tmp_path / "journal.jsonl"), pytest.raises(LockedError):
        deliver(alerts(**{RATE: "red"}), DAY("2026-11-24"), [FILE], tmp_path / "journal.jsonl")


class Killed(BaseException):
    pass


def _killed_at(monkeypatch, step: int, half: bool) -> None:
    """The process ends at the ``step``-th time that something is put on the disk, before it or half way through."""
    real, count = os.fsync, [0]

    def fsync(handle):
        count[0] += 1
        if count[0] == step:
            if half:
                size = os.fstat(handle).st_size
                os.ftruncate(handle, max(0, size - 7))
            raise Killed
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("half", [False, True], ids=["whole", "half-a-line"])
@pytest.mark.parametrize("step", range(1, 10))
@pytest.mark.parametrize("after", ["the same", "worse", "over"])
def test_killed_at_any_moment_a_file_gets_every_message_once(tmp_path, monkeypatch, step, half, after):
    nights = Nights(tmp_path, FILE)
    with monkeypatch.context() as patched:
        _killed_at(patched, step, half)
        with contextlib.suppress(Killed):
            nights.night(**{RATE: "amber", CSI: "amber"})
    later = {"the same": {RATE: "amber", CSI: "amber"}, "worse": {RATE: "red", CSI: "red"}, "over": {}}[after]
    nights.night(**later)
    nights.night(**later)
    written = told(lines(tmp_path / "alerts.jsonl"))
    assert len(set(written)) == len(written), "nothing twice"
    for alert_id in (RATE, CSI):
        events = [event for one, event, _ in written if one == alert_id]
        assert events in {"the same": [["new"]], "worse": [["new"], ["new", "worse"]], "over": [[], ["new", "resolved"]]}[after], "what began is told to its end"
        if after == "worse":
            assert (alert_id, events[-1], "red") in written


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([RATE, CSI, "psi:pd"]), st.sampled_from(["amber", "red"])), min_size=1, max_size=12))
def test_whoever_reads_the_messages_knows_what_is_the_case(tmp_path_factory, series):
    nights = Nights(tmp_path_factory.mktemp("n"), FILE)
    believed: dict[str, str] = {}
    for now in series:
        for alert_id, event, severity in told(nights.night(**now).sent):
            assert (event == "new") == (alert_id not in believed)
            believed[alert_id] = severity
            if event == "resolved":
                del believed[alert_id]
        assert set(believed) == set(now)
        assert all(believed[alert_id] == severity or (believed[alert_id], severity) == ("red", "amber") for alert_id, severity in now.items())


# --- a webhook ---

class Hook:
    """A server that answers what it is told to, and keeps what it got."""

    def __init__(self, *answers) -> None:
        self.answers, self.got = list(answers), []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.path, dict(self.headers), body))
                answer = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
                if answer == "hang":
                    time.sleep(1.5)
                    return
                if answer == "drop":
                    self.connection.close()
                    return
                self.send_response(answer)
                if answer in (301, 302, 307, 308):
                    self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def sink(self, **more) -> Sink:
        return Sink(name="hook", kind="webhook", url=f"http://127.0.0.1:{self.server.server_port}/in", first_pause_seconds=0.01, timeout_seconds=0.5, **more)


def test_a_webhook_that_fails_twice_is_told_at_the_third_time_with_one_key_and_a_signature_that_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("QQLOAN_HOOK_SECRET", "of the hook\n")
    with Hook(500, 503, 200) as hook:
        nights = Nights(tmp_path, hook.sink(secret="env:QQLOAN_HOOK_SECRET"))
        assert told(nights.night(**{RATE: "red"}).sent) == [(RATE, "new", "red")] and nights.night(**{RATE: "red"}).sent == []
    assert len(hook.got) == 3 and len({headers[outlets.KEY] for _, headers, _ in hook.got}) == 1
    path, headers, body = hook.got[-1]
    at, given = (part.partition("=")[2] for part in headers[outlets.SIGNATURE].split(","))
    assert given == hmac.new(b"of the hook", f"{at}.".encode() + body, hashlib.sha256).hexdigest() and abs(time.time() - int(at)) < 60
    assert path == "/in" and json.loads(body)["id"] == headers[outlets.KEY] and json.loads(body)["text_zh"] == f"{RATE} 为 red"


@pytest.mark.parametrize(("answer", "posts"), [(500, 3), (429, 3), ("hang", 3), ("drop", 3), (404, 1), (302, 1), (308, 1)])
def test_a_webhook_that_never_takes_it_is_given_up_and_told_the_next_time(tmp_path, answer, posts):
    with Hook(answer) as hook:
        nights = Nights(tmp_path, hook.sink(attempts=3), FILE)
        came = nights.night(**{RATE: "red", CSI: "red"})
        assert [failure["sink"] for failure in came.failed] == ["hook"] and came.failed[0]["waiting"] == 2
        assert {message["sink"] for message in came.sent} == {"file"}, "the others are told all the same"
        assert len(hook.got) == posts and {path for path, *_ in hook.got} == {"/in"}, "and nobody else gets it"
        first = hook.got[0][1][outlets.KEY]
        hook.answers = [200]
        came = nights.night(**{RATE: "red", CSI: "red"})
        assert told(came.sent) == [(RATE, "new", "red"), (CSI, "new", "red")] and {message["sink"] for message in came.sent} == {"hook"} and not came.failed
        assert hook.got[posts][1][outlets.KEY] == first, "a receiver that had it after all can drop it"


def test_a_webhook_is_given_up_when_its_time_is_up_and_does_not_hold_up_the_night(tmp_path):
    with Hook("hang") as hook:
        begun = time.monotonic()
        came = Nights(tmp_path, hook.sink(attempts=10, give_up_after_seconds=0.8)).night(**{RATE: "red"})
        assert came.failed and time.monotonic() - begun < 2.5


def test_a_webhook_that_nobody_listens_at_or_without_its_secret_is_said_without_address_or_secret(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        sink = Sink(name="hook", kind="webhook", url=f"http://127.0.0.1:{taken.getsockname()[1]}/in?key=geheim", attempts=1)
        assert Nights(tmp_path / "a", sink).night(**{RATE: "red"}).failed[0]["why"] == "127.0.0.1 cannot be reached (ConnectionRefusedError)"
    lacking = sink.model_copy(update={"secret": "env:QQLOAN_NOT_SET"})
    assert Nights(tmp_path / "b", lacking).night(**{RATE: "red"}).failed[0]["why"] == "the secret is not there (env:QQLOAN_NOT_SET)"


def test_killed_while_a_webhook_is_told_it_is_told_once_more_at_most_with_the_same_key(tmp_path, monkeypatch):
    for step in range(1, 8):
        with Hook(200) as hook:
            nights = Nights(tmp_path / str(step), hook.sink())
            with monkeypatch.context() as patched:
                _killed_at(patched, step, False)
                with contextlib.suppress(Killed):
                    nights.night(**{RATE: "amber"})
            nights.night(**{RATE: "amber"})
            nights.night(**{RATE: "amber"})
            keys = [headers[outlets.KEY] for _, headers, _ in hook.got]
            assert 1 <= len(keys) <= 2 and len(set(keys)) == 1, step


# --- mail ---

@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begun = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1).not_valid_before(begun)
        .not_valid_after(begun + datetime.timedelta(30)).add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


class Postbox:
    """What a mail server was given; ``refuse``: recipients that it does not know; ``data``: what it answers to a letter."""

    def __init__(self, refuse=(), data="250 kept") -> None:
        self.letters, self.refuse, self.data = [], refuse, data

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuse:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        if self.data.startswith("250"):
            self.letters.append((envelope.rcpt_tos, envelope.content))
        return self.data


@contextlib.contextmanager
def mail_server(postbox, **more):
    class AnyPort(Controller):
        def _trigger_server(self):
            self.port = self.server.sockets[0].getsockname()[1]  # what 0 came to
            super()._trigger_server()

    controller = AnyPort(postbox, hostname="127.0.0.1", port=0, **more)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def _mail(port: int, **more) -> Sink:
    return Sink(**{"name": "mail", "kind": "smtp", "host": "127.0.0.1", "port": port, "security": "none", "sender": "qqloan@lender.example", "to": ["risk@lender.example"], "timeout_seconds": 3, **more})


def test_a_letter_goes_out_over_starttls_after_a_login_in_both_languages(tmp_path, monkeypatch, certificate):
    monkeypatch.setenv("QQLOAN_SMTP_PASSWORD", "geheim")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    seen = []

    def login(server, session, envelope, mechanism, data):
        seen.append((session.ssl is not None, data.login, data.password))
        return AuthResult(success=data.password == b"geheim", handled=False)

    postbox = Postbox()
    with mail_server(postbox, tls_context=context, require_starttls=True, auth_required=True, authenticator=login) as port:
        sink = _mail(port, security="starttls", ca_file=str(certificate[0]), user="robot", password="env:QQLOAN_SMTP_PASSWORD")
        nights = Nights(tmp_path, sink)
        assert told(nights.night(**{RATE: "red", CSI: "amber"}).sent) == [(RATE, "new", "red"), (CSI, "new", "amber")]
        assert nights.night(**{RATE: "red", CSI: "amber"}).sent == []
        wrong = Nights(tmp_path / "wrong", sink.model_copy(update={"password": "file:" + str(_kept(tmp_path / "wrong-password", "falsch"))})).night(**{RATE: "red"})
        assert wrong.failed[0]["why"] == "the mail server answered 535"
        stranger = Nights(tmp_path / "stranger", sink.model_copy(update={"ca_file": None})).night(**{RATE: "red"})
        assert stranger.failed[0]["why"] == "the mail server cannot be used (SSLCertVerificationError)", "a certificate that nobody vouches for gets no password"
    assert seen[0] == (True, b"robot", b"geheim")
    [(people, letter)] = postbox.letters
    read = message_from_bytes(letter, policy=policy.default)
    assert people == ["risk@lender.example"] and read["Subject"] == "[qqloan] 1 red, 1 amber, 0 over, as of 2026-11-02" and read["Message-ID"].endswith("@qqloan>")
    text = read.get_content()
    assert text.index(f"RED {RATE} (new)") < text.index(f"AMBER {CSI}") and f"{RATE} 为 red" in text and "查看。" in text


def _kept(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("postbox", "why"), [
    (Postbox(data="451 later"), "the mail server answered 451"), (Postbox(data="554 never"), "the mail server answered 554"),
    (Postbox(refuse=("risk@lender.example",)), "the mail server refused every recipient"),
])
def test_a_mail_server_that_refuses_is_asked_again_the_next_time(tmp_path, postbox, why):
    with mail_server(postbox) as port:
        nights = Nights(tmp_path, _mail(port))
        assert nights.night(**{RATE: "red"}).failed == [{"sink": "mail", "waiting": 1, "why": why}]
        postbox.data, postbox.refuse = "250 kept", ()
        assert told(nights.night(**{RATE: "red"}).sent) == [(RATE, "new", "red")]
    assert len(postbox.letters) == 1


def test_one_recipient_that_is_refused_is_said_and_the_others_are_not_written_to_again(tmp_path):
    postbox = Postbox(refuse=("gone@lender.example",))
    with mail_server(postbox) as port:
        nights = Nights(tmp_path, _mail(port, to=["risk@lender.example", "gone@lender.example"]))
        came = nights.night(**{RATE: "red"})
        assert told(came.sent) == [(RATE, "new", "red")] and came.failed[0]["why"] == "the mail server refused 1 of 2 recipients"
        assert nights.night(**{RATE: "red"}) == ([], [], None)
    assert [people for people, _ in postbox.letters] == [["risk@lender.example"]]


def test_a_mail_server_that_hangs_up_is_asked_again_the_next_time(tmp_path):
    server = socket.create_server(("127.0.0.1", 0))

    def hang_up():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.sendall(b"220 here\r\n")
                connection.recv(1024)
                connection.close()

    threading.Thread(target=hang_up, daemon=True).start()
    nights = Nights(tmp_path, _mail(server.getsockname()[1]))
    assert nights.night(**{RATE: "red"}).failed[0]["why"] in ("the mail server cannot be used (SMTPServerDisconnected)", "the mail server cannot be used (ConnectionResetError)")
    server.close()
    postbox = Postbox()
    with mail_server(postbox) as port:
        nights.sinks = [_mail(port)]
        assert told(nights.night(**{RATE: "red"}).sent) == [(RATE, "new", "red")]


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "taken").write_text("a file where a folder is wanted")
    assert "cannot be written" in Nights(tmp_path, FILE.model_copy(update={"path": "taken/alerts.jsonl"})).night(**{RATE: "red"}).failed[0]["why"]
