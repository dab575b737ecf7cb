# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation names what exists: pages, links, files, and the content of the collection."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *(DOCS / "adr").glob("*.md"), *ROOT.glob("*.md")])


def links(page: Path) -> list[str]:
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges derive them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_names_each_page_once() -> None:
    named = [link for link in links(DOCS / "README.md") if "/" not in link and link.endswith(".md")]
    assert sorted(named) == sorted(page.name for page in DOCS.glob("*.md") if page.name != "README.md")


def test_the_readme_lists_the_content_of_the_collection() -> None:
    content = (
        (ROOT / "README.md").read_text(encoding="utf-8").partition("## Content")[2].partition("\n## ")[0]
    )
    named = {name.removeprefix("plumb.gitops.") for name in re.findall(r"`([\w.]+)`", content)}
    kinds = ("playbooks/*.yml", "plugins/modules/*.py", "plugins/filter/*.py", "roles/*")
    assert {file.stem for kind in kinds for file in ROOT.glob(kind)} - named == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in links(page):
        name, _hash, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name != "adr"], ids=lambda page: page.name
)
def test_every_file_of_the_repository_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(
        r"`((?:bench|controller|demo|playbooks|plugins|roles|scripts|tests)/[\w./-]+)`",
        page.read_text("utf-8"),
    )
    assert [name for name in named if not (ROOT / name).exists()] == []
