# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one playbook of the demo, `plumb.gitops.bootstrap`, run as a user does. Nobody runs another one after it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import yaml

from . import screen
from .errors import DemoError
from .forge import Forge
from .place import COLLECTIONS, INVENTORY, TOOLS, Place, started
from .sandbox import Sandbox

# What Ansible prints around what Plumb says, and after it.
_SCAFFOLDING = re.compile(r"\s*$|(PLAY|TASK|RUNNING HANDLER) \[|(ok|changed|skipping|included): ")
_END = re.compile(r"PLAY RECAP|\[ERROR\]: Task failed|fatal: ")
_NEW_OBJECT = re.compile(r"\s+\+ (\w+) ")
_LAST_LINES = 20


def write_inventory(place: Place, clusters: Mapping[str, Sandbox], forge: Forge, *, images: bool) -> None:
    """Write demo/inventory.yml with what only the running sandboxes know; without IMAGES, no agent writes to Git."""
    inventory = yaml.safe_load(INVENTORY.read_text(encoding="utf-8"))
    group = inventory["plumb_clusters"]
    group["hosts"] = {
        name: {"plumb_kubeconfig": str(cluster.kubeconfig), "plumb_context": cluster.context}
        for name, cluster in clusters.items()
    }
    source = group["vars"]["plumb_sources"][0]
    group["vars"]["plumb_sources"] = [
        {**source, "url": forge.clone_url, "token_file": str(forge.gitea.token_file)}
    ]
    group["vars"]["plumb_forge"] |= {"url": forge.gitea.url, "token_file": str(forge.gitea.token_file)}
    updates, policies = (group["vars"].pop(name) for name in ("plumb_image_updates", "plumb_images"))
    if images:  # one agent writes to Git, that of the first cluster
        group["hosts"]["east"]["plumb_image_updates"] = updates
        group["vars"]["plumb_images"] = [
            {
                **policy,
                "image": forge.image(policy["name"]),
                "username": forge.gitea.user,
                "password_file": str(forge.gitea.token_file),
            }
            for policy in policies
        ]
    place.ansible_config.write_text("[defaults]\n", encoding="utf-8")
    place.inventory.write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")


def bootstrap(place: Place, name: str) -> None:
    """Set up the agent of one cluster, as its admin, and show what the playbook says. DemoError if it fails."""
    shown = ("ansible-playbook", "-i", "inventory.yml", "--limit", name, "--diff", "plumb.gitops.bootstrap")
    screen.command(" ".join(shown))
    transcript = _Transcript()
    words = (str(TOOLS / shown[0]), *shown[1:])
    with (
        screen.timed("That"),
        started(words, env=_environment(place), cwd=place.root, stderr=subprocess.STDOUT) as process,
    ):
        transcript.show(process.stdout or ())
    text = "".join(transcript.lines)
    place.log(f"bootstrap-{name}").write_text(text, encoding="utf-8")
    if process.returncode != 0:
        end = "\n".join(text.splitlines()[-_LAST_LINES:])
        raise DemoError(f"The playbook ended with {process.returncode}. The end of its output:\n{end}")


def _environment(place: Place) -> dict[str, str]:
    """The checked-out collection, nobody's own Ansible settings, and all that is written in the demo's folder."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(place.ansible_config),
        "ANSIBLE_HOME": str(place.root / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_NOCOWS": "true",
        "XDG_CACHE_HOME": str(place.root / "cache"),
    }


@dataclass(slots=True)
class _Transcript:
    """All that a run says, of which `show` shows what is Plumb's own."""

    lines: list[str] = field(default_factory=list)

    def show(self, stream: Iterable[str]) -> None:
        """Show lines as they come; new objects of one kind as the first one and the number of the others."""
        for kind, group in groupby(self._own(stream), _new_kind):
            for line in _summed_up(list(group), kind) if kind else group:
                screen.output(line)

    def _own(self, stream: Iterable[str]) -> Iterator[str]:
        over = False
        for line in stream:
            self.lines.append(line)
            over = over or _END.match(line) is not None
            if not over and not _SCAFFOLDING.match(line):
                yield line.rstrip()


def _new_kind(line: str) -> str:
    """The kind of the new object that a line is about; empty for any other line."""
    found = _NEW_OBJECT.match(line)
    return found[1] if found else ""


def _summed_up(lines: Sequence[str], kind: str) -> Sequence[str]:
    return lines if len(lines) < 3 else [lines[0], f"    + ... and {len(lines) - 1} more of {kind}"]
