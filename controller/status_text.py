# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status for people: a few lines for each cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable


def lines(status: Mapping[str, Any]) -> list[str]:
    """Return the lines. Text from outside is printable and cut."""
    of_clusters = (line for cluster in status["clusters"] for line in _cluster(cluster))
    return [printable_line(line) for line in (*_loops(status), *of_clusters)]


def _loops(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each loop of the agent that failed lately."""
    for loop in status.get("loops", ()):
        yield f"x loop {loop['loop']} failed {loop['failures']} times, last {loop['at']}: {loop['why']}"


def printable_line(line: str) -> str:
    """Return the line without characters that could start another one; its indentation stays."""
    text = line.lstrip()
    return " " * (len(line) - len(text)) + printable(text)


def _cluster(cluster: Mapping[str, Any]) -> Iterator[str]:
    last = cluster["last_run"]
    result = (
        f"{last['result']}, {last['ended']} ({last['cause']})" if last["ended"] else "pending, no run yet"
    )
    now = "suspended" if cluster["suspended"] else "running" if cluster["running_since"] else ""
    yield f"{cluster['name']}    {result}{f', {now}' if now else ''}"
    if text := cluster.get("progress", {}).get("text"):
        yield f"  {text}"
    if last["result"] not in {"succeeded", ""}:
        last_success = cluster["last_successful_run"] or "never"
        yield f"  last successful run {last_success}, failed {cluster['failed_in_a_row']} times since"
    if cluster.get("backs_off"):
        seconds = cluster["backs_off"]
        yield f"  backing off: the API server failed for all; no run for {seconds:.0f} s, except by sync or resume"
    for source in cluster["sources"]:
        commit, subject = source.get("commit", "")[:7], source.get("subject", "")
        yield f'  source {source["name"]}   {commit} "{subject}"' if commit else f"  x {source.get('error')}"
    for app in cluster["apps"]:
        yield f"  app {app['name']}   {_app(app, app['name'] in cluster['suspended_apps'])}"
    for failure in last["failures"]:
        yield f"  x {failure}"


def _app(app: Mapping[str, Any], suspended: bool) -> str:
    counts = app["counts"]
    words = [f"{number} {word}" for word, number in counts.items() if number]
    if suspended or app.get("suspended"):
        words.insert(0, "suspended")
    return ", ".join(words) or "nothing in it"
