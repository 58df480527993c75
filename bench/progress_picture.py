"""Lines over places as SVG, readable on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, EDGE, LEGEND = 420, 260, 52, 300
LOWEST = 0.5
"""Where the axis of ratios begins."""
_DASHES = ("", "", "6 4", "")
_STYLE = """
 <style>
  svg { background: #ffffff } text { fill: #1f2328 } .axis { stroke: #8c959f; fill: none }
  .l0 { --c: #1a7f37 } .l1 { --c: #0969da } .l2 { --c: #6e7781 } .l3 { --c: #8250df }
  .line { stroke: var(--c); fill: none; stroke-width: 2 } .dot { fill: var(--c) }
  @media (prefers-color-scheme: dark) {
   svg { background: #0d1117 } text { fill: #e6edf3 } .axis { stroke: #6e7681 }
   .l0 { --c: #3fb950 } .l1 { --c: #58a6ff } .l2 { --c: #9198a1 } .l3 { --c: #bc8cff }
  }
 </style>"""

Line = Sequence[tuple[float, float]]


def draw_progress(lines: Mapping[str, Line]) -> str:
    """An SVG text: per title a line of (place, ratio); at most four lines, places from 1."""
    last = max(place for line in lines.values() for place, _ in line)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 2 * EDGE + LEGEND}" '
        f'height="{HEIGHT + 2 * EDGE}" font-family="sans-serif" font-size="12">{_STYLE}',
        f'<rect class="axis" x="{EDGE}" y="{EDGE}" width="{WIDTH}" height="{HEIGHT}"/>',
        *_draw_axes(int(last)),
    ]
    for at, (title, line) in enumerate(lines.items()):
        parts += _draw_line(at, title, line, last)
    return "\n".join([*parts, "</svg>", ""])


def _draw_axes(last: int) -> list[str]:
    marks = []
    for tenth in range(int(LOWEST * 10), 11):
        ratio = tenth / 10
        marks.append(f'<text x="{EDGE - 8}" y="{_y(ratio) + 4:.1f}" text-anchor="end">{ratio:.1f}</text>')
    for place in range(1, last + 1):
        x = _x(place, last)
        marks.append(f'<text x="{x:.1f}" y="{HEIGHT + EDGE + 16}" text-anchor="middle">{place}</text>')
    middle = EDGE + WIDTH / 2
    told = "the n-th vendor, all before it decided"
    marks.append(f'<text x="{middle}" y="{HEIGHT + EDGE + 38}" text-anchor="middle">{told}</text>')
    return marks


def _draw_line(at: int, title: str, line: Line, last: float) -> list[str]:
    points = " ".join(f"{_x(place, last):.1f},{_y(ratio):.1f}" for place, ratio in line)
    dots = [
        f'<circle class="dot" cx="{_x(place, last):.1f}" cy="{_y(ratio):.1f}" r="3">'
        f"<title>{ratio:.3f}</title></circle>"
        for place, ratio in line
    ]
    left, top = WIDTH + EDGE + 20, EDGE + 22 * at + 10
    legend = (
        f'<line class="line" x1="{left}" y1="{top}" x2="{left + 22}" y2="{top}"'
        f' stroke-dasharray="{_DASHES[at]}"/><text x="{left + 30}" y="{top + 4}">{title}</text>'
    )
    drawn = f'<polyline class="line" points="{points}" stroke-dasharray="{_DASHES[at]}"/>'
    return [f'<g class="l{at}">', drawn, *dots, legend, "</g>"]


def _x(place: float, last: float) -> float:
    return EDGE + 16 + (place - 1) / max(1.0, last - 1) * (WIDTH - 32)


def _y(ratio: float) -> float:
    return EDGE + (1 - (max(ratio, LOWEST) - LOWEST) / (1 - LOWEST)) * HEIGHT
