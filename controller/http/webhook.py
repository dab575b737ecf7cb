# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`POST /webhook/<name>`: a forge or a registry reports a change. It can only start early what is done anyway.

What the body says is not used: it is read so that its proof can be checked, and then forgotten.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from ansible_collections.plumb.gitops.plugins.module_utils.state.file import read_bounded

from ..core.config import LARGEST_SECRET, Webhook
from ..core.triggers import Wakeups, Work
from .request_body import READING, BodyRefused, read_body
from .webhook_kinds import SENDERS, Sender

MOST_BODY = 2 * 1024 * 1024  # bytes; a forge's push of a hundred commits has some 200 KiB
_SHORTEST = 16  # bytes of a secret
_SIDE_BY_SIDE = 8  # bodies that are read at once
_REMEMBERED = 10_000  # deliveries of one webhook
_AT_ONCE = 30  # deliveries in a row; then one each
_PAUSE = 2.0  # seconds


@dataclass(slots=True)
class _EarlierDeliveries:
    """What came by one webhook earlier: deliveries by their id and their content, and how much it may still send."""

    seen: OrderedDict[str, None] = field(default_factory=OrderedDict)
    spent: float = 0.0  # when all it may send at once is available again, by a clock that only goes forward

    def is_new(self, *marks: str) -> bool:
        """Return whether none of these came before, and remember them."""
        new = not any(mark in self.seen for mark in marks)
        for mark in marks:
            self.seen[mark] = None
            self.seen.move_to_end(mark)
        while len(self.seen) > 2 * _REMEMBERED:
            self.seen.popitem(last=False)
        return new

    def wait(self, now: float) -> float:
        """Return the seconds until it may send again; 0 where it may now, and that is counted."""
        wait = max(0.0, self.spent - now - (_AT_ONCE - 1) * _PAUSE)
        if not wait:
            self.spent = max(self.spent, now) + _PAUSE
        return wait


class WebhookReceiver:
    """Takes the deliveries of the webhooks that the configuration names. Their secrets are read each time."""

    def __init__(
        self,
        webhooks: tuple[Webhook, ...],
        wakeups: Wakeups,
        may_run: Callable[[], bool],
        count: Callable[[str, int], None],
    ) -> None:
        self._webhooks = {webhook.name: webhook for webhook in webhooks}
        self._wakeups = wakeups
        self._may_run = may_run
        self._count = count
        self._earlier = {name: _EarlierDeliveries() for name in self._webhooks}
        self._reading = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Handle a request with one delivery. The answer says what it started."""
        name = request.match_info["name"]
        try:
            work = await self._receive(request, self._webhooks.get(name))
            answer = web.json_response({"started": work.value if work is not None else "nothing"}, status=202)
        except BodyRefused as refused:
            answer = web.json_response({"error": refused.why}, status=refused.status)
            if refused.wait:
                answer.headers["Retry-After"] = str(math.ceil(refused.wait))
            answer.force_close()
        self._count(name if name in self._webhooks else "", answer.status)
        return answer

    async def _receive(self, request: web.Request, webhook: Webhook | None) -> Work | None:
        if webhook is None:
            raise BodyRefused(404, "there is no such webhook")
        sender = SENDERS[webhook.kind]
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not any(headers.get(proof) for proof in sender.proofs):
            raise BodyRefused(401, f"a proof is missing: {' or '.join(sender.proofs)}")
        body = await self._body(request)
        self._prove(webhook, headers, body)
        if not self._may_run():
            raise BodyRefused(503, "another agent leads")
        return self._wake(webhook, sender, headers, body)

    async def _body(self, request: web.Request) -> bytes:
        if self._reading.locked():
            raise BodyRefused(503, "too many deliveries at once; send it again", 1.0)
        async with self._reading:
            return await read_body(request, most=MOST_BODY, seconds=READING)

    def _prove(self, webhook: Webhook, headers: Mapping[str, str], body: bytes) -> None:
        try:
            secret = read_bounded(webhook.secret_file, LARGEST_SECRET).strip()
        except OSError:
            raise BodyRefused(503, f"the secret of webhook {webhook.name} cannot be read") from None
        if len(secret) < _SHORTEST:  # guessing is not counted: behind a proxy all have one address
            raise BodyRefused(
                503, f"the secret of webhook {webhook.name} has less than {_SHORTEST} characters"
            )
        if not SENDERS[webhook.kind].proven(secret, headers, body, time.time()):
            raise BodyRefused(
                401, "the proof does not match: the secret or the body differs, or it is too old"
            )

    def _wake(self, webhook: Webhook, sender: Sender, headers: Mapping[str, str], body: bytes) -> Work | None:
        earlier = self._earlier[webhook.name]
        ids = [f"id {headers[name]}"[:200] for name in sender.delivery if headers.get(name)]
        # An id may stand outside of what the proof covers, so what was sent counts as well.
        if not earlier.is_new(*ids, f"body {hashlib.sha256(body).hexdigest()}"):
            if sender.repeats:
                return None
            raise BodyRefused(409, "this delivery was accepted before")
        if wait := earlier.wait(time.monotonic()):
            raise BodyRefused(429, "too many deliveries; what they are about is found at the interval", wait)
        work = sender.work(headers)
        if work is not None:
            self._wakeups.wake(work, webhook.sources if work is Work.PULL else ())
        return work
