# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of semantic versions, as npm and Masterminds/semver (Flux, Helm) write them.

    >=1.2 <2   >=1.2, <2   ~1.4   ^1.2.3   1.x   1.2 - 2.3   =1.4.2   !=1.4.3   ^1 || ^2

A blank or a comma means and, `||` or. A partial version stands for all versions that begin so: `1.2` and `=1.2` are
`1.2.x`, `>1.2` begins at 1.3.0, `<=1.2` ends before 1.3.0. `~1.4.2` keeps the minor version, `^1.4.2` all up to the
first part that is not zero. A prerelease is chosen only by an alternative that names one itself (`>=1.3.0-0` admits
all from there on), and never one of the version that an upper bound excludes: `<2` does not admit 2.0.0-rc.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..model.errors import InputError
from .git.packages import semver

_PART = r"(?:0|[1-9][0-9]{0,17}|[xX*])"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_PARTIAL = re.compile(
    rf"[vV]?(?P<major>{_PART})(?:\.(?P<minor>{_PART})(?:\.(?P<patch>{_PART})"
    rf"(?:-(?P<pre>{_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?)?)?"
)
_OPERATOR = re.compile(r"(>=|<=|!=|~>|[<>=~^])[ ]+")
_TERM = re.compile(r"(?P<operator>>=|<=|!=|~>|[<>=~^]|)(?P<partial>[^<>=~^!]+)")
_HYPHEN = re.compile(r"(\S+) +- +(\S+)")
_TAG = re.compile(r"[vV]?(?P<version>[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)")
_NEED_A_NUMBER = frozenset({"<", ">", "!="})
_MAX_LENGTH = 256  # characters of a range
_LOWEST_PRERELEASE = "0"


@dataclass(frozen=True, slots=True)
class _Partial:
    """A version of which the last parts may be left open; `parts` holds those that are given."""

    parts: tuple[int, ...]
    prerelease: str | None

    @property
    def low(self) -> semver.Version:
        major, minor, patch = (*self.parts, 0, 0, 0)[:3]
        return semver.Version(major, minor, patch, self.prerelease)

    def above(self, keep: int) -> semver.Version:
        """Return the first version after all that share the first `keep` parts; its prereleases are after them too."""
        major, minor, patch = (*self.parts[: keep - 1], self.parts[keep - 1] + 1, 0, 0)[:3]
        return semver.Version(major, minor, patch, _LOWEST_PRERELEASE)


@dataclass(frozen=True, slots=True)
class _Span:
    """From `low` up to but not including `high`; None is open."""

    low: semver.Version | None
    high: semver.Version | None

    def holds(self, version: semver.Version) -> bool:
        return (self.low is None or version >= self.low) and (self.high is None or version < self.high)


@dataclass(frozen=True, slots=True)
class _Term:
    span: _Span
    negated: bool
    prerelease: bool

    def admits(self, version: semver.Version) -> bool:
        return self.span.holds(version) is not self.negated


def _next(version: semver.Version) -> semver.Version:
    """Return the least version above `version`: a longer prerelease, or the first prerelease of the next patch."""
    if version.prerelease:
        return version.replace(prerelease=f"{version.prerelease}.{_LOWEST_PRERELEASE}")
    return version.bump_patch().replace(prerelease=_LOWEST_PRERELEASE)


def _exactly(partial: _Partial) -> _Span:
    if not partial.parts:
        return _Span(None, None)
    high = _next(partial.low) if len(partial.parts) == 3 else partial.above(len(partial.parts))
    return _Span(partial.low, high)


def _before(partial: _Partial) -> _Span:
    low = partial.low
    return _Span(None, low if low.prerelease else low.replace(prerelease=_LOWEST_PRERELEASE))


def _tilde(partial: _Partial) -> _Span:
    return (
        _Span(partial.low, partial.above(min(2, len(partial.parts)))) if partial.parts else _Span(None, None)
    )


def _caret(partial: _Partial) -> _Span:
    if not partial.parts:
        return _Span(None, None)
    leading_zeros = next((i for i, part in enumerate(partial.parts) if part), len(partial.parts) - 1)
    return _Span(partial.low, partial.above(leading_zeros + 1))


_OPERATORS: dict[str, Callable[[_Partial], _Span]] = {
    "": _exactly,
    "=": _exactly,
    "!=": _exactly,
    ">=": lambda partial: _Span(partial.low, None),
    ">": lambda partial: _Span(_exactly(partial).high, None),
    "<": _before,
    "<=": lambda partial: _Span(None, _exactly(partial).high),
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A parsed range: alternatives of terms that must all hold."""

    text: str
    alternatives: tuple[tuple[_Term, ...], ...]

    def admits(self, version: semver.Version) -> bool:
        """Return whether a version is in the range."""
        return any(
            all(term.admits(version) for term in terms)
            and (version.prerelease is None or any(term.prerelease for term in terms))
            for terms in self.alternatives
        )

    def choose(self, tags: Iterable[str]) -> str | None:
        """Return the tag of the highest version in the range; of equal ones (build metadata, a leading v) the last."""
        candidates = [(version, tag) for version, tag in versions_of(tags) if self.admits(version)]
        return max(candidates)[1] if candidates else None


def versions_of(tags: Iterable[str]) -> list[tuple[semver.Version, str]]:
    """Return the tags that are whole versions, with or without a leading v, each with its version."""
    matches = ((_TAG.fullmatch(tag), tag) for tag in tags)
    return [
        (semver.Version.parse(match["version"]), tag)
        for match, tag in matches
        if match and semver.Version.is_valid(match["version"])
    ]


def parse_range(text: str, *, subject: str) -> VersionRange:
    """Read a range; raises InputError, naming `subject`, for what is none."""
    if len(text) > _MAX_LENGTH or not text.strip():
        raise _refusal(subject, "it is empty or too long")
    alternatives = tuple(_alternative(part, subject) for part in text.split("||"))
    return VersionRange(text, alternatives)


def _alternative(text: str, subject: str) -> tuple[_Term, ...]:
    hyphen = _HYPHEN.fullmatch(text.strip())
    joined = f">={hyphen[1]} <={hyphen[2]}" if hyphen else _OPERATOR.sub(r"\1", text.strip())
    return tuple(_term(part, subject) for part in re.split(r"[ ,]+", joined))


def _term(text: str, subject: str) -> _Term:
    match = _TERM.fullmatch(text)
    partial = _PARTIAL.fullmatch(match["partial"]) if match else None
    if not match or not partial:
        raise _refusal(subject, f"{text[:40]!r} is not a version with an operator")
    numbers: list[int] = []
    for part in (partial["major"], partial["minor"], partial["patch"]):
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    if partial["pre"] and len(numbers) < 3:
        raise _refusal(subject, f"{text[:40]!r} has a prerelease but not all three numbers")
    read = _Partial(tuple(numbers), partial["pre"])
    operator = match["operator"]
    if not numbers and operator in _NEED_A_NUMBER:
        raise _refusal(subject, f"{text[:40]!r} compares with every version")
    return _Term(_OPERATORS[operator](read), operator == "!=", bool(partial["pre"]))


def _refusal(subject: str, reason: str) -> InputError:
    return InputError(
        subject, "reading a semver range", reason, "Write for example '>=1.2 <2', '~1.4', '^1.2.3' or '1.x'."
    )
