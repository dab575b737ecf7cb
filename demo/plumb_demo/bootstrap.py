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
from .forge import ForgeRepository
from .programs import COLLECTIONS, INVENTORY, TOOLS, Workspace, started
from .sandbox import Sandbox

# What Ansible prints around Plumb's own lines, and after them.
_SCAFFOLDING = re.compile(r"\s*$|(PLAY|TASK|RUNNING HANDLER) \[|(ok|changed|skipping|included): ")
_END = re.compile(r"PLAY RECAP|\[ERROR\]: Task failed|fatal: ")
_NEW_OBJECT = re.compile(r"\s+\+ (\w+) ")
_LAST_LINES = 20


def write_inventory(
    workspace: Workspace, clusters: Mapping[str, Sandbox], forge: ForgeRepository, *, images: bool
) -> None:
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
    workspace.ansible_config.write_text("[defaults]\n", encoding="utf-8")
    workspace.inventory.write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")


def bootstrap(workspace: Workspace, name: str) -> None:
    """Set up the agent of one cluster, as its admin, and print the playbook's output. DemoError if it fails."""
    shown = ("ansible-playbook", "-i", "inventory.yml", "--limit", name, "--diff", "plumb.gitops.bootstrap")
    screen.print_command(" ".join(shown))
    transcript = _Transcript()
    words = (str(TOOLS / shown[0]), *shown[1:])
    with (
        screen.timed("That"),
        started(words, env=_environment(workspace), cwd=workspace.root, stderr=subprocess.STDOUT) as process,
    ):
        transcript.show(process.stdout or ())
    text = "".join(transcript.lines)
    workspace.log(f"bootstrap-{name}").write_text(text, encoding="utf-8")
    if process.returncode != 0:
        end = "\n".join(text.splitlines()[-_LAST_LINES:])
        raise DemoError(f"The playbook ended with {process.returncode}. The end of its output:\n{end}")


def _environment(workspace: Workspace) -> dict[str, str]:
    """Return variables: the checked-out collection, no Ansible settings of the user, files in the demo's folder."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(workspace.ansible_config),
        "ANSIBLE_HOME": str(workspace.root / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_NOCOWS": "true",
        "XDG_CACHE_HOME": str(workspace.root / "cache"),
    }


@dataclass(slots=True)
class _Transcript:
    """The output of a run, of which `show` prints what is Plumb's own."""

    lines: list[str] = field(default_factory=list)

    def show(self, stream: Iterable[str]) -> None:
        """Print lines as they come; of new objects of one kind the first one and the number of the others."""
        for kind, group in groupby(self._own(stream), _new_kind):
            for line in _summed_up(list(group), kind) if kind else group:
                screen.print_output(line)

    def _own(self, stream: Iterable[str]) -> Iterator[str]:
        over = False
        for line in stream:
            self.lines.append(line)
            over = over or _END.match(line) is not None
            if not over and not _SCAFFOLDING.match(line):
                yield line.rstrip()


def _new_kind(line: str) -> str:
    """Return the kind of the new object that a line is about; empty for any other line."""
    match = _NEW_OBJECT.match(line)
    return match[1] if match else ""


def _summed_up(lines: Sequence[str], kind: str) -> Sequence[str]:
    return lines if len(lines) < 3 else [lines[0], f"    + ... and {len(lines) - 1} more of {kind}"]
