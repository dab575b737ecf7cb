# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking registries which tag of each image its policy wants, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..model.duration import format_seconds
from ..model.errors import InputError, PlumbError, SourceError
from .errors import ChoiceError, RegistryError
from .parallel import side_by_side
from .registry.client import ImageRepository
from .registry.docker_config import ANONYMOUS, Login, login_from_config, login_from_file
from .registry.image_manifest import Built, ImageManifest
from .registry.registry_cache import Remembered
from .registry.session import Way
from .specs import Choice, ImagePolicy
from .tag_filter import filtered
from .tag_policy import NEVER, Candidate, Kind, ranked, reason_of, without_attached

SECONDS = 120.0  # for all images of a scan
_WIDTH = 8  # images asked for at a time, and builds of one image
_MOST_BUILDS = 500  # whose times are asked for by `newest`
_MOST_TRIED = 50  # tags that are looked at for a platform or an age


@dataclass(frozen=True, slots=True)
class Scanned:
    """What became of one policy: a choice, an error, or neither with a note that says why."""

    policy: str
    choice: Choice | None
    error: PlumbError | None = None
    note: str = ""
    why: str = ""  # of a choice


def scan(
    policies: Sequence[ImagePolicy], remembered: Remembered, *, seconds: float = SECONDS
) -> tuple[Scanned, ...]:
    """Ask for each policy's choice, in the order given. One that fails, or does not answer, holds up no other.

    It is over after `seconds`, and a little; a thread that a registry still holds then is left to end by itself.
    """
    until = time.monotonic() + seconds
    found = side_by_side(
        lambda policy: _scanned(policy, remembered, until), policies, width=_WIDTH, until=until
    )
    return tuple(found.get(number) or _late(policy, seconds) for number, policy in enumerate(policies))


def _late(policy: ImagePolicy, seconds: float) -> Scanned:
    why = f"no end within {format_seconds(seconds)}"
    error = RegistryError(policy.subject, "asking the registry", why, "See whether the registry is well.")
    return Scanned(policy.name, None, error)


def login_of(policy: ImagePolicy) -> Login:
    """Who asks for this image; reads files, and runs the credential helper that a Docker config names."""
    account = policy.account
    if account.password_file is not None:
        return login_from_file(account.username, account.password_file, subject=policy.subject)
    if account.docker_config is not None:
        return login_from_config(account.docker_config, policy.image.registry, subject=policy.subject)
    return ANONYMOUS


def _scanned(policy: ImagePolicy, remembered: Remembered, until: float) -> Scanned:
    with remembered.alone(f"{policy.name} {policy.image.identity}") as alone:
        if alone:
            return _asked(policy, remembered, until)
    why = "an earlier question has not ended yet"
    error = RegistryError(policy.subject, "asking the registry", why, "See whether the registry is well.")
    return Scanned(policy.name, None, error)


def _asked(policy: ImagePolicy, remembered: Remembered, until: float) -> Scanned:
    account = policy.account
    way = Way(subject=policy.subject, insecure=account.insecure, ca_file=account.ca_file)
    try:
        with ImageRepository(
            policy.image,
            way,
            remembered=remembered,
            until=until,
            login=login_of(policy),
            realm=account.realm,
        ) as repository:
            return _choose(policy, repository, until)
    except (RegistryError, ChoiceError, InputError, SourceError) as error:
        return Scanned(policy.name, None, error)


def _choose(policy: ImagePolicy, repository: ImageRepository, until: float) -> Scanned:
    candidates = _candidates(policy, repository)
    if policy.policy.kind is Kind.NEWEST:
        order = ranked(policy.policy, candidates, _built(policy, repository, candidates, until))
    else:
        order = ranked(policy.policy, candidates)
    if not order:
        raise _none(policy, f"of {len(candidates)} tags none is in {policy.policy.value}", repository.dropped)
    lacking = young = 0
    for tag in order[:_MOST_TRIED]:
        try:
            manifest = repository.manifest(tag)
            fits = _fits(policy, repository, manifest)
            old = fits and _is_old(policy, repository, manifest)
        except RegistryError as error:
            if error.status == 404 and policy.policy.kind is not Kind.DIGEST:  # removed since it was listed
                continue
            raise
        if fits and old:
            choice = Choice(policy.name, policy.image.text, tag, manifest.digest)
            why = _why(policy, len(order), len(candidates), lacking=lacking, young=young)
            return Scanned(policy.name, choice, why=why)
        lacking, young = lacking + (not fits), young + (fits and not old)
    if young:
        age = format_seconds(policy.minimum_age)
        return Scanned(policy.name, None, None, f"no build is older than {age} yet (minimum_age)")
    raise _none(policy, f"none of the {lacking} tags looked at is for {policy.platform}", repository.dropped)


def _why(policy: ImagePolicy, admitted: int, candidates: int, *, lacking: int, young: int) -> str:
    """Why a tag is chosen, and which that come before it are not."""
    passed = [
        f"{lacking} before it not for {policy.platform}" if lacking else "",
        f"{young} before it younger than {format_seconds(policy.minimum_age)}" if young else "",
    ]
    reason = reason_of(policy.policy, admitted, candidates)
    let = " that the filter lets through" if policy.filter is not None and reason.endswith("tags") else ""
    return "; ".join(filter(None, [reason + let, *passed]))


def _none(policy: ImagePolicy, why: str, dropped: int) -> ChoiceError:
    names = f"; {dropped} names in its list are no tags" if dropped else ""
    next_step = "Compare the policy and its filter with the tags that the registry shows."
    return ChoiceError(policy.subject, "choosing a tag", f"{why}{names}", next_step)


def _candidates(policy: ImagePolicy, repository: ImageRepository) -> list[Candidate]:
    if policy.policy.kind is Kind.DIGEST:
        return [Candidate(policy.policy.value, policy.policy.value)]
    tags = without_attached(repository.tags())
    if policy.filter is None:
        return [Candidate(tag, tag) for tag in tags]
    return filtered(policy.filter, tags, subject=policy.subject)


def _built(
    policy: ImagePolicy, repository: ImageRepository, candidates: Sequence[Candidate], until: float
) -> dict[str, datetime]:
    """When each candidate was built. One that does not say it comes before all others."""
    if len(candidates) > _MOST_BUILDS:
        why = f"{len(candidates)} tags would have to be asked for their time, more than {_MOST_BUILDS}"
        raise ChoiceError(policy.subject, "choosing a tag", why, "Add a filter that lets fewer tags through.")

    def moment(candidate: Candidate) -> tuple[str, datetime | None]:
        try:
            manifest = repository.manifest(candidate.tag)
            if not _fits(policy, repository, manifest):
                return candidate.tag, None
            built = _config_of(policy, repository, manifest)
        except RegistryError as error:
            if error.status == 404:
                return candidate.tag, None
            raise
        return candidate.tag, (built.created if built else None) or NEVER

    found = side_by_side(moment, candidates, width=_WIDTH, until=until)
    if len(found) < len(candidates):
        why = "the registry did not say in time when all tags were built"
        raise ChoiceError(policy.subject, "choosing a tag", why, "Add a filter that lets fewer tags through.")
    return {tag: created for tag, created in found.values() if created is not None}


def _fits(policy: ImagePolicy, repository: ImageRepository, manifest: ImageManifest) -> bool:
    """Whether the wanted platform is there."""
    if not policy.platform:
        return True
    if manifest.config:
        return _is_platform(repository.built(manifest.config).platform, policy.platform)
    return any(_is_platform(child.platform, policy.platform) for child in manifest.children)


def _is_platform(has: str, wanted: str) -> bool:
    """`linux/arm64` is also had by `linux/arm64/v8`."""
    return has == wanted or has.startswith(f"{wanted}/")


def _is_old(policy: ImagePolicy, repository: ImageRepository, manifest: ImageManifest) -> bool:
    if not policy.minimum_age:
        return True
    built = _config_of(policy, repository, manifest)
    if built is None or built.created is None:  # a build that hides its time cannot be waited for
        return True
    return datetime.now(UTC) - built.created >= timedelta(seconds=policy.minimum_age)


def _config_of(policy: ImagePolicy, repository: ImageRepository, manifest: ImageManifest) -> Built | None:
    """What the image for the wanted platform says of itself, or the first one of an index."""
    if manifest.config:
        return repository.built(manifest.config)
    wanted: Callable[[str], bool] = lambda has: not policy.platform or _is_platform(has, policy.platform)  # noqa: E731
    child = next((child for child in manifest.children if wanted(child.platform)), None)
    if child is None:
        return None
    inner = repository.manifest(child.digest)
    return repository.built(inner.config) if inner.config else None
