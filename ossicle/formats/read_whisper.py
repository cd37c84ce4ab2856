"""The JSON of Whisper and its kin: openai-whisper, faster-whisper and WhisperX files, the OpenAI service's verbose_json."""

import math
from typing import Any

from ossicle.errors import FormatError
from ossicle.formats.foreign import Spoken, Stretch, make_transcript
from ossicle.results import Transcript


def is_whisper(content: dict[str, Any]) -> bool:
    """Whether this looks like their file: a list of segments with times and text."""
    segments = content.get("segments")
    return isinstance(segments, list) and all(isinstance(entry, dict) and {"start", "end", "text"} <= set(entry) for entry in segments)


def from_whisper(content: dict[str, Any], name: str) -> Transcript:
    """The transcript of such a file. Raises FormatError where a time is no number or a text no text."""
    loose = [_spoken(word, name) for word in content.get("words") or []]         # verbose_json has them beside the segments
    stretches = []
    for place, segment in enumerate(content["segments"]):
        where = f"{name}: segments[{place}]"
        start, end = _seconds(segment["start"], f"{where}.start"), _seconds(segment["end"], f"{where}.end")
        if start is None or end is None or not isinstance(segment["text"], str):
            raise FormatError(f"{where} must have numbers as start and end and a text, got {segment!r:.80}")
        own = [_spoken(word, where) for word in segment.get("words") or []]
        last = place + 1 == len(content["segments"])
        taken = own or [word for word in loose if word.start is not None and (start <= word.start < end or (last and word.start >= start))]
        stretches.append(Stretch(segment["text"], start, end, segment.get("speaker"), tuple(taken), _certainty(segment)))
    duration = content.get("duration")
    return make_transcript(stretches, "JSON of another program", content.get("language"),
                           _seconds(duration, f"{name}: duration") if duration is not None else None)


def _spoken(word: Any, where: str) -> Spoken:
    if not isinstance(word, dict) or not isinstance(text := word.get("word", word.get("text")), str):
        raise FormatError(f"{where} has a word without text: {word!r:.80}")
    probability = word.get("probability", word.get("score"))
    return Spoken(text, _seconds(word.get("start"), where), _seconds(word.get("end"), where),
                  probability if isinstance(probability, float) and 0 <= probability <= 1 else None, word.get("speaker"))


def _certainty(segment: dict[str, Any]) -> float | None:
    mean = segment.get("avg_logprob")
    return min(1.0, math.exp(mean)) if isinstance(mean, int | float) and not isinstance(mean, bool) else None


def _seconds(value: Any, where: str) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)                           # verbose_json has had its duration as text
    except (TypeError, ValueError) as error:
        raise FormatError(f"{where} must be a number of seconds, got {value!r}") from error
    if not math.isfinite(seconds):
        raise FormatError(f"{where} must be a number of seconds, got {value!r}")
    return max(0.0, seconds)
