"""A TranscriptDiff to one page of HTML that needs nothing else: both texts in one, and a list of what is different."""

from collections.abc import Iterator
from html import escape

from ossicle.measure.diff import Difference, Side, TranscriptDiff
from ossicle.measure.report_html import page, percent

STYLE = """<style>.text { line-height: 1.9; } .text time { color: var(--soft); font-size: .8em; margin: 0 .3em; }
td.place { white-space: nowrap; }</style>"""


def write_diff(found: TranscriptDiff, name_a: str, name_b: str) -> str:
    """The whole page."""
    title = f"{name_a} and {name_b}"
    tiles = [("B against A", percent(found.b_against_a.counts.rate)), ("A against B", percent(found.a_against_b.counts.rate)),
             ("the same", f"{found.same_words} of {found.words[0]}"), ("differences", str(len(found.differences))),
             ("with numbers", str(sum(difference.has_number for difference in found.differences)))]
    shown = "".join(f"<div>{escape(name)}<b>{escape(value)}</b></div>" for name, value in tiles)
    text = "".join(_stretch(*stretch) for stretch in found.stretches)
    rows = "".join(_row(difference) for difference in found.differences)
    table = ('<div class="scroll"><table><tr><th>time</th><th>A</th><th>B</th><th></th><th>around it</th></tr>' + rows + "</table></div>"
             if found.differences else "<p>None.</p>")
    about = f"A is {name_a}, B is {name_b}; {found.normaliser.name} ({found.normaliser.version})"
    return page(title, [
        STYLE, f"<h1>{escape(title)}</h1>", f'<p class="soft">{escape(about)}</p>', f'<div class="tiles">{shown}</div>',
        *(f"<p>{line}</p>" for line in _facts(found)), "<h2>Both texts</h2>",
        '<p class="soft"><del>only in A</del> <ins>only in B</ins></p>', f'<p class="text">{text}</p>', "<h2>Differences</h2>", table])


def say_time(seconds: float | None) -> str:
    """`1:02.5`, `1:01:02.5`; nothing where no time is known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def say_drift(found: TranscriptDiff) -> str | None:
    """How far apart the same words begin, in a sentence."""
    drift = found.drift
    if drift is None:
        return None
    what = "estimated times" if drift.is_estimated else "times"
    later = "" if drift.per_hour is None else f"; B becomes {drift.per_hour:+.2f} s later in an hour"
    return (f"{what} of {drift.words} words: B begins {drift.median:+.3f} s later (median), 95 % are within {drift.p95:.3f} s, "
            f"all within {drift.max:.3f} s{later}")


def say_speakers(found: TranscriptDiff) -> str | None:
    """Who is whom, in a sentence."""
    speakers = found.speakers
    if speakers is None:
        return None
    pairs = ", ".join(f"{theirs} of B is {ours} of A" for theirs, ours in speakers.same_as.items())
    return f"speakers agree on {percent(speakers.agreement, 1)} of {speakers.words} words: {pairs}"


def _facts(found: TranscriptDiff) -> Iterator[str]:
    yield from (escape(line) for line in (say_drift(found), say_speakers(found)) if line)


def _stretch(is_same: bool, a: Side, b: Side) -> str:
    if is_same:
        return f"{escape(a.text)} "
    moment = say_time(a.start if a.start is not None else b.start)
    time = f"<time>{moment}</time>" if moment else ""
    lost = f"<del>{escape(a.text)}</del> " if a.text else ""
    new = f"<ins>{escape(b.text)}</ins> " if b.text else ""
    return f"{time}{lost}{new}"


def _row(difference: Difference) -> str:
    a, b = difference.a, difference.b
    moment = say_time(a.start if a.start is not None else b.start)
    if difference.kind == "speaker":
        sides = f"{escape(a.speaker or '')}: {escape(a.text)}", f"{escape(b.speaker or '')}: {escape(b.text)}"
    else:
        sides = f"<del>{escape(a.text)}</del>" if a.text else "", f"<ins>{escape(b.text)}</ins>" if b.text else ""
    note = "speaker" if difference.kind == "speaker" else "number" if difference.has_number else ""
    around = f"{escape(difference.before)} … {escape(difference.after)}"
    return f'<tr><td class="place">{moment}</td><td>{sides[0]}</td><td>{sides[1]}</td><td>{note}</td><td class="soft">{around}</td></tr>'
