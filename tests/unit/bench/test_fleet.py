# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's fleet has the size it says, and no two objects of one name."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.plumb.gitops.bench.fleet import KINDS, Shape, apps_of, changed, files_of


@pytest.mark.parametrize(
    "shape", [Shape(16), Shape(100), Shape(1000), Shape(50, 5), Shape(53, 5), Shape(5000, 500)]
)
def test_a_fleet_has_as_many_objects_as_its_shape_says(shape: Shape):
    apps = apps_of(shape, "ns")
    bodies = [body for services in apps.values() for service in services for body in service]
    names = {(body["kind"], body["metadata"]["name"]) for body in bodies}
    assert len(apps) == shape.apps
    assert len(bodies) == len(names) == shape.objects
    assert {body["metadata"]["namespace"] for body in bodies} == {"ns"}


def test_a_service_has_each_kind_once():
    (service, *_others) = apps_of(Shape(16), "ns")["fleet"]
    assert [(body["kind"], body["apiVersion"]) for body in service] == [
        (kind, version) for kind, version, _plural in KINDS
    ]


def test_the_files_hold_the_same_objects():
    apps = apps_of(Shape(30, 3), "ns")
    files = files_of(apps)
    assert {path.partition("/")[0] for path in files} == set(apps)
    read = [body for text in files.values() for body in yaml.safe_load_all(text)]
    assert read == [body for services in apps.values() for service in services for body in service]


def test_a_change_is_of_one_object_in_one_file():
    files = files_of(apps_of(Shape(30, 3), "ns"))
    ((path, text),) = changed(files).items()
    before, after = (list(yaml.safe_load_all(version)) for version in (files[path], text))
    assert [new["kind"] for old, new in zip(before, after, strict=True) if old != new] == ["ConfigMap"]
