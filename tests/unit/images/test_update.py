# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choices written to a real Git server: commits, races, what was taken back, branches of their own, signatures."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.images.commit_message import check_message
from ansible_collections.plumb.gitops.plugins.module_utils.images.errors import UpdateError
from ansible_collections.plumb.gitops.plugins.module_utils.images.image_reference import parse_name
from ansible_collections.plumb.gitops.plugins.module_utils.images.pull_requests import (
    Proposed,
    PullRequestOptions,
    PullRequestScope,
)
from ansible_collections.plumb.gitops.plugins.module_utils.images.specs import (
    Choice,
    Decision,
    ImagePolicy,
    UpdateSpec,
)
from ansible_collections.plumb.gitops.plugins.module_utils.images.tag_filter import TagFilter
from ansible_collections.plumb.gitops.plugins.module_utils.images.tag_policy import parse_policy
from ansible_collections.plumb.gitops.plugins.module_utils.images.update import update
from ansible_collections.plumb.gitops.plugins.module_utils.images.update_state import (
    UpdateState,
    load_state,
    save_state,
    state_file,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import Person
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.source.git.signing import Format, Signing
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream, source

IMAGE = "registry.example.com/shop/web"


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    repository = Upstream(tmp_path / "served" / "fleet.git")
    repository.git("config", "http.receivepack", "true")
    repository.commit({"apps": {"shop.yaml": shop("1.4.0"), "other.yaml": "a: 1\r\n"}}, "First commit")
    return repository


@pytest.fixture
def server(tmp_path: Path, upstream: Upstream) -> Iterator[GitServer]:
    with GitServer(tmp_path / "served") as running:
        yield running


def shop(tag, mark="shop"):
    return f'kind: Deployment # web\nspec: {{}}\nimage: {IMAGE}:{tag} # {{"$plumb": "{mark}"}}\n'


def decided(tag, name="shop", policy=None, digest="5", **more):
    declared = ImagePolicy(
        name=name,
        image=parse_name(IMAGE, subject="image"),
        policy=parse_policy(policy or {"semver": "*"}, subject="image"),
        **more,
    )
    return Decision(declared, Choice(name, IMAGE, tag, f"sha256:{digest * 64}"))


def spec_of(server, **more):
    options = {"name": "fleet", "base": "main", "author": Person("Plumb", "plumb@example.com"), **more}
    return UpdateSpec(source=source(server.url("fleet.git")), **options)


def run(server, *decisions, memory=None, **more):
    extra = {word: more.pop(word) for word in ("check", "pulls", "now") if word in more}
    known = frozenset(decision.policy.name for decision in decisions)
    return update(spec_of(server, **more), decisions, memory or UpdateState(), known=known, **extra)


def shown(upstream, path="apps/shop.yaml", branch="main"):
    return upstream.git("show", f"{branch}:{path}") + "\n"


def log(upstream, form="%s", branch="main"):
    return upstream.git("log", "--first-parent", f"--format={form}", branch).split("\n")


def test_a_choice_is_committed_and_nothing_else_changes(upstream, server):
    result = run(
        server,
        decided("1.5.0"),
        message="Update {images}\n\n{{{update}}} on {branch}:\n{changes}",
        trailers={"Refs": "OPS-1"},
    )
    (pushed,) = result.pushed
    assert pushed.commit == upstream.git("rev-parse", "main")
    assert shown(upstream) == shop("1.5.0")
    assert upstream.git("diff", "--name-only", "main~1", "main") == "apps/shop.yaml"
    assert upstream.git("show", "-s", "--format=%an <%ae> %cn <%ce>%n%B", "main").split("\n") == [
        "Plumb <plumb@example.com> Plumb <plumb@example.com>",
        "Update shop to 1.5.0",
        "",
        "{fleet} on main:",
        f"- apps/shop.yaml:3 {IMAGE}:1.4.0 -> {IMAGE}:1.5.0",
        "",
        "Refs: OPS-1",
    ]


def test_with_nothing_new_nobody_is_asked(upstream, server):
    memory = run(server, decided("1.5.0")).memory
    asked = len(server.requests)
    again = run(server, decided("1.5.0"), memory=memory)
    assert (again.asked, again.changed, len(server.requests)) == (False, False, asked)
    assert run(server, decided("1.5.0"), memory=memory, paths=("apps",)).asked  # it is another update now
    assert not run(server, decided("1.5.0")).changed  # nothing is remembered, but Git has it
    assert len(log(upstream)) == 2


def test_memory_is_kept_in_a_file_and_a_damaged_one_is_none(upstream, server, tmp_path):
    memory = run(server, decided("1.5.0")).memory
    file = state_file(tmp_path, "prod", "fleet", "https://git.example.com/fleet.git")
    save_state(file, memory)
    assert load_state(file) == memory
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text(file.read_text(encoding="utf-8").replace("1.5.0", "1.4.0"), encoding="utf-8")
    assert load_state(file) == UpdateState()


def test_only_the_images_and_paths_of_the_update(upstream, server):
    upstream.commit(
        {"apps": {"a.yaml": shop("1.4.0")}, "appsx": {"b.yaml": shop("1.4.0")}, "c.yaml": shop("1", "cart")}
    )
    assert run(server, decided("1.5.0"), paths=("apps",)).changed
    assert (shown(upstream, "apps/a.yaml"), shown(upstream, "appsx/b.yaml")) == (shop("1.5.0"), shop("1.4.0"))
    assert run(server, decided("1.6.0"), decided("2.0.0", "cart"), images=("cart",)).changed
    assert (shown(upstream, "apps/a.yaml"), shown(upstream, "c.yaml")) == (
        shop("1.5.0"),
        shop("2.0.0", "cart"),
    )


def test_a_check_reads_and_pushes_nothing(upstream, server):
    result = run(server, decided("1.5.0"), check=True)
    assert (result.changed, result.pushed[0].commit) == (True, "check")
    assert len(log(upstream)) == 1


NAMES = [
    "{{ lookup('pipe', 'touch canary') }}.yaml", "$(touch canary).yaml", "`touch canary`.yaml", 'a"b\\c.yaml',
    "a\nb.yaml", "ä ö.yml", "-n.yaml", ":(top)x.yaml", "*.yaml", "Kustomization",
]  # fmt: skip


def test_names_of_files_are_only_names(upstream, server, tmp_path):
    blobs = {name: ("100755", upstream.blob(shop("1.4.0").encode())) for name in NAMES}
    link = upstream.blob(b"../../etc/passwd.yaml")
    blob = upstream.blob(shop("1.4.0").encode())
    lines = [f"100755 blob {oid}\t{name}" for name, (_mode, oid) in blobs.items()]
    names = "\0".join(
        [*lines, f"120000 blob {link}\tlink.yaml", f"100644 blob {blob}\tnone.txt", ""]
    ).encode()
    upstream.commit_tree(upstream.git("mktree", "-z", stdin=names))
    result = run(server, decided("1.5.0"), message="Update {images}\n\n{changes}")
    assert len(result.pushed[0].changes) == len(NAMES)
    listed = upstream.git("ls-tree", "-z", "main").split("\0")[:-1]
    new = upstream.blob(shop("1.5.0").encode())
    assert sorted(listed) == sorted(
        [
            *(f"100755 blob {new}\t{name}" for name in NAMES),
            f"120000 blob {link}\tlink.yaml",
            f"100644 blob {blob}\tnone.txt",
        ]
    )
    assert not list(tmp_path.rglob("canary"))
    assert "{{ lookup('pipe', 'touch canary') }}.yaml" in upstream.git("show", "-s", "--format=%B", "main")
    assert run(server, decided("1.6.0")).changed  # the history of such a name is read, too


# Races


MOMENTS = (
    "info/refs?service=git-receive-pack",
    "/git-receive-pack",
)  # before the server says its refs, and after


def other_pushes_first(upstream, server, times, moment):
    """At this moment of each of the next pushes another commit comes to the server."""
    left = [times]

    def intercept(request):
        if request.path.endswith(moment) and left[0]:
            left[0] -= 1
            number = times - left[0]
            upstream.commit(
                {"apps": {"shop.yaml": shop("1.4.0"), "other.yaml": f"a: {number}\n"}}, f"Other {number}"
            )

    server.intercept = intercept


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_push_that_comes_second_is_done_again_on_top(upstream, server, moment):
    other_pushes_first(upstream, server, 3, moment)
    assert run(server, decided("1.5.0")).changed
    assert log(upstream) == ["Update shop to 1.5.0", "Other 3", "Other 2", "Other 1", "First commit"]
    assert shown(upstream, "apps/other.yaml") == "a: 3\n"


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_race_that_is_always_lost_is_given_up_and_nothing_is_forced(upstream, server, moment):
    other_pushes_first(upstream, server, 100, moment)
    with pytest.raises(UpdateError, match="others pushed to main 5 times meanwhile"):
        run(server, decided("1.5.0"))
    assert log(upstream) == [*(f"Other {number}" for number in (5, 4, 3, 2, 1)), "First commit"]


def test_what_another_wrote_meanwhile_is_not_written_twice(upstream, server):
    def intercept(request):
        if request.path.endswith("git-receive-pack") and request.method == "POST":
            server.intercept = lambda _request: None
            upstream.commit({"apps": {"shop.yaml": shop("1.5.0")}}, "By hand")

    server.intercept = intercept
    assert not run(server, decided("1.5.0")).changed
    assert log(upstream) == ["By hand", "First commit"]


# What was taken back


@pytest.mark.parametrize("remembered", [True, False])
def test_what_was_taken_back_is_not_written_until_there_is_a_newer_one(upstream, server, remembered):
    upstream.commit({"apps": {"shop.yaml": shop("1.4.0")}}, "Other")
    memory = run(server, decided("1.5.0")).memory if remembered else run(server, decided("1.5.0")) and None
    upstream.commit({"apps": {"shop.yaml": shop("1.4.0")}}, "Revert it")
    if remembered:
        assert not run(server, decided("1.5.0"), memory=memory).asked
    result = run(server, decided("1.5.0", digest="6"), memory=memory)
    assert not result.changed
    assert "1.5.0 was taken back in Git" in result.warnings[0]
    assert log(upstream)[0] == "Revert it"
    assert run(server, decided("1.6.0"), memory=result.memory).changed
    assert shown(upstream) == shop("1.6.0")


def test_a_choice_that_goes_back_by_itself_is_followed(upstream, server):
    memory = run(server, decided("1.5.0")).memory
    memory = run(server, decided("1.6.0"), memory=memory).memory
    assert run(server, decided("1.5.0"), memory=memory).changed  # 1.6.0 is gone from the registry
    assert shown(upstream) == shop("1.5.0")
    assert run(server, decided("1.7.0")).changed
    assert run(server, decided("1.5.0")).changed  # also where nothing is remembered


def test_a_build_without_an_order_counts_as_taken_back_unless_it_is_known_better(upstream, server):
    newest = {"policy": {"newest": "build"}}
    memory = run(server, decided("a1", **newest)).memory
    memory = run(server, decided("b2", **newest), memory=memory).memory
    assert not run(server, decided("a1", **newest)).changed
    assert run(server, decided("a1", **newest), memory=memory).changed


def test_a_filter_says_what_of_a_tag_is_older(upstream, server):
    more = {"policy": {"numerical": "asc"}, "filter": TagFilter(r"^main-(?P<build>\d+)$", "$build")}
    upstream.commit({"apps": {"shop.yaml": shop("main-9")}})
    run(server, decided("main-10", **more))
    upstream.commit({"apps": {"shop.yaml": shop("main-9")}}, "Revert it")
    assert not run(server, decided("main-10", **more)).changed


def test_a_new_place_is_no_taking_back(upstream, server):
    memory = run(server, decided("1.5.0")).memory
    upstream.commit(
        {"apps": {"shop.yaml": shop("1.5.0") + "b: " + shop("1.4.0").split("image: ")[1]}}, "Another"
    )
    upstream.commit({"apps": {"shop.yaml": shop("1.5.0"), "new.yaml": shop("1.4.0")}}, "Another")
    assert run(server, decided("1.5.0", digest="6"), memory=memory).changed
    assert shown(upstream, "apps/new.yaml") == shop("1.5.0")


# What is marked later


def test_a_marker_that_is_added_is_filled_in_once_its_commit_is_known(upstream, server):
    memory = run(server, decided("1.5.0")).memory
    before, pushed = upstream.git("rev-parse", "main~1", "main").split()
    asked = len(server.requests)
    for known in ("", before, pushed):
        assert not run(server, decided("1.5.0"), memory=memory, now=known).asked
    new = upstream.commit({"apps": {"shop.yaml": shop("1.5.0"), "new.yaml": shop("1.4.0")}}, "Mark it")
    assert not run(server, decided("1.5.0"), memory=memory).asked
    assert len(server.requests) == asked
    result = run(server, decided("1.5.0"), memory=memory, now=new)
    assert result.changed
    assert shown(upstream, "apps/new.yaml") == shop("1.5.0")
    asked = len(server.requests)
    for known in (before, pushed, new, upstream.git("rev-parse", "main")):
        assert not run(server, decided("1.5.0"), memory=result.memory, now=known).asked
    assert len(server.requests) == asked


def test_what_was_taken_back_stays_so_when_git_is_looked_at_again(upstream, server):
    memory = run(server, decided("1.5.0")).memory
    back = upstream.commit({"apps": {"shop.yaml": shop("1.4.0")}}, "Revert it")
    result = run(server, decided("1.5.0"), memory=memory, now=back)
    assert (result.asked, result.changed) == (True, False)
    assert "1.5.0 was taken back in Git" in result.warnings[0]
    assert not run(server, decided("1.5.0"), memory=result.memory, now=back).asked
    files = {"shop.yaml": shop("1.4.0"), "new.yaml": shop("1.4.0")}
    marked = upstream.commit({"apps": files}, "Mark another")
    result = run(server, decided("1.5.0"), memory=result.memory, now=marked)
    assert (shown(upstream), shown(upstream, "apps/new.yaml")) == (shop("1.4.0"), shop("1.5.0"))
    assert run(server, decided("1.6.0"), memory=result.memory, now=marked).changed
    assert shown(upstream) == shop("1.6.0")


def test_a_commit_that_the_branch_has_no_more_is_looked_for_once(upstream, server):
    """The source may refuse to follow a branch that was rewritten; its own commit then stays what it is."""
    memory = run(server, decided("1.5.0")).memory
    result = run(server, decided("1.5.0"), memory=memory, now="a" * 40)
    assert (result.asked, result.changed) == (True, False)
    assert not run(server, decided("1.5.0"), memory=result.memory, now="a" * 40).asked


# Other branches and pull requests


def test_a_branch_of_its_own(upstream, server):
    assert run(server, decided("1.5.0"), branch="images").changed
    assert log(upstream, branch="images") == ["Update shop to 1.5.0", "First commit"]
    assert log(upstream) == ["First commit"]
    assert not run(server, decided("1.5.0"), branch="images").changed
    assert run(server, decided("1.6.0"), branch="images").changed
    assert log(upstream, branch="images") == ["Update shop to 1.6.0", "Update shop to 1.5.0", "First commit"]
    upstream.commit({"apps": {"shop.yaml": shop("1.4.0"), "new.yaml": "b: 1\n"}}, "Go on")
    assert run(server, decided("1.7.0"), branch="images").changed
    assert upstream.git("merge-base", "main", "images") == upstream.git("rev-parse", "main")
    assert upstream.git("diff", "--name-only", "main", "images") == "apps/shop.yaml"
    upstream.git("update-ref", "refs/heads/main", "images")
    assert run(server, decided("1.8.0"), branch="images").changed


def test_what_somebody_else_put_onto_its_branch_is_not_lost(upstream, server):
    run(server, decided("1.5.0"), branch="images")
    upstream.commit({"apps": {"shop.yaml": shop("1.5.0"), "mine.yaml": "a: 1\n"}}, "Mine", branch="images")
    with pytest.raises(UpdateError, match=r"is by Carl Committer .* would be lost"):
        run(server, decided("1.6.0"), branch="images")
    assert log(upstream, branch="images")[0] == "Mine"


class Forge:
    """Pull requests in memory."""

    def __init__(self):
        self.open, self.fails = {}, False

    def find_or_open(self, proposal):
        if self.fails:
            raise UpdateError("forge", "opening a pull request", "it is not well (502)")
        created = proposal.head not in self.open
        self.open[proposal.head] = proposal
        return Proposed(len(self.open), f"https://git.example.com/{proposal.head}", created)

    def close_superseded(self, keep, prefix):
        self.open = {
            head: pull for head, pull in self.open.items() if head in keep or not head.startswith(prefix)
        }


def test_a_pull_request_that_somebody_closed_is_not_opened_again_by_another_commit(upstream, server):
    forge, more = Forge(), {"pull_request": PullRequestOptions()}
    memory = run(server, decided("1.5.0"), pulls=forge, **more).memory
    later = upstream.commit({"apps": {"shop.yaml": shop("1.4.0"), "other.yaml": "a: 2\n"}}, "Go on")
    memory = run(server, decided("1.5.0"), pulls=forge, memory=memory, now=later, **more).memory
    assert list(forge.open) == ["plumb/fleet/images"], "it is not overtaken either"
    forge.open.clear()
    later = upstream.commit({"apps": {"shop.yaml": shop("1.4.0"), "other.yaml": "a: 3\n"}}, "Go on")
    result = run(server, decided("1.5.0"), pulls=forge, memory=memory, now=later, **more)
    assert (result.asked, result.changed, forge.open) == (True, False, {})
    marked = upstream.commit({"apps": {"shop.yaml": shop("1.4.0"), "new.yaml": shop("1.4.0")}}, "Mark it")
    memory = run(server, decided("1.5.0"), pulls=forge, memory=result.memory, now=marked, **more).memory
    assert "apps/new.yaml" in forge.open.pop("plumb/fleet/images").body
    assert run(server, decided("1.6.0"), pulls=forge, memory=memory, **more).changed
    assert list(forge.open) == ["plumb/fleet/images"]


def test_one_pull_request_for_all_images_is_kept_up_to_date(upstream, server):
    forge, manner = Forge(), PullRequestOptions(labels=("images",))
    upstream.commit({"apps": {"shop.yaml": shop("1.4.0"), "cart.yaml": shop("1.0.0", "cart")}})
    result = run(server, decided("1.5.0"), decided("1.1.0", "cart"), pulls=forge, pull_request=manner)
    (proposal,) = forge.open.values()
    assert (proposal.head, proposal.base, proposal.manner) == ("plumb/fleet/images", "main", manner)
    assert proposal.title == "Update shop to 1.5.0, cart to 1.1.0"
    assert f"- `apps/shop.yaml:3` shop: `{IMAGE}:1.4.0` → `{IMAGE}:1.5.0`" in proposal.body
    memory = result.memory
    result = run(
        server, decided("1.5.1"), decided("1.1.0", "cart"), pulls=forge, pull_request=manner, memory=memory
    )
    assert forge.open["plumb/fleet/images"].title == "Update shop to 1.5.1, cart to 1.1.0"
    assert len(forge.open) == 1
    upstream.git("update-ref", "refs/heads/main", "plumb/fleet/images")
    result = run(
        server, decided("1.5.1", digest="6"), decided("1.1.0", "cart"), pulls=forge, pull_request=manner
    )
    assert (result.changed, forge.open) == (False, {})


def test_a_pull_request_for_each_image(upstream, server):
    forge, manner = Forge(), PullRequestOptions(per=PullRequestScope.IMAGE)
    upstream.commit({"apps": {"shop.yaml": shop("1.4.0"), "cart.yaml": shop("1.0.0", "cart")}})
    run(server, decided("1.5.0"), decided("1.1.0", "cart"), pulls=forge, pull_request=manner)
    assert sorted(forge.open) == ["plumb/fleet/cart", "plumb/fleet/shop"]
    for head, policy in (("plumb/fleet/cart", "cart"), ("plumb/fleet/shop", "shop")):
        assert upstream.git("diff", "--name-only", "main", head) == f"apps/{policy}.yaml"
    upstream.git("update-ref", "refs/heads/main", "plumb/fleet/cart")
    run(server, decided("1.5.0"), decided("1.1.0", "cart"), pulls=forge, pull_request=manner)
    assert sorted(forge.open) == ["plumb/fleet/shop"]


def test_pull_requests_of_another_update_are_left_alone(upstream, server):
    forge = Forge()
    for name in ("fleet", "fleet2", "fleet-shop"):
        run(server, decided("1.5.0"), pulls=forge, pull_request=PullRequestOptions(), name=name)
    assert sorted(forge.open) == sorted(f"plumb/{name}/images" for name in ("fleet", "fleet-shop", "fleet2"))


def test_a_forge_that_fails_after_the_push_gets_the_same_branch_again(upstream, server):
    forge = Forge()
    forge.fails = True
    with pytest.raises(UpdateError, match="502"):
        run(server, decided("1.5.0"), pulls=forge, pull_request=PullRequestOptions())
    tip = upstream.git("rev-parse", "plumb/fleet/images")
    forge.fails = False
    result = run(server, decided("1.5.0"), pulls=forge, pull_request=PullRequestOptions())
    assert (result.changed, upstream.git("rev-parse", "plumb/fleet/images"), list(forge.open)) == (
        True,
        tip,
        ["plumb/fleet/images"],
    )


# Servers that refuse, and signatures


def test_a_server_that_refuses_is_told(upstream, server):
    hook = upstream.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho GH006: protected branch >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    with pytest.raises(SourceError, match=r"the branch is protected.*use pull_request"):
        run(server, decided("1.5.0"))
    upstream.git("config", "http.receivepack", "false")
    with pytest.raises(SourceError, match="these credentials may not write"):
        run(server, decided("1.5.0"))


def test_a_branch_that_is_not_there(upstream, server):
    with pytest.raises(UpdateError, match="there is no branch next"):
        run(server, decided("1.5.0"), base="next")


def verified(upstream, *settings, **variables):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/dev/null",
        "GIT_DIR": str(upstream.path),
        **variables,
    }
    words = [word for setting in settings for word in ("-c", setting)]
    return subprocess.run(
        ["git", *words, "verify-commit", "main"], env=environment, capture_output=True, text=True, check=False
    )


def test_a_commit_signed_with_ssh(upstream, server, tmp_path):
    key = tmp_path / "signing"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    run(server, decided("1.5.0"), signing=Signing(Format.SSH, key))
    allowed = tmp_path / "allowed"
    allowed.write_text(
        f"plumb@example.com {key.with_suffix('.pub').read_text(encoding='utf-8')}", encoding="utf-8"
    )
    done = verified(upstream, f"gpg.ssh.allowedSignersFile={allowed}")
    assert (done.returncode, 'Good "git" signature for plumb@example.com' in done.stderr) == (0, True)


def test_a_commit_signed_with_gpg(upstream, server, tmp_path):
    home = tmp_path / "g"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--batch", "--homedir", str(home)]
    identity = "Plumb <plumb@example.com>"
    subprocess.run(
        [*gpg, "--passphrase", "", "--quick-gen-key", identity, "ed25519", "sign"],
        check=True,
        capture_output=True,
    )
    key = tmp_path / "key.asc"
    exported = subprocess.run([*gpg, "--armor", "--export-secret-keys"], check=True, capture_output=True)
    key.write_bytes(exported.stdout)
    try:
        run(server, decided("1.5.0"), signing=Signing(Format.GPG, key))
        done = verified(upstream, GNUPGHOME=str(home))
        assert (done.returncode, "Good signature from" in done.stderr) == (0, True)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=False)


@pytest.mark.parametrize("kind", Format)
def test_a_key_that_is_none(upstream, server, tmp_path, kind):
    key = tmp_path / "key"
    for content in (None, "not a key\n"):
        if content:
            key.write_text(content, encoding="utf-8")
        with pytest.raises((InputError, SourceError)) as caught:
            run(server, decided("1.5.0"), signing=Signing(kind, key))
        assert "not a key" not in str(caught.value)
    assert len(log(upstream)) == 1


@pytest.mark.parametrize(
    ("text", "trailers"),
    [
        ("", {}),
        ("{image}", {}),
        ("{", {}),
        ("x }", {}),
        ("{images.__class__}", {}),
        ("x", {"a b": "c"}),
        ("x", {"A": "b\nc"}),
    ],
)
def test_a_message_with_what_is_no_word(text, trailers):
    with pytest.raises(InputError, match="image update fleet"):
        check_message(text, trailers, subject="image update fleet")


def test_an_image_that_cannot_be_asked_for_keeps_its_place_in_a_shared_branch(upstream, server):
    upstream.commit({"apps": {"shop.yaml": shop("1.4.0"), "cart.yaml": shop("1.0.0", "cart")}})
    memory = run(server, decided("1.5.0"), decided("1.1.0", "cart"), branch="images").memory
    cart = decided("", "cart").policy
    choice = memory.choice(cart)
    assert choice is not None
    assert (choice.tag, choice.image) == ("1.1.0", IMAGE)
    assert UpdateState().choice(cart) is None
    assert memory.choice(decided("", "none").policy) is None
    run(server, decided("1.6.0"), Decision(cart, choice), branch="images", memory=memory)
    assert shown(upstream, "apps/cart.yaml", "images") == shop("1.1.0", "cart")
