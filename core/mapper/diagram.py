"""The reliability diagram as SVG: what confidence said against how often it was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SIZE = 320
EDGE = 48
_COLOURS = ("#1f6feb", "#d97706", "#6e7781", "#8250df")
Curve = Sequence[Sequence[float]]


def draw_reliability(curves: Mapping[str, Curve]) -> str:
    """An SVG text. Curves are rows of (from, to, count, said, right) by title; the diagonal is perfect."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE + 2 * EDGE + 220}" '
        f'height="{SIZE + 2 * EDGE}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<rect x="{EDGE}" y="{EDGE}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#999"/>',
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#999" stroke-dasharray="4"/>',
        *_axes(),
    ]
    for at, (title, rows) in enumerate(curves.items()):
        parts += _draw_curve(title, rows, _COLOURS[at % len(_COLOURS)], at)
    return "\n".join([*parts, "</svg>", ""])


def _axes() -> list[str]:
    marks = []
    for tenth in range(0, 11, 2):
        share = tenth / 10
        marks.append(f'<text x="{_x(share)}" y="{SIZE + EDGE + 16}" text-anchor="middle">{share:.1f}</text>')
        marks.append(f'<text x="{EDGE - 8}" y="{_y(share) + 4}" text-anchor="end">{share:.1f}</text>')
    middle = EDGE + SIZE / 2
    marks.append(f'<text x="{middle}" y="{SIZE + EDGE + 36}" text-anchor="middle">confidence said</text>')
    marks.append(f'<text x="{EDGE}" y="{EDGE - 12}">share that is right</text>')
    return marks


def _draw_curve(title: str, rows: Curve, colour: str, at: int) -> list[str]:
    points = " ".join(f"{_x(said):.1f},{_y(right):.1f}" for _, _, _, said, right in rows)
    dots = [
        f'<circle cx="{_x(said):.1f}" cy="{_y(right):.1f}" r="{3 + min(9, count**0.5 / 4):.1f}" '
        f'fill="{colour}" fill-opacity="0.6"><title>{int(count)} fields</title></circle>'
        for _, _, count, said, right in rows
    ]
    left, top = SIZE + EDGE + 24, EDGE + 20 * at + 10
    dot = f'<circle cx="{left}" cy="{top}" r="5" fill="{colour}"/>'
    legend = f'{dot}<text x="{left + 12}" y="{top + 4}">{title}</text>'
    return [f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>', *dots, legend]


def _x(share: float) -> float:
    return EDGE + share * SIZE


def _y(share: float) -> float:
    return EDGE + (1 - share) * SIZE


def draw_model(reliability: Mapping[str, Curve]) -> str:
    """The diagram of docs/mapping.md: the shipped model on vendors held out."""
    return draw_reliability(
        {
            "all aliases": reliability["embedded_full"],
            "without the vendor's own": reliability["embedded_strict"],
        }
    )
