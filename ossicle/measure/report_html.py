"""A report of `ossicle eval` or `ossicle score`, as it stands in JSON, to one page of HTML that needs nothing else.

Knows nothing of measuring; what a report lacks is left out of the page.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from ossicle.measure.charts import bars, dots, reliability

Plain = Mapping[str, Any]

STYLE = """
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #5c6570; --line: #d9dde2; --page: #ffffff; --mark: #2563a8; --bad: #b3261e;
  --bad-back: #fbe4e2; --good: #1b6e3c; --good-back: #dff3e6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa4af; --line: #353b42; --page: #15181c; --mark: #74aef0;
  --bad: #ff9c94; --bad-back: #4a201d; --good: #86d9a6; --good-back: #173a25; } }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; } p { margin: .3rem 0; }
.soft, .tick, .label, figcaption, th { color: var(--soft); } .tick, .label { fill: var(--soft); font-size: 12px; }
.tiles { display: flex; flex-wrap: wrap; gap: .6rem 2.2rem; margin: 1.2rem 0; }
.tiles b { display: block; font-size: 1.7rem; font-weight: 600; line-height: 1.2; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1.5rem; }
figure { margin: 0; } svg { width: 100%; height: auto; } .bar, .dot { fill: var(--mark); } .dot { fill-opacity: .55; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); } .ideal { stroke: var(--soft); stroke-dasharray: 4 4; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; } td, th { padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; }
article { border-top: 1px solid var(--line); padding: .7rem 0; } article h3 { font-size: 1rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
del { background: var(--bad-back); color: var(--bad); text-decoration: line-through; } ins { background: var(--good-back);
  color: var(--good); text-decoration: none; } del, ins { padding: 0 .15em; border-radius: 3px; }
.alarm { color: var(--bad); } dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
"""
RATE_STEPS = (0, 5, 10, 15, 20, 30, 40, 50, 75, 100)        # per cent; upper bounds of the histogram's bars


def write_report(report: Plain) -> str:
    """The whole page."""
    model = report.get("model")
    name = f"{model['name']} on {report['manifest']['name']}" if model else report.get("title", "score")
    parts = [f"<h1>{escape(name)}</h1>", f'<p class="soft">{escape(_subtitle(report))}</p>', _tiles(report), *_alarms(report),
             '<h2>Errors</h2><div class="charts">', *_charts(report), "</div>", _languages(report), *_worst(report), _method(report)]
    return page(name, parts)


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page in the style of the reports."""
    view = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f'<!DOCTYPE html>\n<html lang="en"><head>{view}\n<title>{escape(title)}</title><style>{STYLE}</style></head>'
    body = "\n".join(parts)
    return f"{head}\n<body>\n{body}\n</body></html>\n"


def percent(rate: float | None, digits: int = 2) -> str:
    """A rate for people; a dash where there is none."""
    return "–" if rate is None else f"{100 * rate:.{digits}f} %"


def _subtitle(report: Plain) -> str:
    total, normaliser = report["total"], report["method"]["normaliser"]
    hours = "" if total["duration"] is None else f", {total['duration'] / 3600:.2f} h of sound"
    return f"{total['files']} files{hours} · {normaliser['name']} ({normaliser['version']}) · {report.get('date', '')}".rstrip(" ·")


def _tiles(report: Plain) -> str:
    total, speed = report["total"], report.get("speed")
    main = total["primary"] or "mer"
    tiles = [(main.upper(), percent(total[main]["rate"]))]
    if total["interval"]:
        tiles.append(("95 % interval", f"{100 * total['interval'][0]:.2f} – {100 * total['interval'][1]:.2f}"))
    tiles += [(name.upper(), percent(total[name]["rate"])) for name in ("wer", "cer", "mer") if name != main]
    tiles.append(("files without error", f"{total['perfect']} of {total['files']}"))
    if speed and speed["rtfx"]:
        tiles.append(("times real time", f"{speed['rtfx']:.1f}"))
    if report.get("language_accuracy") is not None:
        tiles.append(("language right", percent(report["language_accuracy"], 1)))
    if report.get("calibration"):
        tiles.append(("calibration error", percent(report["calibration"]["ece"], 1)))
    return '<div class="tiles">' + "".join(f"<div>{escape(name)}<b>{escape(value)}</b></div>" for name, value in tiles) + "</div>"


def _alarms(report: Plain) -> Iterator[str]:
    for name, message in report.get("failures", {}).items():
        yield f'<p class="alarm">failed, and in no figure: {escape(name)}: {escape(message)}</p>'
    incomplete = report.get("coverage", {}).get("incomplete_files", [])
    if incomplete:
        yield f'<p class="alarm">incomplete transcripts: {escape(", ".join(incomplete))}</p>'
    for kind, said in (("missing", "no prediction"), ("unexpected", "no reference")):
        if report.get(kind):
            yield f'<p class="alarm">{said}: {escape(", ".join(report[kind]))}</p>'
    if report["left_out"]:
        yield f'<p class="soft">left out by the method: {escape(", ".join(report["left_out"]))}</p>'


def _charts(report: Plain) -> Iterator[str]:
    rates = [(file, 100 * rate) for file in report["files"] if (rate := file[file["primary"]]["rate"]) is not None]
    counts = [0] * (len(RATE_STEPS) + 1)
    for _, rate in rates:
        counts[next((place for place, bound in enumerate(RATE_STEPS) if rate <= bound), len(RATE_STEPS))] += 1
    names = ["0", *(f"≤{bound}" for bound in RATE_STEPS[1:]), f">{RATE_STEPS[-1]}"]
    yield bars(counts, names, "Files by error rate", "error rate, %", "files")
    timed = [(file["duration"], rate, file["id"]) for file, rate in rates if file["duration"] is not None]
    if timed:
        yield dots(timed, "Error rate by length", "seconds", "error rate, %")
    calibration = report.get("calibration")
    if calibration:
        rows = [(row["low"], row["high"], row["accuracy"], row["words"]) for row in calibration["bins"]]
        yield reliability(rows, f"Reliability of word confidence ({calibration['words']} words)")


def _languages(report: Plain) -> str:
    rows = []
    for name, total in [*report["languages"].items(), ("all", report["total"])]:
        main = total["primary"] or "mer"
        interval = total["interval"]
        counts = total[main]
        bounds = f"{100 * interval[0]:.2f} – {100 * interval[1]:.2f}" if interval else "–"
        rows.append([name, total["files"], main.upper(), percent(counts["rate"]), bounds,
                     *(counts[kind] for kind in ("reference", "substitutions", "deletions", "insertions")),
                     percent(total["wer"]["rate"]), percent(total["cer"]["rate"])])
    header = ("language", "files", "metric", "rate", "95 %", "tokens", "sub", "del", "ins", "WER", "CER")
    return "<h2>Languages</h2>" + _table(header, rows)


def _worst(report: Plain) -> Iterator[str]:
    if report["worst"]:
        yield "<h2>Worst files</h2>"
    for file in report["worst"]:
        space = " " if file["primary"] == "wer" else ""
        seconds = "" if file["duration"] is None else f", {file['duration']:.1f} s"
        yield (f"<article><h3>{escape(file['id'])} <span class=\"soft\">{file['primary'].upper()} {percent(file['rate'], 1)}, "
               f"{file['errors']} errors{seconds}</span></h3><p>{space.join(map(_difference, file['differences']))}</p></article>")


def _difference(difference: Plain) -> str:
    if difference["kind"] == "hit":
        return escape(difference["hypothesis"])
    lost = f"<del>{escape(difference['reference'])}</del>" if difference["reference"] else ""
    new = f"<ins>{escape(difference['hypothesis'])}</ins>" if difference["hypothesis"] else ""
    return lost + new


def _method(report: Plain) -> str:
    rows: dict[str, Any] = {"normaliser": f"{report['method']['normaliser']['name']}, {report['method']['normaliser']['version']}: "
                                          f"{report['method']['normaliser']['about']}"}
    rows |= {name: value for name, value in report["method"].items() if name != "normaliser"}
    model, machine = report.get("model"), report.get("machine")
    if model:
        rows["model"] = f"{model['name']}, {model['weights']}, {model['dtype']} on {model['engine']}, {model['device']}"
        rows["versions"] = ", ".join(f"{name} {version}" for name, version in model["versions"].items())
        rows["language"] = "told, as the manifest names it" if report["conditions"]["told_language"] else (
            report["conditions"]["options"]["language"] or "heard by the model")
    if machine:
        rows["machine"] = (f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads; reads "
                           f"{machine['read_bandwidth_gbs']} GB/s, {machine['fma_gflops']} GFLOPS")
    if report.get("speed"):
        speed = report["speed"]
        rows["speed"] = (f"{speed['audio_seconds']:.0f} s of sound in {speed['work_seconds']:.1f} s; {speed['computed_files']} files "
                         f"computed, {speed['reused_files']} predictions of an earlier run")
    if report.get("macro_rate") is not None:
        rows["mean over languages"] = percent(report["macro_rate"])
    said = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in rows.items())
    return f"<h2>Method</h2><dl>{said}</dl>"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cell(tag: str, place: int, value: Any) -> str:
        return f'<{tag}{" class=number" if place not in (0, 2) else ""}>{escape(str(value))}</{tag}>'

    lines = [(header, "th"), *((row, "td") for row in rows)]
    body = "\n".join("<tr>" + "".join(cell(tag, place, value) for place, value in enumerate(row)) + "</tr>" for row, tag in lines)
    return f'<div class="scroll"><table>{body}</table></div>'
