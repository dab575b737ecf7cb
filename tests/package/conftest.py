"""The collection as a user gets it: built, installed, and run by a Python that does not know the working tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.package.as_installed import ROOT, Ansible, working_tree


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the packages of `.venv` but without the `.pth` file that shows it the working tree.

    Only so does a module that AnsiballZ shipped without one of its imports fail here as it would elsewhere.
    """
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    packages = sysconfig.get_path("purelib")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (home / "lib" / version / "site-packages" / "packages.pth").write_text(f"{packages}\n")
    return home / "bin" / "python"


@pytest.fixture(scope="session")
def tarball(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `ansible-galaxy collection build` makes of the working tree, with all that lies about in it."""
    folder = tmp_path_factory.mktemp("dist")
    ansible = Ansible(python=python, collections=folder, home=tmp_path_factory.mktemp("home"))
    built = ansible.run("galaxy", "collection", "build", str(ROOT), "--output-path", str(folder))
    assert built.returncode == 0, built.stderr
    (archive,) = folder.glob("plumb-gitops-*.tar.gz")
    return archive


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git repository with the working tree, uncommitted changes included, as its one commit."""
    copy = tmp_path_factory.mktemp("repository")
    for name in working_tree():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    author = ["-c", "user.name=Test", "-c", "user.email=test@plumb.example", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "--all", "--force"], ["commit", "-q", "-m", "The working tree"]):
        subprocess.run(["git", *author, *command], cwd=copy, check=True, capture_output=True)
    return copy


@pytest.fixture(scope="session")
def installed(python: Path, tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """An Ansible whose only collection is this one, installed from the tarball."""
    return _install(python, tmp_path_factory, str(tarball), "--offline")


@pytest.fixture(scope="session")
def installed_from_git(python: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """The same, installed from a Git repository."""
    return _install(python, tmp_path_factory, f"git+{repository.as_uri()}")


def _install(python: Path, folders: pytest.TempPathFactory, *source: str) -> Ansible:
    ansible = Ansible(python=python, collections=folders.mktemp("collections"), home=folders.mktemp("home"))
    done = ansible.run("galaxy", "collection", "install", *source, "-p", str(ansible.collections))
    assert done.returncode == 0, done.stderr
    assert "installed successfully" in done.stdout
    return ansible
