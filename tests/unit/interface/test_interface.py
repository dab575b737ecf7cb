# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options to values, from results to what a module returns, and the words for what went wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.validation import (
    check_inventory,
    unknown_keys,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.apply_result import (
    bounded_actions,
    bounded_message,
    bounded_text,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import (
    ModuleWork,
    defect,
    outcome_of,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode import Mode
from ansible_collections.plumb.gitops.plugins.module_utils.interface.options.common import (
    APP,
    INVENTORY,
    for_ansible,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.engine_values import (
    app_spec,
    connection_spec,
    pulled_sources,
    source_spec,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.option_values import (
    with_defaults,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import (
    AppSpec,
    Checkout,
    PruneLimit,
    RefKind,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.change import FieldChange
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import document, failures
from ansible_collections.plumb.gitops.tests.unit.report.reports import REPORTS, action, app, report

KIB = 1024
SOURCE = {"name": "fleet", "url": "https://git.example.com/fleet.git"}
COMMIT = "4f2a9c1" + "0" * 33


@pytest.mark.parametrize(
    ("variables", "values", "messages"),
    [
        (["plumb_apps", "ansible_host"], {}, []),
        (["plumb_ap"], {}, ["variable 'plumb_ap' is unknown; did you mean 'plumb_apps'?"]),
        (["plumb_kube_config"], {}, ["did you mean 'plumb_kubeconfig'?"]),
        (["plumb_qqqqqqqqqqqq"], {}, ["variable 'plumb_qqqqqqqqqqqq' is unknown; known are plumb_api_key, "]),
        ([], {"apps": [{"name": "a", "prun": 1}]}, ["plumb_apps[a]: option 'prun' is unknown; did you mean 'prune"]),
        ([], {"apps": [{"pth": "x"}]}, ["plumb_apps[0]: option 'pth' is unknown; did you mean 'path'?"]),
        ([], {"sources": [{"name": "a", "brnch": "x"}]}, ["did you mean 'branch'?"]),
        ([], {"apps": [{"name": "a", 1: 2}]}, ["option '1' is unknown"]),
        ([], {"apps": "text", "sources": ["x"]}, []),  # its type is told elsewhere
        (["plumb_b", "plumb_a"], {}, ["'plumb_a'", "'plumb_b'"]),
    ],
)  # fmt: skip
def test_wrong_words(variables: list[str], values: dict[str, Any], messages: list[str]) -> None:
    lines = unknown_keys(variables, values, INVENTORY)
    assert len(lines) == len(messages)
    assert all(part in line for part, line in zip(messages, lines, strict=True))


def test_options_come_to_the_defaults_of_the_engine() -> None:
    """Declared twice, in Ansible's terms and in Python's; they must not drift apart."""
    defaults = {name: option.get("default") for name, option in for_ansible(APP).items()}
    assert app_spec({**defaults, "name": "shop", "source": "fleet"}) == AppSpec(name="shop", source="fleet")
    assert app_spec({"name": "shop", "source": "fleet"}) == AppSpec(name="shop", source="fleet")


@pytest.mark.parametrize(
    ("value", "filled"), [(None, "1h"), ("", "1h"), ("5m", "5m"), (0, 0), (False, False), ([], [])]
)
def test_what_is_not_given_has_the_default_of_its_spec(value: Any, filled: Any) -> None:
    spec = {"after": {"default": "1h"}, "user": {}}
    assert with_defaults(spec, {"after": value, "other": 1}) == {"after": filled, "user": None}
    assert with_defaults(spec, {"user": ""}) == {"after": "1h", "user": ""}, (
        "empty, and no default: it was given"
    )


@pytest.mark.parametrize(
    ("limit", "value"), [("20", PruneLimit(20)), ("0", PruneLimit(0)), ("50%", PruneLimit(50, percent=True)),
                         ("100%", PruneLimit(100, percent=True)), (20, PruneLimit(20))]
)  # fmt: skip
def test_prune_limits(limit: str | int, value: PruneLimit) -> None:
    assert app_spec({"name": "shop", "source": "x", "prune_limit": limit}).prune_limit == value


@pytest.mark.parametrize(
    "wrong",
    [{"prune_limit": "101%"}, {"prune_limit": "half"}, {"prune_limit": "-1"}, {"prune_limit": "5 %"},
     {"prune_limit": "\u0665"}, {"timeout": "5"}, {"timeout": "0s"}, {"name": "Shop"}, {"name": "a/b"}, {"name": ""},
     {"name": "-a"}, {"name": "a" * 64}, {"name": "a\n"}],
)  # fmt: skip
def test_values_that_cannot_be(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        app_spec({"name": "shop", "source": "x", **wrong})
    assert str(caught.value).isprintable()
    assert caught.value.next_step


@pytest.mark.parametrize("kind", list(RefKind))
def test_a_source_names_its_revision_one_way(kind: RefKind) -> None:
    spec = source_spec({**SOURCE, **dict.fromkeys(("branch", "tag", "semver", "commit")), kind.value: "x"})
    assert (spec.ref_kind, spec.ref, spec.timeout) == (kind, "x", 60.0)


def test_paths_and_nothing_else_become_paths() -> None:
    spec = source_spec({**SOURCE, "branch": "main", "token_file": "/t", "ca_file": "", "proxy": None})
    assert (spec.token_file, spec.ca_file, spec.proxy) == (Path("/t"), None, "")


@pytest.mark.parametrize("concurrency", [-1, 257, 100000])
def test_concurrency_has_bounds(concurrency: int) -> None:
    with pytest.raises(InputError, match="is not between 1 and 256"):
        connection_spec({"concurrency": concurrency})


def test_an_empty_impersonation_is_passed_on_to_be_refused() -> None:
    assert connection_spec({"impersonate_user": ""}).impersonate_user == ""
    assert connection_spec({}).impersonate_user is None


def test_what_pull_returned_is_read_back() -> None:
    sources = pulled_sources(
        [
            {"name": "fleet", "path": "/c", "revision": {"commit": COMMIT, "author": None}},
            {"name": "lost", "error": "source lost: fetching it: no such repository"},
            {
                "name": "kept",
                "path": "/c",
                "revision": {"commit": COMMIT},
                "error": "source kept: it was rewritten",
            },
        ]
    )
    assert isinstance(sources["kept"], Checkout)
    assert isinstance(sources["fleet"], Checkout)
    assert sources["fleet"].revision.short == "4f2a9c1"
    assert isinstance(sources["lost"], SourceError)


@pytest.mark.parametrize(
    "entry", [{}, {"name": "a"}, {"name": "a", "path": "/c"}, {"name": "a", "path": "/c", "revision": {}},
              {"name": "a", "path": "/c", "revision": "4f2a9c1"}, {"name": "a", "path": "/c", "revision": None}]
)  # fmt: skip
def test_what_pull_did_not_return(entry: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"what plumb\.gitops\.pull returned"):
        pulled_sources([entry])


@pytest.mark.parametrize("text", ["", "x" * 64 * KIB, "é" * 32 * KIB])
def test_a_diff_within_its_bound_is_whole(text: str) -> None:
    assert bounded_text(text) == text


@pytest.mark.parametrize("text", ["x" * (64 * KIB + 1), "é" * 64 * KIB, "a" + "€" * 64 * KIB])
def test_a_diff_beyond_its_bound_is_cut_between_characters(text: str) -> None:
    cut = bounded_text(text)
    assert len(cut.encode()) <= 64 * KIB
    assert cut.endswith("\n… cut; the report file has all\n")
    assert text.startswith(cut.partition("\n")[0])


def test_actions_are_bounded_in_number_and_size() -> None:
    big = FieldChange("data.a", "x" * 20 * KIB, "y" * 20 * KIB)
    small = FieldChange("data.a", "1", "2")
    changes = [small, big, big, small]
    many = [action("ConfigMap", f"c{n}", Verb.UPDATE, change) for n, change in enumerate(changes)]
    more = [action("ConfigMap", f"d{n}", Verb.CREATE) for n in range(300)]
    same = action("ConfigMap", "same", Verb.UNCHANGED)
    actions = bounded_actions(document(report(app("shop", same, *many, *more))))
    assert len(actions) == 200
    assert len(json.dumps(actions)) < 128 * KIB
    assert [item.get("changes_cut", False) for item in actions[:5]] == [False, False, True, True, False]
    assert ["changes" in item for item in actions[:5]] == [True, True, False, False, False]
    assert all(item["app"] == "shop" for item in actions)


def test_failures_are_a_line_each() -> None:
    lines = failures(document(REPORTS["failed"]))
    assert lines == [
        "app shop: Deployment shop/cart: the server said no",
        (
            "app shop: Deployment shop/checkout is not healthy: InProgress Available: 1/3; container app:"
            " CrashLoopBackOff, last exit code 1 (Error)"
        ),
        "app shop: Deployment shop/mail is not healthy: Failed",
        "app broken: rendering x: x.yaml:3 is no YAML",
        "app later: not started, because of broken",
    ]


def test_many_failures_are_counted() -> None:
    many = [action("ConfigMap", f"c{n}", Verb.REFUSED, reason="no") for n in range(50)]
    lines = bounded_message(failures(document(report(app("shop", *many))))).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 30 more"


def test_a_defect_names_its_place_and_no_value() -> None:
    def work(options: Any, mode: Mode) -> dict[str, Any]:
        raise ValueError(f"the password is {options['password']}")

    result = outcome_of(
        ModuleWork("x", {"password": {}}, work), {"password": "hunter2"}, Mode(check=True, diff=False)
    )
    assert result["failed"]
    assert result["msg"].startswith("Plumb: a defect (ValueError at test_interface.py:")
    assert "hunter2" not in json.dumps(result)
    assert defect(KeyError("hunter2")).startswith("Plumb: a defect (KeyError).")


def test_an_error_of_ours_is_told_as_it_is() -> None:
    def work(_options: Any, _mode: Mode) -> dict[str, Any]:
        raise InputError("app shop", "reading it", "no", "Mend it.")

    result = outcome_of(ModuleWork("x", {}, work), {}, Mode(check=False, diff=False))
    assert result == {"failed": True, "msg": "app shop: reading it: no. Mend it.", "error": "InputError"}


FORGE = {"kind": "gitea", "url": "https://git.example.com", "token_file": "/t"}
TEAM = {"name": "team", "webhook_url_file": "/u"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"plumb_commit_status": True}, "commit_status: there is no plumb_forge"),
        ({"plumb_preview": {}}, "preview: there is no plumb_forge"),
        ({"plumb_preview": {"max_age": "5"}, "plumb_forge": FORGE}, "preview, max_age"),
        ({"plumb_forge": {**FORGE, "timeout": "x"}}, "forge, timeout"),
        ({"plumb_notifications": [{**TEAM, "repeat_after": "1"}]}, "notification team, repeat_after"),
        ({"plumb_notifications": [TEAM, dict(TEAM)]}, "two are called 'team'"),
        ({"plumb_hooks": {"on_drift": "tasks.yml"}}, "on_drift is not an absolute path"),
    ],
)
def test_what_answers_on_a_commit_is_checked_beforehand(variables: dict[str, Any], message: str) -> None:
    assert message in "\n".join(check_inventory(variables).wrong)
