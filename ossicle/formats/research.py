"""The tables of speech research: CTM (words), STM (segments) and RTTM (speakers), as NIST's tools and their kin read them."""

from collections.abc import Iterator

from ossicle.errors import FormatError
from ossicle.formats.notes import file_id
from ossicle.formats.pieces import plain_spaces
from ossicle.formats.times import timed_segments
from ossicle.results import Transcript, Turn

CHANNEL = "1"
NAMELESS = "unknown"             # of a stretch whose speaker nobody told


def write_ctm(transcript: Transcript) -> str:
    """`file channel start duration word confidence`, a line for each word; what is unknown of confidence is left out.

    A comment says so where times are estimates. Punctuation stays on its word.
    """
    name = file_id(transcript)
    words = [word for segment in timed_segments(transcript) for word in segment.words if plain_spaces(word.text)]
    lines = []
    if estimated := sum(word.timing == "estimated" for word in words):
        lines.append(f";; the times of {estimated} of {len(words)} words are estimates: shares of their segment")
    for word in words:
        start, end = word.start or 0.0, word.end or 0.0
        known = "" if word.confidence is None else f" {word.confidence:.4f}"
        lines.append(f"{name} {CHANNEL} {start:.3f} {end - start:.3f} {_one_field(word.text)}{known}")
    return "".join(f"{line}\n" for line in lines)


def write_stm(transcript: Transcript) -> str:
    """`file channel speaker start end <label> text`, a line for each segment."""
    name = file_id(transcript)
    return "".join(
        f"{name} {CHANNEL} {_one_field(segment.speaker or NAMELESS)} {segment.start:.3f} {segment.end:.3f} <o,f0,unknown> "
        f"{plain_spaces(segment.text)}\n"
        for segment in transcript.segments if plain_spaces(segment.text))


def write_rttm(transcript: Transcript) -> str:
    """`SPEAKER file channel start duration <NA> <NA> name <NA> <NA>`, a line for each turn.

    Raises FormatError where nobody listened for speakers.
    """
    turns = transcript.turns or tuple(_turns_of_words(transcript))
    if not turns and transcript.segments:
        raise FormatError("rttm says who speaks when, and this transcript does not: transcribe with --speakers")
    name = file_id(transcript)
    return "".join(f"SPEAKER {name} {CHANNEL} {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> {_one_field(turn.speaker)} <NA> <NA>\n"
                   for turn in sorted(turns, key=lambda turn: turn.start))


def _turns_of_words(transcript: Transcript) -> Iterator[Turn]:
    """Runs of words of one speaker, where the transcript names speakers but keeps no turns."""
    turn: Turn | None = None
    for segment in timed_segments(transcript):
        for word in segment.words:
            speaker = word.speaker or segment.speaker
            start, end = word.start or 0.0, word.end or 0.0
            if turn and turn.speaker == speaker:
                turn = Turn(turn.start, end, speaker)
                continue
            if turn:
                yield turn
            turn = Turn(start, end, speaker) if speaker else None
    if turn:
        yield turn


def _one_field(text: str) -> str:
    return "_".join(plain_spaces(text).split())
