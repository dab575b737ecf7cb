# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scan: which tag of each image its policy wants, from many registries at once."""

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
from .registry.image_manifest import ImageConfig, ImageManifest
from .registry.registry_cache import RegistryCache
from .registry.session import RegistryAccess
from .specs import Choice, ImagePolicy
from .tag_filter import filter_tags
from .tag_policy import NEVER, Candidate, Kind, choice_reason, rank_tags, without_attachments

SECONDS = 120.0  # for all images of a scan
_WIDTH = 8  # requests for images at a time, and for builds of one image
_MOST_BUILDS = 500  # whose times `newest` reads
_MOST_TRIED = 50  # tags whose platform or age is read


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The result of one policy: a choice, an error, or neither with a note that says why."""

    policy: str
    choice: Choice | None
    error: PlumbError | None = None
    note: str = ""
    why: str = ""  # of a choice


def scan(
    policies: Sequence[ImagePolicy], cache: RegistryCache, *, seconds: float = SECONDS
) -> tuple[ScanResult, ...]:
    """Return the result of each policy, in the order given. One that fails, or gets no answer, delays no other.

    It is over after `seconds`, and a little; a thread that a registry still holds then is left to end by itself.
    """
    until = time.monotonic() + seconds
    results = side_by_side(
        lambda policy: _scan_once(policy, cache, until), policies, width=_WIDTH, until=until
    )
    return tuple(
        results.get(number) or _timeout_result(policy, seconds) for number, policy in enumerate(policies)
    )


def _timeout_result(policy: ImagePolicy, seconds: float) -> ScanResult:
    why = f"no end within {format_seconds(seconds)}"
    error = RegistryError(policy.subject, "asking the registry", why, "Check whether the registry works.")
    return ScanResult(policy.name, None, error)


def login_of(policy: ImagePolicy) -> Login:
    """Return the login for this image; it reads files, and runs the credential helper that a Docker config names."""
    account = policy.account
    if account.password_file is not None:
        return login_from_file(account.username, account.password_file, subject=policy.subject)
    if account.docker_config is not None:
        return login_from_config(account.docker_config, policy.image.registry, subject=policy.subject)
    return ANONYMOUS


def _scan_once(policy: ImagePolicy, cache: RegistryCache, until: float) -> ScanResult:
    with cache.exclusive(f"{policy.name} {policy.image.identity}") as exclusive:
        if exclusive:
            return _query_registry(policy, cache, until)
    why = "an earlier scan has not ended yet"
    error = RegistryError(policy.subject, "asking the registry", why, "Check whether the registry works.")
    return ScanResult(policy.name, None, error)


def _query_registry(policy: ImagePolicy, cache: RegistryCache, until: float) -> ScanResult:
    account = policy.account
    access = RegistryAccess(subject=policy.subject, insecure=account.insecure, ca_file=account.ca_file)
    try:
        with ImageRepository(
            policy.image,
            access,
            cache=cache,
            until=until,
            login=login_of(policy),
            realm=account.realm,
        ) as repository:
            return _choose(policy, repository, until)
    except (RegistryError, ChoiceError, InputError, SourceError) as error:
        return ScanResult(policy.name, None, error)


def _choose(policy: ImagePolicy, repository: ImageRepository, until: float) -> ScanResult:
    candidates = _candidates(policy, repository)
    if policy.policy.kind is Kind.NEWEST:
        order = rank_tags(policy.policy, candidates, _build_times(policy, repository, candidates, until))
    else:
        order = rank_tags(policy.policy, candidates)
    if not order:
        raise _no_tag_error(
            policy, f"of {len(candidates)} tags none is in {policy.policy.value}", repository.dropped
        )
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
            return ScanResult(policy.name, choice, why=why)
        lacking, young = lacking + (not fits), young + (fits and not old)
    if young:
        age = format_seconds(policy.minimum_age)
        return ScanResult(policy.name, None, None, f"no build is older than {age} yet (minimum_age)")
    raise _no_tag_error(
        policy, f"none of the {lacking} tags looked at is for {policy.platform}", repository.dropped
    )


def _why(policy: ImagePolicy, admitted: int, candidates: int, *, lacking: int, young: int) -> str:
    """Return why a tag is chosen, and why better ones are not."""
    passed = [
        f"{lacking} before it not for {policy.platform}" if lacking else "",
        f"{young} before it younger than {format_seconds(policy.minimum_age)}" if young else "",
    ]
    reason = choice_reason(policy.policy, admitted, candidates)
    let = " that the filter lets through" if policy.filter is not None and reason.endswith("tags") else ""
    return "; ".join(filter(None, [reason + let, *passed]))


def _no_tag_error(policy: ImagePolicy, why: str, dropped: int) -> ChoiceError:
    names = f"; {dropped} names in its list are no tags" if dropped else ""
    next_step = "Compare the policy and its filter with the tags that the registry shows."
    return ChoiceError(policy.subject, "choosing a tag", f"{why}{names}", next_step)


def _candidates(policy: ImagePolicy, repository: ImageRepository) -> list[Candidate]:
    if policy.policy.kind is Kind.DIGEST:
        return [Candidate(policy.policy.value, policy.policy.value)]
    tags = without_attachments(repository.tags())
    if policy.filter is None:
        return [Candidate(tag, tag) for tag in tags]
    return filter_tags(policy.filter, tags, subject=policy.subject)


def _build_times(
    policy: ImagePolicy, repository: ImageRepository, candidates: Sequence[Candidate], until: float
) -> dict[str, datetime]:
    """Return when each candidate was built. One without a time comes before all others."""
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

    results = side_by_side(moment, candidates, width=_WIDTH, until=until)
    if len(results) < len(candidates):
        why = "the registry did not say in time when all tags were built"
        raise ChoiceError(policy.subject, "choosing a tag", why, "Add a filter that lets fewer tags through.")
    return {tag: created for tag, created in results.values() if created is not None}


def _fits(policy: ImagePolicy, repository: ImageRepository, manifest: ImageManifest) -> bool:
    """Return whether the image has the wanted platform."""
    if not policy.platform:
        return True
    if manifest.config:
        return _is_platform(repository.image_config(manifest.config).platform, policy.platform)
    return any(_is_platform(child.platform, policy.platform) for child in manifest.children)


def _is_platform(has: str, wanted: str) -> bool:
    """Return whether a platform is the wanted one, as `linux/arm64/v8` is for `linux/arm64`."""
    return has == wanted or has.startswith(f"{wanted}/")


def _is_old(policy: ImagePolicy, repository: ImageRepository, manifest: ImageManifest) -> bool:
    if not policy.minimum_age:
        return True
    built = _config_of(policy, repository, manifest)
    if built is None or built.created is None:  # the age of a build without a time never comes
        return True
    return datetime.now(UTC) - built.created >= timedelta(seconds=policy.minimum_age)


def _config_of(
    policy: ImagePolicy, repository: ImageRepository, manifest: ImageManifest
) -> ImageConfig | None:
    """Return the configuration of the image for the wanted platform, or of the first one of an index."""
    if manifest.config:
        return repository.image_config(manifest.config)
    wanted: Callable[[str], bool] = lambda has: not policy.platform or _is_platform(has, policy.platform)  # noqa: E731
    child = next((child for child in manifest.children if wanted(child.platform)), None)
    if child is None:
        return None
    inner = repository.manifest(child.digest)
    return repository.image_config(inner.config) if inner.config else None
