# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options about images, as Ansible has checked and converted them, to the values of the engine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...images.commit_message import check_message
from ...images.image_reference import parse_name
from ...images.pull_requests import Manner, Per
from ...images.specs import DEFAULT_MESSAGE, ImagePolicy, RegistryAccount, UpdateSpec, Write
from ...images.tag_filter import TagFilter
from ...images.tag_policy import Kind, make_policy
from ...model.app import Person, RefKind, SourceSpec
from ...model.duration import parse_duration
from ...model.errors import InputError
from ...source.git.address import check_spec
from ...source.git.signing import Format, Signing
from .engine_values import source_spec

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?", re.ASCII)
_PLATFORM = re.compile(r"[a-z0-9]{1,20}/[a-z0-9_]{1,20}(?:/[a-z0-9.]{1,20})?", re.ASCII)
_EMAIL = re.compile(r"[^\s<>@]{1,200}@[^\s<>@]{1,200}")
_FORMATS = {"ssh": Format.SSH, "gpg": Format.GPG}


def image_policies(given: Sequence[Mapping[str, Any]]) -> tuple[ImagePolicy, ...]:
    """The policies from their options. Raises InputError for the first that cannot be."""
    _each_once("image", given)
    return tuple(_policy(one) for one in given)


def update_specs(
    given: Sequence[Mapping[str, Any]],
    sources: Sequence[Mapping[str, Any]],
    images: Sequence[Mapping[str, Any]],
) -> tuple[UpdateSpec, ...]:
    """The updates from their options, with the sources and images that they name. Raises InputError."""
    _each_once("image update", given)
    known = {str(one["name"]): one for one in sources}
    names = [str(one["name"]) for one in images]
    return tuple(_update(one, known, names) for one in given)


def check_images(settings: Mapping[str, Any]) -> None:
    """See that what an inventory says of images can be used; no file is read. Raises InputError."""
    images = settings.get("images") or ()
    image_policies(images)
    update_specs(settings.get("image_updates") or (), settings.get("sources") or (), images)


def _each_once(what: str, given: Sequence[Mapping[str, Any]]) -> None:
    for name, count in Counter(str(one["name"]) for one in given).items():
        subject = f"{what} {name[:80]}"
        if count > 1:
            raise InputError(subject, "reading its name", "two have this name", "Give each its own.")
        if not _NAME.fullmatch(name):
            why = "it is not letters, digits, '.', '_' and '-', up to 100 of them"
            raise InputError(subject, "reading its name", why, "Write it like shop-web.")


def _policy(given: Mapping[str, Any]) -> ImagePolicy:
    subject = f"image {given['name']}"
    policy = make_policy(given["policy"], subject=subject)
    moving = policy.kind is Kind.DIGEST
    write = Write(given.get("write") or ("digest" if moving else "tag"))
    platform, age = given.get("platform") or "", given.get("minimum_age") or ""
    if moving and write is Write.TAG:
        why = "the tag of a policy of digest never changes"
        raise InputError(subject, "reading write", why, "Write digest or both.")
    if moving and given.get("filter"):
        raise InputError(subject, "reading filter", "a policy of digest names its one tag", "Leave it out.")
    if platform and not _PLATFORM.fullmatch(platform):
        why = f"{platform[:40]!r} is not OS/ARCHITECTURE"
        raise InputError(subject, "reading platform", why, "Write it like linux/amd64 or linux/arm64/v8.")
    chosen = given.get("filter") or {}
    return ImagePolicy(
        name=str(given["name"]),
        image=parse_name(str(given["image"]), subject=subject),
        policy=policy,
        filter=TagFilter(str(chosen["tags"]), str(chosen.get("extract") or "")) if chosen else None,
        platform=platform,
        minimum_age=parse_duration(age, subject=f"{subject}, minimum_age") if age else 0.0,
        write=write,
        account=_account(given, subject),
    )


def _account(given: Mapping[str, Any], subject: str) -> RegistryAccount:
    username, realm = given.get("username") or "", given.get("realm") or ""
    if username and (":" in username or not username.isprintable()):
        raise InputError(subject, "reading username", "it holds a colon or is not printable", "Correct it.")
    if given.get("password_file") and not username:
        raise InputError(subject, "reading password_file", "it is a password of nobody", "Name username too.")
    parts = urlsplit(realm)
    if realm and not (parts.scheme == "https" and parts.hostname and not parts.username):
        why = "it is not the https address of a token service"
        raise InputError(subject, "reading realm", why, "Write it like https://gitlab.example.com.")
    return RegistryAccount(
        username=username,
        password_file=_path(given, "password_file"),
        docker_config=_path(given, "docker_config"),
        realm=realm,
        ca_file=_path(given, "ca_file"),
        insecure=bool(given.get("insecure")),
    )


def _update(
    given: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]], images: Sequence[str]
) -> UpdateSpec:
    subject = f"image update {given['name']}"
    source = _one_of(subject, "source", str(given["source"]), sources)
    wanted = tuple(str(name) for name in given.get("images") or ())
    for name in wanted:
        _one_of(subject, "image", name, {one: one for one in images})
    spec = source_spec(source)
    branch = given.get("branch") or ""
    if spec.ref_kind is not RefKind.BRANCH and (not branch or given.get("pull_request") is not None):
        why = f"source {spec.name} follows no branch that could be written to"
        raise InputError(subject, "reading branch", why, "Name the branch to push to, without pull_request.")
    base = spec.ref if spec.ref_kind is RefKind.BRANCH else branch
    writing = _for_writing(given, replace(spec, ref_kind=RefKind.BRANCH, ref=branch or base))
    check_spec(writing)
    trailers = {str(name): str(value) for name, value in (given.get("trailers") or {}).items()}
    text = given.get("commit_message") or DEFAULT_MESSAGE
    check_message(text, trailers, subject=subject)
    return UpdateSpec(
        name=str(given["name"]),
        source=writing,
        base=base,
        followed=spec if spec.ref_kind is RefKind.BRANCH else None,
        branch=branch,
        paths=tuple(path for path in (_below(subject, one) for one in given.get("paths") or ()) if path),
        images=wanted,
        author=_author(subject, given.get("author") or {}),
        message=text,
        trailers=trailers,
        signing=_signing(given),
        pull_request=_manner(given),
    )


def _one_of(subject: str, what: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise InputError(subject, f"reading {what}", f"there is no {what} {name!r}", f"Known are {names}.")
    return known[name]


def _for_writing(given: Mapping[str, Any], source: SourceSpec) -> SourceSpec:
    """The source with what the update names for writing in place of what may only read."""
    named = {name: _path(given, name) for name in ("token_file", "ssh_key_file") if given.get(name)}
    username = given.get("username") or (source.username if not named.get("token_file") else "")
    return replace(source, **{**named, "username": username})  # type: ignore[arg-type]


def _below(subject: str, path: Any) -> str:
    """A path of the tree without the slash at its end; empty for the whole tree."""
    text = str(path).rstrip("/")
    parts = text.split("/")
    if text in {"", "."}:
        return ""
    if text.startswith("/") or any(part in {"", ".", ".."} for part in parts):
        why = f"{text[:80]!r} is not a path inside the repository"
        raise InputError(subject, "reading paths", why, "Write it like apps/shop.")
    return text


def _author(subject: str, given: Mapping[str, Any]) -> Person:
    name, email = str(given.get("name") or "Plumb"), str(given.get("email") or "plumb@localhost")
    plain = name.isprintable() and re.search(r"\w", name) and not set("<>") & set(name) and len(name) <= 100
    if not plain or not _EMAIL.fullmatch(email) or not email.isprintable():
        why = "name or email cannot stand in a commit"
        raise InputError(subject, "reading author", why, "Write {name: Plumb, email: plumb@example.com}.")
    return Person(name, email)


def _signing(given: Mapping[str, Any]) -> Signing | None:
    said = given.get("signing")
    return Signing(_FORMATS[said["format"]], Path(str(said["key_file"]))) if said else None


def _manner(given: Mapping[str, Any]) -> Manner | None:
    said = given.get("pull_request")
    if said is None:
        return None
    return Manner(
        per=Per(said.get("per") or "update"),
        labels=tuple(str(one) for one in said.get("labels") or ()),
        reviewers=tuple(str(one) for one in said.get("reviewers") or ()),
        auto_merge=bool(said.get("auto_merge")),
    )


def _path(given: Mapping[str, Any], key: str) -> Path | None:
    return Path(str(given[key])) if given.get(key) else None
