# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending a message: to a webhook, signed, or by apprise to chats and mail. Addresses are secrets and stay in files."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ..http.deadline import Deadline, DeadlinePassed, run_within
from ..http.optional_imports import requests
from ..http.session import open_session
from ..model.errors import InputError, PlumbError, printable
from .apprise_process import AppriseResult, send_by_apprise
from .message_text import Message
from .receiver import Receiver
from .signature import key_of, signed_headers

_OPERATION = "sending a notification"
_CHECK_RECEIVER = "See that the receiver answers from here; raise its timeout if it is only slow."
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class NotifyError(PlumbError):
    """A message did not get where it was to go. The address is not repeated: it may be all the secret there is."""


def send(receiver: Receiver, message: Message) -> None:
    """Send it once. Raises NotifyError or InputError."""
    if receiver.webhook_url_file is not None:
        _post(receiver, _line_of(receiver, receiver.webhook_url_file, "webhook_url_file"), message)
    elif receiver.apprise_url_file is not None:
        _by_apprise(receiver, _line_of(receiver, receiver.apprise_url_file, "apprise_url_file"), message)


def _post(receiver: Receiver, url: str, message: Message) -> None:
    _check_url(receiver, url)
    body = json.dumps(message.document(), sort_keys=True).encode()
    headers = {"Content-Type": "application/json", **_signature(receiver, body)}
    session = open_session(receiver.subject, "loading what sends notifications", ca_file=receiver.ca_file)
    deadline = Deadline.after(receiver.timeout)

    def post() -> int:
        with session.post(
            url,
            data=body,
            headers=headers,
            timeout=deadline.socket_timeout,
            allow_redirects=False,
            stream=True,  # the answer's body is not read
        ) as answer:
            return answer.status_code

    try:
        with session:
            status = run_within(deadline, post)
    except DeadlinePassed as exc:
        raise _failed(receiver, str(exc), _CHECK_RECEIVER) from None
    except (requests.RequestException, OSError) as exc:
        raise _failed(receiver, f"no answer ({type(exc).__name__})", "See that the receiver is up.") from None
    if status // 100 != 2:
        raise _failed(receiver, f"the receiver answers {status}", "See its log, and the address in the file.")


def _signature(receiver: Receiver, body: bytes) -> Mapping[str, str]:
    if receiver.secret_file is None:
        return {}
    secret = _line_of(receiver, receiver.secret_file, "secret_file").encode()
    if not key_of(secret):
        raise InputError(receiver.subject, "reading secret_file", "what follows whsec_ is no base64")
    return signed_headers(secret, f"msg_{secrets.token_hex(12)}", int(time.time()), body)


def _by_apprise(receiver: Receiver, url: str, message: Message) -> None:
    kind = {"error": "failure", "warning": "warning"}.get(message.severity.word, "info")
    fields = {"title": message.title, "body": message.text, "notify_type": kind, "body_format": "text"}
    try:
        result = send_by_apprise(url, fields, receiver.timeout)
    except DeadlinePassed as exc:
        raise _failed(receiver, str(exc), _CHECK_RECEIVER) from None
    if result is not AppriseResult.SENT:
        raise _apprise_error(receiver, result)


def _apprise_error(receiver: Receiver, result: AppriseResult) -> PlumbError:
    if result is AppriseResult.MISSING:
        return InputError(
            "the Python packages",
            "loading what sends by apprise_url_file",
            "apprise cannot be imported",
            "Install what the collection's requirements-notify.txt names into the Python that runs Ansible's"
            " modules, or use webhook_url_file.",
        )
    if result is AppriseResult.UNKNOWN_ADDRESS:
        return InputError(
            receiver.subject,
            "reading apprise_url_file",
            "apprise does not know such an address",
            "See https://github.com/caronc/apprise/wiki for the address of each service.",
        )
    return _failed(receiver, "apprise could not send it", "See the address in the file, and the service.")


def _line_of(receiver: Receiver, file: Path, option: str) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        why = getattr(exc, "strerror", None) or "it is no text"
        raise InputError(
            receiver.subject, f"reading {option} {file}", why, "Name a file that this user can read."
        ) from None
    if not text or len(text.splitlines()) != 1 or not text.isprintable():
        raise InputError(
            receiver.subject,
            f"reading {option} {file}",
            "it does not hold one line",
            "Write one line into it.",
        )
    return text


def _check_url(receiver: Receiver, url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"https", "http"}:
        raise InputError(
            receiver.subject, "reading webhook_url_file", "it holds no address", "Write https://HOST/PATH."
        )
    if parts.scheme == "http" and host not in _LOOPBACK and not receiver.allow_http:
        raise InputError(
            receiver.subject,
            "reading webhook_url_file",
            "http shows the message to everybody on the way",
            "Write https://, or allow_http: true.",
        )


def _failed(receiver: Receiver, reason: str, next_step: str) -> NotifyError:
    return NotifyError(receiver.subject, _OPERATION, printable(reason, 200), next_step)
