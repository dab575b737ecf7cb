# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gitea: configuration, administrator and access token."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plumb_sandbox.errors import SandboxError
from plumb_sandbox.layout import write_private
from plumb_sandbox.process.children import Program

ADMIN = "plumb"

_APP_INI = """\
APP_NAME = Plumb sandbox
RUN_MODE = prod
RUN_USER = {run_user}
WORK_PATH = {folder}

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
DOMAIN = 127.0.0.1
ROOT_URL = http://127.0.0.1:{port}/
{static_root}OFFLINE_MODE = true
DISABLE_SSH = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
SQLITE_JOURNAL_MODE = WAL

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret_key}
INTERNAL_TOKEN = {internal_token}
PASSWORD_HASH_ALGO = pbkdf2_v2

[oauth2]
JWT_SECRET = {jwt_secret}

[repository]
ROOT = {folder}/repositories
DEFAULT_BRANCH = main
ENABLE_PUSH_CREATE_USER = true

[service]
DISABLE_REGISTRATION = true

[webhook]
ALLOWED_HOST_LIST = loopback

[indexer]
ISSUE_INDEXER_TYPE = db

[actions]
ENABLED = false

[packages]
ENABLED = true

[mailer]
ENABLED = false

[picture]
DISABLE_GRAVATAR = true

[cron]
ENABLED = false

[log]
MODE = console
LEVEL = Warn
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """Gitea in its folder, on its port."""

    binary: Path
    folder: Path
    port: int
    env: Mapping[str, str]

    @property
    def url(self) -> str:
        """The address of the web API and of Git over HTTP, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def registry(self) -> str:
        """The OCI registry, as the first part of an image's name."""
        return f"127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        """The app.ini."""
        return self.folder / "app.ini"

    @property
    def password_file(self) -> Path:
        """The administrator's password."""
        return self.folder / "admin-password"

    @property
    def token_file(self) -> Path:
        """The administrator's access token, with all scopes."""
        return self.folder / "admin-token"


def program(forge: Forge) -> Program:
    """Return the program that runs Gitea."""
    argv = (str(forge.binary), "web", f"--config={forge.config}")
    return Program(name="gitea", argv=argv, env=forge_env(forge))


def forge_env(forge: Forge) -> dict[str, str]:
    """Return Gitea's environment: without Git configuration of a user, and allowed to run as root."""
    return {
        **forge.env,
        "GITEA_WORK_DIR": str(forge.folder),
        "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true",
        "HOME": str(forge.folder),
        "USER": _user_name(),
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def static_root(binary: Path) -> Path | None:
    """Return the folder with the templates that a Gitea built here serves; a packaged Gitea carries its own."""
    folder = binary.parent.parent / "gitea"
    return folder if (folder / "templates").is_dir() else None


def configure(forge: Forge) -> None:
    """Write app.ini; the secrets of an earlier start are kept."""
    known = dict(_read_secrets(forge.config))
    root = static_root(forge.binary)
    text = _APP_INI.format(
        run_user=_user_name(),
        folder=forge.folder,
        port=forge.port,
        static_root="" if root is None else f"STATIC_ROOT_PATH = {root}\n",
        secret_key=known.get("SECRET_KEY") or secrets.token_hex(32),
        internal_token=known.get("INTERNAL_TOKEN") or secrets.token_hex(32),
        jwt_secret=known.get("JWT_SECRET") or secrets.token_urlsafe(32),
    )
    write_private(forge.config, text)


def make_admin(forge: Forge) -> None:
    """Create the administrator with a random password and an access token, once."""
    if forge.token_file.exists():
        return
    _gitea(forge, "admin", "user", "delete", f"--username={ADMIN}", may_fail=True)
    output = _gitea(
        forge,
        *("admin", "user", "create", "--admin", f"--username={ADMIN}", f"--email={ADMIN}@sandbox.invalid"),
        *("--random-password", "--random-password-length=24", "--must-change-password=false"),
        *("--access-token", "--access-token-name=sandbox", "--access-token-scopes=all"),
    )
    password = re.search(r"random password is '([^']+)'", output)
    token = re.search(r"\b([0-9a-f]{40})\b", output)
    if password is None or token is None:
        raise SandboxError("creating the forge's administrator", "Gitea named no password or token", _SEE_LOG)
    write_private(forge.password_file, password[1] + "\n")
    write_private(forge.token_file, token[1] + "\n")


_SEE_LOG = "See logs/gitea.log in the sandbox's folder."


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a user without an entry, as in many containers: Gitea then goes by USER
        return f"uid-{os.geteuid()}"


def _read_secrets(config: Path) -> list[tuple[str, str]]:
    if not config.exists():
        return []
    lines = config.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" = ", 1) for line in lines if " = " in line)
    return [(key, value) for key, value in pairs if key.isupper()]


def _gitea(forge: Forge, *arguments: str, may_fail: bool = False) -> str:
    done = subprocess.run(
        (str(forge.binary), *arguments, f"--config={forge.config}"),
        capture_output=True,
        text=True,
        check=False,
        cwd=forge.folder,
        env=forge_env(forge),
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0 and not may_fail:
        what = " ".join(("gitea", *arguments[:3]))
        raise SandboxError(what, (done.stderr or done.stdout).strip()[-500:], _SEE_LOG)
    return done.stdout
