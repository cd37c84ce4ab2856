"""Version 2, `ossicle-jsonl-v2`: requests with ids, answered as soon as each is done; streams that tell by themselves what they hear.

Order that can be relied on: requests about one stream act in the order in which they came, and so do its events. Everything else
goes on side by side. docs/bridge.md is the protocol.
"""

import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ossicle._version import __version__
from ossicle.formats.lines import SCHEMA
from ossicle.progress import CancelToken
from ossicle.results import Transcript
from ossicle.surfaces.bridge import asking, v1
from ossicle.surfaces.bridge.loading import Loading
from ossicle.surfaces.bridge.messages import (
    CODES,
    Refused,
    Request,
    code_of,
    flag_of,
    name_of,
    path_of,
    pcm_of,
    whole_of,
)
from ossicle.surfaces.bridge.streaming import Stream
from ossicle.surfaces.bridge.wire import Wire

PROTOCOL = "ossicle-jsonl-v2"
MAX_QUEUED_MS = 5000                # of sound that waits in a stream, from which its client is warned, where it names no limit
NUM_HANDS = 4                       # recordings in work at once: reading one, while another is decoded
MAX_PENDING = 64                    # requests that wait for their answer; more are refused


class V2:
    """One conversation in version 2. `take` never waits for sound to be heard, but for `start` and `stop`."""

    def __init__(self, model: Loading, language: str | None, wire: Wire, note: Callable[[str], None]) -> None:
        """language   what the command line forces, where a request says nothing of languages"""
        self._model, self._language, self._wire, self._note = model, language, wire, note
        self._streams: dict[str, Stream] = {}
        self._num_streams = 0
        self._hands = ThreadPoolExecutor(NUM_HANDS, "bridge")
        self._lock = threading.Lock()                       # guards what is pending
        self._pending: dict[object, CancelToken] = {}       # by the id of the request, or an object of its own without one
        self._answers: dict[str, Callable[[Request], dict[str, Any] | None]] = {
            "start": self._start, "capabilities": self._capabilities, "transcribe": self._transcribe,
            "batch_transcribe": self._batch_transcribe, "start_stream": self._start_stream, "audio_chunk": self._audio_chunk,
            "commit": self._commit, "clear": self._clear, "stop_stream": self._stop_stream, "cancel": self._cancel, "stop": self._stop,
        }

    @property
    def is_idle(self) -> bool:
        """Whether no stream is open and nobody waits for an answer."""
        return not self._streams and not self._pending

    def take(self, request: Request) -> bool:
        """Begin to answer one request; False after `stop`. Raises nothing that a request could cause."""
        kind = request.get("type")
        try:
            if not isinstance(kind, str) or kind not in self._answers:
                raise Refused("unknown_type", f"type must be one of {', '.join(self._answers)}; got {kind!r}")
            _id_of(request)
            asking.check_fields(kind, request)
            reply = self._answers[kind](request)
        except Exception as error:
            self.refuse(error, request)
            return True
        if reply is not None:
            self._say(reply, request)
        return kind != "stop"

    def refuse(self, error: Exception, request: Request | None = None) -> None:
        """Say that a request, or a line that is none, was not carried out."""
        code = code_of(error) if request is not None or isinstance(error, Refused) else "bad_json"
        if code == "internal":
            self._note("".join(traceback.format_exception(error)))
        reply: dict[str, Any] = {"type": "error", "error": {"code": code, "message": str(error) or type(error).__name__}}
        about = {name: request[name] for name in ("stream_id",) if request is not None and name in request}
        self._say(reply | about, request)

    def close(self, has_time: bool = True) -> None:
        """The other side sends no more: finish what it asked for, and tell it, unless there is no time or nobody to tell."""
        if not has_time or not self._wire.is_open:
            self._cancel_all()
        for stream in list(self._streams.values()):
            stream.close()
        for stream in list(self._streams.values()):
            stream.join()
        self._hands.shutdown(wait=True)

    # Requests, in the order of the protocol.

    def _start(self, request: Request) -> dict[str, Any]:
        recognizer, seconds = self._model.get()
        facts = recognizer.facts
        return {
            "type": "ready", "runtime": "ossicle", "version": __version__, "protocol": PROTOCOL, "model": self._model.name,
            "model_dir": facts.path, "engine": facts.engine, "device": facts.device, "languages": list(recognizer.languages),
            "load_seconds": round(seconds, 4), "load_profile": self._model.profile,
        }

    def _capabilities(self, request: Request) -> dict[str, Any]:
        return {
            "type": "capabilities", "runtime": "ossicle", "version": __version__, "protocol": PROTOCOL,
            "protocols": [v1.PROTOCOL, PROTOCOL], "model": self._model.name, "is_loaded": self._model.is_loaded,
            "requests": {kind: list(names) for kind, names in asking.FIELDS.items()}, "error_codes": CODES,
        }

    def _transcribe(self, request: Request) -> None:
        source, options = asking.source_of(request), asking.transcribe_options(request, self._language)

        def work(cancel: CancelToken) -> dict[str, Any]:
            recognizer, _ = self._model.get()
            return {"type": "transcript", "audio": request.get("audio"), "transcript": _shown(
                recognizer.transcribe(source, options=options, cancel=cancel))}
        self._hand_out(request, work)

    def _batch_transcribe(self, request: Request) -> None:
        names = request.get("audio")
        if not isinstance(names, list) or not names:
            raise Refused("bad_request", "audio must be a list of paths, and not empty")
        paths, options = [path_of(name) for name in names], asking.transcribe_options(request, self._language)

        def work(cancel: CancelToken) -> dict[str, Any]:
            recognizer, _ = self._model.get()
            items = []
            for path, found in zip(paths, recognizer.transcribe_each(paths, options=options, cancel=cancel), strict=True):
                cancel.check()
                items.append({"audio": path, **({"transcript": _shown(found)} if isinstance(found, Transcript) else _error(found))})
            return {"type": "batch_transcript", "count": len(items), "items": items}
        self._hand_out(request, work)

    def _start_stream(self, request: Request) -> None:
        name = name_of(request, "stream_id", self._free_name())
        if name in self._streams:
            raise Refused("bad_request", f"stream {name} is open; stop it, or give the new one another stream_id")
        rate, limit = asking.rate_of(request), whole_of(request, "max_queued_ms", MAX_QUEUED_MS, low=1)
        options, has_words = asking.stream_options(request, self._language)
        recognizer, _ = self._model.get()
        stream = Stream(name, recognizer.stream(options), rate, limit, has_words, self._wire, self._forget)
        self._streams[name] = stream
        self._num_streams += 1
        self._say({"type": "stream_ready", "stream_id": name, "sample_rate": rate, "max_queued_ms": limit,
                   "options": asking.shown(options, has_words)}, request)
        stream.listen()                                     # after the reply: it stands before the first event

    def _audio_chunk(self, request: Request) -> dict[str, Any] | None:
        stream = self._stream(request)
        wants_ack = flag_of(request, "ack")
        stream.feed(pcm_of(request), asking.rate_of(request, stream.rate))
        if not wants_ack:
            return None
        return {"type": "ack", "stream_id": stream.name, "seq": request.get("seq"), **stream.progress()}

    def _commit(self, request: Request) -> dict[str, Any]:
        stream = self._stream(request)
        stream.commit()
        return {"type": "ok", "request": "commit", "stream_id": stream.name}

    def _clear(self, request: Request) -> dict[str, Any]:
        stream = self._stream(request)
        stream.clear()
        return {"type": "ok", "request": "clear", "stream_id": stream.name}

    def _stop_stream(self, request: Request) -> None:
        stream = self._stream(request)
        stream.close(request.get("id"))                     # its last line, after its last event, is the reply

    def _cancel(self, request: Request) -> dict[str, Any]:
        target = request.get("target")
        if not isinstance(target, str | int):
            raise Refused("bad_request", f"target must be the id of a request, got {target!r}")
        with self._lock:
            token = self._pending.get(target)
        if token is not None:
            token.cancel()
        return {"type": "ok", "request": "cancel", "target": target, "found": token is not None}

    def _stop(self, request: Request) -> dict[str, Any]:
        self.close()
        return {"type": "stopped"}

    # What they stand on.

    def _hand_out(self, request: Request, work: Callable[[CancelToken], dict[str, Any]]) -> None:
        """Have a request answered by another thread, whenever that is done."""
        token, key = CancelToken(), request["id"] if request.get("id") is not None else object()
        with self._lock:
            if key in self._pending:
                raise Refused("bad_request", f"id {key!r} is in use by a request that is not answered yet")
            if len(self._pending) >= MAX_PENDING:
                raise Refused("overloaded", f"{MAX_PENDING} requests wait already; send this one again when one of them is answered")
            self._pending[key] = token

        def answer() -> None:
            try:
                token.check()
                reply = work(token)
                token.check()                               # a transcript that was cancelled half way is no transcript
            except Exception as error:
                self._done(key)
                self.refuse(error, request)
            else:
                self._done(key)
                self._say(reply, request)
        self._hands.submit(answer)

    def _done(self, key: object) -> None:
        with self._lock:
            self._pending.pop(key, None)

    def _cancel_all(self) -> None:
        with self._lock:
            for token in self._pending.values():
                token.cancel()
        for stream in list(self._streams.values()):
            stream.drop()

    def _stream(self, request: Request) -> Stream:
        name = name_of(request, "stream_id")
        stream = self._streams.get(name)
        if stream is None or stream.is_closing:
            raise Refused("unknown_stream", f"no stream {name} is open; start_stream opens one")
        return stream

    def _free_name(self) -> str:
        return f"stream-{self._num_streams + 1}"

    def _forget(self, stream: Stream) -> None:
        if self._streams.get(stream.name) is stream:
            del self._streams[stream.name]

    def _say(self, reply: Mapping[str, Any], request: Request | None) -> None:
        """A reply with the id of its request behind its type."""
        number = request.get("id") if request is not None else None
        self._wire.say({"type": reply["type"], "id": number if isinstance(number, str | int) else None, **reply})


def _id_of(request: Request) -> None:
    number = request.get("id")
    if number is not None and (isinstance(number, bool) or not isinstance(number, str | int)):
        raise Refused("bad_request", f"id must be text or a whole number, got {number!r}")


def _shown(transcript: Transcript) -> dict[str, Any]:
    return {"schema": SCHEMA, **transcript.to_dict()}


def _error(error: Exception) -> dict[str, Any]:
    return {"error": {"code": code_of(error), "message": str(error)}}
