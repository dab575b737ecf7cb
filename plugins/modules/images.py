#!/usr/bin/python
# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: images
short_description: Commit new images to Git
version_added: 0.1.0
description:
  - Asks registries which tag of each image its policy wants, and commits it to Git at the markers.
  - >-
    A marker is a comment behind a value, C({"$plumb": "NAME"}), with C(:name), C(:tag) or C(:digest) behind the name
    for a part of the reference. Flux's C($imagepolicy) works as well. Nothing else of a file changes.
  - While nothing is new since the last time, only registries are asked. Choices are remembered in O(cache_dir).
  - If somebody else pushed first, the change is made again on their commit. A push is never forced. A value that
    somebody reverted in Git is not written again until a newer one appears.
  - One image or update that fails does not stop the others. The task fails at the end.
attributes:
  check_mode:
    support: full
    description: Registries and Git are read, and nothing is pushed.
  diff_mode:
    support: full
    description: The marked values before and after. The rest of a file is never shown.
  action:
    support: full
    description: On a local connection it runs in Ansible's own process, elsewhere as a module. The result is the same.
author: The Plumb authors (@plumb-gitops)
requirements:
  - requests
  - semver
  - PyYAML
  - git
extends_documentation_fragment:
  - plumb.gitops.fleet_forge
  - plumb.gitops.source
options:
  images:
    description: The policies; each decides which tag of an image is wanted.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name that markers and updates refer to.
        type: str
        required: true
      image:
        description: The image without a tag, such as V(registry.example.com/shop/web). It is written exactly so.
        type: str
        required: true
      policy:
        description: The rule that chooses the tag. Exactly one of the suboptions is given.
        type: dict
        required: true
        suboptions:
          semver:
            description:
              - The highest version in a range, such as V(>=1.0.0 <2.0.0) or V(~1.4). A prerelease needs a range that
                names one.
            type: str
          numerical:
            description: The highest number with V(asc), the lowest with V(desc).
            type: str
            choices: [asc, desc]
          alphabetical:
            description: The last by name with V(asc), the first with V(desc).
            type: str
            choices: [asc, desc]
          newest:
            description: The tag that was built last, by the image's own metadata. It needs requests for each tag.
            type: str
            choices: [build]
          digest:
            description: A fixed tag, whose digest is followed.
            type: str
      filter:
        description: Which tags are considered, and what part of them is compared.
        type: dict
        suboptions:
          tags:
            description: A regular expression of Python. It runs in a process that is stopped after some seconds.
            type: str
            required: true
          extract:
            description: The part that is compared, with groups as C($name), C(${name}) or C($1). By default all of it.
            type: str
            default: ''
      platform:
        description: A tag counts only if it has this platform, such as V(linux/amd64).
        type: str
        default: ''
      minimum_age:
        description: A tag counts only if it was built this long ago, such as V(10m).
        type: str
        default: ''
      write:
        description:
          - What is written in place of a whole reference - C(NAME:TAG), C(NAME@DIGEST) or C(NAME:TAG@DIGEST).
          - V(tag) if not given, and V(digest) for a policy of O(images[].policy.digest).
        type: str
        choices: [tag, digest, both]
      username:
        description: The user for the registry.
        type: str
        default: ''
      password_file:
        description: The file with the password or token of that user, on one line.
        type: path
      docker_config:
        description: A Docker C(config.json) with the login, or with the credential helper that has it.
        type: path
      realm:
        description:
          - The token service that may get the login, if it is not on the registry's host, such as
            V(https://gitlab.example.com). It is asked even if it is in a private network and the registry is not.
        type: str
        default: ''
      ca_file:
        description: The file with the certificates of the authority that signed the registry's.
        type: path
      insecure:
        description: Whether the registry is asked by C(http), which exposes the login to the network.
        type: bool
        default: false
  updates:
    description: Where in Git choices are written, and how they get there.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the update.
        type: str
        required: true
      source:
        description: The name of the source to write to.
        type: str
        required: true
      username:
        description: The user that goes with O(updates[].token_file).
        type: str
        default: ''
      token_file:
        description: The file with a token that may write. The source's own if not given.
        type: path
      ssh_key_file:
        description: The file with a key that may write. The source's own if not given.
        type: path
      paths:
        description: The files and folders to search for markers. The whole repository if not given.
        type: list
        elements: str
        default: []
      images:
        description: The names of the images to write. All if not given.
        type: list
        elements: str
        default: []
      branch:
        description:
          - The branch to push to. The source's own if not given.
          - With O(updates[].pull_request) it is the prefix of their branches, C(plumb/NAME) if not given.
          - Commits of others on such a branch are never replaced.
        type: str
        default: ''
      author:
        description: The author of commits.
        type: dict
        default: {}
        suboptions:
          name:
            description: The author's name.
            type: str
            default: Plumb
          email:
            description: The author's address.
            type: str
            default: plumb@localhost
      commit_message:
        description:
          - The message of commits. C({images}), C({changes}), C({update}) and C({branch}) are filled in.
          - A literal brace is written twice.
        type: str
        default: Update {images}
      trailers:
        description: Lines at the end of the message, by name.
        type: dict
        default: {}
      signing:
        description: The key that commits are signed with.
        type: dict
        suboptions:
          format:
            description: The kind of key.
            type: str
            required: true
            choices: [ssh, gpg]
          key_file:
            description: The file with the private key, without a passphrase.
            type: path
            required: true
      pull_request:
        description: Opens a pull request and keeps it up to date, instead of a commit to the branch.
        type: dict
        suboptions:
          per:
            description: One pull request for all images of the update, or one for each.
            type: str
            choices: [update, image]
            default: update
          labels:
            description: Its labels.
            type: list
            elements: str
            default: []
          reviewers:
            description: Who is asked to review it.
            type: list
            elements: str
            default: []
          auto_merge:
            description: Whether the forge is to merge it once its checks have passed.
            type: bool
            default: false
  forge:
    description: The forge for pull requests. An update with O(updates[].pull_request) needs it.
    required: false
  cluster:
    description: The cluster whose agent writes. Each remembers its own choices.
    type: str
    default: ''
  cache_dir:
    description:
      - The cache folder. What was written is remembered in its C(images).
      - C(~/.cache/plumb) if not given.
    type: path
seealso:
  - module: plumb.gitops.pull
"""

EXAMPLES = r"""
- name: Commit new versions of the shop to the branch that is followed
  plumb.gitops.images:
    images:
      - name: shop
        image: registry.example.com/shop/web
        policy: {semver: ">=1.0.0 <2.0.0"}
    updates:
      - name: fleet
        source: fleet
        paths: [apps]
        author: {name: Plumb, email: plumb@example.com}
    sources:
      - name: fleet
        url: https://git.example.com/platform/fleet.git
        branch: main
        token_file: /etc/plumb/git-token

- name: Follow the builds of a branch, by their number
  plumb.gitops.images:
    images:
      - name: shop
        image: registry.example.com/shop/web
        policy: {numerical: asc}
        filter: {tags: '^main-(?P<build>\d+)$', extract: '$build'}
        docker_config: /etc/plumb/docker.json
    updates: "{{ plumb_image_updates }}"
    sources: "{{ plumb_sources }}"
"""

RETURN = r"""
choices:
  description: The result of each policy, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the policy.
      type: str
    image:
      description: The image. It, the tag and the digest are missing without a choice.
      type: str
    tag:
      description: The tag.
      type: str
    digest:
      description: The digest of that tag's manifest, or index.
      type: str
    why:
      description: Why it is this tag - among how many, by which rule, and how many better ones were skipped.
      type: str
    error:
      description: Why there is no choice. Only if it failed.
      type: str
    note:
      description: Why there is no choice yet.
      type: str
updates:
  description: The result of each update that did not fail.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the update.
      type: str
    changed:
      description: Whether anything was pushed or opened, or in a check would be.
      type: bool
    asked:
      description: Whether Git was asked at all.
      type: bool
    branches:
      description: The branches with changes, each with C(branch), C(commit), C(changes) and C(pull_request).
      type: list
      elements: dict
    warnings:
      description: What was not changed, and why.
      type: list
      elements: str
lines:
  description: What was chosen and why, and what was written, for people.
  returned: always
  type: list
  elements: str
errors:
  description: What failed.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.images import IMAGES
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import run_module


def main() -> None:
    """Run the module."""
    run_module(IMAGES)


if __name__ == "__main__":
    main()
