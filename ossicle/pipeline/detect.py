"""A recording to the languages in it, without its text: a few of its pieces are listened to, and one token of each is looked at."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ossicle.audio.recording import read_recording
from ossicle.audio.resample import SAMPLE_RATE
from ossicle.audio.vad import find_speech
from ossicle.decode.phrases import score_phrases
from ossicle.errors import ModelError
from ossicle.options import DecodeOptions, DetectOptions, TranscribeOptions, VadOptions
from ossicle.pipeline.engine import Engine, Parts
from ossicle.pipeline.languages import Chances, find_languages
from ossicle.pipeline.pieces import Piece, make_sound
from ossicle.pipeline.recognize import Sound, StageClock, listen
from ossicle.pipeline.transcribe import cut
from ossicle.progress import CancelToken
from ossicle.results import Detection, LanguageGuess, source_name
from ossicle.text.prompt import build_prompt
from ossicle.text.reply import NO_SPEECH


def detect(engine: Engine, source: Any, options: DetectOptions, cancel: CancelToken | None = None) -> Detection:
    """Which language is spoken in one source of sound, by the model's probabilities.

    source   whatever audio/load.py reads
    Raises AudioError, OptionError for a language the model does not know, Cancelled.
    """
    cancel = cancel or CancelToken()
    with engine.in_use():
        if engine.config.is_aligner:
            raise ModelError("this checkpoint is a forced aligner: it times words it is given and hears no language; "
                             "load a recogniser such as 0.6b")
        allowed = find_languages(options.languages, engine.config.support_languages)
        like = TranscribeOptions(audio=options.audio, split=options.split, decode=DecodeOptions(batch_size=options.batch_size))
        warnings: list[str] = []
        with read_recording(source, options.audio, on_progress=lambda *_: cancel.check(), on_warning=warnings.append) as recording:
            # The gate alone: a few pieces of hours are listened to, and one without speech says so itself.
            speech = find_speech(recording, VadOptions("energy"))
            pieces = spread_out([piece for piece in cut(recording, speech, like) if not piece.is_silent], options.max_chunks)
            guesses: list[LanguageGuess] = []
            for first in range(0, len(pieces), options.batch_size):
                batch = pieces[first : first + options.batch_size]
                sounds = [make_sound(recording, piece, like) for piece in batch]
                try:
                    heard = engine.run(hear_languages, engine.parts, sounds, allowed, cancel)
                except KeyboardInterrupt:
                    cancel.cancel()                         # while we waited: the engine stops, too
                    raise
                guesses += [_guess(piece, chances, options.audio.start_seconds) for piece, chances in zip(batch, heard, strict=True)]
            start, end = options.audio.start_seconds, options.audio.start_seconds + recording.seconds
            names = allowed or tuple(name for name in engine.parts.headers.names if name != NO_SPEECH)
            return Detection(_overall(guesses, names, start, end), tuple(guesses), recording.seconds, source_name(source), engine.facts,
                             tuple(warnings))


def hear_languages(parts: Parts, sounds: Sequence[Sound], allowed: Sequence[str], cancel: CancelToken) -> list[Chances]:
    """How likely each language is for sounds side by side: on the engine's thread, one pass of the decoder over all of them."""
    audio, headers = listen(parts, sounds, StageClock(), cancel), parts.headers
    prompts = [build_prompt(parts.tokenizer, len(rows)) for rows in audio]
    prompts = [replace(prompt, ids=[*prompt.ids, *headers.phrases.start]) for prompt in prompts]
    cache, embeddings = parts.turns.begin(parts.network, prompts, audio, max(len(prompt.ids) for prompt in prompts))
    cancel.check()
    logits = parts.network.forward(embeddings, cache).logits
    return [headers.chances(row, allowed) for row in score_phrases(parts.network, logits, cache, headers.phrases)]


def spread_out(pieces: Sequence[Piece], most: int | None) -> list[Piece]:
    """So many of the pieces at most, from the beginning to the end; None takes all."""
    if most is None or len(pieces) <= most:
        return list(pieces)
    return [pieces[int((place + 0.5) * len(pieces) / most)] for place in range(most)]


def _guess(piece: Piece, chances: Chances, offset: float) -> LanguageGuess:
    start, end = offset + piece.start / SAMPLE_RATE, offset + piece.end / SAMPLE_RATE
    return _from_chances(chances, start, end)


def _overall(guesses: Sequence[LanguageGuess], names: Sequence[str], start: float, end: float) -> LanguageGuess:
    """The mean over the pieces with speech, or over all where there is none, by their length."""
    counted = [guess for guess in guesses if guess.language] or guesses
    if not counted:
        return LanguageGuess(start, end, None, dict.fromkeys(names, 0.0), 1.0)
    total = sum(guess.end - guess.start for guess in counted)
    chances = dict.fromkeys((*names, NO_SPEECH), 0.0)
    for guess in counted:
        for name, chance in (*guess.probabilities.items(), (NO_SPEECH, guess.no_speech)):
            chances[name] += chance * (guess.end - guess.start) / total
    return _from_chances(chances, start, end)


def _from_chances(chances: Chances, start: float, end: float) -> LanguageGuess:
    ranked = dict(sorted(chances.items(), key=lambda entry: -entry[1]))
    likeliest = next(iter(ranked))
    no_speech = ranked.pop(NO_SPEECH)
    return LanguageGuess(start, end, None if likeliest == NO_SPEECH else likeliest, ranked, no_speech)
