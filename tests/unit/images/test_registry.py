# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scanning a registry that behaves, and one that does not."""

from __future__ import annotations

import base64
import email.utils
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.images.image_reference import parse_name
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.challenge import (
    Challenge,
    parse_challenge,
)
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.registry_cache import RegistryCache
from ansible_collections.plumb.gitops.plugins.module_utils.images.scan import scan
from ansible_collections.plumb.gitops.plugins.module_utils.images.specs import ImagePolicy, RegistryAccount
from ansible_collections.plumb.gitops.plugins.module_utils.images.tag_filter import TagFilter
from ansible_collections.plumb.gitops.plugins.module_utils.images.tag_policy import parse_policy
from ansible_collections.plumb.gitops.tests.support.git.git_server import Reply
from ansible_collections.plumb.gitops.tests.support.registry.registry_server import (
    Dribble,
    RegistryServer,
    basic,
    json_reply,
)
from ansible_collections.plumb.gitops.tests.support.tls.authority import Authority

USER, PASSWORD = "alma", "s3cret-pass word"


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    return file


def shop(host, policy=None, *, account=None, **more):
    options = {"insecure": True, **(account or {})}
    return ImagePolicy(
        name="shop",
        image=parse_name(f"{host}/shop/web", subject="image shop"),
        policy=parse_policy(policy or {"semver": "*"}, subject="image shop"),
        account=RegistryAccount(**options),
        **more,
    )


def scanned(policy, remembered=None, **more):
    (result,) = scan([policy], remembered or RegistryCache(), **more)
    return result


def chosen(policy, remembered=None, **more):
    result = scanned(policy, remembered, **more)
    assert result.choice is not None, result
    return result.choice.tag, result.choice.digest


def refused(policy, remembered=None, **more):
    result = scanned(policy, remembered, **more)
    assert result.error is not None, result
    return str(result.error)


# A registry that behaves


def test_the_highest_version_and_its_digest(registry):
    registry.push("shop/web", ["1.0.0", "1.1.0"], content="a")
    digest = registry.push("shop/web", ["1.2.0"], content="b")
    registry.push("shop/web", ["latest", f"sha256-{'ab' * 32}.sig"], content="c")
    assert chosen(shop(registry.host)) == ("1.2.0", digest)


def test_all_pages_are_read(registry):
    registry.page = 3
    registry.push("shop/web", [f"1.{number}.0" for number in range(10)])
    assert chosen(shop(registry.host))[0] == "1.9.0"
    assert len(registry.asked("/tags/list")) == 4


def test_what_has_not_changed_is_not_sent_again(registry):
    registry.etags = True
    registry.push("shop/web", ["1.0.0"])
    remembered = RegistryCache()
    first = chosen(shop(registry.host), remembered)
    asked = len(registry.requests)
    assert chosen(shop(registry.host), remembered) == first
    again = registry.requests[asked:]
    assert [bool(request.headers.get("if-none-match")) for request in again] == [True, True]
    registry.push("shop/web", ["1.0.1"], content="new")
    assert chosen(shop(registry.host), remembered)[0] == "1.0.1"


def test_a_fixed_tag_is_asked_for_alone(registry):
    registry.push("shop/web", ["stable"], content="a")
    policy, remembered = shop(registry.host, {"digest": "stable"}), RegistryCache()
    before = chosen(policy, remembered)
    after = registry.push("shop/web", ["stable"], content="b")
    assert chosen(policy, remembered) == ("stable", after)
    assert before[1] != after
    assert not registry.asked("/tags/list")


def test_the_newest_build_is_by_the_image_not_by_its_name(registry):
    registry.push("shop/web", ["zz"], created="2026-11-01T12:00:00Z")
    registry.push("shop/web", ["aa"], created="2026-11-02T12:00:00.123456789+01:00")
    registry.push("shop/web", ["none"], created="0001-01-01T00:00:00Z")
    assert chosen(shop(registry.host, {"newest": "build"}))[0] == "aa"


def test_newest_with_too_many_builds_wants_a_filter(registry):
    registry.push("shop/web", [f"b{number}" for number in range(501)])
    message = refused(shop(registry.host, {"newest": "build"}))
    assert "501 tags" in message
    assert "filter" in message
    assert chosen(shop(registry.host, {"newest": "build"}, filter=TagFilter("^b50")))[0]


def test_only_a_tag_that_has_the_platform(registry):
    registry.push("shop/web", ["1.0.0"], platforms=["linux/amd64", "linux/arm64/v8"])
    registry.push("shop/web", ["1.1.0"], platforms=["linux/amd64"])
    registry.push("shop/web", ["1.2.0"])  # one image without an index, for linux/amd64
    assert chosen(shop(registry.host, platform="linux/arm64"))[0] == "1.0.0"
    assert chosen(shop(registry.host, platform="linux/amd64"))[0] == "1.2.0"
    assert "none of the 3 tags looked at is for windows/amd64" in refused(
        shop(registry.host, platform="windows/amd64")
    )


def test_a_build_that_is_too_young_is_waited_for(registry):
    now = datetime.now(UTC)
    registry.push("shop/web", ["1.0.0"], created=(now - timedelta(hours=1)).isoformat())
    registry.push(
        "shop/web", ["1.1.0"], created=(now - timedelta(minutes=1)).isoformat(), platforms=["linux/amd64"]
    )
    registry.push("shop/web", ["1.2.0"], created=(now + timedelta(days=1)).isoformat())
    assert chosen(shop(registry.host, minimum_age=600.0))[0] == "1.0.0"
    assert chosen(shop(registry.host, minimum_age=30.0))[0] == "1.1.0"
    waits = scanned(shop(registry.host, minimum_age=86400.0))
    assert waits.error is None
    assert waits.note == "no build is older than 24h yet (minimum_age)"


def test_nothing_that_the_policy_wants(registry):
    registry.push("shop/web", ["latest"])
    assert "of 1 tags none is in >=2" in refused(shop(registry.host, {"semver": ">=2"}))


def test_one_that_fails_holds_up_no_other(registry):
    registry.push("shop/web", ["1.0.0"])
    good, bad = shop(registry.host), shop("127.0.0.1:1")
    results = scan([bad, good], RegistryCache())
    assert [result.choice is not None for result in results] == [False, True]
    assert "127.0.0.1:1: no connection" in str(results[0].error)


# Who asks


@pytest.mark.parametrize("bearer", [False, True])
def test_a_login_as_basic_and_for_a_token(password_file, bearer):
    with RegistryServer(login=(USER, PASSWORD), bearer=bearer) as registry:
        registry.push("shop/web", ["1.0.0"])
        account = {"username": USER, "password_file": password_file}
        assert chosen(shop(registry.host, account=account))[0] == "1.0.0"
        assert "does not accept the login" in refused(shop(registry.host)) or bearer
        assert len(registry.asked("/token")) == (
            2 if bearer else 0
        )  # one for each scan, not for each question
        for request in registry.asked("/v2/"):
            assert not (bearer and request.authorization.startswith("Basic"))


def test_a_wrong_password_is_told_without_it(tmp_path):
    file = tmp_path / "password"
    file.write_text("wrong-secret", encoding="utf-8")
    for bearer in (False, True):
        with RegistryServer(login=(USER, PASSWORD), bearer=bearer) as registry:
            registry.push("shop/web", ["1.0.0"])
            message = refused(shop(registry.host, account={"username": USER, "password_file": file}))
            assert "(401)" in message
            assert "wrong-secret" not in message


def docker_config(tmp_path, content):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return {"docker_config": file}


def test_a_docker_config(tmp_path):
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with RegistryServer(login=(USER, PASSWORD), bearer=True) as registry:
        registry.push("shop/web", ["1.0.0"])
        for key in (registry.host, f"https://{registry.host}/v2/"):
            account = docker_config(tmp_path, {"auths": {key: {"auth": auth}}})
            assert chosen(shop(registry.host, account=account))[0] == "1.0.0"
        other = docker_config(tmp_path, {"auths": {"other.example.com": {"auth": auth}}})
        refused(shop(registry.host, account=other))
        identity = docker_config(
            tmp_path, {"auths": {registry.host: {"identitytoken": PASSWORD, "auth": auth}}}
        )
        assert chosen(shop(registry.host, account=identity))[0] == "1.0.0"


def test_a_credential_helper(tmp_path, monkeypatch):
    helper = tmp_path / "bin" / "docker-credential-test"
    helper.parent.mkdir()
    answer = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\ncat >{tmp_path}/asked\ncat <<'END'\n{answer}\nEND\n", encoding="utf-8")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:/usr/bin:/bin")
    with RegistryServer(login=(USER, PASSWORD)) as registry:
        registry.push("shop/web", ["1.0.0"])
        for content in ({"credHelpers": {registry.host: "test"}}, {"credsStore": "test"}):
            assert chosen(shop(registry.host, account=docker_config(tmp_path, content)))[0] == "1.0.0"
            assert (tmp_path / "asked").read_text(encoding="utf-8") == registry.host
        for name, why in (("absent", "no such program"), ("../x", "a credential helper's name")):
            account = docker_config(tmp_path, {"credHelpers": {registry.host: name}})
            assert why in refused(shop(registry.host, account=account))
        helper.write_text(
            "#!/bin/sh\necho credentials not found in native keychain\nexit 1\n", encoding="utf-8"
        )
        assert "(401)" in refused(
            shop(registry.host, account=docker_config(tmp_path, {"credsStore": "test"}))
        )


def test_an_authority_of_ones_own(tmp_path):
    authority = Authority(tmp_path / "ca")
    with RegistryServer(tls=authority.server_context("127.0.0.1")) as registry:
        registry.push("shop/web", ["1.0.0"])
        trusting = {"insecure": False, "ca_file": authority.certificate}
        assert chosen(shop(registry.host, account=trusting))[0] == "1.0.0"
        assert "not signed by an authority" in refused(shop(registry.host, account={"insecure": False}))


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ('Bearer realm="https://a/t",service="s"', Challenge("bearer", "https://a/t", "s")),
        ('Basic realm="x", Bearer realm="https://a/t"', Challenge("bearer", "https://a/t", "")),
        ("basic realm=x", Challenge("basic", "x", "")),
        ("Negotiate", None),
        ("", None),
        ('Bearer realm="' + "a" * 9000, Challenge("bearer", "", "")),
    ],
)
def test_challenges(header, wanted):
    assert parse_challenge(header) == wanted


# A registry that does not behave


def test_a_login_is_not_sent_to_a_token_service_elsewhere(password_file, tmp_path):
    account = {"username": USER, "password_file": password_file}
    with RegistryServer() as elsewhere, RegistryServer(login=(USER, PASSWORD), bearer=True) as registry:
        registry.push("shop/web", ["1.0.0"])
        for realm in (
            f"{elsewhere.url}/token",
            f"http://u:p@{registry.host}/token",
            "ftp://x/",
            "https://[",
            "",
        ):
            registry.realm = realm or "token"
            assert "token service" in refused(shop(registry.host, account=account))
        assert elsewhere.requests == []
    authority = Authority(tmp_path / "ca")
    with (
        RegistryServer(
            login=(USER, PASSWORD), bearer=True, tls=authority.server_context("localhost")
        ) as service,
        RegistryServer(
            login=(USER, PASSWORD), bearer=True, tls=authority.server_context("127.0.0.1")
        ) as registry,
    ):
        registry.push("shop/web", ["1.0.0"])
        registry.tokens = service.tokens
        port = service.host.rpartition(":")[2]
        registry.realm = f"https://localhost:{port}/token"
        secure = {**account, "insecure": False, "ca_file": authority.certificate}
        message = refused(shop(registry.host, account=secure))
        assert "not on its host" in message
        assert service.requests == []
        named = {**secure, "realm": f"https://localhost:{port}"}
        assert chosen(shop(registry.host, account=named))[0] == "1.0.0"


def test_nothing_of_a_login_goes_where_a_redirect_leads(password_file):
    account = {"username": USER, "password_file": password_file}
    for bearer in (False, True):
        with RegistryServer() as elsewhere, RegistryServer(login=(USER, PASSWORD), bearer=bearer) as registry:
            digest = registry.push("shop/web", ["1.0.0"])
            elsewhere.push("shop/web", ["1.0.0"])

            def away(request, registry=registry, elsewhere=elsewhere):
                if "/manifests/" in request.path and request.authorized:
                    return Reply(307, {"Location": f"{elsewhere.url}{request.path}"})
                return None

            registry.intercept = away
            assert "which is not followed" in refused(shop(registry.host, account=account))
            registry.intercept = lambda request: (
                Reply(302, {"Location": "?moved"})
                if "/manifests/" in request.path and "?" not in request.path
                else None
            )
            registry.repositories["shop/web"].tags["1.0.0?moved"] = digest
            assert chosen(shop(registry.host, account=account)) == ("1.0.0", digest)
            assert elsewhere.requests == []


def test_a_redirect_to_another_host_has_no_login_in_it(password_file, tmp_path):
    authority = Authority(tmp_path / "ca")
    tls = authority.server_context
    with (
        RegistryServer(tls=tls("localhost")) as elsewhere,
        RegistryServer(login=(USER, PASSWORD), tls=tls("127.0.0.1")) as registry,
    ):
        digest = registry.push("shop/web", ["1.0.0"])
        elsewhere.push("shop/web", ["1.0.0"])
        port = elsewhere.host.rpartition(":")[2]
        registry.intercept = lambda request: (
            Reply(307, {"Location": f"https://localhost:{port}{request.path}"})
            if "/manifests/" in request.path and request.authorized
            else None
        )
        account = {"username": USER, "password_file": password_file, "insecure": False}
        account["ca_file"] = authority.certificate
        assert chosen(shop(registry.host, account=account)) == ("1.0.0", digest)
        assert [request.authorization for request in elsewhere.requests] == [""]


def test_redirects_in_a_circle_end(registry):
    registry.intercept = lambda request: Reply(302, {"Location": request.path})
    assert "circle" in refused(shop(registry.host))


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://127.0.0.2/x",
        "http://[",
        "//u:p@x/y",
    ],
)
def test_redirects_to_what_is_not_to_be_asked(registry, location):
    registry.intercept = lambda _request: Reply(302, {"Location": location})
    assert "it redirects to" in refused(shop(registry.host)) or location.startswith("https")
    assert len(registry.requests) == 1


def test_a_redirect_whose_body_has_no_end(registry):
    registry.intercept = lambda _request: Reply(302, {"Location": "/v2/"}, b" " * (9 << 20))
    assert "larger than 8192 KiB" in refused(shop(registry.host))


HOSTILE_TAGS = [
    "{{ lookup('pipe', 'id') }}",
    "$(touch x)",
    "../../etc",
    "a\nb",
    "1.9.9; rm",
    7,
    None,
    ["1.8.0"],
]


def test_names_that_are_no_tags_are_left_out(registry):
    registry.push("shop/web", ["1.0.0"])
    registry.intercept = lambda request: (
        json_reply({"tags": [*HOSTILE_TAGS, "1.0.0"]}) if "/tags/" in request.path else None
    )
    assert chosen(shop(registry.host))[0] == "1.0.0"
    assert f"{len(HOSTILE_TAGS)} names in its list are no tags" in refused(
        shop(registry.host, {"semver": ">=3"})
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"tags": {}}',
        b'{"tags": "1.0.0"}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'"1.0.0"',
        b'{"tags": 1}',
    ],
)
def test_an_answer_that_is_none(registry, body):
    registry.intercept = lambda _request: Reply(200, {}, body)
    assert "listing tags: the answer" in refused(shop(registry.host))


def test_an_answer_without_end_is_not_read_to_its_end(registry):
    registry.intercept = lambda _request: Reply(200, {}, b" " * (9 << 20))
    assert "larger than 8192 KiB" in refused(shop(registry.host))


def test_a_compressed_bomb_is_not_unpacked(registry):
    registry.intercept = lambda _request: Reply(200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")
    assert "compressed" in refused(shop(registry.host))


@pytest.mark.timeout(60)  # it would go on for ever
@pytest.mark.parametrize("header", [True, False])
def test_an_answer_that_dribbles_does_not_hold_up_the_scan(registry, header):
    registry.intercept = lambda _request: Dribble(header)
    remembered = RegistryCache()
    message = refused(shop(registry.host), remembered, seconds=1.0)
    assert "no end within" in message or "no whole answer within" in message
    while "an earlier scan has not ended" in refused(shop(registry.host), remembered, seconds=1.0):
        pass  # it ends by itself, and does not hold up the next one
    assert len(registry.requests) == 2


def links(registry, link):
    registry.intercept = lambda request: (
        json_reply({"tags": ["1.0.0"]}, headers={"Link": link(request)}) if "/tags/" in request.path else None
    )


@pytest.mark.parametrize(
    "link",
    [
        '<https://evil.example.com/v2/shop/web/tags/list>; rel="next"',
        '</v2/other/image/tags/list?last=x>; rel="next"',
        '<//evil.example.com/v2/shop/web/tags/list>; rel="next"',
        '<http://u:p@127.0.0.1/v2/shop/web/tags/list>; rel="next"',
    ],
)
def test_a_next_page_elsewhere_is_not_asked_for(registry, link):
    links(registry, lambda _request: link)
    assert "next page is not of this list" in refused(shop(registry.host))
    assert len(registry.requests) == 1


def test_pages_without_end_end(registry):
    links(registry, lambda request: f"<{request.path}>; rel=next")
    assert "in a circle" in refused(shop(registry.host))
    registry.requests.clear()
    links(registry, lambda request: f"</v2/shop/web/tags/list?last={len(registry.requests)}>; rel=next")
    assert "more than 1000 pages" in refused(shop(registry.host))
    assert len(registry.requests) == 1000


def test_content_that_is_not_what_its_digest_says(registry):
    registry.push("shop/web", ["1.0.0"])
    registry.intercept = lambda request: (
        Reply(200, {"Docker-Content-Digest": f"sha256:{'0' * 64}"}, b'{"manifests": []}')
        if "/manifests/" in request.path
        else None
    )
    assert "does not match its digest" in refused(shop(registry.host))
    registry.intercept = lambda request: Reply(200, {}, b"{}") if "/blobs/" in request.path else None
    assert "does not match its digest" in refused(shop(registry.host, platform="linux/amd64"))


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"config": "x"},
        {"config": {"digest": "../../x"}},
        {"config": {"digest": ["sha256"]}},
        {
            "manifests": [
                {"digest": "sha256:../x", "platform": {"os": "linux", "architecture": "amd64"}},
                1,
                None,
            ]
        },
        {"manifests": [{"digest": f"sha256:{'1' * 64}", "platform": {"os": "\n", "architecture": {}}}]},
        {"schemaVersion": 1, "fsLayers": []},
    ],
)
def test_a_manifest_that_is_none(registry, manifest):
    registry.push("shop/web", ["1.0.0"])
    registry.intercept = lambda request: json_reply(manifest) if "/manifests/" in request.path else None
    message = refused(shop(registry.host, platform="linux/amd64"))
    assert "neither an index nor an image manifest" in message or "none of the 1 tags" in message


def test_tokens_that_are_none(password_file):
    account = {"username": USER, "password_file": password_file}
    with RegistryServer(login=(USER, PASSWORD), bearer=True) as registry:
        registry.push("shop/web", ["1.0.0"])
        for token in ("a\r\nX-Evil: 1", "", None, ["x"], "x" * 40_000):

            def give(request, token=token):
                return json_reply({"token": token}) if "/token" in request.path else None

            registry.intercept = give
            assert "holds no token" in refused(shop(registry.host, account=account))
        registry.intercept = lambda request: (
            Reply(302, {"Location": "/elsewhere"}) if "/token" in request.path else None
        )
        assert "redirects where that is not followed" in refused(shop(registry.host, account=account))
        registry.intercept = lambda _request: None
        assert all(request.authorization != basic(USER, PASSWORD) for request in registry.asked("/elsewhere"))


def test_images_are_asked_for_side_by_side(registry):
    """No answer comes before all are asked for."""
    policies = []
    for number in range(4):
        registry.push(f"shop/{number}", ["1.0.0"])
        name = parse_name(f"{registry.host}/shop/{number}", subject="image shop")
        policies.append(replace(shop(registry.host), name=str(number), image=name))
    together = threading.Barrier(4, timeout=60)
    registry.intercept = lambda request: together.wait() and None if "/tags/" in request.path else None
    results = scan(policies, RegistryCache())
    assert [result.choice and result.choice.tag for result in results] == ["1.0.0"] * 4


@pytest.mark.parametrize("status", [429, 503])
def test_a_registry_that_wants_to_be_left_alone_is(registry, status):
    registry.push("shop/web", ["1.0.0"])
    registry.intercept = lambda _request: Reply(status, {"Retry-After": "600"})
    remembered = RegistryCache()
    result = scanned(shop(registry.host), remembered)
    assert getattr(result.error, "wait", 0) > 500
    assert "(Retry-After)" in refused(shop(registry.host, {"numerical": "asc"}), remembered)
    assert len(registry.requests) == 1
    with RegistryServer() as other:
        other.push("shop/web", ["1.0.0"])
        assert chosen(shop(other.host), remembered)[0] == "1.0.0"


def test_a_short_wait_is_waited(registry):
    registry.push("shop/web", ["1.0.0"])
    moment = email.utils.formatdate(time.time() + 2, usegmt=True)
    replies = [Reply(503, {"Retry-After": moment}), Reply(502), Reply(429, {"Retry-After": "1"})]
    registry.intercept = lambda _request: replies.pop(0) if replies else None
    assert "(429)" in refused(shop(registry.host))  # three tries are a question's
    assert chosen(shop(registry.host))[0] == "1.0.0"


def test_a_tag_that_is_gone_when_asked_for(registry):
    registry.push("shop/web", ["1.0.0", "1.1.0"])
    del registry.repositories["shop/web"].tags["1.1.0"]
    registry.intercept = lambda request: (
        json_reply({"tags": ["1.0.0", "1.1.0"]}) if "/tags/" in request.path else None
    )
    assert chosen(shop(registry.host))[0] == "1.0.0"


def test_no_cookie_is_kept(registry):
    registry.push("shop/web", ["1.0.0"])
    registry.intercept = lambda request: (
        json_reply({"tags": ["1.0.0"]}, headers={"Set-Cookie": "a=b; Path=/"})
        if "/tags/" in request.path
        else None
    )
    chosen(shop(registry.host))
    assert all("cookie" not in request.headers for request in registry.requests)
