"""When each piece of text was committed: events in, the lines out that tools for streaming latency read.

The form is the JSON lines of SimulStreaming, with one field more, for the two clocks on which a delay can be measured. Knows
nothing of files or of time: whoever reads the session says when an event came.

    emission_time   seconds on the wall's clock from the first sample fed: what the machine needed is in it
    audio_time      seconds of sound that had come in, on the session's clock: as if the machine were infinitely fast
    start, end      of the sound of the text
    text            to be put behind the text of the lines before; begins with a space where the script wants one
    is_final        whether the utterance is complete with it
    status          COMPLETE, always: what is committed is never taken back
    item_id         of the utterance
    words           of the text: {text, start, end}
"""

import json
from collections.abc import Sequence
from typing import Any

from ossicle.results import Word
from ossicle.stream_events import Final, Partial, SessionEvent, SpeechStarted
from ossicle.text.words import seam


class DeltaLog:
    """The log of one session; remembers what was said before."""

    def __init__(self) -> None:
        self._text = ""                                 # all that was committed
        self._is_new = True                             # the next delta begins an utterance
        self._end = 0.0                                 # of the last delta, or where the utterance begins

    def line(self, event: SessionEvent, emission_time: float) -> str | None:
        """The line that an event makes; None where it commits nothing."""
        match event:
            case SpeechStarted():
                self._is_new, self._end = True, max(self._end, event.start)
            case Partial() if event.committed_delta:
                return self._line(event, event.committed_delta, event.words, event.audio_seconds, emission_time)
            case Final() if event.text:
                return self._line(event, event.committed_delta, _last(event.words, event.committed_delta), event.end, emission_time)
        return None

    def _line(self, event: Partial | Final, delta: str, words: Sequence[Word], end: float, emission_time: float) -> str:
        text = delta
        if delta and self._is_new:
            text = seam(self._text, delta.lstrip()) + delta.lstrip()
            self._is_new = False
        self._text += text
        timed = [word for word in words if word.start is not None and word.end is not None]
        start = timed[0].start if timed else min(self._end, end)
        self._end = timed[-1].end or end if timed else end
        is_final = isinstance(event, Final)
        self._is_new = self._is_new or is_final
        found: dict[str, Any] = {
            "emission_time": round(emission_time, 6), "audio_time": event.audio_seconds, "start": start, "end": self._end, "text": text,
            "is_final": is_final, "status": "COMPLETE", "item_id": event.item_id,
            "words": [{"text": word.text, "start": word.start, "end": word.end} for word in words],
        }
        return json.dumps(found, ensure_ascii=False) + "\n"


def _last(words: Sequence[Word], text: str) -> Sequence[Word]:
    """The last words, those that spell `text`; none where none do."""
    place, left = len(words), text
    while left and place and left.endswith(words[place - 1].text):
        place -= 1
        left = left[: len(left) - len(words[place].text)]
    return () if left else words[place:]
