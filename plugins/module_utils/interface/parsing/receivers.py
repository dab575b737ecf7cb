# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is to be told of what, from options as Ansible has checked and converted them; and what of that cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ...model.duration import parse_duration
from ...model.errors import PlumbError
from ...notify.messages import Severity
from ...notify.receiver import Receiver
from ...notify.throttle import Throttle

_REPOSITORIES = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/(\*|[A-Za-z0-9._-]+)", re.ASCII)


def receiver_of(given: Mapping[str, Any]) -> tuple[Receiver, Throttle]:
    """A receiver from its options. Raises InputError for a duration that is none."""
    subject = f"notification {given['name']}"
    receiver = Receiver(
        name=given["name"],
        webhook_url_file=_path(given, "webhook_url_file"),
        apprise_url_file=_path(given, "apprise_url_file"),
        secret_file=_path(given, "secret_file"),
        ca_file=_path(given, "ca_file"),
        allow_http=bool(given.get("allow_http")),
        timeout=parse_duration(given.get("timeout") or "10s", subject=f"{subject}, timeout"),
    )
    bounds = Throttle(
        severity=Severity[(given.get("severity") or "warning").upper()],
        repeat_after=parse_duration(given.get("repeat_after") or "24h", subject=f"{subject}, repeat_after"),
        most=int(given.get("most_per_hour") or 30),
    )
    return receiver, bounds


def _path(given: Mapping[str, Any], key: str) -> Path | None:
    return Path(given[key]) if given.get(key) else None


def wrong_answers(settings: Mapping[str, Any]) -> list[str]:
    """What in a checked inventory about forge, statuses, previews, notifications and hooks cannot be, a line each."""
    forge, preview = settings.get("forge") or {}, settings.get("preview") or {}
    wanted = [word for word in ("commit_status", "preview") if settings.get(word)]
    wrong = [f"{word}: there is no plumb_forge." for word in wanted if not forge]
    wrong += _wrong_repositories(forge)
    durations = (("forge, timeout", forge.get("timeout")), ("preview, max_age", preview.get("max_age")))
    checks: list[Callable[[], object]] = [
        partial(receiver_of, one) for one in settings.get("notifications") or ()
    ]
    checks += [partial(parse_duration, value, subject=name) for name, value in durations if value]
    for check in checks:
        try:
            check()
        except PlumbError as error:
            wrong.append(str(error))
    names = [one["name"] for one in settings.get("notifications") or ()]
    wrong += [
        f"notifications: two are called {name!r}." for name in sorted(set(names)) if names.count(name) > 1
    ]
    wrong += [
        f"hooks: {name} is not an absolute path."
        for name, path in (settings.get("hooks") or {}).items()
        if path and not Path(path).is_absolute()
    ]
    return wrong


def _wrong_repositories(forge: Mapping[str, Any]) -> list[str]:
    """What of `repositories` cannot be meant, a line each."""
    return [
        f"forge: repositories has {str(one)[:80]!r}; write OWNER/NAME, or OWNER/* for all of an owner."
        for one in forge.get("repositories") or ()
        if not _REPOSITORIES.fullmatch(str(one))
    ]
