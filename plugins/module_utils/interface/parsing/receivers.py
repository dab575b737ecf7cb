# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers of notifications from their options, and what of an inventory's options for feedback cannot be used."""

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
from ..options.feedback import NOTIFICATION
from .option_values import path_or_none, with_defaults

_REPOSITORIES = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/(\*|[A-Za-z0-9._-]+)", re.ASCII)
_TEMPLATE = re.compile(r"\{[{%#]")


def receiver_of(options: Mapping[str, Any]) -> tuple[Receiver, Throttle]:
    """Return a receiver from its options, and how much it wants. Raises InputError for a duration that is none."""
    values = with_defaults(NOTIFICATION, options)
    subject = f"notification {values['name']}"
    receiver = Receiver(
        name=values["name"],
        webhook_url_file=path_or_none(values, "webhook_url_file"),
        apprise_url_file=path_or_none(values, "apprise_url_file"),
        secret_file=path_or_none(values, "secret_file"),
        ca_file=path_or_none(values, "ca_file"),
        allow_http=bool(values["allow_http"]),
        timeout=parse_duration(values["timeout"], subject=f"{subject}, timeout"),
    )
    throttle = Throttle(
        severity=Severity[values["severity"].upper()],
        repeat_after=parse_duration(values["repeat_after"], subject=f"{subject}, repeat_after"),
        most=int(values["most_per_hour"]) or NOTIFICATION["most_per_hour"]["default"],
    )
    return receiver, throttle


def unusable_feedback(settings: Mapping[str, Any]) -> list[str]:
    """Return what in a checked inventory cannot be used for feedback, a line for each fault.

    That is its forge, commit statuses, previews, notifications and hooks.
    """
    forge, preview = settings["forge"] or {}, settings["preview"] or {}
    users = [option for option in ("commit_status", "preview") if settings[option]]
    wrong = [f"{option}: there is no plumb_forge." for option in users if not forge]
    wrong += _wrong_repositories(forge)
    durations = (
        ("forge, timeout", forge.get("timeout")),
        ("preview, max_age", preview.get("max_age")),
        ("hook_timeout", settings["hook_timeout"]),
    )
    checks: list[Callable[[], object]] = [
        partial(receiver_of, options) for options in settings["notifications"]
    ]
    checks += [partial(parse_duration, value, subject=name) for name, value in durations if value]
    for check in checks:
        try:
            check()
        except PlumbError as error:
            wrong.append(str(error))
    names = [options["name"] for options in settings["notifications"]]
    wrong += [
        f"notifications: two are called {name!r}." for name in sorted(set(names)) if names.count(name) > 1
    ]
    wrong += [
        f"notifications: {name!r} has template syntax, which a name may not have."
        for name in names
        if _TEMPLATE.search(name)
    ]
    wrong += [
        f"hooks: {name} is not an absolute path."
        for name, path in (settings["hooks"] or {}).items()
        if path and not Path(path).is_absolute()
    ]
    return wrong


def _wrong_repositories(forge: Mapping[str, Any]) -> list[str]:
    """Return what of `repositories` cannot be meant, a line for each."""
    return [
        f"forge: repositories has {str(name)[:80]!r}; write OWNER/NAME, or OWNER/* for all of an owner."
        for name in forge.get("repositories") or ()
        if not _REPOSITORIES.fullmatch(str(name))
    ]
