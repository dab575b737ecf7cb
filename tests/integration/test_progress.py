# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run shows while it works, by ansible-playbook in a pipe and on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.ansible.fleet import RECONCILE, Fleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import new_repository
from ansible_collections.plumb.gitops.tests.support.manifests.text import deployment

WAITS = "here: app waits for Deployment"
CLEAR = "\r\x1b[K"


@pytest.fixture
def fleet(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> Fleet:
    """Return a fleet whose app never becomes healthy: no scheduler takes its Pods."""
    repository = new_repository(sandbox, f"r-{uuid.uuid4().hex[:8]}", tmp_path / "clone", past_hooks=True)
    labels = {"app": "web"}
    pod = {"schedulerName": "nobody", "containers": [{"name": "main", "image": "web:1"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    repository.commit({"app/web.yaml": deployment("web", template=template)}, "Open the shop")
    git = {"url": repository.url, "token_file": str(repository.token_file)}
    return Fleet(play, sandbox, git, namespace, tmp_path)


@contextmanager
def running(
    fleet: Fleet, *, output: Any, hosts: tuple[str, ...] = ("here",), **variables: Any
) -> Iterator[Any]:
    """Run the playbook as a process with this standard output and error."""
    shared = fleet.variables(plumb_apps=[fleet.app(timeout="7s")], **variables)
    inventory = fleet.folder / "inventory.yml"
    inventory.write_text(
        yaml.safe_dump({"plumb_clusters": {"hosts": {host: {} for host in hosts}, "vars": shared}}),
        encoding="utf-8",
    )
    bin_folder = Path(sys.executable).parent
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment |= {
        "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]
        if "ANSIBLE_COLLECTIONS_PATH" in os.environ
        else str(Path(__file__).parents[2] / ".venv" / "collections"),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "TERM": "xterm",
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [str(bin_folder / "ansible-playbook"), RECONCILE, "-i", str(inventory)]
    with subprocess.Popen(
        command, cwd=fleet.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
    ) as process:
        yield process


def test_in_a_pipe_it_prints_a_line_while_it_waits_and_why_in_the_end(fleet: Fleet) -> None:
    with running(fleet, output=subprocess.PIPE) as process:
        line = next(line for line in map(bytes.decode, process.stderr) if WAITS in line)
        assert process.poll() is None, "it is printed while the run goes on"
        out, err = process.communicate()
    assert "\x1b" not in line + err.decode()
    assert process.returncode == 2
    assert "the scheduler nobody has not looked at it yet" in out.decode()
    assert WAITS not in out.decode(), "standard output has the result only"


def test_on_a_terminal_it_is_one_line_that_is_gone_when_the_report_comes(fleet: Fleet) -> None:
    text = on_terminal(fleet)
    assert CLEAR + WAITS in text
    before, _clear, report = text.rpartition(CLEAR)
    assert WAITS in before
    assert WAITS not in report
    assert "the scheduler nobody has not looked at it yet" in report


@pytest.mark.parametrize(
    ("hosts", "variables", "lines"),
    [
        (("here",), {"plumb_progress": "never"}, False),
        (("here",), {"plumb_progress": "always"}, True),
        (("here", "there"), {}, True),
    ],
)
def test_a_line_that_stays_or_none(
    fleet: Fleet, hosts: tuple[str, ...], variables: dict[str, Any], lines: bool
) -> None:
    text = on_terminal(fleet, hosts=hosts, **variables)
    assert (WAITS in text) == lines
    assert "\x1b[K" not in text


def test_a_file_for_programs(fleet: Fleet) -> None:
    file = fleet.folder / "progress" / "here.json"
    with running(
        fleet, output=subprocess.DEVNULL, plumb_progress="never", plumb_progress_file=str(file)
    ) as process:
        process.wait()
    progress = json.loads(file.read_text(encoding="utf-8"))
    assert progress["phase"] == "waiting"
    assert progress["waits_for"][0].startswith("app waits for Deployment")


def on_terminal(fleet: Fleet, **options: Any) -> str:
    """Return all that a run writes to a terminal of 200 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    text = b""
    with running(fleet, output=theirs, **options):
        os.close(theirs)
        while chunk := _read(ours):
            text += chunk
    os.close(ours)
    return text.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # nobody holds the other side any more
        return b""
