# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.preview` on a real Gitea and API server: one comment on each pull request, and nothing applied."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running, until
from ansible_collections.plumb.gitops.tests.support.ansible.fleet import Fleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play, Played
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi, Repository, new_repository
from ansible_collections.plumb.gitops.tests.support.manifests.text import (
    config_map,
    deployment,
    manifest,
    secret,
)

PREVIEW = "plumb.gitops.preview"
BEFORE, AFTER = "correct-horse-battery", "staple-of-another-kind"


def job(image: str) -> str:
    pod = {"containers": [{"name": "main", "image": image}], "restartPolicy": "Never"}
    return manifest("batch/v1", "Job", "once", spec={"suspend": True, "template": {"spec": pod}})


BASE: Mapping[str, str | None] = {
    "app/web.yaml": deployment("web", replicas=0),
    "app/job.yaml": job("example.com/app:1"),
    "app/old.yaml": config_map("old"),
    "app/secret.yaml": secret("key", {"word": BEFORE}),
    "app/same.yaml": config_map("same"),
    "README.md": "# The fleet\n",
}


@dataclass(slots=True)
class Previewing:
    """A fleet on the forge, and branches of it that somebody wants merged."""

    fleet: Fleet
    repository: Repository
    api: ForgeApi
    base: str

    def variables(self, **more: Any) -> dict[str, Any]:
        forge = {
            "kind": "gitea",
            "url": self.api.sandbox.forge_url,
            "token_file": str(self.repository.token_file),
        }
        preview: dict[str, Any] = {"enabled": True, **more.pop("preview", {})}
        app = self.fleet.app(wait=False)
        return self.fleet.variables(
            plumb_forge=forge, plumb_preview=preview, plumb_apps=[app], plumb_report_path=None, **more
        )

    def run(self, playbook: str = PREVIEW, *words: str, **more: Any) -> Played:
        group = {"hosts": {"here": {}}, "vars": self.variables(**more)}
        inventory = self.fleet.folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"plumb_clusters": group}), encoding="utf-8")
        return self.fleet.play.playbook(playbook, "-i", str(inventory), *words)

    def push(self, branch: str, files: Mapping[str, str | None], url: str = "") -> None:
        """A commit with these files on top of the base, on a branch of its own."""
        git, folder = self.repository._git, self.repository.folder
        git("checkout", "-q", "-B", branch, self.base)
        for name, text in files.items():
            path = folder / name
            path.unlink() if text is None else path.write_text(text, encoding="utf-8")
        git("add", "--all")
        git("commit", "-q", "-m", f"Change on {branch}")
        git("push", "-q", "-f", url or self.repository._push_url, f"HEAD:{branch}")
        git("checkout", "-q", "main")

    def open(self, branch: str, user: str = "") -> int:
        head = f"{user}:{branch}" if user else branch
        asked = {"head": head, "base": "main", "title": f"Merge {branch}", "body": "Please."}
        return int(self.api.repo("/pulls", "POST", asked)["number"])

    def comments(self, number: int) -> list[str]:
        return [comment["body"] for comment in self.api.repo(f"/issues/{number}/comments")]


@pytest.fixture
def previewing(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> Previewing:
    name = f"preview-{uuid.uuid4().hex[:8]}"
    repository = new_repository(sandbox, name, tmp_path / "clone")
    base = repository.commit(BASE, "Begin")
    api = ForgeApi(sandbox, f"{sandbox.forge_user}/{name}")
    until(lambda: not api.repo("")["empty"], "Gitea to have taken the first push in", 30)
    git = {"url": repository.url, "token_file": str(repository.token_file)}
    preview = Previewing(Fleet(play, sandbox, git, namespace, tmp_path), repository, api, base)
    applied = preview.run("plumb.gitops.reconcile")
    assert applied.code == 0, applied.output
    return preview


def test_a_pull_request_gets_one_comment_with_its_plan_and_risks(
    previewing: Previewing, sandbox: Sandbox, kubectl: Kubectl
) -> None:
    namespace = previewing.fleet.namespace
    change: dict[str, str | None] = {
        "app/web.yaml": deployment("web", image="example.com/app:2", replicas=0),
        "app/job.yaml": job("example.com/app:2"),
        "app/old.yaml": None,
        "app/secret.yaml": secret("key", {"word": AFTER}),
        "app/new.yaml": config_map("new", {"text": "@everyone <b>| `x`"}),
    }
    previewing.push("change", change)
    number = previewing.open("change")
    previewing.push("words", {"README.md": "# The fleet of all\n"})
    silent = previewing.open("words")
    previewing.repository.commit({"app/later.yaml": config_map("later")}, "Go on")  # not of the pull request
    kubectl("label", "configmap", "same", "by=hand", "-n", namespace)
    audit = Audit(sandbox.audit_log)
    audit.writes()

    checked = previewing.run(PREVIEW, "--check")
    assert checked.code == 0, checked.output
    assert previewing.comments(number) == []
    done = previewing.run()
    assert done.code == 0, done.output
    (comment,) = previewing.comments(number)
    assert previewing.comments(silent) == [], "it touches nothing of the cluster"
    for words in (
        f"**restarts** (1): `Deployment {namespace}/web`",
        f"ConfigMap `{namespace}/old`: left Git",  # it stays while something is refused
        "pull request 1",
        f"**immutable** (1): `Job {namespace}/once`",
        f"ConfigMap `{namespace}/new`",
        f"Secret `{namespace}/key`",
        "  -        image: example.com/app:1\n  +        image: example.com/app:2\n",
        '  +  text: "@everyone <b>| `x`"\n',
        "  +  word: <hidden: ",
        "Nothing was written",
    ):
        assert words in comment, comment
    assert "/same" not in comment
    assert "/later" not in comment
    assert "would change" in comment
    for value in (BEFORE, AFTER):
        assert value not in comment + done.output
        assert base64.b64encode(value.encode()).decode() not in comment + done.output
    assert audit.writes() == []

    assert previewing.run().code == 0
    assert previewing.comments(number) == [comment]
    previewing.push("change", {"app/old.yaml": None})
    assert previewing.run().code == 0
    (newer,) = previewing.comments(number)
    assert "**prunes** (1)" in newer
    assert "**restarts**" not in newer
    previewing.push("change", {"README.md": "# Nothing of the cluster\n"})
    assert previewing.run().code == 0
    (last,) = previewing.comments(number)
    assert "changes nothing of cluster here" in last
    assert audit.writes() == []


def test_a_pull_request_that_does_not_render_is_said_there(previewing: Previewing) -> None:
    previewing.push("broken", {"app/web.yaml": "kind: Deployment\n", "app/old.yaml": None})
    number = previewing.open("broken")
    assert previewing.run().code == 0
    (comment,) = previewing.comments(number)
    assert "failed" in comment
    assert "web\\.yaml" in comment or "web.yaml" in comment


def test_a_fork_is_planned_only_where_that_is_allowed(previewing: Previewing, sandbox: Sandbox) -> None:
    user, password = f"ove-{uuid.uuid4().hex[:6]}", "not-a-secret-1"
    account = {"username": user, "email": f"{user}@example.com", "password": password}
    previewing.api.request("/admin/users", "POST", {**account, "must_change_password": False})
    previewing.api.repo(f"/collaborators/{user}", "PUT", {"permission": "read"})
    fork = previewing.api.request(f"/repos/{previewing.api.title}/forks?sudo={user}", "POST", {})
    scheme, _sep, rest = sandbox.forge_url.partition("://")
    url = f"{scheme}://{user}:{password}@{rest}/{fork['full_name']}.git"
    previewing.push("theirs", {"app/old.yaml": None}, url)
    number = previewing.open("theirs", user)
    assert previewing.run().code == 0
    assert previewing.comments(number) == []
    allowed = previewing.run(preview={"forks": True})
    assert allowed.code == 0, allowed.output
    (comment,) = previewing.comments(number)
    assert "**prunes** (1)" in comment


PLUGIN = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: p}\nname: made\nfiles: [text.txt]\n"
PLUGIN += "options: {disableNameSuffixHash: true}\n"
PLUGGED: Mapping[str, str | None] = {
    **dict.fromkeys([name for name in BASE if name.startswith("app/")], None),
    "app/kustomization.yaml": "generators: [plugin.yaml]\n",
    "app/plugin.yaml": PLUGIN,
    "app/text.txt": "reviewed",
}


def read_by_runs(cache: Path) -> dict[str, bytes]:
    """What lies in the cache beside what previews keep for themselves."""
    files = (path for path in cache.rglob("*") if path.is_file() and not path.is_symlink())
    contents = {str(path.relative_to(cache)): path.read_bytes() for path in files}
    return {name: text for name, text in contents.items() if not name.startswith("previews/")}


def test_row_63_what_a_preview_made_is_read_by_no_run(previewing: Previewing, kubectl: Kubectl) -> None:
    cache = previewing.fleet.folder / "cache"
    previewing.base = previewing.repository.commit(PLUGGED, "Make it with a plugin")
    assert previewing.run("plumb.gitops.reconcile").code == 0
    before = read_by_runs(cache)
    assert any(name.startswith("renderings/") for name in before)
    heads = []
    for branch in ("one", "two"):
        previewing.push(branch, {"app/text.txt": f"of {branch}, which nobody has reviewed"})
        heads.append(previewing.open(branch))
    assert previewing.run().code == 0
    assert all(len(previewing.comments(number)) == 1 for number in heads)
    assert all("ConfigMap" in previewing.comments(number)[0] for number in heads)
    assert read_by_runs(cache) == before, "a preview writes nothing that a run reads"

    previewing.repository.commit({"README.md": "# Go on\n"}, "Go on")
    assert previewing.run("plumb.gitops.reconcile").code == 0
    text = kubectl("get", "configmap", "made", "-n", previewing.fleet.namespace, "-o", "jsonpath={.data}")
    assert "reviewed" in text
    assert "nobody" not in text


def test_the_agent_previews_when_the_forge_tells_of_a_pull_request(
    previewing: Previewing, tmp_path: Path
) -> None:
    hook = tmp_path / "hook-secret"
    hook.write_text(uuid.uuid4().hex, encoding="utf-8")
    agent = AgentProcess(tmp_path / "agent")
    webhooks = [{"name": "fleet", "kind": "gitea", "secret_file": str(hook)}]
    http = {**agent.words["http"], "webhooks": webhooks}
    agent.configure(http=http, poll_interval="1h", previews_interval="1h")
    agent.inventory({"here": {}}, **previewing.variables())
    with running(agent):
        agent.await_run()
        config = {
            "url": f"http://{agent.words['http']['listen']}/webhook/fleet",
            "content_type": "json",
            "secret": hook.read_text(encoding="utf-8"),
        }
        made = {"type": "gitea", "config": config, "events": ["pull_request"], "active": True}
        previewing.api.repo("/hooks", "POST", made)
        previewing.push("change", {"app/old.yaml": None})
        number = previewing.open("change")
        (comment,) = until(lambda: previewing.comments(number), "a comment", 60)
        assert "**prunes** (1)" in comment
        assert len(agent.runs()) == 1, "only a preview ran"
