"""`ossicle score`: the errors in what any tool wrote."""

from pathlib import Path
from typing import Annotated

import typer

from ossicle.errors import OptionError
from ossicle.formats.write import to_json
from ossicle.measure.outputs import Missing
from ossicle.surfaces.cli import measure_flags
from ossicle.surfaces.cli import transcribe_flags as flags
from ossicle.surfaces.cli.answer import FAILED
from ossicle.surfaces.cli.measure_flags import check_outs, print_differences, print_scores, write_outs

FORMS = "JSON lines, CSV, TSV, lines, .trn, one transcript (.json, .srt, .vtt, .ass), or a folder of transcripts"


def score(
    expected: Annotated[Path, typer.Option("--expected", metavar="FILE", help=f"What was said: {FORMS}, or a LibriSpeech folder.")],
    predictions: Annotated[Path, typer.Option("--predictions", metavar="FILE", help=f"What a tool wrote: {FORMS}.")],
    normaliser: measure_flags.Normaliser = "whisper",
    language: Annotated[str | None, typer.Option(
        "--language", "-l", help="Of the texts whose file names none; it decides how they are normalised and what is counted.")] = None,
    missing: Annotated[Missing, typer.Option(
        "--missing", help="What becomes of a text without a partner: error stops, skip lists it and scores the others, empty counts a "
        "prediction that is not there as empty. Default is error.")] = "error",
    out: measure_flags.Out = None,
    worst: measure_flags.Worst = 10,
    as_json: measure_flags.AsJson = False,
    overwrite: flags.Overwrite = None,
) -> None:
    """Count the errors in texts that any tool wrote: WER, CER and MER against what was said, as `ossicle eval` counts its own.

    Texts are matched by id, or by the name of the file in it; lines without ids by their place. Exit code 1 when with --missing
    skip or empty some had no partner.
    """
    from ossicle.measure.normalise import find_normaliser
    from ossicle.measure.outputs import match, read_texts
    from ossicle.measure.score import score as count
    from ossicle.measure.score import score_report

    method = find_normaliser(normaliser)
    check_outs(out, bool(overwrite))
    try:
        matched = match(read_texts(expected, "expected"), read_texts(predictions, "predictions"), missing, language)
    except UnicodeError as error:
        raise OptionError(f"expected UTF-8 text: {error}") from error
    report = score_report(count(matched.utterances, method), f"{predictions.name} on {expected.name}", worst)
    report |= {"missing": list(matched.missing), "unexpected": list(matched.unexpected)}
    write_outs(out, report, bool(overwrite))
    if as_json:
        typer.echo(to_json(report), nl=False)
    else:
        typer.echo(f"{'normaliser':12}{method.name} ({method.version})\n")
        print_scores(report)
        for ids, what in ((matched.missing, "no prediction"), (matched.unexpected, "no reference")):
            if ids:
                typer.echo(f"{what}: {', '.join(ids)}")
        print_differences(report, worst)
    if matched.missing or matched.unexpected:
        raise typer.Exit(FAILED)
