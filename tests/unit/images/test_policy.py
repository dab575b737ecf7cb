# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images, the order of tags that each policy gives, and filters."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.images.image_reference import (
    is_digest,
    is_tag,
    name_of,
    parse_name,
    tag_of,
)
from ansible_collections.plumb.gitops.plugins.module_utils.images.tag_filter import TagFilter, filter_tags
from ansible_collections.plumb.gitops.plugins.module_utils.images.tag_policy import (
    Candidate,
    is_older,
    parse_policy,
    rank_tags,
    without_attachments,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

DIGEST = f"sha256:{'0' * 64}"


def candidates(*tags):
    return [Candidate(tag, tag) for tag in tags]


def order(policy, *tags):
    return rank_tags(parse_policy(policy, subject="image shop"), candidates(*tags))


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("registry.example.com/shop/web", "registry.example.com/shop/web"),
        ("Registry.Example.com:5000/web", "registry.example.com:5000/web"),
        ("localhost/web", "localhost/web"),
        ("[::1]:5000/web", "[::1]:5000/web"),
        ("nginx", "docker.io/library/nginx"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("grafana/grafana", "docker.io/grafana/grafana"),
        ("index.docker.io/grafana/grafana", "docker.io/grafana/grafana"),
        ("ghcr.io/a__b/c-d.e", "ghcr.io/a__b/c-d.e"),
    ],
)
def test_a_name_is_read_as_docker_reads_it(text, identity):
    name = parse_name(text, subject="image shop")
    assert (name.identity, name.text) == (identity, text)


@pytest.mark.parametrize(
    "text",
    [
        "", "UPPER/case", "registry.example.com/", "registry.example.com/web:1.0", "a//b", "-a/b", "a/../b",
        f"web@{DIGEST}", "http://registry.example.com/web", "reg.example.com/web?x=1", "reg.example.com:/web",
        "user@reg.example.com/web", "reg.example.com/we b", "reg.example.com/web\n", "a" * 256, "reg.example.com#/x",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(text):
    with pytest.raises(InputError, match="image shop: reading image"):
        parse_name(text, subject="image shop")


def test_name_and_tag_are_found_in_a_reference():
    for text in ("reg.example.com:5000/web:1.0", f"reg.example.com:5000/web:1.0@{DIGEST}"):
        name = name_of(text)
        assert name is not None
        assert (name.text, tag_of(text)) == ("reg.example.com:5000/web", "1.0")
    assert tag_of("reg.example.com:5000/web") == ""
    assert name_of("{{ image }}") is None


@pytest.mark.parametrize("text", ["{{ x }}", "$(id)", "a/b", "-a", ".a", "", "a" * 129, "a\n", "ä", "a b"])
def test_what_is_no_tag(text):
    assert not is_tag(text)


def test_only_digests_whose_hash_is_known():
    assert is_digest(DIGEST)
    assert not is_digest("md5:00")
    assert not is_digest(DIGEST + "\n")


@pytest.mark.parametrize(
    ("policy", "tags", "wanted"),
    [
        (
            {"semver": ">=1.0.0 <2.0.0"},
            ("1.2.0", "v1.10.0", "2.0.0", "1.11.0-rc.1", "latest"),
            ["v1.10.0", "1.2.0"],
        ),
        (
            {"semver": ">=1.0.0-0"},
            ("1.2.0-rc.2", "1.2.0-rc.10", "1.1.0"),
            ["1.2.0-rc.10", "1.2.0-rc.2", "1.1.0"],
        ),
        ({"numerical": "asc"}, ("9", "10", "8.5", "x", "1e3"), ["10", "9", "8.5"]),
        ({"numerical": "desc"}, ("9", "10", "-2"), ["-2", "9", "10"]),
        ({"alphabetical": "asc"}, ("2026-01", "2026-11", "2025-12"), ["2026-11", "2026-01", "2025-12"]),
        ({"alphabetical": "desc"}, ("b", "a"), ["a", "b"]),
        ({"digest": "stable"}, ("stable", "1.0"), ["stable"]),
        ({"numerical": "asc"}, ("9" * 40, "1" + "0" * 38), ["9" * 40, "1" + "0" * 38]),
    ],
)
def test_order_of_tags(policy, tags, wanted):
    assert order(policy, *tags) == wanted


def test_newest_goes_by_time_and_leaves_out_what_has_none():
    policy = parse_policy({"newest": "build"}, subject="image shop")
    created = {"a": datetime(2026, 1, 2, tzinfo=UTC), "b": datetime(2026, 1, 3, tzinfo=UTC)}
    assert rank_tags(policy, candidates("a", "b", "c"), created) == ["b", "a"]


def test_what_is_compared_may_be_a_part_of_the_tag():
    policy = parse_policy({"numerical": "asc"}, subject="image shop")
    assert rank_tags(policy, [Candidate("main-9", "9"), Candidate("main-10", "10")]) == ["main-10", "main-9"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"semver": "1", "numerical": "asc"},
        {"numerical": "up"},
        {"alphabetical": "ASC"},
        {"newest": "push"},
        {"digest": "a b"},
        {"semver": "not a range"},
        {"regex": "x"},
    ],
)
def test_a_policy_is_exactly_one_known_word(options):
    with pytest.raises(InputError, match="image shop"):
        parse_policy(options, subject="image shop")


def test_older_and_newer_by_tags_alone():
    semver = parse_policy({"semver": "*"}, subject="image shop")
    old, new = candidates("1.0.0", "1.1.0")
    assert is_older(semver, old, new) is True
    assert is_older(semver, new, old) is False
    assert is_older(semver, old, old) is False
    assert is_older(parse_policy({"newest": "build"}, subject="image shop"), old, new) is None
    descending = parse_policy({"numerical": "desc"}, subject="image shop")
    assert is_older(descending, *candidates("5", "4")) is True


def test_signatures_and_attestations_are_no_images():
    hexadecimal = "ab" * 32
    attached = [f"sha256-{hexadecimal}{end}" for end in ("", ".sig", ".att", ".sbom")]
    assert without_attachments([*attached, "1.0", "sha256-short.sig"]) == ["1.0", "sha256-short.sig"]


def filtered(pattern, extract, *tags, **more):
    return filter_tags(TagFilter(pattern, extract), tags, subject="image shop", **more)


def test_a_filter_chooses_and_extracts():
    tags = ("main-a1-17", "main-b2-9", "dev-c3-20")
    pattern = r"^main-(?P<commit>[a-f0-9]+)-(?P<build>\d+)$"
    assert filtered(pattern, "$build", *tags) == [Candidate("main-a1-17", "17"), Candidate("main-b2-9", "9")]
    assert [candidate.key for candidate in filtered(pattern, "${build}.$1$$", *tags)] == ["17.a1$", "9.b2$"]
    assert [candidate.key for candidate in filtered("^main", "", *tags)] == ["main-a1-17", "main-b2-9"]
    assert [candidate.key for candidate in filtered("(x)?main", "$1", *tags)] == ["", ""]


@pytest.mark.timeout(60)  # it would go on for ever
def test_a_regular_expression_that_never_ends_is_ended():
    with pytest.raises(InputError, match=r"takes longer than 0.5s for 1 tags and was ended"):
        filtered(r"(a+)+$", "", "a" * 60 + "!", seconds=0.5)


@pytest.mark.parametrize(
    ("pattern", "extract", "why"),
    [
        ("(", "", "not a regular expression"),
        ("a", "$b", "no group"),
        ("a" * 501, "", "longer"),
        ("a{99999999999}", "", "not a regular expression"),
    ],
)
def test_an_unusable_filter_is_refused(pattern, extract, why):
    with pytest.raises(InputError, match=why):
        filtered(pattern, extract, "a", seconds=2.0)
