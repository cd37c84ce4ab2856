"""Version 2 against a real process: ids, streams that tell by themselves, options, cancelling, and a warning before it is too late."""

import json

import pytest

from ossicle.stream_events import Final, Partial, event_from_dict
from ossicle.surfaces.bridge.asking import FIELDS
from ossicle.surfaces.bridge.messages import CODES
from tests.surfaces.bridge.conftest import SAID, SAMPLES, Client, encoded

ENGLISH = str(SAMPLES / "english.wav")
TEXT = SAID["english.wav"].partition(">")[2]
V2 = "ossicle-jsonl-v2"
SILENCE = bytes(2 * 16_000)


@pytest.fixture
def bridge(open_bridge):
    client = open_bridge()
    ready = client.ask(type="start", protocol=V2, id="hello")
    assert (ready["type"], ready["id"], ready["protocol"]) == ("ready", "hello", V2)
    return client


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    client = Client("--quiet", cwd=tmp_path_factory.mktemp("client"))
    assert client.ask(type="start", protocol=V2)["type"] == "ready"
    yield client
    client.close()


def events(lines):
    return [event_from_dict(line["event"]) for line in lines if line["type"] == "stream.event"]


def code(reply):
    assert (reply["type"], set(reply["error"])) == ("error", {"code", "message"})
    assert reply["error"]["code"] in CODES
    return reply["error"]["code"]


def test_a_stream_tells_what_it_hears(bridge, pcm):
    ready = bridge.ask(type="start_stream", id=1, stream_id="mic", coalesce=False)
    assert (ready["type"], ready["id"], ready["options"]["policy"]["name"]) == ("stream_ready", 1, "auto")
    for begin in range(0, len(pcm), 6400):
        bridge.send(type="audio_chunk", stream_id="mic", pcm16=encoded(pcm[begin : begin + 6400]))
    bridge.send(type="audio_chunk", stream_id="mic", pcm16=encoded(SILENCE))
    bridge.send(type="stop_stream", id=2, stream_id="mic")
    lines = bridge.until("stream_stopped")
    assert {line["type"] for line in lines[:-1]} == {"stream.event"}
    assert all(line["stream_id"] == "mic" and line["queued_ms"] >= 0 for line in lines)
    assert all(set(line) == {"type", "id", "stream_id", "queued_ms", "event"} and line["id"] is None for line in lines[:-1])
    told = events(lines)
    final = next(event for event in told if isinstance(event, Final))
    assert final.text == "".join(event.committed_delta for event in told if isinstance(event, Partial | Final)) == TEXT
    assert "".join(word.text for word in final.words) == TEXT
    last = lines[-1]
    assert (last["id"], last["num_utterances"], last["queued_ms"]) == (2, 1, 0)
    assert last["audio_ms"] == pytest.approx(1000 * (len(pcm) + len(SILENCE)) / 32_000, abs=1)


def test_boundaries_can_be_the_clients(bridge, pcm):
    bridge.ask(type="start_stream", stream_id="a", endpoint="manual", words="none", language="en")
    bridge.send(type="audio_chunk", stream_id="a", pcm16=encoded(pcm))
    bridge.send(type="commit", id="c", stream_id="a")
    bridge.send(type="audio_chunk", stream_id="a", pcm16=encoded(pcm))
    bridge.send(type="clear", id="d", stream_id="a")
    bridge.send(type="stop_stream", stream_id="a")
    lines = bridge.until("stream_stopped")
    replies = [line for line in lines if line["type"] == "ok"]
    assert [(line["id"], line["request"]) for line in replies] == [("c", "commit"), ("d", "clear")]
    assert not any("words" in line["event"] for line in lines if line["type"] == "stream.event")
    finals = [event for event in events(lines) if isinstance(event, Final)]
    assert (finals[0].text, finals[0].reason) == (TEXT, "commit")
    assert not any(event.reason in ("commit", "close") and event.text for event in finals[1:])


def test_sound_of_any_rate_is_taken(bridge, pcm):
    half = b"".join(pcm[place : place + 2] for place in range(0, len(pcm), 4))      # 8 kHz, roughly
    ready = bridge.ask(type="start_stream", sample_rate=8000, endpoint=False)
    assert (ready["stream_id"], ready["sample_rate"], ready["options"]["endpoint"]["mode"]) == ("stream-1", 8000, "manual")
    ack = bridge.ask(type="audio_chunk", stream_id="stream-1", pcm16=encoded(half), ack=True, seq=5, id=9)
    while ack["type"] != "ack":
        ack = bridge.hear()
    assert (ack["id"], ack["seq"]) == (9, 5)
    bridge.send(type="stop_stream", stream_id="stream-1")
    assert bridge.until("stream_stopped")[-1]["audio_ms"] == pytest.approx(len(pcm) / 32, abs=2)


def test_chunks_get_no_answer_unless_one_is_asked_for(shared, pcm):
    shared.ask(type="start_stream", stream_id="quiet")
    for _ in range(5):
        shared.send(type="audio_chunk", stream_id="quiet", pcm16=encoded(bytes(640)))
    ack = shared.ask(type="audio_chunk", stream_id="quiet", pcm16=encoded(bytes(640)), ack=True)
    assert set(ack) == {"type", "id", "stream_id", "seq", "audio_ms", "queued_ms"}
    assert ack["type"] == "ack"
    assert shared.ask(type="stop_stream", stream_id="quiet")["type"] == "stream_stopped"


def test_who_sends_too_fast_is_warned_and_loses_nothing(bridge, pcm):
    bridge.ask(type="start_stream", stream_id="fast", max_queued_ms=500, endpoint="manual")
    bridge.send(type="audio_chunk", stream_id="fast", pcm16=encoded(pcm))
    lines = bridge.until("warning")
    warning = lines[-1]
    assert (warning["code"], warning["stream_id"], warning["max_queued_ms"]) == ("overloaded", "fast", 500)
    assert warning["queued_ms"] > 500
    bridge.send(type="stop_stream", stream_id="fast")
    assert [event.text for event in events(bridge.until("stream_stopped")) if isinstance(event, Final)] == [TEXT]


def test_recordings_come_back_clean_with_words_and_segments(shared, pcm):
    reply = shared.ask(type="transcribe", id=1, audio=ENGLISH)
    transcript = reply["transcript"]
    assert (reply["type"], reply["id"], reply["audio"], transcript["text"]) == ("transcript", 1, ENGLISH, TEXT)
    assert (transcript["schema"], transcript["language"]) == ("ossicle-transcript/1", "English")
    words = [word for segment in transcript["segments"] for word in segment["words"]]
    assert "".join(word["text"] for word in words) == TEXT
    assert all(word["start"] < word["end"] for word in words)
    inline = shared.ask(type="transcribe", pcm16=encoded(pcm), sample_rate=16_000, language="en", context="Henry", words="none")
    assert (inline["id"], inline["audio"], inline["transcript"]["text"]) == (None, None, TEXT)


def test_many_recordings_are_one_request_and_one_bad_one_spoils_none(shared):
    reply = shared.ask(type="batch_transcribe", id=1, audio=[ENGLISH, "nowhere.wav", ENGLISH])
    assert (reply["count"], [item["audio"] for item in reply["items"]]) == (3, [ENGLISH, "nowhere.wav", ENGLISH])
    assert reply["items"][1]["error"]["code"] == "bad_audio"
    assert reply["items"][2]["transcript"]["text"] == TEXT


def test_a_short_request_does_not_wait_for_a_long_one_and_either_can_be_cancelled(bridge, pcm):
    bridge.send(type="transcribe", id="long", pcm16=encoded(pcm * 300))
    bridge.send(type="transcribe", id="short", audio=ENGLISH)
    assert bridge.hear()["id"] == "short"
    assert bridge.ask(type="transcribe", id="long", audio=ENGLISH)["error"]["code"] == "bad_request"     # the id is in use
    bridge.send(type="cancel", id="c", target="long")
    lines = [bridge.hear(), bridge.hear()]
    ok = next(line for line in lines if line["type"] == "ok")
    assert (ok["id"], ok["target"], ok["found"]) == ("c", "long", True)
    assert code(next(line for line in lines if line["id"] == "long")) == "cancelled"
    assert bridge.ask(type="cancel", id="d", target="long")["found"] is False


def test_stop_finishes_everything_first(bridge, pcm):
    bridge.ask(type="start_stream", stream_id="a")
    bridge.send(type="audio_chunk", stream_id="a", pcm16=encoded(pcm))
    bridge.send(type="transcribe", id=5, audio=ENGLISH)
    bridge.send(type="stop", id=6)
    lines = bridge.until("stopped")
    assert lines[-1]["id"] == 6
    assert [event.text for event in events(lines) if isinstance(event, Final)] == [TEXT]
    assert [line["transcript"]["text"] for line in lines if line["type"] == "transcript"] == [TEXT]
    assert bridge.end() == []
    assert bridge.process.returncode == 0


def test_the_end_of_the_input_loses_nothing(bridge, pcm):
    bridge.ask(type="start_stream", stream_id="a")
    bridge.send(type="audio_chunk", stream_id="a", pcm16=encoded(pcm))
    bridge.send(type="transcribe", id=5, audio=ENGLISH)
    lines = bridge.end()
    assert [event.text for event in events(lines) if isinstance(event, Final)] == [TEXT]
    assert 5 in [line.get("id") for line in lines]
    assert bridge.process.returncode == 0


def test_two_streams_in_two_languages_do_not_mix(bridge, pcm):
    import ossicle
    german = (ossicle.Recognizer.read_clip(SAMPLES / "german.flac") * 32767).astype("<i2").tobytes()
    for name in ("en", "de"):
        bridge.ask(type="start_stream", stream_id=name, endpoint="manual", language=name)
    bridge.send(type="audio_chunk", stream_id="en", pcm16=encoded(pcm))
    bridge.send(type="audio_chunk", stream_id="de", pcm16=encoded(german))
    bridge.send(type="stop")
    lines = bridge.until("stopped")
    told = [line for line in lines if line["type"] == "stream.event"]
    finals = {line["stream_id"]: line["event"]["text"] for line in told if line["event"]["type"] == "final"}
    assert finals == {"en": TEXT, "de": SAID["german.flac"].partition(">")[2]}


@pytest.mark.parametrize(("request_", "expected"), [
    ({"type": "nonsense"}, "unknown_type"), ({}, "unknown_type"), ({"type": ["x"]}, "unknown_type"), ({"type": "flush"}, "unknown_type"),
    ({"type": "transcribe"}, "bad_request"), ({"type": "transcribe", "audio": "a.wav", "pcm16": ""}, "bad_request"),
    ({"type": "transcribe", "audio": "nowhere.wav"}, "bad_audio"), ({"type": "transcribe", "audio": "-"}, "bad_audio"),
    ({"type": "transcribe", "audio": "\ud800"}, "bad_audio"), ({"type": "transcribe", "audio": "a\0b"}, "bad_audio"),
    ({"type": "transcribe", "audio": ENGLISH, "language": "Klingon"}, "bad_request"),
    ({"type": "transcribe", "audio": ENGLISH, "language": 5}, "bad_request"),
    ({"type": "transcribe", "audio": ENGLISH, "words": 5}, "bad_request"),
    ({"type": "transcribe", "audio": ENGLISH, "languages": "en"}, "bad_request"),
    ({"type": "transcribe", "audio": ENGLISH, "langauge": "en"}, "bad_request"),
    ({"type": "transcribe", "pcm16": "AAA=", "sample_rate": 5}, "bad_audio"), ({"type": "transcribe", "pcm16": "?"}, "bad_audio"),
    ({"type": "batch_transcribe", "audio": ENGLISH}, "bad_request"),
    ({"type": "audio_chunk", "stream_id": "none", "pcm16": ""}, "unknown_stream"), ({"type": "audio_chunk"}, "bad_request"),
    ({"type": "commit", "stream_id": "none"}, "unknown_stream"), ({"type": "stop_stream", "stream_id": "none"}, "unknown_stream"),
    ({"type": "start_stream", "policy": "hope"}, "bad_request"), ({"type": "start_stream", "policy": {"nme": "auto"}}, "bad_request"),
    ({"type": "start_stream", "policy": {"agreements": []}}, "bad_request"), ({"type": "start_stream", "policy": 5}, "bad_request"),
    ({"type": "start_stream", "endpoint": {"silence_seconds": "x"}}, "bad_request"),
    ({"type": "start_stream", "endpoint": 5}, "bad_request"),
    ({"type": "start_stream", "endpoint": "psychic"}, "bad_request"), ({"type": "start_stream", "step_seconds": "x"}, "bad_request"),
    ({"type": "start_stream", "coalesce": 1}, "bad_request"), ({"type": "start_stream", "output": []}, "bad_request"),
    ({"type": "start_stream", "record": "folder"}, "bad_request"), ({"type": "start_stream", "sample_rate": 1}, "bad_audio"),
    ({"type": "start_stream", "max_queued_ms": 0}, "bad_request"), ({"type": "start_stream", "language": "Klingon"}, "bad_request"),
    ({"type": "cancel", "target": None}, "bad_request"), ({"type": "start", "protocol": "v9"}, "bad_request"),
])
def test_what_is_wrong_is_named_by_a_code(shared, request_, expected):
    reply = shared.ask(**{"id": 77, **request_})
    assert (code(reply), reply["id"]) == (expected, 77), reply


@pytest.mark.parametrize("line", [b"{", b"[]", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_is_named_so(shared, line):
    shared.send_raw(line)
    assert code(shared.hear()) == "bad_json"


def test_a_fault_in_the_id_is_answered_without_one(shared):
    reply = shared.ask(type="capabilities", id={"a": 1})
    assert (code(reply), reply["id"]) == ("bad_request", None)


def test_a_misspelt_field_is_asked_back(shared):
    assert "did you mean language" in shared.ask(type="start_stream", langauge="en")["error"]["message"]


def test_a_name_is_of_one_stream_at_a_time(shared):
    shared.ask(type="start_stream", stream_id="one")
    assert code(shared.ask(type="start_stream", stream_id="one")) == "bad_request"
    shared.ask(type="stop_stream", stream_id="one")
    assert shared.ask(type="start_stream", stream_id="one")["type"] == "stream_ready"
    shared.ask(type="stop_stream", stream_id="one")


def test_more_requests_than_can_wait_are_refused(bridge, pcm):
    for number in range(70):                                                    # the first keep every hand busy
        bridge.send(type="transcribe", id=number, pcm16=encoded(pcm * (50 if number < 4 else 1)))
    refused = bridge.hear()
    while refused["type"] != "error":
        refused = bridge.hear()
    assert code(refused) == "overloaded"


def test_versions_change_only_while_nothing_is_open(open_bridge, pcm):
    bridge = open_bridge("--no-partials")
    bridge.ask(type="start_stream", stream_id="a")
    assert "while no stream is open" in bridge.ask(type="start", protocol=V2)["message"]
    bridge.ask(type="stop_stream", stream_id="a")
    assert bridge.ask(type="start", protocol=V2)["protocol"] == V2
    assert bridge.ask(type="start")["protocol"] == V2
    assert bridge.ask(type="start", protocol="qwen3-asr-mlx-jsonl-v1")["runtime"] == "qwen3-asr-mlx"


def test_capabilities_name_every_request_field_and_code(shared):
    reply = shared.ask(type="capabilities", id="x")
    assert reply["requests"] == json.loads(json.dumps(FIELDS))
    assert reply["error_codes"] == CODES
    assert reply["is_loaded"] is True


def test_an_interrupt_ends_it(bridge, pcm):
    import signal

    bridge.send(type="transcribe", id="long", pcm16=encoded(pcm * 300))
    bridge.ask(type="capabilities")
    bridge.process.send_signal(signal.SIGINT)
    assert bridge.process.wait(60) == 130
