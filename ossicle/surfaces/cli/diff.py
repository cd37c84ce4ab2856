"""`ossicle diff`: where two transcripts of one recording are not the same."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ossicle.errors import OptionError
from ossicle.formats.write import to_json
from ossicle.surfaces.cli import measure_flags
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.measure_flags import check_outs
from ossicle.surfaces.cli.outlet import write_whole

if TYPE_CHECKING:
    from ossicle.measure.diff import Difference, TranscriptDiff

FORMS = "JSON of ossicle or Whisper, srt, vtt, ass or plain text (.txt)"


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help=f"A transcript: {FORMS}.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one of the same recording.")],
    normaliser: measure_flags.Normaliser = "whisper",
    language: Annotated[str | None, typer.Option(
        "--language", "-l", help="Decides how words are normalised; default is the first that a transcript names.")] = None,
    out: measure_flags.Out = None,
    as_json: measure_flags.AsJson = False,
    overwrite: flags.Overwrite = None,
) -> None:
    """Show where two transcripts of one recording differ, in time: words, numbers, speakers, and how far their times are apart.

    Neither is taken to be right; the error rate is given both ways. `[-seven-]{+eleven+}` stands for seven in A and eleven in B.
    """
    from ossicle.measure.diff import diff as compare
    from ossicle.measure.diff_html import write_diff
    from ossicle.measure.normalise import find_normaliser
    from ossicle.measure.transcripts import read_transcript

    method = find_normaliser(normaliser)
    check_outs(out, bool(overwrite))
    for file in (a, b):
        if not file.is_file():
            raise OptionError(f"expected a transcript at {file}, but there is none; check name and folder")
    found = compare(read_transcript(a), read_transcript(b), method, language)
    plain = {"a": a.name, "b": b.name, **found.to_dict()}
    for file in out or ():
        text = write_diff(found, a.name, b.name) if file.suffix.lower() == ".html" else to_json(plain)
        write_whole(file, text, bool(overwrite), "--out")
    if as_json:
        typer.echo(to_json(plain), nl=False)
    else:
        _print(found)


def _print(found: "TranscriptDiff") -> None:
    from ossicle.measure.diff_html import say_drift, say_speakers

    for difference in found.differences:
        typer.echo(_line(difference))
    if found.differences:
        typer.echo()
    for name, score in (("B against A", found.b_against_a), ("A against B", found.a_against_b)):
        rate = "no words to compare with" if score.counts.rate is None else f"{score.primary.upper()} {100 * score.counts.rate:.2f} %"
        typer.echo(f"{name}: {rate}")
    numbers = sum(difference.has_number for difference in found.differences)
    typer.echo(f"{found.same_words} of {found.words[0]} words of A are the same, B has {found.words[1]}; "
               f"{len(found.differences)} differences, {numbers} with numbers")
    for line in (say_drift(found), say_speakers(found)):
        if line:
            typer.echo(line)
    typer.echo(f"normaliser: {found.normaliser.name} ({found.normaliser.version})")


def _line(difference: "Difference") -> str:
    from ossicle.measure.diff_html import say_time

    a, b = difference.a, difference.b
    moment = say_time(a.start if a.start is not None else b.start)
    if difference.kind == "speaker":
        said = f"{a.text} {typer.style(f'[-{a.speaker}-]', fg='red')}{typer.style(f'{{+{b.speaker}+}}', fg='green')}"
    else:
        lost = typer.style(f"[-{a.text}-]", fg="red") if a.text else ""
        said = lost + (typer.style(f"{{+{b.text}+}}", fg="green") if b.text else "")
    mark = "#" if difference.has_number else " "                    # a column of its own, so that grep finds the numbers
    return f"{moment:>10} {mark} {difference.before} {said} {difference.after}".rstrip()
