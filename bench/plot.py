# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds by number of objects, drawn as SVG: one panel for each scenario, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 330, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 34, 44
_LEGEND = 34
# Okabe and Ito's colours, which people with colour blindness can distinguish; each with a mark of its own.
_STYLES = (("#000000", "4 3"), ("#56b4e9", "2 2"), ("#0072b2", ""), ("#e69f00", ""), ("#d55e00", ""))


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis: values from `low` to `high` on pixels from `begin` to `end`."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return round(self.begin + share * (self.end - self.begin), 1)

    @property
    def ticks(self) -> list[float]:
        """The powers of ten within."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]


def plot(panels: Mapping[str, Mapping[str, Points]]) -> str:
    """Return an SVG document. By panel's title and line's title: positive numbers of objects with positive seconds.

    Lines of the same title look the same in all panels. Panels without points are left out.
    """
    drawn = {title: lines for title, lines in panels.items() if any(lines.values())}
    titles = list(dict.fromkeys(title for lines in drawn.values() for title in lines))
    styles = {title: _STYLES[index % len(_STYLES)] for index, title in enumerate(titles)}
    every = [point for lines in drawn.values() for line in lines.values() for point in line]
    width, height = max(len(drawn), 1) * _WIDTH, _HEIGHT + _LEGEND
    body = [
        _panel(title, lines, styles, _axes(every), index * _WIDTH)
        for index, (title, lines) in enumerate(drawn.items())
    ]
    box = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="11">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            *body,
            _legend(styles, width),
            "</svg>",
            "",
        ]
    )


def _axes(points: Points) -> tuple[Axis, Axis]:
    sizes, seconds = [size for size, _s in points], [s for _size, s in points]
    x = Axis(min(sizes) * 0.8, max(sizes) * 1.25, _LEFT, _WIDTH - _RIGHT)
    y = Axis(_power(min(seconds), math.floor), _power(max(seconds), math.ceil), _HEIGHT - _BOTTOM, _TOP)
    return x, y


def _power(value: float, whole: Callable[[float], int]) -> float:
    return 10.0 ** whole(math.log10(value))


def _panel(
    title: str,
    lines: Mapping[str, Points],
    styles: Mapping[str, tuple[str, str]],
    axes: tuple[Axis, Axis],
    left: float,
) -> str:
    x, y = axes
    sizes = sorted({size for line in lines.values() for size, _seconds in line})
    parts = [
        f'<g transform="translate({left},0)">',
        _text(_LEFT, 20, title, extra='font-size="13" font-weight="bold"'),
        *(_rule(x.begin, x.end, y.at(tick), f"{tick:g} s") for tick in y.ticks),
        *(_text(x.at(size), y.begin + 16, f"{size:,g}", extra='text-anchor="middle"') for size in sizes),
        _text((x.begin + x.end) / 2, y.begin + 34, "objects", extra='text-anchor="middle" fill="#555555"'),
        *(_line(points, styles[name], axes) for name, points in lines.items() if points),
        "</g>",
    ]
    return "\n".join(parts)


def _rule(begin: float, end: float, at: float, label: str) -> str:
    line = f'<line x1="{begin}" x2="{end}" y1="{at}" y2="{at}" stroke="#dddddd"/>'
    return line + _text(begin - 6, at + 4, label, extra='text-anchor="end"')


def _line(points: Points, style: tuple[str, str], axes: tuple[Axis, Axis]) -> str:
    color, dashes = style
    spots = [(axes[0].at(size), axes[1].at(seconds)) for size, seconds in points]
    joined = " ".join(f"{x},{y}" for x, y in spots)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>' for x, y in spots)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{joined}" fill="none" stroke="{color}" stroke-width="2"{dashed}/>{dots}'


def _legend(styles: Mapping[str, tuple[str, str]], width: float) -> str:
    step = width / max(len(styles), 1)
    parts = []
    for index, (title, (color, dashes)) in enumerate(styles.items()):
        left = round(index * step + 12, 1)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(
            f'<line x1="{left}" x2="{left + 22}" y1="{_HEIGHT + 12}" y2="{_HEIGHT + 12}"'
            f' stroke="{color}" stroke-width="2"{dashed}/>'
        )
        parts.append(_text(left + 28, _HEIGHT + 16, title))
    return "\n".join(parts)


def _text(x: float, y: float, text: str, extra: str = "") -> str:
    return f'<text x="{x}" y="{y}" {extra}>{escape(text)}</text>'
