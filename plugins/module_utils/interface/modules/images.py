# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `images` does between its options and its result, and what a scheduler asks of it: whether a choice is new."""

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
from ..parsing.cache_folder import cache_of
from ..parsing.image_values import image_policies, update_specs
from .image_pulls import pull_requests
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
    """The result of `images`. What fails is told beside what did not, and makes the task fail at the end."""
    policies, updates = _declared(options, "updates")
    scanned = scan(policies, RegistryCache())
    results: list[UpdateResult] = []
    done: list[tuple[UpdateSpec, UpdateResult | None]] = []
    errors = [str(one.error) for one in scanned if one.error is not None]
    for spec in updates:
        try:
            results.append(_updated(spec, policies, scanned, options, check=mode.check))
            done.append((spec, results[-1]))
        except PlumbError as error:
            errors.append(str(error))
            done.append((spec, None))
    errors += _without_markers(policies, done)
    result: dict[str, Any] = {
        "changed": any(one.changed for one in results),
        "choices": [_choice(one) for one in scanned],
        "updates": [_update(one) for one in results],
        "lines": [
            *(_choice_line(one) for one in scanned if one.error is None),
            *(line for spec, one in done if one for line in _lines(spec, one, check=mode.check)),
        ],
        "warnings": [line for one in results for line in _warnings(one)],
    }
    if mode.diff:
        result["diff"] = [_diff(one, each) for one in results for each in one.pushed]
    if errors:
        result |= {"failed": True, "msg": " ".join(errors), "errors": errors}
    return result


def look(settings: Mapping[str, Any], cluster: str, remembered: RegistryCache) -> ImageScan:
    """Ask the registries, and nobody else, whether there is anything that `images` would have to look at Git for.

    `settings` are those that a scheduler is told (`settings.shown_settings`). Raises InputError.
    """
    policies, updates = _declared(settings, "image_updates")
    used = {name for spec in updates for name in spec.images} if all(one.images for one in updates) else None
    wanted = [one for one in policies if used is None or one.name in used]
    scanned = scan(wanted, remembered) if updates else ()
    new = []
    for spec in updates:
        memory = load_state(state_file(cache_of(settings), cluster, spec.name, spec.source.url))
        if needs_update(spec, _decisions(wanted, scanned, memory), memory, _now(settings, spec)):
            new.append(spec.name)
    return ImageScan(
        tuple(new),
        len(scanned),
        tuple(str(one.error) for one in scanned if one.error is not None),
        tuple(f"image {one.policy}: {one.note}" for one in scanned if one.note),
        tuple((one.policy, one.choice.tag) for one in scanned if one.choice is not None),
    )


def _declared(
    options: Mapping[str, Any], updates: str
) -> tuple[tuple[ImagePolicy, ...], tuple[UpdateSpec, ...]]:
    given = options.get("images") or ()
    return image_policies(given), update_specs(
        options.get(updates) or (), options.get("sources") or (), given
    )


def _decisions(
    policies: Sequence[ImagePolicy], scanned: Sequence[ScanResult], memory: UpdateState
) -> list[Decision]:
    """What is to stand in Git. For an image that could not be asked for it is what it came to last: a branch with the
    changes of several images must not lose one of them for a registry that is down.
    """
    chosen = {one.policy: one.choice for one in scanned}
    found = ((policy, chosen.get(policy.name) or memory.choice(policy)) for policy in policies)
    return [Decision(policy, choice) for policy, choice in found if choice is not None]


def _updated(
    spec: UpdateSpec,
    policies: Sequence[ImagePolicy],
    scanned: Sequence[ScanResult],
    options: Mapping[str, Any],
    *,
    check: bool,
) -> UpdateResult:
    file = state_file(cache_of(options), options.get("cluster") or "", spec.name, spec.source.url)
    memory = load_state(file)
    with pull_requests(options, spec) as pulls:
        done = update(
            spec,
            _decisions(policies, scanned, memory),
            memory,
            known=frozenset(policy.name for policy in policies),
            now=_at_remote(spec),
            pulls=pulls,
            check=check,
            work=cache_of(options) / "images" / "work",
        )
    if not check:
        save_state(file, done.memory)
    return done


def _now(options: Mapping[str, Any], spec: UpdateSpec) -> str:
    """The commit that the last pull on this machine brought of what the update writes to; nobody is asked."""
    return last_commit(spec.followed, cache_of(options) / "sources") if spec.followed is not None else ""


def _at_remote(spec: UpdateSpec) -> str:
    """The commit that the branch of an update has at its server now. Raises SourceError."""
    return current_revision(replace(spec.source, ref_kind=RefKind.BRANCH, ref=spec.base)).commit


def _without_markers(
    policies: Sequence[ImagePolicy], done: Sequence[tuple[UpdateSpec, UpdateResult | None]]
) -> list[str]:
    """An error for each policy that no marker names in any of the updates that are to write it."""
    errors = []
    for policy in policies:
        places = [(spec, one) for spec, one in done if not spec.images or policy.name in spec.images]
        if not places or any(one is None or policy.name not in one.unmarked for _spec, one in places):
            continue
        where = " or ".join(_place(spec) for spec, _one in places)
        why = f"no file in {where} has a marker for it, so its tag is written nowhere"
        next_step = (
            f'Put a comment behind the value, on its line: # {{"$plumb": "{policy.name}"}}. Files that end in .yaml or'
            " .yml are looked at, below the update's paths."
        )
        errors.append(str(UpdateError(policy.subject, "looking for its marker in Git", why, next_step)))
    return errors


def _place(spec: UpdateSpec) -> str:
    return f"{' and '.join(spec.paths) or 'all'} of {spec.source.name}, branch {spec.base}"


def _choice_line(one: ScanResult) -> str:
    if one.choice is None:
        return f"{one.policy}   no tag is chosen: {one.note}"
    return f"{one.policy}   {one.choice.image}:{one.choice.tag}   {one.why}"


def _choice(one: ScanResult) -> dict[str, Any]:
    choice = one.choice
    said = (
        {"image": choice.image, "tag": choice.tag, "digest": choice.digest, "why": one.why} if choice else {}
    )
    error = {"error": str(one.error)} if one.error else {}
    return {"name": one.policy, **said, **error, **({"note": one.note} if one.note else {})}


def _update(one: UpdateResult) -> dict[str, Any]:
    return {
        "name": one.name,
        "changed": one.changed,
        "asked": one.asked,
        "branches": [_branch(each) for each in one.pushed],
        "warnings": _warnings(one),
    }


def _warnings(one: UpdateResult) -> list[str]:
    of_forge = [line for each in one.pushed if each.proposed is not None for line in each.proposed.warnings]
    return [*one.warnings, *of_forge]


def _branch(each: PushedBranch) -> dict[str, Any]:
    said: dict[str, Any] = {
        "branch": each.branch,
        "commit": each.commit,
        "changes": [
            {
                "file": change.file,
                "line": change.line,
                "policy": change.policy,
                "before": change.before,
                "after": change.after,
            }
            for change in each.changes
        ],
    }
    if each.proposed is not None:
        said["pull_request"] = {
            "number": each.proposed.number,
            "url": each.proposed.url,
            "created": each.proposed.created,
        }
    return said


def _lines(spec: UpdateSpec, one: UpdateResult, *, check: bool) -> list[str]:
    """What a person reads."""
    lines = []
    if not one.pushed:
        at = f" at {one.memory.looked[0][:7]}" if one.memory.looked else ""
        lines.append(f"{one.name} {spec.base}{at}   nothing to write")
    for each in one.pushed:
        if each.commit:
            lines.append(f"{one.name} {each.branch} " + ("would change" if check else each.commit[:7]))
            lines += [f"  ~ {c.where}   {c.before} -> {c.after}" for c in each.changes]
        if each.proposed is not None and each.proposed.created:
            lines.append(f"{one.name} pull request {each.proposed.url}")
    return lines


def _diff(one: UpdateResult, each: PushedBranch) -> dict[str, str]:
    """The marked values alone: what else a file holds may be nobody's to see."""
    head = f"{one.name} {each.branch}"
    return {
        "before_header": head,
        "after_header": head,
        "before": "".join(f"{change.where}: {change.before}\n" for change in each.changes),
        "after": "".join(f"{change.where}: {change.after}\n" for change in each.changes),
    }
