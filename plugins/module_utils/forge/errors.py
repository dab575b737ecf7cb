# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a forge's refusal means, as a table: the first row that fits gives the reason and the next step."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.errors import PlumbError


class ForgeError(PlumbError):
    """The forge refused or did not answer. `status` is that of its answer, 0 where there was none."""

    def __init__(
        self, subject: str, operation: str, reason: str, next_step: str = "", *, status: int = 0
    ) -> None:
        super().__init__(subject, operation, reason, next_step)
        self.status = status

    @property
    def is_passing(self) -> bool:
        """Whether it may succeed a moment later: there was no answer, or the forge itself failed."""
        return self.status == 0 or self.status >= 500


@dataclass(frozen=True, slots=True)
class ForgeErrorMeaning:
    """Answers of these statuses whose message contains `words` (in lower case; empty: any)."""

    statuses: frozenset[int]
    words: str
    reason: str
    next_step: str


def _row(statuses: tuple[int, ...], words: str, reason: str, next_step: str) -> ForgeErrorMeaning:
    return ForgeErrorMeaning(frozenset(statuses), words, reason, next_step)


MEANINGS = (
    _row(
        (401,),
        "",
        "the forge does not accept the token",
        "Put a token that has not expired into token_file.",
    ),
    _row(
        (403, 429),
        "rate limit",
        "the forge accepts no more requests from this account for now",
        "Wait, and run again.",
    ),
    _row((429,), "", "the forge accepts no more requests from this account for now", "Wait, and run again."),
    _row(
        (403,),
        "",
        "the token may not do this",
        "Give it the scope that docs/forges.md names for this, and its owner the role.",
    ),
    _row(
        (404,),
        "",
        "it does not exist, or the token may not see it",
        "Compare owner and name with what the forge's page shows, and the token's scopes with docs/forges.md.",
    ),
    _row(
        (400, 409, 422),
        "key",
        "the forge does not take this key",
        "A key can serve one repository, and a title one key: take another key_file or title, or remove the old one.",
    ),
    _row(
        (400, 409, 422),
        "",
        "the forge refuses it, or has it already where the token cannot see it",
        "See what it says, and whether the token may see what is there.",
    ),
    _row((500, 502, 503, 504), "", "the forge failed", "See its logs, and run again when it answers."),
)
_UNKNOWN = _row((), "", "an answer that is not expected", "See whether url is the forge's address.")


def forge_error(subject: str, operation: str, status: int, message: str) -> ForgeError:
    """Return the error of an answer of this status; `message` is its text, without secrets."""
    lower = message.lower()
    row = next((row for row in MEANINGS if status in row.statuses and row.words in lower), _UNKNOWN)
    detail = f" ({status}: {message})" if message else f" ({status})"
    return ForgeError(subject, operation, f"{row.reason}{detail}", row.next_step, status=status)
