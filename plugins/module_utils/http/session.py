# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session that nothing of the environment or of an answer changes: no .netrc, no cookies, no redirects of its own."""

from __future__ import annotations

import ssl
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.errors import InputError
from .connections import ExchangeAdapter
from .optional_imports import requests, require_packages

if TYPE_CHECKING:
    from requests import Session

REDIRECTS = frozenset({301, 302, 303, 307, 308})


def open_session(subject: str, operation: str, *, ca_file: Path | None, width: int = 1) -> Session:
    """Return a session for `width` requests at once. Raises InputError, with `subject` and `operation`."""
    require_packages(operation)
    session = requests.Session()
    session.trust_env = False  # a .netrc would replace the login
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Otherwise requests reads all of a redirect's body, even where it is not to follow.
    session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
    session.verify = _authorities(subject, ca_file)
    session.headers.update({"User-Agent": "plumb", "Accept-Encoding": "identity"})
    for scheme in ("https://", "http://"):
        # No retries of its own: it would read all of an answer before them.
        session.mount(scheme, ExchangeAdapter(pool_maxsize=width, max_retries=0))
    return session


def _authorities(subject: str, ca_file: Path | None) -> str | bool:
    """Return the authorities to trust: the named file, else the system's, else those that requests brings."""
    if ca_file is None:
        return ssl.get_default_verify_paths().cafile or True
    try:
        ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise InputError(
            subject,
            f"reading ca_file {ca_file}",
            exc.strerror or "it holds no certificate in PEM",
            "Name the file with the certificates of the authority that signed the server's.",
        ) from exc
    return str(ca_file)
