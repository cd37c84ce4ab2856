"""Local speech-to-text with the open Qwen3-ASR models.

    import ossicle

    asr = ossicle.load("Qwen/Qwen3-ASR-0.6B")
    print(asr.transcribe("talk.wav").text)
"""

import logging
from typing import TYPE_CHECKING, Any

from ossicle._version import __version__
from ossicle.errors import (
    AudioError,
    Cancelled,
    FormatError,
    MissingExtra,
    ModelError,
    OptionError,
    SpeechError,
    StreamError,
)
from ossicle.glossary import Glossary, Replacement, Term, parse_glossary, read_glossary
from ossicle.options import (
    AudioOptions,
    CueOptions,
    DecodeOptions,
    DetectOptions,
    EngineOptions,
    SegmentOptions,
    SourceOptions,
    SpeakerOptions,
    SplitOptions,
    TranscribeOptions,
    VadOptions,
)
from ossicle.progress import CancelToken, ChunkDone, Diarizing, Done, Event, SegmentDone, Started, Warned
from ossicle.results import (
    Chunk,
    Coverage,
    Detection,
    Gap,
    LanguageGuess,
    ModelFacts,
    Respelling,
    Segment,
    Timings,
    Token,
    Transcript,
    Turn,
    Word,
)
from ossicle.stream_events import (
    Endpoint,
    Failure,
    Final,
    LiveEvent,
    LiveTimings,
    LiveWarning,
    Partial,
    SpeechStarted,
    Usage,
)
from ossicle.stream_options import EndpointOptions, PolicyOptions, StreamOptions

if TYPE_CHECKING:
    from ossicle.recognizer import Recognizer, load

__all__ = [
    "AudioError",
    "AudioOptions",
    "CancelToken",
    "Cancelled",
    "Chunk",
    "ChunkDone",
    "Coverage",
    "CueOptions",
    "DecodeOptions",
    "DetectOptions",
    "Detection",
    "Diarizing",
    "Done",
    "Endpoint",
    "EndpointOptions",
    "EngineOptions",
    "Event",
    "Failure",
    "Final",
    "FormatError",
    "Gap",
    "Glossary",
    "LanguageGuess",
    "LiveEvent",
    "LiveTimings",
    "LiveWarning",
    "MissingExtra",
    "ModelError",
    "ModelFacts",
    "OptionError",
    "Partial",
    "PolicyOptions",
    "Recognizer",
    "Replacement",
    "Respelling",
    "Segment",
    "SegmentDone",
    "SegmentOptions",
    "SourceOptions",
    "SpeakerOptions",
    "SpeechError",
    "SpeechStarted",
    "SplitOptions",
    "Started",
    "StreamError",
    "StreamOptions",
    "Term",
    "Timings",
    "Token",
    "TranscribeOptions",
    "Transcript",
    "Turn",
    "Usage",
    "VadOptions",
    "Warned",
    "Word",
    "__version__",
    "load",
    "parse_glossary",
    "read_glossary",
]

logging.getLogger("ossicle").addHandler(logging.NullHandler())     # a library stays silent until asked; warnings are in the results


def __getattr__(name: str) -> Any:
    # The network, the codecs and the tokenizer are imported when they are first wanted: `ossicle --help` is not.
    if name in ("Recognizer", "load"):
        from ossicle import recognizer

        return getattr(recognizer, name)
    raise AttributeError(f"module 'ossicle' has no attribute {name!r}")
