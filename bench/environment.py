# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured on what: the peer's own environment, versions, the machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
TOOLS = Path(sys.executable).parent
COLLECTIONS = REPOSITORY / ".venv" / "collections"

_PINS = HERE / "requirements.txt"
_FOREIGN = ("ANSIBLE_", "GIT_", "K8S_AUTH_", "KUBE", "PLUMB_", "PYTHON", "XDG_")


def clean_environment(home: Path, **extra: str) -> dict[str, str]:
    """Return the caller's environment without what would change a contender, and with a home of its own."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    home.mkdir(parents=True, exist_ok=True)
    return {
        **variables,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "PATH": os.pathsep.join([str(TOOLS), variables.get("PATH", os.defpath)]),
        "ANSIBLE_NOCOLOR": "1",
        **extra,
    }


def peer_tools() -> Path:
    """Return the bin folder of the environment with the `ansible` package; made on first use, in about a minute.

    It lies under the account's cache folder, one for each set of pins.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plumb" / "bench"
    key = hashlib.sha256(_PINS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = cache / f"ansible-{key}"
    done = venv / "complete"
    if not done.exists():
        print_progress(f"making the environment of kubernetes.core in {venv} (a minute)")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        pip = (
            str(venv / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
        )
        subprocess.run([*pip, "--quiet", "--requirement", str(_PINS)], check=True)
        done.touch()
    return venv / "bin"


def versions(tools: Path, kubernetes: str) -> dict[str, str]:
    """Return the versions of all programs. `tools` is the peer's bin folder, `kubernetes` the API server's version."""
    listed = _output_of(
        str(tools / "ansible-galaxy"), "collection", "list", "kubernetes.core", "--format", "json"
    )
    installed = [version for place in json.loads(listed).values() for version in place.values()]
    client = json.loads(_output_of(str(TOOLS / "kubectl"), "version", "--client", "--output", "json"))
    return {
        "Kubernetes": kubernetes,
        "Python": platform.python_version(),
        "ansible-core": _output_of(str(TOOLS / "ansible-playbook"), "--version").split("]")[0].split()[-1],
        "kubectl": client["clientVersion"]["gitVersion"],
        "kubernetes.core": installed[0]["version"],
    }


def machine() -> dict[str, str]:
    """Return what of the machine matters to the numbers, and nothing that identifies it."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = [
        line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "processor": next(iter(models), platform.machine()),
    }


def commit() -> str:
    """Return the commit that is measured, with `+` where the working tree's plugins differ from it."""
    short = _output_of("git", "-C", str(REPOSITORY), "rev-parse", "--short=10", "HEAD").strip()
    dirty = _output_of(
        "git", "-C", str(REPOSITORY), "status", "--porcelain", "--", "plugins", "playbooks"
    ).strip()
    return f"{short}{'+' if dirty else ''}"


def _output_of(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def print_progress(text: str) -> None:
    """Print what is being done, on standard error."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()
