# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message of a commit and a pull request: the operator's text with placeholders of a closed list, and trailers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..model.errors import InputError
from .specs import DEFAULT_MESSAGE, Decision, ImageChange

PLACEHOLDERS = ("images", "changes", "update", "branch")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_TRAILER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)
_LONGEST = 10_000  # characters
_MOST_CHANGES = 50  # that a message lists


def check_message(text: str, trailers: Mapping[str, str], *, subject: str) -> None:
    """Raise InputError for a text with an unknown placeholder, or a trailer that Git would not read as one."""
    if not text.strip() or len(text) > _LONGEST:
        raise InputError(
            subject,
            "reading commit_message",
            "it is empty or too long",
            f"Write for example {DEFAULT_MESSAGE!r}.",
        )
    for match in _PLACEHOLDER.finditer(text):
        if match[0] in {"{", "}"} or (match[1] is not None and match[1] not in PLACEHOLDERS):
            placeholders = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            why = f"{match[0][:40]!r} is no placeholder of a message"
            raise InputError(
                subject,
                "reading commit_message",
                why,
                f"The placeholders are {placeholders}; write braces twice.",
            )
    for name, value in trailers.items():
        if not _TRAILER.fullmatch(name) or not value.strip() or not value.isprintable():
            why = f"{name[:40]!r} is not a name of letters, digits and dashes with one line of text"
            raise InputError(subject, "reading trailers", why, 'Write for example {Reviewed-by: "CI"}.')


def message(
    text: str,
    trailers: Mapping[str, str],
    *,
    update: str,
    branch: str,
    decisions: Sequence[Decision],
    changes: Sequence[ImageChange],
) -> str:
    """Return the text with its placeholders filled in. Values are inserted as they are, without a second pass."""
    listed = [f"- {change.where} {change.before} -> {change.after}" for change in changes[:_MOST_CHANGES]]
    more = len(changes) - len(listed)
    values = {
        "images": ", ".join(f"{decision.policy.name} to {choice_text(decision)}" for decision in decisions),
        "changes": "\n".join([*listed, *([f"- and {more} more"] if more else [])]),
        "update": update,
        "branch": branch,
    }
    filled = _PLACEHOLDER.sub(
        lambda match: values[match[1]] if match[1] is not None else match[0][0], text
    ).strip()
    lines = [f"{name}: {value.strip()}" for name, value in trailers.items()]
    return "\n\n".join([filled, *(["\n".join(lines)] if lines else [])]) + "\n"


def choice_text(decision: Decision) -> str:
    """Return a choice for people: its tag, and its digest where the digest is what moves."""
    tag, digest = decision.choice.tag, decision.choice.digest.partition(":")[2][:12]
    return f"{tag} ({digest})" if decision.policy.policy.kind.value == "digest" else tag
