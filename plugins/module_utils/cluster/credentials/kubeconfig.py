# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a kubeconfig. Certificates, keys, tokens and passwords are read here, by kubectl's rules.

Plugins that give credentials (`exec`, `auth-provider`) are run by the kubernetes package, which is imported for them
alone, since that takes longer than most runs. See docs/adr/0009.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from ...http.deadline import Deadline, DeadlinePassed, run_within
from ...model.errors import InputError, printable
from ...state.file import read_bounded
from ..requests.optional_imports import Package, package, yaml
from .connection_settings import PluginToken, Settings, TokenFile

PLUGIN_TIMEOUT = 60.0  # seconds for a kubeconfig's credential plugin
_LARGEST = 4 * 1024 * 1024  # bytes
_DEEPEST = 100
_BRACKETS = re.compile(rb"[\[\]{}]")
_OPERATION = "reading the kubeconfig"


def load_kubeconfig(path: Path, context: str, folder: Path) -> tuple[Settings, str]:
    """Return the settings of one context (empty: the current one), and its name.

    Certificates and keys in the file are written into `folder`, which the caller removes. A plugin that the file names
    is run. Raises InputError, which quotes no credentials.
    """
    config = _read(path)
    name = _context_name(path, config, context)
    entry = _named(path, config, "contexts", name)
    cluster = _named(path, config, "clusters", str(entry.get("cluster") or ""))
    user = _user(path, config, entry)
    if not isinstance(cluster.get("server"), str):
        raise _refused(path, f"the cluster of context {name!r} has no server", "Correct the file.")
    if user.keys() & {"as", "as-uid", "as-groups", "as-user-extra"}:
        raise _refused(
            path,
            f"the user of context {name!r} acts as somebody else",
            "Set impersonate_user (plumb_impersonate_user) instead.",
        )
    if user.keys() & {"exec", "auth-provider"}:
        return _by_package(path, name, folder, runs="exec" in user), name
    return _Entries(path, cluster, user, folder).settings(), name


def token_file_of(path: Path, context: str) -> Path | None:
    """Return the token file of one context (empty: the current one), or None. No plugin runs. Raises InputError."""
    config = _read(path)
    user = _user(path, config, _named(path, config, "contexts", _context_name(path, config, context)))
    written = user.get("tokenFile")
    return path.parent / written if isinstance(written, str) and written else None


def _user(path: Path, config: Mapping[str, Any], entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return _named(path, config, "users", str(entry["user"])) if entry.get("user") else {}


@dataclass(frozen=True, slots=True)
class _Entries:
    """A context's cluster and user, read by kubectl's rules: data wins over a file, a token file over a token."""

    path: Path
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    folder: Path

    def settings(self) -> Settings:
        cert = self._file(self.user, "client-certificate")
        key = self._file(self.user, "client-key")
        if (cert is None) != (key is None):
            raise _refused(
                self.path, "only one of client-certificate and client-key is in it", "Add the other one."
            )
        return Settings(
            server=self.cluster["server"],
            ca_file=self._file(self.cluster, "certificate-authority"),
            verify=not self.cluster.get("insecure-skip-tls-verify"),
            cert_file=cert,
            key_file=key,
            server_name=self._text(self.cluster, "tls-server-name"),
            proxy=self._text(self.cluster, "proxy-url"),
            authorization=self._authorization(),
        )

    def _text(self, entry: Mapping[str, Any], key: str) -> str:
        value = entry.get(key)
        if value is not None and not isinstance(value, str):
            raise _refused(self.path, f"{key} is no text", "Correct the file.")
        return value or ""

    def _path_of(self, written: str) -> Path:
        return self.path.parent / written

    def _file(self, entry: Mapping[str, Any], key: str) -> Path | None:
        data = self._text(entry, f"{key}-data")
        if data:
            file = self.folder / key
            try:
                content = base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError):
                raise _refused(self.path, f"{key}-data is not base64", "Correct the file.") from None
            file.touch(mode=0o600)
            file.write_bytes(content)
            return file
        written = self._text(entry, key)
        if not written:
            return None
        file = self._path_of(written)
        if not file.is_file():
            raise _refused(
                self.path, f"{key}: there is no file {file}", "Correct the file, or restore what it names."
            )
        return file

    def _authorization(self) -> Callable[[], str]:
        token_file, token = self._text(self.user, "tokenFile"), self._text(self.user, "token")
        if token_file:
            return TokenFile(self._path_of(token_file), f"kubeconfig {self.path}")
        if token:
            return lambda: f"Bearer {token}"
        name, password = self._text(self.user, "username"), self._text(self.user, "password")
        if name and password:
            basic = base64.b64encode(f"{name}:{password}".encode()).decode()
            return lambda: f"Basic {basic}"
        return str


def _by_package(path: Path, name: str, folder: Path, *, runs: bool) -> Settings:
    """Return the settings of a context with a plugin, by the kubernetes package. `runs`: it must give credentials."""
    loaded = package()
    configuration = loaded.Configuration()
    configuration.proxy = ""  # the environment's is looked up later, as kubectl does

    def load() -> None:
        loaded.load_kube_config(
            config_file=str(path),
            context=name,
            client_configuration=configuration,
            persist_config=False,  # an operator's file is not ours to rewrite
            temp_file_path=str(folder),
        )

    _load(path, load, loaded)
    if runs and not (configuration.api_key or configuration.cert_file):
        raise _refused(path, f"the plugin of context {name!r} gave no credentials", "Run the plugin by hand.")
    key = next(iter(configuration.api_key), "BearerToken")  # versions of the package name it differently
    errors = (loaded.ConfigException, OSError, ValueError)

    def read() -> str:
        return _renewed_token(path, lambda: configuration.get_api_key_with_prefix(key) or "", errors)

    return Settings(
        server=configuration.host,
        ca_file=_path_or_none(configuration.ssl_ca_cert),
        verify=bool(configuration.verify_ssl),
        cert_file=_path_or_none(configuration.cert_file),
        key_file=_path_or_none(configuration.key_file),
        server_name=configuration.tls_server_name or "",
        proxy=configuration.proxy or "",
        authorization=PluginToken(read),
    )


def _renewed_token(path: Path, read: Callable[[], str], errors: tuple[type[Exception], ...]) -> str:
    try:
        return run_within(Deadline.after(PLUGIN_TIMEOUT), read)
    except DeadlinePassed as exc:
        raise _silent_plugin(path) from exc
    except errors as exc:
        raise _refused(path, "its plugin gives no token any more", "Run the plugin by hand.") from exc


def _silent_plugin(path: Path) -> InputError:
    why = f"its credential plugin did not answer within {PLUGIN_TIMEOUT:.0f} s"
    return _refused(path, why, "Run the plugin by hand.")


def _path_or_none(path: str | None) -> Path | None:
    return Path(path) if path else None


def _refused(path: Path, why: str, next_step: str) -> InputError:
    return InputError(f"kubeconfig {path}", _OPERATION, why, next_step)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise _refused(
            path, "there is no such file", "Name an existing one (plumb_kubeconfig, or K8S_AUTH_KUBECONFIG)."
        )
    try:
        data = read_bounded(path, _LARGEST)
        if _depth(data) > _DEEPEST:  # the parser's time grows with the square of it
            raise _refused(path, f"it is nested more than {_DEEPEST} deep", "Correct the file.")
        config = yaml.safe_load(data)
    except OSError as exc:
        raise _refused(path, exc.strerror or "it cannot be read", "Let this user read it.") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        # The cause would quote the line, which can hold a token.
        raise _refused(path, f"it is not valid YAML{where}", "Correct the file.") from None
    if not isinstance(config, Mapping) or not isinstance(config.get("contexts"), list):
        raise _refused(path, "it has no list of contexts", "Name a kubeconfig, such as kubectl uses.")
    return config


def _depth(data: bytes) -> int:
    """Return how deep brackets are nested in a text, those in quotes among them."""
    return max(accumulate(1 if bracket in b"[{" else -1 for bracket in _BRACKETS.findall(data)), default=0)


def _entries(config: Mapping[str, Any], section: str) -> dict[str, Mapping[str, Any]]:
    value = config.get(section)
    entries = {}
    for entry in value if isinstance(value, list) else []:
        inner = entry.get(section.removesuffix("s")) if isinstance(entry, Mapping) else None
        if isinstance(inner, Mapping):
            entries[str(entry.get("name"))] = inner
    return entries


def _context_name(path: Path, config: Mapping[str, Any], context: str) -> str:
    known = sorted(_entries(config, "contexts"))
    name = context or str(config.get("current-context") or "")
    if name in known:
        return name
    problem = (
        f"context {name!r} is not in it" if name else "no context is named, and it has no current-context"
    )
    if not known:
        raise _refused(path, f"{problem}, and it has no others", "Name a kubeconfig with a context.")
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5) or known[:1]
    raise _refused(
        path,
        f"{problem}; it has {', '.join(known[:20])}",
        f"Set the context (plumb_context), for example to {near[0]!r}.",
    )


def _named(path: Path, config: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    entry = _entries(config, section).get(name)
    if entry is None:
        raise _refused(
            path, f"{name!r}, which the context names, is not among its {section}", "Correct the file."
        )
    return entry


def _load(path: Path, load: Callable[[], None], loaded: Package) -> None:
    """Run `load`, which runs a plugin, not longer than PLUGIN_TIMEOUT."""
    with _logged_errors() as errors:
        try:
            # The package waits for the plugin without a limit. A thread can be left behind.
            run_within(Deadline.after(PLUGIN_TIMEOUT), load)
        except DeadlinePassed as exc:
            raise _silent_plugin(path) from exc
        except OSError as exc:
            why = f"{exc.filename or 'a file it names'}: {exc.strerror or 'cannot be read'}"
            raise _refused(path, why, "Correct the file, or restore what it names.") from exc
        except (loaded.ConfigException, ValueError, TypeError, KeyError, AttributeError) as exc:
            # Only this one of its messages is known to name no more than a path.
            missing = str(exc).startswith("File does not exist: ")
            why = str(exc) if missing else "the kubernetes package cannot use it"
            raise _refused(path, why, "Try it with kubectl, and correct the file.") from None
    if errors:
        raise _refused(
            path, f"its credential plugin failed: {printable(errors[0], 300)}", "Run the plugin by hand."
        )


@contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """Yield the errors logged meanwhile: the package logs a plugin's failure, and goes on without credentials."""
    messages: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    listener = Listener(logging.ERROR)
    root = logging.getLogger()
    root.addHandler(listener)
    try:
        yield messages
    finally:
        root.removeHandler(listener)
