# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A message about one run on one cluster, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .messages import News, Severity

_LONGEST = 3000  # characters of the text; chats take about that


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The news that one message has. `time` is RFC 3339, UTC."""

    cluster: str
    news: tuple[News, ...]
    time: str
    link: str = ""
    left_out: int = 0

    @property
    def severity(self) -> Severity:
        """The highest severity of its news."""
        return max(piece.severity for piece in self.news)

    @property
    def title(self) -> str:
        """Such as `prod-eu: 2 failed, 1 drifted`."""
        counted = Counter(piece.kind for piece in self.news)
        return f"{self.cluster}: {', '.join(f'{number} {kind}' for kind, number in counted.items())}"

    @property
    def text(self) -> str:
        """A line for each piece of news. Nobody is mentioned by it, and it is no markup of chats."""
        lines = [_line(piece) for piece in self.news]
        lines += [f"{self.left_out} more were left out, because there were too many"] if self.left_out else []
        lines += [self.link] if self.link else []
        text = "\n".join(lines)
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

    def document(self) -> dict[str, Any]:
        """Return the message for a webhook; `text` is what chats show."""
        return {
            "apiVersion": "plumb.gitops/v1",
            "kind": "Notification",
            "cluster": self.cluster,
            "severity": self.severity.word,
            "title": self.title,
            "text": f"{self.title}\n{self.text}",
            "time": self.time,
            "link": self.link,
            "left_out": self.left_out,
            "news": [_document(piece) for piece in self.news],
        }


def _line(news: News) -> str:
    about = f"{news.app}: " if news.app else ""
    at = f" at {news.commit[:7]}" if news.commit else ""
    return _plain(f"{about}{news.kind}{at}: {news.text}")


def _plain(text: str) -> str:
    """Without what chats make mentions and commands of."""
    return text.replace("@", "@\u200b").replace("<", "<\u200b")


def _document(news: News) -> dict[str, str]:
    return {
        "severity": news.severity.word,
        "kind": news.kind,
        "app": news.app,
        "commit": news.commit,
        "text": news.text,
    }


def by_severity(news: Sequence[News]) -> tuple[News, ...]:
    """Return the news with the most severe first."""
    return tuple(sorted(news, key=lambda piece: -piece.severity))
