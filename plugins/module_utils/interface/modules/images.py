# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `images` does between its options and its result, and the scan by which a scheduler knows of news."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...images.errors import UpdateError
from ...images.registry.registry_cache import RegistryCache
from ...images.scan import ScanResult, scan
from ...images.specs import Decision, ImagePolicy, UpdateSpec
from ...images.update import PushedBranch, UpdateResult, needs_update, update
from ...images.update_state import UpdateState, load_state, save_state, state_file
from ...model.app import RefKind
from ...model.errors import PlumbError
from ...source.pull import current_revision, last_commit
from ..options.images import spec_of_images
from ..parsing.cache_folder import cache_of
from ..parsing.image_values import image_policies, update_specs
from .image_pulls import pull_requests
from .main import ModuleWork
from .mode import Mode


@dataclass(frozen=True, slots=True)
class ImageScan:
    """What a scan found: the updates with something new, how many images were asked for, and what failed."""

    new: tuple[str, ...]
    scanned: int
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    choices: tuple[tuple[str, str], ...]  # by policy, the tag


def images(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `images`. What fails is listed beside what did not, and makes the task fail at the end."""
    policies, updates = _declared(options, options["updates"])
    scanned = scan(policies, RegistryCache())
    results: list[UpdateResult] = []
    done: list[tuple[UpdateSpec, UpdateResult | None]] = []
    errors = [str(image.error) for image in scanned if image.error is not None]
    for spec in updates:
        try:
            results.append(_updated(spec, policies, scanned, options, check=mode.check))
            done.append((spec, results[-1]))
        except PlumbError as error:
            errors.append(str(error))
            done.append((spec, None))
    errors += _without_markers(policies, done)
    result: dict[str, Any] = {
        "changed": any(updated.changed for updated in results),
        "choices": [_choice(image) for image in scanned],
        "updates": [_update(updated) for updated in results],
        "lines": [
            *(_choice_line(image) for image in scanned if image.error is None),
            *(line for spec, updated in done if updated for line in _lines(spec, updated, check=mode.check)),
        ],
        "warnings": [line for updated in results for line in _warnings(updated)],
    }
    if mode.diff:
        result["diff"] = [_diff(updated, pushed) for updated in results for pushed in updated.pushed]
    if errors:
        result |= {"failed": True, "msg": " ".join(errors), "errors": errors}
    return result


def scan_for_updates(settings: Mapping[str, Any], cluster: str, remembered: RegistryCache) -> ImageScan:
    """Return what registries have that `images` would have to look at Git for. Nobody but registries is asked.

    `settings` are those that a scheduler has (`shown_settings`). Raises InputError.
    """
    policies, updates = _declared(settings, settings["image_updates"])
    used = (
        {name for spec in updates for name in spec.images} if all(spec.images for spec in updates) else None
    )
    wanted = [policy for policy in policies if used is None or policy.name in used]
    scanned = scan(wanted, remembered) if updates else ()
    new = []
    for spec in updates:
        memory = load_state(state_file(cache_of(settings), cluster, spec.name, spec.source.url))
        if needs_update(spec, _decisions(wanted, scanned, memory), memory, _pulled_commit(settings, spec)):
            new.append(spec.name)
    return ImageScan(
        tuple(new),
        len(scanned),
        tuple(str(image.error) for image in scanned if image.error is not None),
        tuple(f"image {image.policy}: {image.note}" for image in scanned if image.note),
        tuple((image.policy, image.choice.tag) for image in scanned if image.choice is not None),
    )


def _declared(
    options: Mapping[str, Any], updates: Sequence[Mapping[str, Any]]
) -> tuple[tuple[ImagePolicy, ...], tuple[UpdateSpec, ...]]:
    images = options["images"]
    return image_policies(images), update_specs(updates, options["sources"], images)


def _decisions(
    policies: Sequence[ImagePolicy], scanned: Sequence[ScanResult], memory: UpdateState
) -> list[Decision]:
    """Return what Git is to have.

    For an image whose registry does not answer, that is the choice of the last time: a branch with the changes of
    several images must not lose one of them.
    """
    chosen = {image.policy: image.choice for image in scanned}
    choices = ((policy, chosen.get(policy.name) or memory.choice(policy)) for policy in policies)
    return [Decision(policy, choice) for policy, choice in choices if choice is not None]


def _updated(
    spec: UpdateSpec,
    policies: Sequence[ImagePolicy],
    scanned: Sequence[ScanResult],
    options: Mapping[str, Any],
    *,
    check: bool,
) -> UpdateResult:
    file = state_file(cache_of(options), options["cluster"], spec.name, spec.source.url)
    memory = load_state(file)
    with pull_requests(options, spec) as pulls:
        done = update(
            spec,
            _decisions(policies, scanned, memory),
            memory,
            known=frozenset(policy.name for policy in policies),
            now=_remote_commit(spec),
            pulls=pulls,
            check=check,
            work=cache_of(options) / "images" / "work",
        )
    if not check:
        save_state(file, done.memory)
    return done


def _pulled_commit(options: Mapping[str, Any], spec: UpdateSpec) -> str:
    """Return the commit that the last pull on this machine brought of what the update writes to. Nobody is asked."""
    return last_commit(spec.followed, cache_of(options) / "sources") if spec.followed is not None else ""


def _remote_commit(spec: UpdateSpec) -> str:
    """Return the commit that the branch of an update has at its server now. Raises SourceError."""
    return current_revision(replace(spec.source, ref_kind=RefKind.BRANCH, ref=spec.base)).commit


def _without_markers(
    policies: Sequence[ImagePolicy], done: Sequence[tuple[UpdateSpec, UpdateResult | None]]
) -> list[str]:
    """Return an error for each policy that no marker names in any of the updates that are to write it."""
    errors = []
    for policy in policies:
        writers = [(spec, updated) for spec, updated in done if not spec.images or policy.name in spec.images]
        if not writers or any(
            updated is None or policy.name not in updated.unmarked for _spec, updated in writers
        ):
            continue
        where = " or ".join(_tree(spec) for spec, _updated in writers)
        why = f"no file in {where} has a marker for it, so its tag is written nowhere"
        next_step = (
            f'Put a comment behind the value, on its line: # {{"$plumb": "{policy.name}"}}. Files that end in .yaml or'
            " .yml are looked at, below the update's paths."
        )
        errors.append(str(UpdateError(policy.subject, "looking for its marker in Git", why, next_step)))
    return errors


def _tree(spec: UpdateSpec) -> str:
    return f"{' and '.join(spec.paths) or 'all'} of {spec.source.name}, branch {spec.base}"


def _choice_line(image: ScanResult) -> str:
    if image.choice is None:
        return f"{image.policy}   no tag is chosen: {image.note}"
    return f"{image.policy}   {image.choice.image}:{image.choice.tag}   {image.why}"


def _choice(image: ScanResult) -> dict[str, Any]:
    choice = image.choice
    values = (
        {"image": choice.image, "tag": choice.tag, "digest": choice.digest, "why": image.why}
        if choice
        else {}
    )
    error = {"error": str(image.error)} if image.error else {}
    return {"name": image.policy, **values, **error, **({"note": image.note} if image.note else {})}


def _update(updated: UpdateResult) -> dict[str, Any]:
    return {
        "name": updated.name,
        "changed": updated.changed,
        "asked": updated.asked,
        "branches": [_branch(pushed) for pushed in updated.pushed],
        "warnings": _warnings(updated),
    }


def _warnings(updated: UpdateResult) -> list[str]:
    of_forge = [
        line for pushed in updated.pushed if pushed.proposed is not None for line in pushed.proposed.warnings
    ]
    return [*updated.warnings, *of_forge]


def _branch(pushed: PushedBranch) -> dict[str, Any]:
    values: dict[str, Any] = {
        "branch": pushed.branch,
        "commit": pushed.commit,
        "changes": [
            {
                "file": change.file,
                "line": change.line,
                "policy": change.policy,
                "before": change.before,
                "after": change.after,
            }
            for change in pushed.changes
        ],
    }
    if pushed.proposed is not None:
        values["pull_request"] = {
            "number": pushed.proposed.number,
            "url": pushed.proposed.url,
            "created": pushed.proposed.created,
        }
    return values


def _lines(spec: UpdateSpec, updated: UpdateResult, *, check: bool) -> list[str]:
    """Return what a person reads."""
    lines = []
    if not updated.pushed:
        at = f" at {updated.memory.looked[0][:7]}" if updated.memory.looked else ""
        lines.append(f"{updated.name} {spec.base}{at}   nothing to write")
    for pushed in updated.pushed:
        if pushed.commit:
            lines.append(
                f"{updated.name} {pushed.branch} " + ("would change" if check else pushed.commit[:7])
            )
            lines += [f"  ~ {c.where}   {c.before} -> {c.after}" for c in pushed.changes]
        if pushed.proposed is not None and pushed.proposed.created:
            lines.append(f"{updated.name} pull request {pushed.proposed.url}")
    return lines


def _diff(updated: UpdateResult, pushed: PushedBranch) -> dict[str, str]:
    """Return the marked values alone: what else a file holds may be confidential."""
    head = f"{updated.name} {pushed.branch}"
    return {
        "before_header": head,
        "after_header": head,
        "before": "".join(f"{change.where}: {change.before}\n" for change in pushed.changes),
        "after": "".join(f"{change.where}: {change.after}\n" for change in pushed.changes),
    }


IMAGES = ModuleWork("images", spec_of_images(), images)
