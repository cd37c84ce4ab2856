"""Figures to charts as inline SVG: no script, no picture, colours of the page around them, light or dark.

Knows nothing of evaluations. Every mark says its figure when one points at it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 54, 24, 14, 42      # room for the axes
MAX_DOTS = 3000                                 # more are a black cloud, and a page of megabytes

Ticks = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Axes:
    """What a chart's frame says, and where a value lies in it."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    x_ticks: Ticks
    y_ticks: Ticks

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies, in the chart's own units."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def bars(values: Sequence[float], names: Sequence[str], title: str, x_label: str, y_label: str) -> str:
    """One bar for each value, over its name."""
    top = max([*values, 1])
    axes = Axes((0, len(values)), (0, top * 1.05), x_label, y_label, [(place + 0.5, name) for place, name in enumerate(names)],
                round_ticks(top))
    marks = [_bar(axes, place + 0.06, place + 0.94, value, f"{name}: {value:g}") for place, (name, value) in enumerate(zip(names, values))]
    return _chart(title, axes, marks)


def dots(points: Sequence[tuple[float, float, str]], title: str, x_label: str, y_label: str) -> str:
    """One dot for each (x, y, name); where there are too many, evenly chosen ones."""
    every = -(-len(points) // MAX_DOTS) or 1
    shown = points[::every]
    wide, high = max((x for x, _, _ in points), default=1) or 1, max((y for _, y, _ in points), default=1) or 1
    axes = Axes((0, wide * 1.03), (0, high * 1.05), x_label, y_label, round_ticks(wide), round_ticks(high))
    marks = []
    for x, y, name in shown:
        across, down = axes.at(x, y)
        said = f"{name}: {y:.3g} at {x:.3g}"
        marks.append(f'<circle class="dot" cx="{across:.1f}" cy="{down:.1f}" r="3.2"><title>{escape(said)}</title></circle>')
    return _chart(title, axes, marks)


def reliability(rows: Sequence[tuple[float, float, float | None, int]], title: str) -> str:
    """Accuracy of words over their confidence; on the line the two agree. Rows are (low, high, accuracy, words)."""
    axes = Axes((0, 1), (0, 1.02), "confidence of the word", "share that is right", percents(), percents())
    most = max([*(words for *_, words in rows), 1])
    marks = [_line(axes, (0, 0), (1, 1), "ideal")]
    for low, high, accuracy, words in rows:
        if accuracy is not None:
            strength = 0.25 + 0.75 * (words / most) ** 0.5
            said = f"{words} words of {100 * low:.0f} to {100 * high:.0f} %: {100 * accuracy:.1f} % are right"
            marks.append(_bar(axes, low + 0.006, high - 0.006, accuracy, said, f' fill-opacity="{strength:.2f}"'))
    return _chart(title, axes, marks)


def percents() -> Ticks:
    """Ticks of a share."""
    return [(share / 5, f"{20 * share} %") for share in range(6)]


def round_ticks(top: float) -> Ticks:
    """Three to six round numbers from 0 to `top`."""
    step = 10.0 ** len(str(int(top))) if top >= 1 else 1.0
    while top / step < 3:
        step = step / 2 if f"{step:g}"[0] in "1" else step / 2.5 if f"{step:g}"[0] == "5" else step / 2
    return [(place * step, f"{place * step:g}") for place in range(int(top / step) + 1)]


def _chart(title: str, axes: Axes, marks: Sequence[str]) -> str:
    inside = "\n".join([*_frame(axes), *marks])
    return (f'<figure><figcaption>{escape(title)}</figcaption>\n<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(title)}">\n{inside}\n</svg></figure>')


def _frame(axes: Axes) -> Iterator[str]:
    left, bottom = axes.at(axes.x[0], axes.y[0])
    right, _ = axes.at(axes.x[1], axes.y[0])
    for value, name in axes.y_ticks:
        _, down = axes.at(axes.x[0], value)
        yield f'<line class="grid" x1="{left}" x2="{right}" y1="{down:.1f}" y2="{down:.1f}"/>'
        yield f'<text class="tick" x="{left - 6}" y="{down + 3.5:.1f}" text-anchor="end">{escape(name)}</text>'
    for value, name in axes.x_ticks:
        across, _ = axes.at(value, axes.y[0])
        yield f'<text class="tick" x="{across:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">{escape(name)}</text>'
    yield f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
    yield f'<text class="label" x="{(left + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(axes.x_label)}</text>'
    yield (f'<text class="label" x="12" y="{(TOP + bottom) / 2}" text-anchor="middle" '
           f'transform="rotate(-90 12 {(TOP + bottom) / 2})">{escape(axes.y_label)}</text>')


def _bar(axes: Axes, begin: float, end: float, value: float, said: str, more: str = "") -> str:
    (left, top), (right, bottom) = axes.at(begin, value), axes.at(end, 0)
    return (f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{max(0.0, bottom - top):.1f}"{more}>'
            f"<title>{escape(said)}</title></rect>")


def _line(axes: Axes, begin: tuple[float, float], end: tuple[float, float], kind: str) -> str:
    (left, down), (right, up) = axes.at(*begin), axes.at(*end)
    return f'<line class="{kind}" x1="{left:.1f}" y1="{down:.1f}" x2="{right:.1f}" y2="{up:.1f}"/>'
