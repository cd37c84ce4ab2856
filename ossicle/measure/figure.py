"""Stored reports of several models, machines and modes, to one picture: error rate over work for each second of sound.

Down and to the left is better. Needs the extra `plot`. Knows nothing of how the figures were measured, but that they can only
stand in one picture where recordings, normaliser and metric are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ossicle.errors import MissingExtra, OptionError
from ossicle.measure.evaluate import SCHEMA as WHOLE
from ossicle.measure.streaming import SCHEMA as LIVE

INSTALL_PLOT = 'pip install "ossicle[plot]"'
SUFFIXES = (".png", ".svg", ".pdf")
MARKERS = {"single-shot": "s", "per-utterance": "o", "chapter-grouped": "^"}
SAID = {"single-shot": "whole recordings", "per-utterance": "live, one recording each", "chapter-grouped": "live, a chapter at a time"}
# Told apart with every common colour blindness, and in grey by their order: Okabe and Ito, "Color Universal Design".
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, QUIET = "#222222", "#888888"
SIZE, DPI = (7.2, 4.6), 160             # inches, as matplotlib counts; dots in one


@dataclass(frozen=True)
class Point:
    """One model on one machine in one mode."""

    machine: str
    model: str
    mode: str                           # of MARKERS
    rate: float                         # of errors, as a share
    interval: tuple[float, float] | None
    rtf: float

    @property
    def is_live(self) -> bool:
        """Whether text came while it was spoken."""
        return self.mode != "single-shot"


def points_of(report: Mapping[str, Any], machine: str | None = None) -> list[Point]:
    """What of a report of `ossicle eval` can stand in the picture.

    machine   what to call it; None takes the name of the processor, and the device where that is another

    Raises OptionError for another kind of report.
    """
    if report.get("schema") not in (LIVE, WHOLE):
        raise OptionError(f"expected a report of `ossicle eval`, got schema {report.get('schema')!r}")
    modes = report["modes"] if report["schema"] == LIVE else {"single-shot": {**report, "rtf": report["speed"]["rtf"]}}
    name, points = machine or _machine(report), []
    for mode, found in modes.items():
        total = found["total"]
        rate = total[total["primary"] or "mer"]["rate"]
        if rate is not None and found["rtf"]:
            points.append(Point(name, _model(report), mode, rate, tuple(total["interval"]) if total["interval"] else None, found["rtf"]))
    return points


def task_of(report: Mapping[str, Any]) -> tuple[str, str, str]:
    """What must be equal for two reports to stand in one picture: recordings, normaliser, metric."""
    normaliser = report["method"]["normaliser"]
    total = report["total"] if "total" in report else next(iter(report["modes"].values()))["total"]
    return report["manifest"]["hash"], f"{normaliser['name']} {normaliser['version']}", (total["primary"] or "mer").upper()


def draw(points: Sequence[Point], file: Path, title: str, metric: str) -> None:
    """Write the picture. Raises MissingExtra without the extra `plot`, OptionError when it cannot be written."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
    except ImportError as error:
        raise MissingExtra(f"matplotlib is not installed, which pictures need; {INSTALL_PLOT} installs it") from error
    figure = Figure(SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    machines = list(dict.fromkeys(point.machine for point in points))
    colour_of = {machine: COLOURS[place % len(COLOURS)] for place, machine in enumerate(machines)}
    low, high = _bounds([point.rtf for point in points])
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    top = max([bound for point in points for bound in (point.rate, *(point.interval or ()))], default=0.0) or 0.01
    axes.set_ylim(-0.03 * top, 1.12 * top)
    if high > 1:
        axes.axvline(1, color=QUIET, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.text(1, -0.02 * top, " slower than speech", color=QUIET, fontsize=8, va="bottom", ha="left")
    for machine, model in dict.fromkeys((point.machine, point.model) for point in points):
        _draw_model(axes, [point for point in points if (point.machine, point.model) == (machine, model)], colour_of[machine], model)
    axes.set_xlabel("seconds of work for each second of sound (RTF)", color=INK)
    axes.set_ylabel(f"{metric}, per cent", color=INK)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{100 * value:g}"))
    axes.grid(True, color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _legend(figure, axes, points, colour_of)
    try:
        figure.savefig(file)
    except OSError as error:
        raise OptionError(f"cannot write the picture to {file}: {error.strerror}") from error


def _draw_model(axes: Any, points: Sequence[Point], colour: str, model: str) -> None:
    """Its modes, joined by a thin line: what being live costs that model on that machine."""
    from matplotlib.patheffects import withStroke

    ordered = sorted(points, key=lambda point: point.rtf)
    axes.plot([point.rtf for point in ordered], [point.rate for point in ordered], color=colour, linewidth=1, alpha=0.45, zorder=2)
    for point in ordered:
        if point.interval:
            axes.plot([point.rtf] * 2, point.interval, color=colour, linewidth=3, alpha=0.18, solid_capstyle="round", zorder=2)
        axes.plot(point.rtf, point.rate, MARKERS[point.mode], color=colour, markersize=7.5, markeredgewidth=1.6, zorder=3,
                  markerfacecolor=colour if point.is_live else "white", clip_on=False)
    last = ordered[-1]
    highest = max([last.rate, *(last.interval or ()), *(point.rate for point in ordered if point.rtf > last.rtf / 2)])
    axes.annotate(model, (last.rtf, highest), xytext=(0, 7), textcoords="offset points", fontsize=8.5, color=colour, zorder=4, ha="center",
                  path_effects=[withStroke(linewidth=3, foreground="white")])


def _legend(figure: Any, axes: Any, points: Sequence[Point], colour_of: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    modes = [mode for mode in MARKERS if any(point.mode == mode for point in points)]
    shapes = [Line2D([], [], marker=MARKERS[mode], linestyle="", color=INK, markeredgewidth=1.6, markersize=7,
                     markerfacecolor="white" if mode == "single-shot" else INK, label=SAID[mode]) for mode in modes]
    colours = [Line2D([], [], color=colour, linewidth=5, label=machine) for machine, colour in colour_of.items()]
    figure.legend(handles=[*shapes, *colours], loc="outside lower center", ncols=2 if len(colours) > 1 else 3, frameon=False, fontsize=8.5)


def _bounds(rtfs: Sequence[float]) -> tuple[float, float]:
    """Room on both sides for the names, and never so little between them that one decade looks like many."""
    low, high = min(rtfs), max(rtfs)
    return low / 2, max(high * 2.2, low * 8)


def _machine(report: Mapping[str, Any]) -> str:
    model, machine = report["model"], report.get("machine") or {}
    processor = machine.get("processor")
    device = model["device"].partition(" (")[0]
    return device if processor is None or processor in model["device"] else f"{processor}, {device}"


def _model(report: Mapping[str, Any]) -> str:
    model = report["model"]
    name, weights = model["name"].rpartition("/")[2], model["weights"].partition(",")[0]
    return f"{name} {weights}" if "bit" in weights else name
