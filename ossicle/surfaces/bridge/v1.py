"""Version 1, `qwen3-asr-mlx-jsonl-v1`: one request in, exactly one reply out, with the fields that its clients know.

Facts of the protocol stand in docs/bridge.md, what we do otherwise too: nothing queued is ever lost, and nothing waits for
longer than its stream allows.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ossicle.errors import SpeechError
from ossicle.results import HeardClips
from ossicle.surfaces.bridge.loading import Loading
from ossicle.surfaces.bridge.messages import (
    SAMPLE_RATE,
    Refused,
    Request,
    choice_of,
    flag_of,
    name_of,
    path_of,
    pcm_of,
    whole_of,
)
from ossicle.surfaces.bridge.partials import LiveText
from ossicle.surfaces.bridge.queueing import NEVER, Batch, Queue, Utterance
from ossicle.surfaces.bridge.telemetry import joined, profile_of
from ossicle.surfaces.bridge.wire import Wire

PROTOCOL, RUNTIME = "qwen3-asr-mlx-jsonl-v1", "qwen3-asr-mlx"
MODES = ("sequential", "batched")
MESSAGES = ("capabilities", "start", "transcribe", "batch_transcribe", "start_stream", "audio_chunk", "end_utterance", "vad_boundary",
            "flush", "stop_stream", "stop")
STAGES = {"sequential": "batch_cached_sequential", "batched": "batch_batched_decode", "no_cache": "batch_no_cache"}
SINGLE_STAGES = {"sequential": "cached_transcribe", "no_cache": "no_cache_transcribe"}
NOTE = ("End utterances with end_utterance or vad_boundary. A batch is heard when batch_size utterances wait or the oldest has waited "
        "max_batch_delay_ms; flush tells what was heard.")


@dataclass(frozen=True)
class V1Options:
    """What the command line says for every request."""

    language: str | None = None         # forced; the model then writes no language
    max_new_tokens: int = 0             # 0: until the model ends
    has_cache: bool = True
    has_partials: bool = True           # hear streams while they are spoken


@dataclass
class Stream:
    """One live stream: the sound since its last boundary."""

    stream_id: str
    batch_size: int = 4
    max_batch_delay_ms: int = 120
    is_unsolicited: bool = False
    has_partials: bool = True
    blocks: list[np.ndarray] = field(default_factory=list)      # (n,) int16 each
    num_chunks: int = 0
    num_utterances: int = 0
    live: LiveText | None = None

    @property
    def num_samples(self) -> int:
        return sum(map(len, self.blocks))


def capabilities(model: str, has_cache: bool) -> dict[str, Any]:
    """What the bridge can do, without loading anything."""
    return {
        "type": "capabilities", "runtime": RUNTIME, "protocol": PROTOCOL, "model": model, "sample_rate": SAMPLE_RATE,
        "audio_format": "mono pcm16 little-endian base64, or the path of a sound file", "vad_boundary_source": "external",
        "use_cache": has_cache, "decoder_modes": list(MODES) if has_cache else ["no_cache"], "messages": list(MESSAGES),
        "models": {"efficiency": "Qwen/Qwen3-ASR-0.6B", "accuracy_candidate": "Qwen/Qwen3-ASR-1.7B"},
    }


class V1:
    """One conversation in version 1. `take` answers on the calling thread; only unsolicited batches come from another."""

    def __init__(self, model: Loading, options: V1Options, wire: Wire, note: Callable[[str], None]) -> None:
        self._model, self._options, self._wire, self._note = model, options, wire, note
        self._streams: dict[str, Stream] = {}
        self._queue = Queue(self._hear, self._tell, note)
        self._answers: dict[str, Callable[[Request], dict[str, Any]]] = {
            "capabilities": self._capabilities, "hello": self._capabilities, "start": self._start, "transcribe": self._transcribe,
            "batch_transcribe": self._batch_transcribe, "start_stream": self._start_stream, "audio_chunk": self._audio_chunk,
            "end_utterance": self._end_utterance, "vad_boundary": self._end_utterance, "flush": self._flush,
            "stop_stream": self._stop_stream, "stop": self._stop,
        }

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open and nobody waits for a result: another version may take over."""
        return not self._streams and not len(self._queue)

    def take(self, request: Request) -> bool:
        """Answer one request with one line; False after `stop`. Raises nothing that a request could cause."""
        kind = request.get("type")
        answer = self._answers.get(kind) if isinstance(kind, str) else None
        if answer is None:
            self.refuse(Refused("unknown_type", f"unknown message type: {kind}"))
            return True
        try:
            reply = answer(request)
        except Exception as error:
            self.refuse(error)
            return True
        self._wire.say(reply)
        return reply["type"] != "stopped"

    def refuse(self, error: Exception, request: Request | None = None) -> None:
        """Say that a request, or a line that is none, was not carried out."""
        message = "; ".join([str(error) or type(error).__name__, *getattr(error, "__notes__", ())])
        reply = {"type": "error", "message": message}
        if not isinstance(error, Refused):
            reply["traceback"] = "".join(traceback.format_exception(error))
        self._wire.say(reply)

    def close(self, has_time: bool = True) -> None:
        """The other side sends no more. Results that some client takes without asking are told still, where there is time."""
        for stream in list(self._streams.values()):
            if stream.is_unsolicited and has_time:
                self._queue_rest(stream)
            self._end_live(stream)
        try:
            batches = self._queue.take(self._mode({}), self._limit({}), lambda one: one.is_unsolicited) if has_time else []
            if batches:
                self._wire.say(self._final(batches, "flush", 0.0))
        except Exception as error:
            self._note(f"the last utterances could not be heard: {error}")
        self._queue.close()
        if len(self._queue):
            self._note(f"the other side went away before it asked for {len(self._queue)} utterances")

    # Requests, in the order of the protocol.

    def _capabilities(self, request: Request) -> dict[str, Any]:
        return capabilities(self._model.name, self._options.has_cache)

    def _start(self, request: Request) -> dict[str, Any]:
        recognizer, seconds = self._model.get()
        return {
            "type": "ready", "runtime": RUNTIME, "protocol": PROTOCOL, "model": self._model.name, "model_dir": recognizer.facts.path,
            "use_cache": self._options.has_cache, "load_seconds": round(seconds, 4), "load_profile": self._model.profile,
        }

    def _transcribe(self, request: Request) -> dict[str, Any]:
        path, limit = path_of(request.get("audio")), self._limit(request)
        recognizer, load_seconds = self._model.get()
        began, mode = time.perf_counter(), self._mode({})
        heard = self._hear([recognizer.read_clip(path)], mode, limit)
        clip, = heard.clips
        return {
            "type": "transcript", "audio": path, "text": clip.text, "generated_token_ids": list(clip.token_ids),
            "generated_tokens": len(clip.token_ids), "audio_embeddings_shape": [sum(clip.audio_lengths), clip.hidden],
            "audio_output_lengths": list(clip.audio_lengths), "decode_seconds": round(clip.decode_seconds, 4),
            "total_seconds": round(time.perf_counter() - began, 4), "load_seconds": round(load_seconds, 4),
            "use_cache": self._options.has_cache, "profile": profile_of(heard, SINGLE_STAGES[mode]),
        }

    def _batch_transcribe(self, request: Request) -> dict[str, Any]:
        names = request.get("audio")
        if not isinstance(names, list) or not names:
            raise Refused("bad_request", "batch_transcribe requires a non-empty audio list")
        paths, mode, limit = [path_of(name) for name in names], self._mode(request), self._limit(request)
        recognizer, load_seconds = self._model.get()
        began = time.perf_counter()
        heard = self._hear([recognizer.read_clip(path) for path in paths], mode, limit)
        return {
            "type": "batch_transcript", "count": len(paths),
            "items": [{
                "audio": path, "text": clip.text, "generated_tokens": len(clip.token_ids),
                "audio_embeddings_shape": [sum(clip.audio_lengths), clip.hidden], "decode_seconds": round(clip.decode_seconds, 4),
            } for path, clip in zip(paths, heard.clips, strict=True)],
            "total_seconds": round(time.perf_counter() - began, 4), "load_seconds": round(load_seconds, 4),
            "use_cache": self._options.has_cache, "decoder_mode": mode, "profile": profile_of(heard, STAGES[mode]),
        }

    def _start_stream(self, request: Request) -> dict[str, Any]:
        name = name_of(request, "stream_id", "default")
        _check_rate(request)
        stream = Stream(name, max(1, whole_of(request, "batch_size", 4)), whole_of(request, "max_batch_delay_ms", 120),
                        flag_of(request, "unsolicited"), flag_of(request, "partials", self._options.has_partials))
        self._model.get()                               # now, so that the first words need not wait for it
        before = self._streams.get(name)
        if before is not None:                          # a second start of one stream begins it anew; what it holds is not lost
            self._queue_rest(before)
            stream.num_utterances = before.num_utterances
        self._streams[name] = stream
        return {
            "type": "stream_ready", "protocol": PROTOCOL, "stream_id": name, "sample_rate": SAMPLE_RATE, "batch_size": stream.batch_size,
            "max_batch_delay_ms": stream.max_batch_delay_ms, "asr_backend": self._backend(), "vad_backend": "external-boundary",
            "note": NOTE,
        }

    def _audio_chunk(self, request: Request) -> dict[str, Any]:
        stream = self._stream(request)
        _check_rate(request)
        block = pcm_of(request) if request.get("pcm16") not in (None, "") else np.zeros(0, np.int16)
        if len(block):
            stream.blocks.append(block)
            self._feed_live(stream, block)
        stream.num_chunks += 1
        return {
            "type": "partial_result", "stream_id": stream.stream_id, "text": stream.live.text if stream.live else "",
            "samples_buffered": stream.num_samples, "chunks": stream.num_chunks, "is_final": False,
        }

    def _end_utterance(self, request: Request) -> dict[str, Any]:
        stream, mode, limit = self._stream(request), self._mode(request), self._limit(request)
        samples, source = self._sound(request, stream)
        num_queued = len(self._queue) + 1
        is_full = num_queued >= stream.batch_size       # then this reply has the result, and the timer leaves the utterance alone
        utterance = self._put(stream, samples, source, request, mode, limit, NEVER if is_full else stream.max_batch_delay_ms / 1000)
        if is_full:
            _, load_seconds = self._model.get()
            return self._final(self._queue.take(mode, limit), "batch_size", load_seconds)
        return {
            "type": "utterance_queued", "stream_id": stream.stream_id, "utterance_id": utterance.utterance_id, "samples": len(samples),
            "queued": num_queued, "batch_size": stream.batch_size,
        }

    def _flush(self, request: Request) -> dict[str, Any]:
        mode, limit = self._mode(request), self._limit(request)
        _, load_seconds = self._model.get()
        return self._final(self._queue.take(mode, limit), "flush", load_seconds)

    def _stop_stream(self, request: Request) -> dict[str, Any]:
        stream = self._stream(request)
        self._queue_rest(stream)
        self._streams.pop(stream.stream_id)
        batches = self._queue.take(self._mode({}), self._limit({}), lambda one: one.stream_id == stream.stream_id)
        return {"type": "stream_stopped", "stream_id": stream.stream_id, "dropped_samples": 0, "queued": len(self._queue),
                "items": _items(batches)}

    def _stop(self, request: Request) -> dict[str, Any]:
        for stream in list(self._streams.values()):
            self._queue_rest(stream)
        self._streams.clear()
        try:
            items = _items(self._queue.take(self._mode({}), self._limit({})))
        except Exception as error:                      # whoever stops is told so, and leaves
            self._note(f"the last utterances could not be heard: {'; '.join([str(error), *getattr(error, '__notes__', ())])}")
            items = []
        return {"type": "stopped", "items": items}

    # What they stand on.

    def _stream(self, request: Request) -> Stream:
        """The stream that a request names; clients of this version need not start one."""
        name = name_of(request, "stream_id", "default")
        if name not in self._streams:
            self._streams[name] = Stream(name, has_partials=self._options.has_partials)
        return self._streams[name]

    def _sound(self, request: Request, stream: Stream) -> tuple[np.ndarray, str]:
        """The sound of an utterance, (n,) float32, and where it came from."""
        if "audio" in request:
            path = path_of(request["audio"])
            recognizer, _ = self._model.get()
            return recognizer.read_clip(path), path
        if "pcm16" in request:
            _check_rate(request)
            return _as_float(pcm_of(request)), "pcm16"
        if not stream.num_samples:
            raise Refused("bad_request", f"stream {stream.stream_id} has no sound since its last boundary; send audio_chunk before it")
        return _as_float(np.concatenate(stream.blocks)), "buffer"

    def _put(
        self, stream: Stream, samples: np.ndarray, source: str, request: Request, mode: str, limit: int | None, delay_seconds: float
    ) -> Utterance:
        if not len(samples):
            raise Refused("bad_audio", "an utterance must have sound, got no samples")
        self._end_live(stream)
        stream.blocks = []                              # an utterance that comes whole stands for what was streamed of it
        stream.num_utterances += 1
        name = name_of(request, "utterance_id", f"{stream.stream_id}-{stream.num_utterances}")
        due = time.monotonic() + delay_seconds
        utterance = Utterance(stream.stream_id, name, samples, source, mode, limit, stream.is_unsolicited, due)
        self._queue.put(utterance)
        return utterance

    def _queue_rest(self, stream: Stream) -> None:
        """What came since the last boundary is an utterance, too."""
        if stream.num_samples:
            samples = _as_float(np.concatenate(stream.blocks))
            self._put(stream, samples, "buffer", {}, self._mode({}), self._limit({}), stream.max_batch_delay_ms / 1000)
        self._end_live(stream)

    def _feed_live(self, stream: Stream, block: np.ndarray) -> None:
        try:
            if stream.has_partials and stream.live is None:
                recognizer, _ = self._model.get()
                stream.live = LiveText(recognizer, self._options.language, self._note)
            if stream.live is not None:
                stream.live.feed(block)
        except SpeechError as error:                    # it is only shown: the utterance itself is heard at its end
            self._note(f"stream {stream.stream_id} goes on without live text: {error}")
            stream.has_partials, stream.live = False, None

    def _end_live(self, stream: Stream) -> None:
        if stream.live is not None:
            stream.live.drop()
            stream.live = None

    def _hear(self, clips: Sequence[np.ndarray], mode: str, max_tokens: int | None) -> HeardClips:
        recognizer, _ = self._model.get()
        return recognizer.hear_clips(clips, language=self._options.language, max_tokens=max_tokens, is_batched=mode == "batched",
                                     has_cache=mode != "no_cache")

    def _tell(self, batch: Batch) -> None:
        self._wire.say(self._final([batch], "delay", 0.0))

    def _final(self, batches: Sequence[Batch], reason: str, load_seconds: float) -> dict[str, Any]:
        reply = {"type": "realtime_batch_final", "reason": reason, "count": sum(len(batch.utterances) for batch in batches),
                 "items": _items(batches)}
        loaded = {"load_seconds": round(load_seconds, 4), "use_cache": self._options.has_cache}
        if not batches:
            return reply | loaded
        run = joined(list({id(batch.run): batch.run for batch in batches}.values()))
        stages = dict.fromkeys(STAGES[batch.mode] for batch in batches)
        return {
            **reply, "total_seconds": round(run.total, 4), **loaded, "decoder_mode": batches[-1].mode, "asr_backend": self._backend(),
            "vad_backend": "external-boundary", "profile": profile_of(run, "+".join(stages)),
        }

    def _mode(self, request: Request) -> str:
        mode = choice_of(request, "decoder_mode", MODES if self._options.has_cache else (*MODES, "no_cache"), "sequential")
        return mode if self._options.has_cache else "no_cache"

    def _limit(self, request: Request) -> int | None:
        return whole_of(request, "max_new_tokens", self._options.max_new_tokens) or None

    def _backend(self) -> str:
        recognizer, _ = self._model.get()
        return recognizer.facts.engine


def _items(batches: Sequence[Batch]) -> list[dict[str, Any]]:
    return [{
        "type": "final_result", "stream_id": one.stream_id, "utterance_id": one.utterance_id, "source": one.source,
        "samples": len(one.samples), "text": clip.text, "generated_tokens": len(clip.token_ids),
        "audio_embeddings_shape": [sum(clip.audio_lengths), clip.hidden], "decode_seconds": round(clip.decode_seconds, 4),
    } for batch in batches for one, clip in zip(batch.utterances, batch.clips, strict=True)]


def _check_rate(request: Request) -> None:
    rate = whole_of(request, "sample_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise Refused("bad_audio", f"sound must have {SAMPLE_RATE} samples a second in this version, got {rate}")


def _as_float(samples: np.ndarray) -> np.ndarray:
    return samples.astype(np.float32) / np.float32(32768)
