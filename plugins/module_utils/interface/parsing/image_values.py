# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing of options about images, as Ansible has checked and converted them, to the values of the engine."""

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
from ...images.pull_requests import PullRequestOptions, PullRequestScope
from ...images.specs import ImagePolicy, RegistryAccount, UpdateSpec, Write
from ...images.tag_filter import TagFilter
from ...images.tag_policy import Kind, parse_policy
from ...model.app import Person, RefKind, SourceSpec
from ...model.duration import parse_duration
from ...model.errors import InputError
from ...source.git.address import check_spec
from ...source.git.signing import Format, Signing
from ..options.images import AUTHOR, IMAGE, PULL_REQUEST, TAG_FILTER, UPDATE
from .engine_values import source_spec
from .option_values import path_or_none, with_defaults

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?", re.ASCII)
_PLATFORM = re.compile(r"[a-z0-9]{1,20}/[a-z0-9_]{1,20}(?:/[a-z0-9.]{1,20})?", re.ASCII)
_EMAIL = re.compile(r"[^\s<>@]{1,200}@[^\s<>@]{1,200}")
_FORMATS = {"ssh": Format.SSH, "gpg": Format.GPG}


def image_policies(images: Sequence[Mapping[str, Any]]) -> tuple[ImagePolicy, ...]:
    """Return the policies from the options of images. Raises InputError for the first that cannot be."""
    _check_names("image", images)
    return tuple(_policy(options) for options in images)


def update_specs(
    updates: Sequence[Mapping[str, Any]],
    sources: Sequence[Mapping[str, Any]],
    images: Sequence[Mapping[str, Any]],
) -> tuple[UpdateSpec, ...]:
    """Return the updates from their options, with the sources and images that they name. Raises InputError."""
    _check_names("image update", updates)
    by_name = {str(source["name"]): source for source in sources}
    names = [str(image["name"]) for image in images]
    return tuple(_update(options, by_name, names) for options in updates)


def check_images(settings: Mapping[str, Any]) -> None:
    """Raise InputError where the options of an inventory about images cannot be used. No file is read."""
    image_policies(settings["images"])
    update_specs(settings["image_updates"], settings["sources"], settings["images"])


def _check_names(what: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Raise InputError for a name that two items have, or that cannot be one."""
    for name, count in Counter(str(item["name"]) for item in items).items():
        subject = f"{what} {name[:80]}"
        if count > 1:
            raise InputError(subject, "reading its name", "two have this name", "Give each its own.")
        if not _NAME.fullmatch(name):
            why = "it is not letters, digits, '.', '_' and '-', up to 100 of them"
            raise InputError(subject, "reading its name", why, "Write it like shop-web.")


def _policy(options: Mapping[str, Any]) -> ImagePolicy:
    values = with_defaults(IMAGE, options)
    subject = f"image {values['name']}"
    policy = parse_policy(values["policy"], subject=subject)
    moving = policy.kind is Kind.DIGEST
    write = Write(values["write"] or ("digest" if moving else "tag"))
    platform, age = values["platform"], values["minimum_age"]
    if moving and write is Write.TAG:
        why = "the tag of a policy of digest never changes"
        raise InputError(subject, "reading write", why, "Write digest or both.")
    if moving and values["filter"]:
        raise InputError(subject, "reading filter", "a policy of digest names its one tag", "Leave it out.")
    if platform and not _PLATFORM.fullmatch(platform):
        why = f"{platform[:40]!r} is not OS/ARCHITECTURE"
        raise InputError(subject, "reading platform", why, "Write it like linux/amd64 or linux/arm64/v8.")
    tag_filter = values["filter"]
    return ImagePolicy(
        name=str(values["name"]),
        image=parse_name(str(values["image"]), subject=subject),
        policy=policy,
        filter=_tag_filter(tag_filter) if tag_filter else None,
        platform=platform,
        minimum_age=parse_duration(age, subject=f"{subject}, minimum_age") if age else 0.0,
        write=write,
        account=_account(values, subject),
    )


def _tag_filter(options: Mapping[str, Any]) -> TagFilter:
    values = with_defaults(TAG_FILTER, options)
    return TagFilter(str(values["tags"]), str(values["extract"]))


def _account(image: Mapping[str, Any], subject: str) -> RegistryAccount:
    username, realm = image["username"], image["realm"]
    if username and (":" in username or not username.isprintable()):
        raise InputError(subject, "reading username", "it holds a colon or is not printable", "Correct it.")
    if image["password_file"] and not username:
        raise InputError(
            subject, "reading password_file", "there is no username for it", "Name username too."
        )
    parts = urlsplit(realm)
    if realm and not (parts.scheme == "https" and parts.hostname and not parts.username):
        why = "it is not the https address of a token service"
        raise InputError(subject, "reading realm", why, "Write it like https://gitlab.example.com.")
    return RegistryAccount(
        username=username,
        password_file=path_or_none(image, "password_file"),
        docker_config=path_or_none(image, "docker_config"),
        realm=realm,
        ca_file=path_or_none(image, "ca_file"),
        insecure=bool(image["insecure"]),
    )


def _update(
    options: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]], images: Sequence[str]
) -> UpdateSpec:
    values = with_defaults(UPDATE, options)
    subject = f"image update {values['name']}"
    source = _item_named(subject, "source", str(values["source"]), sources)
    names = tuple(str(name) for name in values["images"])
    for name in names:
        _item_named(subject, "image", name, dict.fromkeys(images))
    spec = source_spec(source)
    branch = values["branch"]
    if spec.ref_kind is not RefKind.BRANCH and (not branch or values["pull_request"] is not None):
        why = f"source {spec.name} follows no branch that could be written to"
        raise InputError(subject, "reading branch", why, "Name the branch to push to, without pull_request.")
    base = spec.ref if spec.ref_kind is RefKind.BRANCH else branch
    writing = _for_writing(values, replace(spec, ref_kind=RefKind.BRANCH, ref=branch or base))
    check_spec(writing)
    trailers = {str(name): str(value) for name, value in values["trailers"].items()}
    text = values["commit_message"]
    check_message(text, trailers, subject=subject)
    return UpdateSpec(
        name=str(values["name"]),
        source=writing,
        base=base,
        followed=spec if spec.ref_kind is RefKind.BRANCH else None,
        branch=branch,
        paths=tuple(path for path in (_path_in_tree(subject, path) for path in values["paths"]) if path),
        images=names,
        author=_author(subject, values["author"]),
        message=text,
        trailers=trailers,
        signing=_signing(values["signing"]),
        pull_request=_manner(values["pull_request"]),
    )


def _item_named(subject: str, what: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise InputError(subject, f"reading {what}", f"there is no {what} {name!r}", f"Known are {names}.")
    return known[name]


def _for_writing(update: Mapping[str, Any], source: SourceSpec) -> SourceSpec:
    """Return the source with the credentials that an update names for writing, in place of those that may only read."""
    files = {name: path_or_none(update, name) for name in ("token_file", "ssh_key_file") if update[name]}
    username = update["username"] or (source.username if not files.get("token_file") else "")
    return replace(source, **{**files, "username": username})  # type: ignore[arg-type]


def _path_in_tree(subject: str, path: Any) -> str:
    """Return a path of the tree without the slash at its end; empty for the whole tree."""
    text = str(path).rstrip("/")
    parts = text.split("/")
    if text in {"", "."}:
        return ""
    if text.startswith("/") or any(part in {"", ".", ".."} for part in parts):
        why = f"{text[:80]!r} is not a path inside the repository"
        raise InputError(subject, "reading paths", why, "Write it like apps/shop.")
    return text


def _author(subject: str, options: Mapping[str, Any]) -> Person:
    values = with_defaults(AUTHOR, options)
    name, email = str(values["name"]), str(values["email"])
    plain = name.isprintable() and re.search(r"\w", name) and not set("<>") & set(name) and len(name) <= 100
    if not plain or not _EMAIL.fullmatch(email) or not email.isprintable():
        why = "its name or email is not valid in a commit"
        raise InputError(subject, "reading author", why, "Write {name: Plumb, email: plumb@example.com}.")
    return Person(name, email)


def _signing(options: Mapping[str, Any] | None) -> Signing | None:
    return Signing(_FORMATS[options["format"]], Path(str(options["key_file"]))) if options else None


def _manner(options: Mapping[str, Any] | None) -> PullRequestOptions | None:
    if options is None:
        return None
    values = with_defaults(PULL_REQUEST, options)
    return PullRequestOptions(
        per=PullRequestScope(values["per"]),
        labels=tuple(map(str, values["labels"])),
        reviewers=tuple(map(str, values["reviewers"])),
        auto_merge=bool(values["auto_merge"]),
    )
