"""A small transcript with something of everything, and a recogniser that hands it out."""

from dataclasses import replace

from ossicle.errors import AudioError
from ossicle.progress import ChunkDone, Done, SegmentDone, Started, Warned
from ossicle.results import Chunk, Coverage, Gap, ModelFacts, Segment, Timings, Token, Transcript, Word

FACTS = ModelFacts("tiny", "/models/tiny", "mlx", "a machine (cpu)", "float32", "float16", 2_782_784, {"ossicle": "0.1.0"},
                   5_565_568, 4_000_000)
TRANSCRIPT = Transcript(
    text="Grüß Gott. 你好",
    language="German,Chinese",
    duration=4.0,
    segments=(
        Segment("Grüß Gott.", 0.0, 2.0, "German", 0.75, (Word("Grüß", confidence=0.5), Word(" Gott.", confidence=1.0))),
        Segment(" 你好", 2.0, 4.0, "Chinese", None, (Word(" 你好"),)),
    ),
    chunks=(
        Chunk(0, 0.0, 2.0, "Grüß Gott.", "German", "eos", 1, 2, -0.25, (Token(7, "Grüß", -0.5), Token(9, " Gott.", 0.0))),
        Chunk(1, 2.0, 4.0, "你好", "Chinese", "budget", 2, 1, -0.125, (Token(3, "你好", -0.125),)),
    ),
    coverage=Coverage(4.0, 2.0, 0.0, 2.0, (Gap(2.0, 4.0, "the token budget ran out before the model was done"),)),
    warnings=("2.00 to 4.00 s: text may be missing",),
    timings=Timings(audio=0.25, mel=0.125, encode=0.25, prefill=0.125, decode=0.25, first_text=0.5, total=1.0, num_steps=3),
    model=FACTS,
    source="talk.wav",
)
WHOLE = replace(TRANSCRIPT, coverage=Coverage(4.0, 4.0, 0.0, 0.0), warnings=(),
                chunks=(TRANSCRIPT.chunks[0], replace(TRANSCRIPT.chunks[1], stopped_by="eos")))


def events_of(transcript):
    """What a listener is told about a transcript, in order."""
    yield Started(transcript.source, transcript.duration, len(transcript.chunks))
    for chunk, segment in zip(transcript.chunks, transcript.segments, strict=True):
        progress = chunk.end / transcript.duration
        yield ChunkDone(chunk, chunk.end, transcript.duration, chunk.end / 10, progress)
        yield SegmentDone(segment, progress)
    for warning in transcript.warnings:
        yield Warned(warning, 2.0, 4.0, 1.0)
    yield Done(transcript)


class Recogniser:
    """Answers every source with `answer(source)`, or with the whole transcript; remembers what it was asked."""

    facts = FACTS

    def __init__(self, answer=None):
        self.answer = answer or (lambda source: WHOLE)
        self.asked, self.num_rounds, self.is_closed = [], 0, False

    def transcribe(self, source, *, options, on_event, cancel):
        self.asked.append((source, options))
        if "broken" in str(source):
            raise AudioError(f"expected sound in {source}, got noise")
        transcript = replace(self.answer(source), source=str(source))
        for event in events_of(transcript):
            on_event(event)
        return transcript

    def transcribe_each(self, sources, *, options, on_event, cancel, known_chunks=None):
        self.num_rounds += 1
        for source in sources:
            try:
                yield self.transcribe(source, options=options, on_event=on_event, cancel=cancel)
            except AudioError as error:
                yield error

    def close(self):
        self.is_closed = True
