# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs as processes: real ansible-playbook on small playbooks, ended in all ways."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.controller.core.run_protocol import RunOutcome
from ansible_collections.plumb.gitops.controller.runner.event_listener import EventListener
from ansible_collections.plumb.gitops.controller.runner.processes import ProcessEntry, descendants, end_tree
from ansible_collections.plumb.gitops.controller.runner.run_pool import DEADLINE, DIED, RunPool, RunRequest
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.tests.support.agent.process import command_of, until

FOREVER = """
import os, subprocess, sys, time
subprocess.Popen(["sleep", "1000"], env={}, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
sys.stdout.close()
time.sleep(1000)
"""


def request(folder: Path, tasks: str, timeout: float = 120.0) -> RunRequest:
    playbook = folder / "play.yml"
    playbook.write_text(
        f"- hosts: all\n  connection: local\n  gather_facts: false\n"
        f"  vars: {{ansible_python_interpreter: {sys.executable}}}\n  tasks:\n{tasks}"
    )
    inventory = folder / "hosts.yml"
    inventory.write_text("all: {hosts: {one: }}\n")
    return RunRequest(playbook=str(playbook), inventory=inventory, limit="one", timeout=timeout)


def runs(folder: Path) -> RunPool:
    made = RunPool(folder / "run")
    made.prepare()
    return made


def make(folder: Path, tasks: str, timeout: float = 120.0) -> RunOutcome:
    outcome: RunOutcome = asyncio.run(runs(folder).make(request(folder, tasks, timeout)))
    assert list((folder / "run").iterdir()) == []
    return outcome


def test_a_run_that_does_well_says_so(tmp_path: Path) -> None:
    assert make(tmp_path, "  - ansible.builtin.debug: {msg: well}\n") == RunOutcome(code=0)


def test_of_a_task_that_fails_only_the_message_is_kept(tmp_path: Path) -> None:
    outcome = make(
        tmp_path, "  - name: Try\n    ansible.builtin.fail: {msg: the reason}\n    vars: {x: hunter2}\n"
    )
    assert outcome == RunOutcome(code=2, failures=("one: Try: the reason",))


def test_a_playbook_that_is_none_is_named_without_its_content(tmp_path: Path) -> None:
    outcome = make(tmp_path, "  - ansible.builtin.debug: {msg: [hunter2}\n")
    assert outcome.code != 0
    assert outcome.failures
    assert "hunter2" not in str(outcome)


def test_the_environment_and_the_configuration_are_the_runs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_STRATEGY", "nonsense")
    monkeypatch.setenv("K8S_AUTH_API_KEY", "hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@proxy.example")
    seen = tmp_path / "seen"
    script = (
        f"env > {seen}; ls -R {tmp_path}/run >> {seen}; cat $(find {tmp_path}/run -type f) >> {seen}.files"
    )
    assert make(tmp_path, f"  - ansible.builtin.shell: {script}\n").code == 0
    assert "ANSIBLE_STRATEGY" not in seen.read_text()
    assert "K8S_AUTH" not in seen.read_text()
    assert "HTTPS_PROXY" in seen.read_text()
    assert b"hunter2" not in Path(f"{seen}.files").read_bytes()


def test_a_run_past_its_deadline_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = tmp_path / "forever.py"
    script.write_text(FOREVER)
    started: list[int] = []
    others = _children()

    async def watched() -> RunOutcome:
        wanted = request(tmp_path, f"  - ansible.builtin.command: {sys.executable} {script}\n", 15.0)
        run = asyncio.create_task(runs(tmp_path).make(wanted))
        while not run.done():
            started.extend(_children() - others)
            await asyncio.sleep(0.05)
        return run.result()

    outcome = asyncio.run(watched())
    assert outcome.code == DEADLINE
    assert "15s, its deadline" in outcome.failures[0]
    assert len(set(started)) > 5
    assert not [pid for pid in started if command_of(pid)]


@pytest.mark.parametrize("generation", [0, 1, 2], ids=["what forks the runs", "the run", "ansible-playbook"])
def test_whoever_of_a_run_is_killed_the_rest_of_it_ends(generation: int, tmp_path: Path) -> None:
    wanted = request(
        tmp_path, f"  - ansible.builtin.command: {sys.executable} -c 'import time; time.sleep(1000)'\n"
    )

    def begun() -> list[ProcessEntry]:
        tree = list(descendants(os.getpid()))
        return tree if any("sleep(1000)" in command_of(entry.pid) for entry in tree) else []

    tree: list[ProcessEntry] = []

    async def killed() -> RunOutcome:
        run = asyncio.create_task(runs(tmp_path).make(wanted))
        tree.extend(await asyncio.to_thread(until, begun, "the run"))
        os.kill(_forked(tree)[generation], signal.SIGKILL)
        return await run

    try:
        outcome = asyncio.run(killed())
        assert outcome.code == DIED if generation < 2 else outcome.code != 0
        assert outcome.failures or generation == 2
        until(
            lambda: not [pid for pid in _forked(tree) if command_of(pid)], "ansible-playbook and its workers"
        )
        assert list((tmp_path / "run").iterdir()) == []
    finally:
        # What a task has started is no process of Ansible's, and would go on sleeping for as long as it was told.
        for entry in tree:
            if "sleep(1000)" in command_of(entry.pid):
                os.kill(entry.pid, signal.SIGKILL)


def test_runs_share_what_they_are_forked_from_as_long_as_it_may_stay(tmp_path: Path) -> None:
    others = _children()

    async def made() -> None:
        mine = runs(tmp_path)
        wanted = request(tmp_path, "  - ansible.builtin.debug: {msg: well}\n")
        stays = replace(wanted, keep_fork_server=True)
        assert [*await asyncio.gather(mine.make(stays), mine.make(stays))] == [RunOutcome(code=0)] * 2
        (first,) = _children() - others
        assert await mine.make(stays) == RunOutcome(code=0)
        assert _children() - others == {first}
        os.kill(first, signal.SIGKILL)
        until(lambda: ProcessEntry(first, "Z", os.getpid()) in descendants(os.getpid()), "its end")
        assert await mine.make(stays) == RunOutcome(code=0), "after it was killed there is another one"
        (second,) = _children() - others
        (tmp_path / "password").write_text("sesame")
        other = replace(stays, vault_password_file=tmp_path / "password")
        assert await mine.make(other) == RunOutcome(code=0)
        (third,) = _children() - others
        assert len({first, second, third}) == 3, "settings are read at the start"
        assert await mine.make(replace(other, keep_fork_server=False)) == RunOutcome(code=0)
        assert not _children() - others

    asyncio.run(made())
    assert list((tmp_path / "run").iterdir()) == []


def test_a_run_that_cannot_be_forked_leaves_the_others_alone(tmp_path: Path) -> None:
    async def made() -> None:
        mine = runs(tmp_path)
        stays = replace(request(tmp_path, "  - ansible.builtin.pause: {seconds: 4}\n"), keep_fork_server=True)
        going = asyncio.create_task(mine.make(stays))

        def at_work() -> list[int]:
            forked = _forked(list(descendants(os.getpid())))
            return forked if len(forked) > 2 else []

        forks, *_ = await asyncio.to_thread(until, at_work, "the run")
        before = resource.prlimit(
            forks, resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        )
        refused = await mine.make(stays)
        resource.prlimit(forks, resource.RLIMIT_NOFILE, before)
        assert "too many open files" in refused.failures[0]
        assert await going == RunOutcome(code=0)
        assert await mine.make(replace(stays, keep_fork_server=False)) == RunOutcome(code=0)

    asyncio.run(made())
    assert list((tmp_path / "run").iterdir()) == []


def test_a_cancelled_run_is_gone_at_once(tmp_path: Path) -> None:
    others = _children()

    async def cancelled() -> None:
        run = asyncio.create_task(
            runs(tmp_path).make(request(tmp_path, "  - ansible.builtin.pause: {minutes: 9}\n"))
        )
        at_work = lambda: any("runner_shim" in command_of(pid) for pid in _children() - others)  # noqa: E731
        await asyncio.to_thread(until, at_work, "the run")
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(cancelled())
    assert not _children() - others
    assert list((tmp_path / "run").iterdir()) == []


def test_a_pause_pauses_although_nobody_is_there_to_be_asked(tmp_path: Path) -> None:
    tasks = "  - ansible.builtin.pause: {seconds: 1}\n  - ansible.builtin.pause: {prompt: Well?}\n"
    assert make(tmp_path, tasks) == RunOutcome(code=0)


def test_what_the_runs_cannot_do_without_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    (failure,) = make(tmp_path, "  - ansible.builtin.debug: {msg: well}\n").failures
    assert "the run could not be started" in failure
    assert "Ansible requires the locale encoding to be UTF-8" in failure


def test_a_runtime_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(InputError, match="others may write"):
        RunPool(tmp_path / "run").prepare()


def test_what_a_killed_agent_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "run" / "run-abc"
    left.mkdir(parents=True, mode=0o700)
    (tmp_path / "run").chmod(0o700)
    (left / "file").touch()
    (tmp_path / "run" / "lease").touch()
    RunPool(tmp_path / "run").prepare()
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["lease"]


def test_a_tree_is_ended_whatever_its_processes_do_to_hide(tmp_path: Path) -> None:
    script = "import time, subprocess; "
    script += "from ansible_collections.plumb.gitops.controller.runner.processes import adopt_orphans; "
    script += "adopt_orphans(); subprocess.run(['sh', '-c', 'setsid sleep 1000 & (sleep 1000 &)']); "
    script += "time.sleep(1000)"
    root = subprocess.Popen([sys.executable, "-c", script])
    tree = until(lambda: entries if len(entries := descendants(root.pid)) == 2 else None, "two orphans")
    end_tree(root.pid)
    assert root.wait(30) == -signal.SIGKILL
    until(lambda: not [entry for entry in tree if command_of(entry.pid)], "the orphans")


def test_a_censored_result_stays_censored() -> None:
    listener = EventListener()
    data = {"host": "one", "task": "Try", "res": {"msg": "hunter2", "censored": "it was hidden"}}
    assert listener.handle({"event": "runner_on_failed", "event_data": data}) is False
    assert listener.failures == ["one: Try: it was hidden"]


def _children() -> set[int]:
    """What this process has started, and they: other tests' helpers among them, which live as long as it does."""
    return {entry.pid for entry in descendants(os.getpid())}


def _forked(tree: list[ProcessEntry]) -> list[int]:
    """What forks the runs, a run, its ansible-playbook and its workers, in this order."""
    return [entry.pid for entry in tree if "controller.runner.fork_server" in command_of(entry.pid)]
