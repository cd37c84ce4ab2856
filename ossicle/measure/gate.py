"""A report of `ossicle eval` beside a stored one: what fell, by how much, and whether that is too much.

Accuracy is compared as it is. Speed never is: it is set against a yardstick that was timed in the same minutes, so that
another or a busy machine is no fault of the program.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ossicle.errors import OptionError
from ossicle.measure.evaluate import SCHEMA
from ossicle.measure.stored import read_stored_report

Plain = Mapping[str, Any]

METRICS = ("wer", "cer", "mer")
SAME_TASK = ("manifest.hash", "method.normaliser.name", "method.normaliser.version")
CONDITIONS = ("method.scorer", "model", "conditions", "machine")
NO_CONDITION = ("model.path", "model.versions", "machine.system", "machine.memory_mb", "machine.read_bandwidth_gbs", "machine.fma_gflops",
                "machine.int8_gops")


# Where these differ, a yardstick of arithmetic says nothing: its product runs on other hardware than the work.
SAME_SPEED = ("model.name", "model.engine", "model.weights", "machine.processor", "machine.threads", "machine.instruction_set",
              "conditions.options.decode.batch_size")


@dataclass(frozen=True)
class GateOptions:
    """How much may be lost before a gate closes."""

    max_increase: float = 0.002         # of an error rate, absolute: 0.2 points, two words of a thousand
    min_speed_ratio: float = 0.6        # of this speed over the stored one, each over its yardstick; less is noise on a shared machine

    def __post_init__(self) -> None:
        if not 0 <= self.max_increase <= 1:
            raise OptionError(f"max_increase must be between 0 and 1, got {self.max_increase:g}")
        if not 0 <= self.min_speed_ratio <= 1:
            raise OptionError(f"min_speed_ratio must be between 0 and 1, got {self.min_speed_ratio:g}")


@dataclass(frozen=True)
class Verdict:
    """One figure, judged."""

    metric: str                         # "en wer", "speed", "failures"
    is_passed: bool
    reason: str                         # for people, with both figures and the limit


@dataclass(frozen=True)
class Judgement:
    """All figures, and the conditions that are not the same."""

    verdicts: tuple[Verdict, ...]
    differences: tuple[str, ...]

    @property
    def is_passed(self) -> bool:
        return all(verdict.is_passed for verdict in self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"is_passed": self.is_passed, **asdict(self)}


def read_stored(file: Path) -> Plain:
    """A report that `ossicle eval --out` wrote as JSON. Raises OptionError when the file is none."""
    return read_stored_report(file, SCHEMA, "ossicle eval --out", "stored result")


def judge(report: Plain, stored: Plain, options: GateOptions | None = None) -> Judgement:
    """Judge a report by a stored one of the same task. Raises OptionError where they are not of the same task."""
    options = options or GateOptions()
    for place in SAME_TASK:
        if _at(report, place) != _at(stored, place):
            raise OptionError(f"the stored result is of another task: its {place} is {_at(stored, place)!r}, "
                              f"here it is {_at(report, place)!r}; store a new one")
    verdicts = [*_judge_rates(report, stored, options), *_judge_counts(report, stored), _judge_speed(report, stored, options)]
    now, before = _conditions(report), _conditions(stored)
    differences = [f"{place}: {now[place]}, stored {before[place]}" for place in now if place in before and now[place] != before[place]]
    return Judgement(tuple(verdicts), tuple(differences))


def _judge_rates(report: Plain, stored: Plain, options: GateOptions) -> Iterator[Verdict]:
    """Every language's primary rate, and that of all."""
    for name, before in {**stored["languages"], "all": stored["total"]}.items():
        now = report["total"] if name == "all" else report["languages"].get(name)
        metric = before["primary"] or "mer"
        rate, limit = (now[metric]["rate"] if now else None), before[metric]["rate"]
        if limit is None:
            continue
        if rate is None:
            yield Verdict(f"{name} {metric}", False, f"{name}: no figure now, {_percent(limit)} stored")
            continue
        is_passed = rate <= limit + options.max_increase + 1e-12
        yield Verdict(f"{name} {metric}", is_passed, f"{name}: {metric.upper()} {_percent(rate)}, stored {_percent(limit)}; "
                                                     f"{_percent(limit + options.max_increase)} is allowed")


def _judge_counts(report: Plain, stored: Plain) -> Iterator[Verdict]:
    """What may never become more: files that fail, and files of which something is missing."""
    counts = {"failures": lambda plain: len(plain["failures"]), "incomplete": lambda plain: len(plain["coverage"]["incomplete_files"]),
              "false alarms": lambda plain: plain["total"]["false_alarms"]}
    for name, of in counts.items():
        now, before = of(report), of(stored)
        yield Verdict(name, now <= before, f"{name}: {now}, stored {before}")


def _judge_speed(report: Plain, stored: Plain, options: GateOptions) -> Verdict:
    speeds = []
    for plain, which in ((report, "this"), (stored, "the stored")):
        speed = plain["speed"]
        if speed["reused_files"] or not speed["rtfx"] or not speed.get("yardstick_s"):
            return Verdict("speed", True, f"speed: not judged, as {which} result was not computed in one run with enough of a yardstick")
        speeds.append(speed["rtfx"] * speed["yardstick_s"])             # seconds of sound while one yardstick is computed
    for place in SAME_SPEED:
        now, before = _at(report, place), _at(stored, place)
        if now != before:
            return Verdict("speed", True, f"speed: not judged, as {place} is {now} here and {before} in the stored result")
    ratio = speeds[0] / speeds[1]
    return Verdict("speed", ratio >= options.min_speed_ratio,
                   f"speed: {ratio:.2f} of the stored one, each over its yardstick (RTFx {report['speed']['rtfx']:.3g} here, "
                   f"{stored['speed']['rtfx']:.3g} stored); {options.min_speed_ratio:g} is allowed")


def _conditions(report: Plain) -> dict[str, Any]:
    """What makes two runs two different things, by its place in the report; a setting that only one of them knows is none."""
    found: dict[str, Any] = {}
    waiting = [(place, _at(report, place)) for place in CONDITIONS]
    while waiting:
        place, value = waiting.pop(0)
        if isinstance(value, Mapping):
            waiting = [(f"{place}.{name}", inner) for name, inner in value.items()] + waiting
        found[place] = value
    return {place: value for place, value in found.items()
            if not isinstance(value, Mapping) and not any(place.startswith(name) for name in NO_CONDITION)}


def _at(report: Any, place: str) -> Any:
    for name in place.split("."):
        report = report.get(name) if isinstance(report, Mapping) else None
    return report


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"
