#!/usr/bin/env python3
"""Run an agent on a running sandbox. It follows the demo's shop, which is published on the forge if it is not there."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SANDBOX = ROOT / "roles" / "sandbox" / "files" / "sandbox.py"
sys.path.insert(0, str(SANDBOX.parent))

from plumb_sandbox.forge.sample_repository import publish  # noqa: E402

NAME = "shop"
MODULE = "ansible_collections.plumb.gitops.controller"
AGENT = """\
inventory: {folder}/inventory.yml
state_dir: {folder}/state
interval: 1m
poll_interval: 5s
http: {{listen: "127.0.0.1:8400", token_file: {folder}/http-token}}
"""


def main() -> None:
    """Prepare what is missing, print how to use it, and become the agent."""
    sandbox = Path(sys.argv[1]).resolve()
    asked = [sys.executable, str(SANDBOX), "status", "--dir", str(sandbox), "--json"]
    described = json.loads(subprocess.run(asked, stdout=subprocess.PIPE, check=True).stdout)
    forge = described["forge"]
    url = f"{forge['url']}/{forge['admin_user']}/{NAME}.git"
    publish(forge, NAME, ROOT / "demo" / NAME)
    folder = sandbox / "agent"
    folder.mkdir(mode=0o700, exist_ok=True)
    private(folder / "http-token", secrets.token_urlsafe(24))
    private(folder / "inventory.yml", inventory(described, url, folder))
    private(folder / "agent.yml", AGENT.format(folder=folder))
    command = [sys.executable, "-m", MODULE, "--config", str(folder / "agent.yml")]
    print(f"It follows {url}. In another terminal: {' '.join(command)} status", flush=True)
    os.chdir(folder)
    os.execv(command[0], command)  # noqa: S606 - a list, and no shell


def inventory(described: dict[str, str], url: str, folder: Path) -> str:
    """Return the demo's inventory, with what only the running sandbox knows."""
    import yaml  # noqa: PLC0415 - there once .venv is

    read = yaml.safe_load((ROOT / "demo" / "inventory.yml").read_text(encoding="utf-8"))
    group = read["plumb_clusters"]
    group["hosts"] = {"sandbox": {"plumb_kubeconfig": described["kubeconfig"]}}
    source = group["vars"]["plumb_sources"][0]
    source |= {"url": url, "token_file": described["forge"]["admin_token_file"], "allow_http": True}
    group["vars"]["plumb_cache_dir"] = str(folder / "cache")
    return str(yaml.safe_dump(read, sort_keys=False))


def private(file: Path, text: str) -> None:
    """Write a file for its owner only."""
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
