"""Small SVG charts that take their colours from the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finetune.evaluation.markup import Html, element
from finetune.evaluation.summary import Reliability

WIDTH, HEIGHT = 360, 260  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 46, 22, 12, 40  # room around the plot
TICKS = 4
MOST_POINTS = 400  # of a curve: more would not be seen


@dataclass(frozen=True)
class Axis:
    """One axis: what it shows, its ends, and how a tick is written."""

    title: str
    low: float
    high: float
    written: Callable[[float], str]

    def share(self, value: float) -> float:
        """Where a value stands between the ends, 0..1."""
        return (value - self.low) / ((self.high - self.low) or 1.0)


@dataclass(frozen=True)
class Plot:
    """A rectangle with two axes."""

    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point in the drawing."""
        across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + self.x.share(x) * across, HEIGHT - BOTTOM - self.y.share(y) * up

    def draw(self, title: str, *marks: Html) -> Html:
        """The chart with its axes, and the marks in it."""
        return element(
            "svg",
            element("title", title),
            *self._grid(),
            *marks,
            _label(self.x.title, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6),
            _label(self.y.title, 12, (TOP + HEIGHT - BOTTOM) / 2, turned=True),
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
        )

    def _grid(self) -> list[Html]:
        marks = []
        for number in range(TICKS + 1):
            x = self.x.low + (self.x.high - self.x.low) * number / TICKS
            y = self.y.low + (self.y.high - self.y.low) * number / TICKS
            left, height = self.at(self.x.low, y)
            right, _ = self.at(self.x.high, y)
            place, floor = self.at(x, self.y.low)
            marks += [
                _line((left, height), (right, height), "grid"),
                _label(self.y.written(y), left - 5, height + 4, anchor="end"),
                _label(self.x.written(x), place, floor + 16),
            ]
        return marks


def reliability_chart(title: str, up: str, reliability: Reliability) -> Html:
    """Mean score, called `up`, over mean confidence of each bin; the diagonal is what should be."""
    plot = Plot(
        Axis("confidence", 0, 1, lambda v: f"{v:.2g}"),
        Axis(up, 0, 1, lambda v: f"{v:.2g}"),
    )
    bars = []
    for part in reliability.bins:
        (left, top), (right, floor) = plot.at(part.low, part.accuracy), plot.at(part.high, 0)
        said = f"{part.count}, confidence {part.confidence:.2f}, {up} {part.accuracy:.2f}"
        bars.append(
            element(
                "rect", element("title", said), class_="bar", x=left + 1, y=top,
                width=right - left - 2, height=floor - top,
            )
        )  # fmt: skip
    dots = [_dot(plot.at(part.confidence, part.accuracy)) for part in reliability.bins]
    diagonal = _line(plot.at(0, 0), plot.at(1, 1), "ideal")
    return plot.draw(title, *bars, diagonal, *dots)


def curve_chart(title: str, across: str, up: str, points: Sequence[tuple[float, float]]) -> Html:
    """A curve through points whose x grows.

    Args:
        title: What a screen reader says.
        across: What x is.
        up: What y is.
        points: At least one.
    """
    step = -(-len(points) // MOST_POINTS)
    shown = [*points[::step]] + ([points[-1]] if (len(points) - 1) % step else [])
    xs, ys = [x for x, _ in shown], [y for _, y in shown]
    room = 0.05 * ((max(ys) - min(ys)) or 1.0)
    plot = Plot(
        Axis(across, min(xs), max(xs), lambda v: f"{v:,.0f}"),
        Axis(up, min(ys) - room, max(ys) + room, lambda v: f"{v:.3g}"),
    )
    places = [plot.at(x, y) for x, y in shown]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return plot.draw(title, element("polyline", class_="curve", points=path), _dot(places[-1]))


def _line(start: tuple[float, float], end: tuple[float, float], kind: str) -> Html:
    return element("line", class_=kind, x1=start[0], y1=start[1], x2=end[0], y2=end[1])


def _dot(place: tuple[float, float]) -> Html:
    return element("circle", class_="dot", cx=place[0], cy=place[1], r=3.5)


def _label(text: str, x: float, y: float, anchor: str = "middle", turned: bool = False) -> Html:
    turn = {"transform": f"rotate(-90 {x:.1f} {y:.1f})"} if turned else {}
    return element("text", text, x=x, y=y, text_anchor=anchor, **turn)
