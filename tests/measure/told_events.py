"""Sessions written down by hand: what was told when, in one line for each event."""

from ossicle.results import Word
from ossicle.stream_events import Endpoint, Final, LiveTimings, Partial, SpeechStarted, Usage


def utterance(name, steps, last, *, start=0.0, end=None, words=None, reason="silence", text=None, endpoint=None, timings=None, usage=None):
    """Events of one utterance with their wall times.

    steps   (audio, wall, committed, pending) of each partial
    last    (audio, wall, committed) of the final
    """
    told, committed = [(start, SpeechStarted(item_id=name, start=start, audio_seconds=start))], ""
    for audio, wall, delta, pending in steps:
        committed += delta
        told.append((wall, Partial(item_id=name, audio_seconds=audio, committed_delta=delta, pending_text=pending,
                                   committed_text=committed)))
    audio, wall, delta = last
    committed += delta
    end = audio if end is None else end
    if endpoint is not None:
        told.append((endpoint[1], Endpoint(item_id=name, audio_seconds=endpoint[0], end=end, reason=reason)))
    told.append((wall, Final(item_id=name, audio_seconds=audio, text=committed if text is None else text, committed_delta=delta,
                             words=tuple(words or ()), start=start, end=end, reason=reason, timings=timings or LiveTimings(),
                             usage=usage or Usage())))
    return told


def words(*timed):
    """(text, start, end) each."""
    return tuple(Word(text, start, end) for text, start, end in timed)
