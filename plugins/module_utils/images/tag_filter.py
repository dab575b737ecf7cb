# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filtering tags by a regular expression, in a child process that is killed when it takes too long.

An expression such as `(a+)+$` takes exponential time, and Python cannot interrupt it from within; a process can be
ended from outside.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..model.errors import InputError
from .tag_policy import Candidate

SECONDS = 3.0  # for all tags of an image
_LONGEST = 500  # characters of an expression
_NAME = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)
_OUTPUT = 64 << 20
_CPU, _MEMORY = 10, 1 << 30  # seconds and bytes: a second limit, in case nobody is left to end the child

# Reads one JSON document: the expression and the tags. Writes one: for each tag None, or its groups by number and name.
_CHILD = f"""
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({_CPU}, {_CPU}))
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
request = json.load(sys.stdin)
try:
    pattern = re.compile(request["pattern"])
except (re.error, OverflowError, RecursionError) as error:
    json.dump({{"wrong": str(error)}}, sys.stdout)
else:
    matches = [pattern.search(tag) for tag in request["tags"]]
    names = {{**{{str(number): number for number in range(pattern.groups + 1)}}, **pattern.groupindex}}
    json.dump({{"names": list(names), "groups": [
        match and {{name: match.group(number) or "" for name, number in names.items()}} for match in matches
    ]}}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Tags that match `pattern`; with `extract`, what is compared of them: `$name`, `${{name}}` or `$1` are groups."""

    pattern: str
    extract: str = ""


def filter_tags(
    wanted: TagFilter, tags: Sequence[str], *, subject: str, seconds: float = SECONDS
) -> list[Candidate]:
    """Return the tags that match the filter. Raises InputError, with `subject`, also where that takes too long."""
    operation = "filtering tags"
    if len(wanted.pattern) > _LONGEST or len(wanted.extract) > _LONGEST:
        raise InputError(subject, operation, f"it is longer than {_LONGEST} characters", "Write it shorter.")
    answer = _run_filter(wanted, tags, subject, operation, seconds)
    if "wrong" in answer:
        raise InputError(
            subject,
            operation,
            f"{wanted.pattern[:80]!r} is not a regular expression: {answer['wrong']}",
            r"Write for example '^main-(?P<build>\d+)$'.",
        )
    _check_extract(wanted, answer["names"], subject, operation)
    return [
        Candidate(tag, _extracted(wanted.extract, groups) if wanted.extract else tag)
        for tag, groups in zip(tags, answer["groups"], strict=True)
        if groups is not None
    ]


def _run_filter(
    wanted: TagFilter, tags: Sequence[str], subject: str, operation: str, seconds: float
) -> dict[str, Any]:
    asked = json.dumps({"pattern": wanted.pattern, "tags": list(tags)}).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CHILD],
            input=asked,
            capture_output=True,
            timeout=seconds,
            check=False,
            cwd="/",
            env={"PATH": os.defpath},
        )
    except subprocess.TimeoutExpired as exc:
        raise InputError(
            subject,
            operation,
            f"{wanted.pattern[:80]!r} takes longer than {seconds:g}s for {len(tags)} tags and was ended",
            "Write it without nested repetitions such as (a+)+.",
        ) from exc
    if done.returncode != 0:
        raise InputError(
            subject,
            operation,
            f"{wanted.pattern[:80]!r} needs more memory or time than a filter may take",
            "Write it without large repetitions.",
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _check_extract(wanted: TagFilter, names: Sequence[str], subject: str, operation: str) -> None:
    for match in _NAME.finditer(wanted.extract):
        name = match[1] or match[2]
        if name is not None and name not in names:
            known = ", ".join(f"${group}" for group in names)
            why = f"extract names {match[0]}, which is no group of {wanted.pattern[:80]!r}"
            raise InputError(subject, operation, why, f"The groups are {known}.")


def _extracted(extract: str, groups: dict[str, str]) -> str:
    return _NAME.sub(lambda match: groups[match[1] or match[2]] if match[1] or match[2] else "$", extract)
