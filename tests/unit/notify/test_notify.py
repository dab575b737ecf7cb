# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications: signed, told once, bounded, and sent over real HTTP; chats and mail by apprise itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email import message_from_string
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode import Mode
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.notifications import notify
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.feedback import spec_of_notify
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.notify.message_text import Message
from ansible_collections.plumb.gitops.plugins.module_utils.notify.messages import News, Severity, news_of
from ansible_collections.plumb.gitops.plugins.module_utils.notify.receiver import Receiver
from ansible_collections.plumb.gitops.plugins.module_utils.notify.send import NotifyError, send
from ansible_collections.plumb.gitops.plugins.module_utils.notify.signature import is_signed, signed_headers
from ansible_collections.plumb.gitops.plugins.module_utils.notify.throttle import SentNews, Throttle, due
from ansible_collections.plumb.gitops.tests.support.ansible.fleet import options_of
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply, Request

NOW = 1_800_000_000.0
COMMIT = "4f2a9c1" + "0" * 33
FAILED = News(severity=Severity.ERROR, kind="failed", app="shop", text="it does not render", key="app shop")
DRIFTED = News(severity=Severity.WARNING, kind="drifted", app="shop", text="Deployment web", key="drift shop")
BOUNDS = Throttle(severity=Severity.WARNING, repeat_after=86400.0, most=3)
RAN = frozenset({"app shop", "drift shop", "changed shop"})


def test_a_signature_is_that_of_the_standard() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks: a secret in base64 after whsec_."""
    secret = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    headers = signed_headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert is_signed(secret, headers, body, 1614265330 + 299)
    assert not is_signed(secret, headers, body, 1614265330 + 301)
    assert not is_signed(secret, headers, body + b" ", 1614265330)
    assert not is_signed(b"whsec_AAAA", headers, body, 1614265330)
    assert not is_signed(b"whsec_!", headers, body, 1614265330)
    several = {**headers, "webhook-signature": f"v1a,x v1,AAAA {headers['webhook-signature']}"}
    assert is_signed(secret, several, body, 1614265330)


def test_the_same_is_told_once_until_it_is_time_or_differs() -> None:
    first = due([FAILED, DRIFTED], SentNews(), BOUNDS, NOW, RAN)
    assert first.news == (FAILED, DRIFTED)
    assert due([FAILED, DRIFTED], first.after, BOUNDS, NOW + 60, RAN).news == ()
    other = replace(FAILED, text="another reason")
    assert due([other, DRIFTED], first.after, BOUNDS, NOW + 60, RAN).news == (other,)
    assert due([FAILED, DRIFTED], first.after, BOUNDS, NOW + 86401, RAN).news == (FAILED, DRIFTED)


def test_what_no_longer_fails_is_told_once_and_may_fail_anew() -> None:
    failed = due([FAILED], SentNews(), BOUNDS, NOW, RAN)
    assert (
        due([], failed.after, BOUNDS, NOW + 1, frozenset()).news == ()
    )  # a run of other apps says nothing of it
    well = due([], failed.after, BOUNDS, NOW + 2, RAN)
    assert [(piece.kind, piece.app) for piece in well.news] == [("recovered", "shop")]
    assert due([], well.after, BOUNDS, NOW + 3, RAN).news == ()
    assert due([FAILED], well.after, BOUNDS, NOW + 4, RAN).news == (FAILED,)


def test_drift_that_has_passed_is_news_again_but_not_each_minute() -> None:
    sent = due([DRIFTED], SentNews(), BOUNDS, NOW, RAN).after
    passed = due([], sent, BOUNDS, NOW + 60, RAN).after
    assert due([DRIFTED], passed, BOUNDS, NOW + 120, RAN).news == ()
    passed = due([], passed, BOUNDS, NOW + 3700, RAN).after
    assert due([DRIFTED], passed, BOUNDS, NOW + 3760, RAN).news == (DRIFTED,)


def test_less_than_wanted_is_not_told_and_too_much_is_counted() -> None:
    changed = replace(DRIFTED, severity=Severity.INFO, kind="changed")
    assert due([changed], SentNews(), BOUNDS, NOW, RAN).news == ()
    before = SentNews()
    messages = 0
    for number in range(6):
        result = due([replace(FAILED, text=f"reason {number}")], before, BOUNDS, NOW + number, RAN)
        messages += bool(result.news)
        before = result.after
    assert (messages, before.left_out) == (3, 3)
    later = due([replace(FAILED, text="at last")], before, BOUNDS, NOW + 3700, RAN)
    assert (len(later.news), later.left_out, later.after.left_out) == (1, 3, 0)


def test_the_news_of_a_run() -> None:
    pulled: list[dict[str, Any]] = [
        {"name": "fleet", "revision": {"commit": COMMIT}},
        {"name": "other", "error": "source other: fetching: no answer"},
    ]
    apps = [
        {"name": "shop", "failed": True, "error": "app shop: it does not render"},
        {"name": "cart", "failed": False},
    ]
    actions = [
        {"app": "cart", "object": "Deployment x/cart", "action": "update", "result": "done", "drifted": True},
        {"app": "cart", "object": "ConfigMap x/new", "action": "create", "result": "done", "drifted": False},
    ]
    news = news_of(
        pulled, {"lines": [], "apps": apps, "actions": actions}, {"shop": "fleet", "cart": "fleet"}
    )
    assert [(piece.severity.word, piece.kind, piece.app, piece.text) for piece in news] == [
        ("error", "failed", "", "source other: fetching: no answer"),
        ("error", "failed", "shop", "app shop: it does not render"),
        ("warning", "drifted", "cart", "Deployment x/cart"),
        ("info", "changed", "cart", "create ConfigMap x/new"),
    ]
    assert news[3].commit == COMMIT
    assert news_of(pulled[:1], {"msg": "no cluster\nmore"}, {})[0].text == "no cluster more"


def test_nobody_is_mentioned_by_what_others_wrote() -> None:
    news = replace(FAILED, text="<!channel> @everyone <@U123> {{ 7 * 7 }}")
    text = Message(cluster="prod", news=(news,), time="").text
    assert "<!" not in text
    assert "@everyone" not in text
    assert "<@" not in text
    assert "{{ 7 * 7 }}" in text


@dataclass(slots=True)
class Server:
    """Takes what is sent to it, and answers with `status`."""

    http: GitServer
    status: int = 204

    @property
    def url(self) -> str:
        return self.http.url("").rstrip("/")

    @property
    def asked(self) -> list[Request]:
        return self.http.requests

    def answer(self, _request: Request) -> Reply:
        return Reply(self.status, {"Location": f"{self.url}/elsewhere"})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with GitServer(tmp_path / "served") as http:
        server = Server(http)
        http.intercept = server.answer
        yield server


def receiver(tmp_path: Path, url: str, **more: Any) -> Receiver:
    file = tmp_path / "address"
    file.write_text(f"{url}\n", encoding="utf-8")
    return Receiver(name="team", webhook_url_file=file, timeout=2.0, **more)


MESSAGE = Message(
    cluster="prod", news=(FAILED,), time="2027-01-15T08:00:00Z", link="https://plumb.example.com"
)


def test_a_message_arrives_signed(tmp_path: Path, server: Server) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of some length\n", encoding="utf-8")
    send(receiver(tmp_path, f"{server.url}/hooks/s3cr3t", secret_file=secret), MESSAGE)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/hooks/s3cr3t")
    document = json.loads(asked.body)
    assert (document["severity"], document["title"]) == ("error", "prod: 1 failed")
    assert document["news"][0]["text"] == "it does not render"
    signed = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
    digest = hmac.new(b"a secret of some length", signed, hashlib.sha256).digest()
    assert asked.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("status", "message"),
    [(500, "answers 500"), (302, "answers 302"), (404, "answers 404"), (0, "no answer")],
)
def test_a_receiver_that_does_not_take_it_is_said_without_its_address(
    tmp_path: Path, server: Server, status: int, message: str
) -> None:
    server.status = status
    url = server.url if status else "http://127.0.0.1:9"
    with pytest.raises(NotifyError, match=message) as caught:
        send(receiver(tmp_path, f"{url}/hooks/s3cr3t"), MESSAGE)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.next_step
    assert len(server.asked) <= 1, "no redirect is followed"


@pytest.mark.parametrize(
    "url", ["http://example.com/x", "file:///etc/passwd", "nothing", "https://", "https://a\nhttps://b"]
)
def test_addresses_that_cannot_be(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError) as caught:
        send(receiver(tmp_path, url), MESSAGE)
    assert caught.value.next_step
    assert "passwd" not in str(caught.value)


def test_a_chat_is_told_by_apprise(tmp_path: Path, server: Server) -> None:
    file = tmp_path / "apprise"
    file.write_text(server.url.replace("http://", "json://") + "/chat", encoding="utf-8")
    send(Receiver(name="chat", apprise_url_file=file), MESSAGE)
    (asked,) = server.asked
    document = json.loads(asked.body)
    assert (document["title"], document["type"]) == ("prod: 1 failed", "failure")
    assert "it does not render" in document["message"]
    server.status = 500
    with pytest.raises(NotifyError, match="apprise could not send it"):
        send(Receiver(name="chat", apprise_url_file=file), MESSAGE)
    file.write_text("nothing://known", encoding="utf-8")
    with pytest.raises(InputError, match="does not know such an address"):
        send(Receiver(name="chat", apprise_url_file=file), MESSAGE)


class Mail(socketserver.StreamRequestHandler):
    """Enough of SMTP (RFC 5321) to be given a mail, which it keeps."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail.example.com\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            if word == b"QUIT":
                return


def test_mail_is_sent_by_apprise(tmp_path: Path) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        mails: list[str] = []
        server.mails = mails  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_address[1]}"
        file = tmp_path / "apprise"
        file.write_text(f"mailto://{host}/?from=plumb@example.com&to=team@example.com\n", encoding="utf-8")
        send(Receiver(name="mail", apprise_url_file=file), MESSAGE)
        server.shutdown()
    (text,) = mails
    mail = message_from_string(text, policy=default)
    assert (mail["To"], mail["Subject"]) == ("team@example.com", "prod: 1 failed")
    assert "plumb@example.com" in mail["From"]
    assert "it does not render" in mail.get_body().get_content()  # type: ignore[union-attr]


def test_without_apprise_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "apprise.py").write_text("raise ImportError", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "address"
    file.write_text("json://127.0.0.1", encoding="utf-8")
    with pytest.raises(InputError, match=r"apprise cannot be imported.*requirements-notify\.txt"):
        send(Receiver(name="chat", apprise_url_file=file), MESSAGE)


def test_the_module_tells_what_is_news_and_never_fails(tmp_path: Path, server: Server) -> None:
    (tmp_path / "address").write_text(server.url, encoding="utf-8")
    receiver = {
        "notifications": [{"name": "team", "webhook_url_file": str(tmp_path / "address")}],
        "pulled": [{"name": "fleet", "revision": {"commit": COMMIT}}],
        "apps": [{"name": "shop", "source": "fleet"}],
        "cluster": "prod",
        "applied": {"lines": [], "apps": [{"name": "shop", "failed": True, "error": "it does not render"}]},
        "cache_dir": str(tmp_path / "cache"),
    }
    options = options_of(spec_of_notify(), receiver)
    assert notify(options, Mode(check=True, diff=False))["sent"] == ["team"]
    assert server.asked == []
    server.status = 503
    down = notify(options, Mode(check=False, diff=False))
    assert (down["sent"], len(down["warnings"])) == ([], 1)
    assert "The next run sends it again." in down["warnings"][0]
    server.status = 204
    assert notify(options, Mode(check=False, diff=False))["sent"] == ["team"]
    assert notify(options, Mode(check=False, diff=False))["sent"] == []
    well = {**options, "applied": {"lines": [], "apps": [{"name": "shop", "failed": False}]}}
    assert notify(well, Mode(check=False, diff=False))["sent"] == ["team"]
    assert json.loads(server.asked[-1].body)["title"] == "prod: 1 recovered"
    for file in (tmp_path / "cache" / "notifications").iterdir():
        file.write_text("[]", encoding="utf-8")
    assert notify(options, Mode(check=False, diff=False))["sent"] == ["team"], "lost: told once more"
