"""Two speed reports in, their ratios and what else is different out. Works on reports as they stand in files.

Knows nothing of measuring: a report of an older version has figures missing, and says so by not being compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ossicle.measure.speed import SCHEMA
from ossicle.measure.stored import read_stored_report

Plain = Mapping[str, Any]

# What makes two runs two different things, beside what was asked of the engine.
CONDITIONS = (
    "model.name", "model.engine", "model.device", "model.dtype", "model.weights", "conditions.audio", "conditions.audio_seconds",
    "conditions.language", "conditions.new_tokens", "conditions.chunk_seconds", "conditions.batch_size", "tokens",
    "machine.processor", "machine.cores", "machine.threads", "machine.instruction_set",
)
KNOWN_BETTER = ("engine", "dtype")          # of what was asked: `model` has what "auto" came to


@dataclass(frozen=True)
class Comparison:
    """A report beside an earlier one."""

    ratios: Mapping[str, float]             # this / earlier, by the name of the figure; below 1 is less than before
    differences: tuple[str, ...]            # conditions that are not the same, for people


def read_report(file: Path) -> Plain:
    """A report that `ossicle bench --json` wrote. Raises OptionError when the file is none."""
    return read_stored_report(file, SCHEMA, "ossicle bench --json", "earlier report")


def figures(report: Plain) -> dict[str, Any]:
    """Everything measured, in the order of the report: a number, {median, min, max}, or None."""
    machine, floor = report.get("machine", {}), report.get("floor", {})
    return {
        "load_s": report.get("load_s"),
        **report.get("stages", {}),
        "rtf": report.get("rtf"),
        "loaded_memory_mb": report.get("loaded_memory_mb"),
        "peak_memory_mb": report.get("peak_memory_mb"),
        "floor.decode_ms_per_token": floor.get("decode_ms_per_token"),
        "floor.ratio": floor.get("ratio"),
        **{f"machine.{name}": machine.get(name) for name in ("read_bandwidth_gbs", "fma_gflops", "int8_gops")},
    }


def compare(report: Plain, earlier: Plain) -> Comparison:
    """Ratios of every figure that both reports have, and the conditions in which they differ."""
    before = figures(earlier)
    pairs = {name: (_middle(figure), _middle(before.get(name))) for name, figure in figures(report).items()}
    ratios = {name: float(f"{now / then:.4g}") for name, (now, then) in pairs.items() if now is not None and then}
    asked = [name for known in (report, earlier) for name in _at(known, "conditions.engine") or () if name not in KNOWN_BETTER]
    places = dict.fromkeys([*CONDITIONS, *(f"conditions.engine.{name}" for name in asked)])
    differences = tuple(
        f"{place.removeprefix('conditions.')}: {_say(_at(report, place))}, earlier {_say(_at(earlier, place))}"
        for place in places if _at(report, place) != _at(earlier, place))
    return Comparison(ratios, differences)


def _middle(figure: Any) -> float | None:
    value = figure.get("median") if isinstance(figure, dict) else figure
    return value if isinstance(value, int | float) else None


def _at(report: Any, place: str) -> Any:
    for name in place.split("."):
        report = report.get(name) if isinstance(report, Mapping) else None
    return report


def _say(value: Any) -> str:
    return "none" if value is None else str(value)
