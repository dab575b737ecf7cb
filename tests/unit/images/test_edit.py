# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choices are written where their markers stand, and every other byte stays as it is."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.images.edit_file import edit
from ansible_collections.plumb.gitops.plugins.module_utils.images.image_reference import parse_name
from ansible_collections.plumb.gitops.plugins.module_utils.images.specs import (
    Choice,
    Decision,
    ImagePolicy,
    Write,
)
from ansible_collections.plumb.gitops.plugins.module_utils.images.tag_policy import parse_policy
from ansible_collections.plumb.gitops.plugins.module_utils.render.yaml.scalars import resolve_plain

IMAGE = "registry.example.com:5000/shop/web"
DIGEST = f"sha256:{'5' * 64}"


def decided(tag="1.5.0", name="shop", image=IMAGE, write=Write.TAG, digest=DIGEST):
    policy = ImagePolicy(
        name=name,
        image=parse_name(image, subject="image"),
        policy=parse_policy({"semver": "*"}, subject="image"),
        write=write,
    )
    return Decision(policy, Choice(name, image, tag, digest))


def edited(text, *decisions, file="apps/shop.yaml", known=()):
    chosen = {decision.policy.name: decision for decision in decisions or (decided(),)}
    return edit(text.encode(), file, chosen, frozenset({*chosen, *known}))


def after(text, *decisions, **more):
    return edited(text, *decisions, **more).content.decode()


@pytest.mark.parametrize(
    ("before", "write", "wanted"),
    [
        (f'image: {IMAGE}:1 # {{"$plumb": "shop"}}\n', Write.TAG, f'image: {IMAGE}:1.5.0 # {{"$plumb": "shop"}}\n'),
        (f'image: {IMAGE}:1 # {{"$plumb": "shop"}}', Write.DIGEST, f'image: {IMAGE}@{DIGEST} # {{"$plumb": "shop"}}'),
        ('- "x" # {"$plumb":"shop"}  \n', Write.BOTH, f'- "{IMAGE}:1.5.0@{DIGEST}" # {{"$plumb":"shop"}}  \n'),
        ("tag: 'x' # {\"$plumb\": \"shop:tag\"}\n", Write.DIGEST, "tag: '1.5.0' # {\"$plumb\": \"shop:tag\"}\n"),
        ('a: x #{"$plumb": "shop:digest"}\n', Write.TAG, f'a: {DIGEST} #{{"$plumb": "shop:digest"}}\n'),
        ('a: x\t# {"$plumb": "shop:name"}\n', Write.TAG, f'a: {IMAGE}\t# {{"$plumb": "shop:name"}}\n'),
        ('a: x # {"$imagepolicy": "n:shop:tag"}\n', Write.TAG, 'a: 1.5.0 # {"$imagepolicy": "n:shop:tag"}\n'),
        ('a: &i x # {"$imagepolicy": "n:shop"}\n', Write.TAG, f'a: &i {IMAGE}:1.5.0 # {{"$imagepolicy": "n:shop"}}\n'),
    ],
)  # fmt: skip
def test_each_marker(before, write, wanted):
    assert after(before, decided(write=write)) == wanted


KUSTOMIZATION = """\
resources: [../base]
images:
  - name: web
    newName: registry.example.com:5000/shop/web
    newTag: 1.4.2 # {"$plumb": "shop"}
  - name: registry.example.com:5000/shop/web # the same
    digest: sha256:0 # {"$imagepolicy": "flux-system:shop"}
  - name: anything
    newName: anything # {"$plumb": "shop"}
  - name: other/image
    newTag: 1.0.0 # {"$plumb": "shop"}
  - name: other/image # {"$plumb": "shop"}
"""


def test_an_entry_of_a_kustomization_says_by_its_key_what_is_written():
    result = edited(KUSTOMIZATION, file="apps/kustomization.yaml")
    wanted = KUSTOMIZATION.replace("newTag: 1.4.2", "newTag: 1.5.0").replace("sha256:0", DIGEST)
    assert result.content.decode() == wanted.replace("newName: anything", f"newName: {IMAGE}")
    assert [warning.partition(": ")[0] for warning in result.warnings] == [
        "apps/kustomization.yaml:11",
        "apps/kustomization.yaml:12",
    ]
    assert "the entry is for other/image, not for" in result.warnings[0]


@pytest.mark.parametrize(
    "tag", ["1.10", "1e3", "0x1F", "0777", "1_000", "on", "null", "2026-11-24", "12", "NO", "_"]
)
def test_what_would_not_be_read_as_text_is_put_into_quotes(tag):
    text = after('newTag: v1 # {"$plumb": "shop:tag"}\n', decided(tag))
    assert yaml.safe_load(text) == {"newTag": tag}
    written = text.split(" ")[1]
    assert written in {tag, f'"{tag}"'}
    assert written[0] == '"' or resolve_plain(written) == tag


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('# {"$plumb": "shop"}\na: 1\n', "no value before it"),
        ('image: # {"$plumb": "shop"}\n  x\n', "what stands before it is a key|no value"),
        ('a: {image: x} # {"$plumb": "shop"}\n', "no value before it"),
        ('a: &a x\nb: *a # {"$plumb": "shop"}\n', "no value before it"),
        ('a: !!str x # {"$plumb": "shop"}\n', "has a tag"),
        ('a: "x\n  y" # {"$plumb": "shop"}\n', "several lines"),
        ('? x # {"$plumb": "shop"}\n: y\n', "is a key"),
        ('a: x # {"$plumb": "shop:version"}\n', "its value is not POLICY"),
        ('a: x # {"$plumb": ["shop"]}\n', "its value is not POLICY"),
        ('a: x # {"$imagepolicy": "shop"}\n', "its value is not NAMESPACE:POLICY"),
        ('a: x # {"$plumb": "shop", "b": 1}\n', "more than one key"),
        ('a: x # {"$plumb": "shop"} and more\n', "at the end of a line"),
        ('a: x # {"$plumb": "cart"}\n', "no image is named 'cart'"),
        ('a: [ # {"$plumb": "shop"}\n', "not YAML"),
        ('a: {{ .Values.x }}-b # {"$plumb": "shop"}\n', "not YAML"),
    ],
)
def test_a_marker_that_cannot_be_used_is_told_and_left(text, why):
    result = edited(text)
    assert result.content.decode() == text
    assert result.changes == ()
    (warning,) = result.warnings
    assert any(reason in warning for reason in why.split("|"))


def test_a_marker_in_a_text_is_text():
    text = 'a: |\n  image: x # {"$plumb": "shop"}\nb: \'# {"$plumb": "shop"}\'\nc: "x"\n'
    result = edited(text)
    assert (result.content.decode(), result.changes, result.warnings) == (text, (), ())


def test_a_file_that_is_not_utf8_is_left():
    content = 'a: x # {"$plumb": "shop"}\n'.encode("utf-16")
    result = edit(content, "a.yaml", {"shop": decided()}, frozenset({"shop"}))
    assert result.content == content
    assert "not UTF-8" in result.warnings[0]


def test_a_choice_that_is_there_changes_nothing():
    text = f'a: "{IMAGE}:1.5.0" # {{"$plumb": "shop"}}\n'
    assert edited(text).changes == ()


def test_policies_without_a_choice_are_left():
    text = 'a: x # {"$plumb": "cart"}\n'
    assert edited(text, known={"cart"}).warnings == ()


def test_what_stood_there_is_told_if_it_can_be_an_image():
    text = 'a: hunter 2! # {"$plumb": "shop"}\nb: web:1.0 # {"$plumb": "shop"}\n'
    assert [change.before for change in edited(text).changes] == ["(another value)", "web:1.0"]


@pytest.mark.timeout(60)  # or hours
@pytest.mark.parametrize(
    "text",
    [
        "#" * 200_000 + '"$plumb"',
        '# {"$plumb"' * 20_000,
        '"$plumb" ' * 20_000,
        "- " * 500 + 'x # {"$plumb": "shop"}',
    ],
)
def test_hostile_text_takes_no_time(text):
    edited(text)


# YAML as people write it

QUOTES = ("", "'", '"')
words = st.text("abcdefghijk äöü-_./", min_size=1, max_size=12).map(lambda word: f"w{word.strip()}w")
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
blanks = st.sampled_from([" ", "  ", "\t", " \t "])
marks = st.sampled_from(
    ['{"$plumb": "shop%s"}', '{"$plumb":"shop%s"}', '{ "$imagepolicy" : "flux-system:shop%s" }']
)


class Slot:
    """A value with a marker: what stands before and after it, its quotes, and which part it is."""

    def __init__(self, head, quote, part, gap, mark, tail):
        self.head, self.quote, self.part = head, quote, part
        self.rest = f"{gap}#{' ' if tail else ''}{mark % (f':{part}' if part else '')}{tail}"

    def lines(self, value, *, quoted):
        quote = self.quote or ('"' if quoted else "")
        return f"{self.head}{quote}{value}{quote}{self.rest}"


@st.composite
def slots(draw, head):
    part = draw(st.sampled_from(["", "tag", "name", "digest"]))
    anchor = draw(st.sampled_from(["", "", "&anchor "]))
    tail = draw(st.sampled_from(["", " ", "  "]))
    return Slot(head + anchor, draw(st.sampled_from(QUOTES)), part, draw(blanks), draw(marks), tail)


@st.composite
def noise(draw, pad):
    """Lines with no marker that counts."""
    word = draw(words)
    return draw(
        st.sampled_from(
            [
                "",
                f"{pad}# {word}",
                f"{pad}#",
                f"{pad}- &a{pad and len(pad)} '{word}'   # it''s {word}",
                f'{pad}- "{word} # not a comment \\t\\u00e4"',
                f'{pad}- |\n{pad}    {word} # {{"$plumb": "shop"}}\n\n{pad}    {word}',
                f"{pad}- >-\n{pad}    {word}\n{pad}      {word}",
                f"{pad}- {{a: {word}, 'b': [1, 2,3 ],}} # {{\"other\": 1}}",
                f"{pad}-   a:   {word}\n{pad}    b : ~",
                f"{pad}- ? {word}\n{pad}  : 0777",
                f"{pad}-",
                f"{pad}- plain text over\n{pad}  two lines",
            ]
        )
    )


@st.composite
def files(draw):
    """Lines and slots of a file of one or more documents, how its lines end, and what is before and behind them."""
    pieces: list[str | Slot] = []
    for number in range(draw(st.integers(1, 3))):
        if number or draw(st.booleans()):
            pieces.append(draw(st.sampled_from(["---", "--- # next", "---  "])))
        pad = " " * draw(st.integers(0, 5))
        pieces.append(draw(st.sampled_from(["items:", '"items":  # all', "'a b' : ", "items: &all"])))
        for _item in range(draw(st.integers(1, 5))):
            pieces += draw(st.lists(noise(pad), max_size=2))
            head = draw(
                st.sampled_from(
                    [f"{pad}- ", f"{pad}-   ", f"{pad}- image: ", f'{pad}- "image":   ', f"{pad}- - "]
                )
            )
            pieces.append(draw(slots(head)))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return pieces, end, draw(st.sampled_from(["", "\ufeff"])), draw(st.sampled_from(["", end, end + end]))


def text_of(file, value_of, quoted=lambda _slot: False):
    pieces, end, first, last = file
    lines = [
        piece if isinstance(piece, str) else piece.lines(value_of(piece), quoted=quoted(piece))
        for piece in pieces
    ]
    return first + end.join(line.replace("\n", end) for line in lines) + last


@settings(max_examples=400, deadline=None)
@given(file=files(), old=tags, new=tags, write=st.sampled_from(Write))
def test_only_the_marked_values_change(file, old, new, write):
    decision = decided(new, write=write)
    reference = {
        Write.TAG: f"{IMAGE}:{new}",
        Write.DIGEST: f"{IMAGE}@{DIGEST}",
        Write.BOTH: f"{IMAGE}:{new}@{DIGEST}",
    }
    news = {"": reference[write], "tag": new, "name": IMAGE, "digest": DIGEST}
    before = text_of(file, lambda _slot: f"old/{old}")
    result = edited(before, decision)
    text = result.content.decode()
    plain = resolve_plain(new) == new and yaml.safe_load(f"a: {new}")["a"] == new
    quotes_a_tag = not plain and not new.startswith("_")
    wanted = text_of(file, lambda slot: news[slot.part], lambda slot: slot.part == "tag" and quotes_a_tag)
    assert text == wanted
    marked = [piece for piece in file[0] if isinstance(piece, Slot)]
    assert len(result.changes) == len(marked)
    assert result.warnings == ()
    assert edited(text, decision).changes == ()
