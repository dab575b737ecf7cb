# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plain YAML scalar means to Kubernetes.

kubectl and the API server read YAML with sigs.k8s.io/yaml, that is go.yaml.in/yaml/v2 (resolve.go) followed by a way
through JSON: `y`, `on` and `NO` are booleans, `0777` and `0o777` are 511, `1_000` is 1000, `12:30:45` and dates are
strings, and a number without a fraction is an integer however it is written (`1.0` is 1, `1e3` is 1000).
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Union

Scalar = Union[str, int, float, bool, None]  # noqa: UP007 - pylint takes the other form for arithmetic

_TAG = "tag:yaml.org,2002:"
MAP_TAG, LIST_TAG = _TAG + "map", _TAG + "seq"
UNKNOWN_TAG = (
    "a tag that is not one of YAML's core ones",
    "Remove it (quote the text if it is none); base64 is written without !!binary.",
)
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGERS = (
    (re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII), 10),
    (re.compile(r"[-+]?0[oO]?([0-7]+)", re.ASCII), 8),
    (re.compile(r"[-+]?0[xX]([0-9a-fA-F]+)", re.ASCII), 16),
    (re.compile(r"[-+]?0[bB]([01]+)", re.ASCII), 2),
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_DOT_FLOAT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?", re.ASCII)
_FLOAT_SIGNS = frozenset(".eE")
_FIRST = frozenset("+-0123456789.")
_INT64 = range(-(2**63), 2**63)
_LONGEST_INTEGER = 70  # characters: 64 binary digits, a sign and the prefix


def as_json_number(number: float) -> int | float:
    """Return a number as it comes back from Go's JSON: integers are int64 where they fit, all else a double."""
    if isinstance(number, int):
        return number if number in _INT64 else float(number)
    if not math.isfinite(number) or not number.is_integer() or abs(number) >= 2**64:
        return number
    whole = int(Decimal(repr(number)))  # Go writes the shortest digits, and reads those again
    return whole if whole in _INT64 else number


def resolve_plain(text: str) -> Scalar:
    """Return the value of a scalar written without quotes and tag; infinities and NaN are for the caller to refuse."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST:
        return text
    if text[0] == ".":
        return _finite_float(text.replace("_", ""), text) if _DOT_FLOAT.fullmatch(text) else text
    plain = text.replace("_", "")
    if (number := _integer(plain)) is not None:
        return as_json_number(number)
    return _finite_float(plain, text) if _FLOAT.fullmatch(plain) else text


def resolve_tagged(tag: str, text: str) -> Scalar:
    """Return the value of a scalar with a tag; ValueError (reason, next step) if the tag is unknown or does not fit it.

    Neither tag nor value is in the error: `password: !secret` is a tag to YAML and a secret to its author.
    """
    short = tag.removeprefix(_TAG)
    if short in ("str", "!"):
        return text
    value = resolve_plain(text)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": number and _FLOAT_SIGNS.isdisjoint(text) | (text.lower().lstrip("+-")[:2] == "0x"),
        "float": number,
    }
    if short == tag or short not in fits:
        raise ValueError(*UNKNOWN_TAG)
    if not fits[short]:
        raise ValueError(f"a value that does not fit its tag !!{short}", "Correct the value.")
    return value


def _integer(plain: str) -> int | None:
    """Return the 64-bit integer that strconv.ParseInt or ParseUint with base 0 finds, or None."""
    if len(plain) > _LONGEST_INTEGER:
        return None
    for pattern, radix in _INTEGERS:
        if match := pattern.fullmatch(plain):
            number = int(match[1], radix)
            signed = -number if plain[0] == "-" else number
            fits_unsigned = plain[0] not in "+-" and number < 2**64
            return signed if signed in _INT64 or fits_unsigned else None
    return None


def _finite_float(plain: str, written: str = "") -> Scalar:
    """Return a double; a number too large for one stays the string that was written."""
    number = float(plain)
    return as_json_number(number) if math.isfinite(number) else (written or plain)
