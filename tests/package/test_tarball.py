"""What is in the tarball, and what is not."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.package.as_installed import working_tree

SHIPPED = ("changelogs", "controller", "docs", "meta", "playbooks", "plugins", "roles")
AT_THE_TOP = {
    "LICENSE",
    "README.md",
    "bindep.txt",
    "requirements-agent.txt",
    "requirements-notify.txt",
    "requirements-plugins.txt",
    "requirements.txt",
}
MADE_BY_GALAXY = {"MANIFEST.json", "FILES.json"}


@pytest.fixture(scope="module")
def contents(tarball: Path) -> set[str]:
    with tarfile.open(tarball) as archive:
        return {member.name for member in archive.getmembers() if not member.isdir()}


def test_holds_all_that_the_collection_needs(contents: set[str]) -> None:
    needed = {name for name in working_tree() if name.split("/")[0] in SHIPPED} | AT_THE_TOP
    assert needed - contents == set()


def test_holds_nothing_that_git_does_not_know(contents: set[str]) -> None:
    assert contents - set(working_tree()) - MADE_BY_GALAXY == set()


def test_holds_nothing_of_the_developers(contents: set[str]) -> None:
    strange = {name for name in contents if name.split("/")[0] not in SHIPPED}
    assert strange - AT_THE_TOP - MADE_BY_GALAXY == {"CONTRIBUTING.md"}
