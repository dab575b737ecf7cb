# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the body of a request, with limits on its size and time."""

from __future__ import annotations

import asyncio

from aiohttp import web

READING = 10.0  # seconds for a body
MOST_WORDS = 4096  # bytes of a body that holds words


class BodyRefused(Exception):
    """A request is refused: why, and the status of the answer."""

    def __init__(self, status: int, why: str, wait: float = 0.0) -> None:
        super().__init__(status, why)
        self.status = status
        self.why = why
        self.wait = wait  # seconds until it is of use to try again


async def read_body(request: web.Request, *, most: int, seconds: float) -> bytes:
    """Return the body, of at most `most` bytes, within `seconds`. Raises BodyRefused; then the connection is closed."""
    if (request.content_length or 0) > most:
        raise too_large(most)
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.content.iter_chunked(64 * 1024):
                size += len(part)
                if size > most:
                    raise too_large(most)
                parts.append(part)
    except TimeoutError as exc:
        raise BodyRefused(408, "the body takes too long") from exc
    return b"".join(parts)


def too_large(most: int) -> BodyRefused:
    """Return the refusal of a body with more than `most` bytes."""
    size = f"{most >> 20} MiB" if most >> 20 else f"{most >> 10} KiB"
    return BodyRefused(413, f"the body has more than {size}")
