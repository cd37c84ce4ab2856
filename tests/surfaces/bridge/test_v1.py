"""Version 1 against a real process: every reply has the fields that clients know, no request costs a result, and one line answers one."""

import json
import time

import pytest

from tests.surfaces.bridge.conftest import SAID, SAMPLES, encoded

ENGLISH, GERMAN = str(SAMPLES / "english.wav"), str(SAMPLES / "german.flac")
FIELDS = {
    "capabilities": "type runtime protocol model sample_rate audio_format vad_boundary_source use_cache decoder_modes messages models",
    "ready": "type runtime protocol model model_dir use_cache load_seconds load_profile",
    "transcript": "type audio text generated_token_ids generated_tokens audio_embeddings_shape audio_output_lengths decode_seconds "
                  "total_seconds load_seconds use_cache profile",
    "batch_transcript": "type count items total_seconds load_seconds use_cache decoder_mode profile",
    "stream_ready": "type protocol stream_id sample_rate batch_size max_batch_delay_ms asr_backend vad_backend note",
    "partial_result": "type stream_id text samples_buffered chunks is_final",
    "utterance_queued": "type stream_id utterance_id samples queued batch_size",
    "realtime_batch_final": "type reason count items total_seconds load_seconds use_cache decoder_mode asr_backend vad_backend profile",
    "stream_stopped": "type stream_id dropped_samples queued items",
    "stopped": "type items",
}
ITEM = "audio text generated_tokens audio_embeddings_shape decode_seconds"
FINAL_ITEM = "type stream_id utterance_id source samples text generated_tokens audio_embeddings_shape decode_seconds"
PROFILE = ("stage batch_size audio_seconds prepare batch_assembly_seconds prefill_seconds continuation_seconds decode_seconds "
           "total_seconds generated_tokens generated_tokens_total generated_tokens_per_second realtime_factor prompt_lengths "
           "max_prompt_length left_padding memory")
MEMORY = [f"{name}_{unit}" for name in ("rss_peak", "mlx_peak", "mlx_active", "mlx_cache") for unit in ("bytes", "mb")]
LONG_MS = 600_000                       # a delay that never comes in a test


@pytest.fixture
def bridge(open_bridge):
    return open_bridge("--no-partials")


def checked(reply):
    """A reply with exactly the fields of its type."""
    assert set(reply) == set(FIELDS[reply["type"]].split()), reply
    return reply


def texts(reply):
    return [item["text"] for item in reply["items"]]


def test_capabilities_need_no_model(open_bridge):
    bridge = open_bridge("--offline", "--local-files-only", "--no-trust-remote-code")
    for kind in ("capabilities", "hello"):
        reply = checked(bridge.ask(type=kind))
        assert (reply["runtime"], reply["protocol"], reply["sample_rate"]) == ("qwen3-asr-mlx", "qwen3-asr-mlx-jsonl-v1", 16_000)
        assert (reply["decoder_modes"], reply["use_cache"], len(reply["messages"])) == (["sequential", "batched"], True, 11)
    assert checked(bridge.ask(type="start"))["load_seconds"] > 0                # and so it was not loaded before
    assert bridge.ask(type="start")["load_seconds"] == 0.0


def test_a_recording_comes_back_as_the_model_wrote_it(bridge):
    reply = checked(bridge.ask(type="transcribe", audio=ENGLISH))
    assert (reply["text"], reply["audio"]) == (SAID["english.wav"], ENGLISH)
    assert reply["generated_tokens"] == len(reply["generated_token_ids"])
    assert reply["audio_output_lengths"] == [reply["audio_embeddings_shape"][0]]
    assert reply["load_seconds"] > 0
    assert bridge.ask(type="transcribe", audio=ENGLISH)["load_seconds"] == 0.0
    assert bridge.ask(type="transcribe", audio=ENGLISH, max_new_tokens=0)["text"] == SAID["english.wav"]
    assert bridge.ask(type="transcribe", audio=ENGLISH, max_new_tokens=4)["generated_tokens"] == 4


@pytest.mark.parametrize("mode", ["sequential", "batched"])
def test_recordings_come_back_together(bridge, mode):
    reply = checked(bridge.ask(type="batch_transcribe", audio=[ENGLISH, GERMAN], decoder_mode=mode))
    assert texts(reply) == [SAID["english.wav"], SAID["german.flac"]]
    assert (reply["count"], reply["decoder_mode"]) == (2, mode)
    assert all(set(item) == set(ITEM.split()) for item in reply["items"])


def test_telemetry_adds_up(bridge):
    profile = bridge.ask(type="batch_transcribe", audio=[ENGLISH, GERMAN], decoder_mode="batched")["profile"]
    assert set(profile) == set(PROFILE.split())
    assert set(profile["memory"]) == set(MEMORY)
    assert profile["memory"]["mlx_peak_bytes"] is None                          # engine cpu: not known, and not made up
    assert profile["memory"]["rss_peak_bytes"] > 10_000_000
    assert profile["stage"] == "batch_batched_decode"
    assert profile["generated_tokens_total"] == sum(profile["generated_tokens"])
    assert profile["max_prompt_length"] == max(profile["prompt_lengths"])
    padded = [length + empty for length, empty in zip(profile["prompt_lengths"], profile["left_padding"], strict=True)]
    assert padded == [profile["max_prompt_length"]] * 2
    parts = ("batch_assembly_seconds", "prefill_seconds", "continuation_seconds")
    assert sum(profile[part] for part in parts) == pytest.approx(profile["decode_seconds"], abs=2e-4)   # each is rounded to 1e-4
    assert profile["decode_seconds"] + profile["prepare"]["total_seconds"] <= profile["total_seconds"] + 2e-4
    assert profile["realtime_factor"] == pytest.approx(profile["audio_seconds"] / profile["total_seconds"], rel=0.02)


def test_a_batch_is_heard_when_it_is_full(bridge, pcm):
    ready = checked(bridge.ask(type="start_stream", stream_id="a", batch_size=3, max_batch_delay_ms=LONG_MS))
    assert (ready["batch_size"], ready["asr_backend"], ready["vad_backend"]) == (3, "cpu", "external-boundary")
    bridge.ask(type="start_stream", stream_id="b", batch_size=4, max_batch_delay_ms=LONG_MS)
    for begin in (0, 20_000, 40_000):
        partial = checked(bridge.ask(type="audio_chunk", stream_id="a", seq=begin, pcm16=encoded(pcm[begin : begin + 20_000])))
        assert (partial["text"], partial["is_final"], partial["chunks"]) == ("", False, begin // 20_000 + 1)
    queued = checked(bridge.ask(type="end_utterance", stream_id="a"))
    assert (queued["utterance_id"], queued["samples"], queued["queued"], queued["batch_size"]) == ("a-1", 30_000, 1, 3)
    bridge.ask(type="audio_chunk", stream_id="a", pcm16=encoded(pcm))
    assert bridge.ask(type="vad_boundary", stream_id="b", audio=GERMAN)["queued"] == 2
    final = checked(bridge.ask(type="end_utterance", stream_id="a", utterance_id="mine"))       # a has the third, and its size decides
    assert (final["reason"], final["count"], final["decoder_mode"]) == ("batch_size", 3, "sequential")
    assert [(item["stream_id"], item["utterance_id"], item["source"]) for item in final["items"]] == [
        ("a", "a-1", "buffer"), ("b", "b-1", GERMAN), ("a", "mine", "buffer")]
    assert texts(final)[1:] == [SAID["german.flac"], SAID["english.wav"]]
    assert all(set(item) == set(FINAL_ITEM.split()) for item in final["items"])
    assert final["profile"]["batch_size"] == 3


def test_streams_may_be_used_without_a_start_and_named_by_numbers(bridge, pcm):
    assert bridge.ask(type="audio_chunk", pcm16=encoded(pcm))["stream_id"] == "default"
    assert bridge.ask(type="end_utterance", utterance_id=7)["utterance_id"] == "7"
    assert bridge.ask(type="audio_chunk", stream_id=5, pcm16="")["stream_id"] == "5"


def test_flush_tells_all_that_waits_and_nothing_twice(bridge, pcm):
    bridge.ask(type="start_stream", max_batch_delay_ms=LONG_MS)
    bridge.ask(type="end_utterance", pcm16=encoded(pcm))
    final = checked(bridge.ask(type="flush", decoder_mode="batched"))
    assert (final["reason"], final["count"], final["decoder_mode"], texts(final)) == ("flush", 1, "batched", [SAID["english.wav"]])
    assert final["items"][0]["source"] == "pcm16"
    empty = bridge.ask(type="flush")
    assert empty == {"type": "realtime_batch_final", "reason": "flush", "count": 0, "items": [], "load_seconds": 0.0, "use_cache": True}


def test_what_was_heard_in_the_background_is_told_by_the_reply_that_always_told_it(bridge, pcm):
    bridge.ask(type="start_stream", batch_size=3, max_batch_delay_ms=LONG_MS)
    bridge.ask(type="start_stream", stream_id="eager", max_batch_delay_ms=10, unsolicited=True)
    bridge.ask(type="end_utterance", pcm16=encoded(pcm))
    bridge.ask(type="end_utterance", stream_id="eager", audio=GERMAN, max_new_tokens=5)
    assert [item["stream_id"] for item in bridge.hear()["items"]] == ["eager"]  # and what waited beside it was heard with it
    assert bridge.ask(type="end_utterance", pcm16=encoded(pcm))["queued"] == 2  # but counts until it is told
    final = checked(bridge.ask(type="end_utterance", audio=GERMAN))
    assert (final["reason"], final["count"]) == ("batch_size", 3)
    assert [item["utterance_id"] for item in final["items"]] == ["default-1", "default-2", "default-3"]
    # The limit tells which batch heard it: the eager one's, long before the last request.
    assert [item["generated_tokens"] for item in final["items"]] == [5, 15, 13]


def test_who_wants_them_gets_results_unasked(bridge, pcm):
    bridge.ask(type="start_stream", stream_id="eager", batch_size=3, max_batch_delay_ms=10, unsolicited=True)
    bridge.ask(type="start_stream", stream_id="calm", batch_size=3, max_batch_delay_ms=LONG_MS)
    assert bridge.ask(type="end_utterance", stream_id="calm", audio=GERMAN)["type"] == "utterance_queued"
    assert bridge.ask(type="end_utterance", stream_id="eager", pcm16=encoded(pcm))["type"] == "utterance_queued"
    told = checked(bridge.hear())
    assert (told["reason"], [item["stream_id"] for item in told["items"]]) == ("delay", ["eager"])
    assert texts(told) == [SAID["english.wav"]]
    left = bridge.ask(type="flush")
    assert [item["stream_id"] for item in left["items"]] == ["calm"]
    assert texts(left) == [SAID["german.flac"]]


def test_stopping_loses_nothing(bridge, pcm):
    for name in ("a", "b", "c"):
        bridge.ask(type="start_stream", stream_id=name, max_batch_delay_ms=LONG_MS)
        bridge.ask(type="audio_chunk", stream_id=name, pcm16=encoded(pcm))
    bridge.ask(type="end_utterance", stream_id="b", audio=GERMAN, utterance_id="whole")
    stopped = checked(bridge.ask(type="stop_stream", stream_id="a"))
    assert (stopped["dropped_samples"], stopped["queued"], texts(stopped)) == (0, 1, [SAID["english.wav"]])
    bridge.ask(type="audio_chunk", stream_id="c", pcm16=encoded(pcm))
    last = checked(bridge.ask(type="stop"))
    assert [(item["stream_id"], item["utterance_id"]) for item in last["items"]] == [("b", "whole"), ("c", "c-1")]
    assert bridge.process.wait(30) == 0


def test_a_second_start_of_a_stream_keeps_what_it_held(bridge, pcm):
    bridge.ask(type="start_stream", max_batch_delay_ms=LONG_MS)
    bridge.ask(type="audio_chunk", pcm16=encoded(pcm))
    bridge.ask(type="start_stream", max_batch_delay_ms=LONG_MS)
    assert bridge.ask(type="audio_chunk", pcm16=encoded(pcm[:100]))["samples_buffered"] == 50
    assert texts(bridge.ask(type="flush")) == [SAID["english.wav"]]


def test_the_text_of_a_stream_grows_while_it_is_spoken(open_bridge, pcm):
    bridge = open_bridge()
    bridge.ask(type="start_stream", max_batch_delay_ms=LONG_MS)
    assert bridge.ask(type="audio_chunk", pcm16=encoded(pcm[:3200]))["text"] == ""
    bridge.ask(type="audio_chunk", pcm16=encoded(pcm[3200:]))
    deadline = time.monotonic() + 30
    text = ""
    while not text.startswith("Henry") and time.monotonic() < deadline:         # its first guess, of half a second, may be another
        time.sleep(0.05)
        text = bridge.ask(type="audio_chunk", pcm16=encoded(bytes(320)))["text"]
    assert text.startswith("Henry")
    assert "language" not in text
    bridge.ask(type="end_utterance")
    assert bridge.ask(type="audio_chunk", pcm16=encoded(bytes(320)))["text"] == ""      # the next one begins with nothing
    assert bridge.ask(type="flush")["items"][0]["text"].startswith("language English<asr_text>Henry saw a small tree")


def test_an_utterance_longer_than_a_piece_is_one_result(bridge, pcm):
    reply = bridge.ask(type="end_utterance", pcm16=encoded(pcm * 20), utterance_id="long")
    assert reply["type"] == "utterance_queued"
    item, = bridge.ask(type="flush")["items"]
    assert item["samples"] == 20 * len(pcm) // 2
    assert item["text"].count("<asr_text>") == 1
    assert item["text"].count("Henry") >= 15                                    # a cut may spoil one; the bundled model hears the others


def test_without_a_cache_the_words_are_the_same(open_bridge):
    bridge = open_bridge("--no-cache", "--no-partials")
    reply = bridge.ask(type="capabilities")
    assert (reply["use_cache"], reply["decoder_modes"]) == (False, ["no_cache"])
    reply = bridge.ask(type="batch_transcribe", audio=[ENGLISH], decoder_mode="batched")
    assert (reply["use_cache"], reply["decoder_mode"], texts(reply)) == (False, "no_cache", [SAID["english.wav"]])
    assert bridge.ask(type="start")["use_cache"] is False


def test_a_language_of_the_command_line_is_forced(open_bridge):
    bridge = open_bridge("--language", "en", "--max-new-tokens", "5")
    reply = bridge.ask(type="transcribe", audio=ENGLISH)
    assert "<asr_text>" not in reply["text"]
    assert reply["generated_tokens"] == 5


@pytest.mark.parametrize(("line", "said"), [
    (b"{", "Expecting"), (b"[1]", "must be a JSON object"), (b'"start"', "must be a JSON object"), (b"\xff\xfe{}", ""),
    (b"[" * 100_000, ""), (b"null", "JSON object"), (b"{}", "unknown message type: None"), (b'{"type": []}', "unknown message type"),
    (b'{"type": "transcribe"}', "audio must be the path"), (b'{"type": "transcribe", "audio": "-"}', "on this machine"),
    (b'{"type": "transcribe", "audio": "nowhere.wav"}', "nowhere.wav"), (b'{"type": "transcribe", "audio": 5}', "audio must be"),
    (b'{"type": "transcribe", "audio": "x\\u0000y"}', ""), (b'{"type": "transcribe", "audio": "\\ud800"}', ""),
    (b'{"type": "batch_transcribe"}', "non-empty audio list"), (b'{"type": "batch_transcribe", "audio": []}', "non-empty audio list"),
    (b'{"type": "batch_transcribe", "audio": ["a.wav", null]}', "audio must be"),
    (b'{"type": "flush", "decoder_mode": "turbo"}', "decoder_mode must be one of sequential, batched"),
    (b'{"type": "flush", "max_new_tokens": -1}', "max_new_tokens must be a whole number"),
    (b'{"type": "flush", "max_new_tokens": 1e999}', "max_new_tokens"), (b'{"type": "flush", "max_new_tokens": NaN}', "max_new_tokens"),
    (b'{"type": "start_stream", "sample_rate": 8000}', "16000 samples a second"),
    (b'{"type": "start_stream", "batch_size": true}', "batch_size"), (b'{"type": "start_stream", "stream_id": {}}', "stream_id"),
    (b'{"type": "audio_chunk", "pcm16": "AAA"}', "base64"), (b'{"type": "audio_chunk", "pcm16": "AAAA"}', "2 bytes"),
    (b'{"type": "audio_chunk", "pcm16": 5}', "pcm16"), (b'{"type": "audio_chunk", "pcm16": "AAA=", "sample_rate": 8000}', "16000"),
    (b'{"type": "end_utterance"}', "no sound"), (b'{"type": "end_utterance", "pcm16": ""}', "no samples"),
    (b'{"type": "start", "protocol": "v9"}', "protocol must be one of"),
])
def test_bad_input_gets_one_answer_and_the_bridge_lives(shared_bridge, line, said):
    shared_bridge.send_raw(line)
    reply = shared_bridge.hear()
    assert (reply["type"], set(reply) - {"traceback"}) == ("error", {"type", "message"})
    assert said in reply["message"]
    assert shared_bridge.ask(type="hello")["type"] == "capabilities"


def test_exceptions_come_with_their_traceback(shared_bridge):
    for line in (b"{", b'{"type": "transcribe", "audio": "nowhere.wav"}'):
        shared_bridge.send_raw(line)
        assert shared_bridge.hear()["traceback"].startswith("Traceback")
    assert "traceback" not in shared_bridge.ask(type="nonsense")


@pytest.fixture(scope="module")
def shared_bridge(tmp_path_factory):
    from tests.surfaces.bridge.conftest import Client

    client = Client("--quiet", "--no-partials", cwd=tmp_path_factory.mktemp("client"))
    yield client
    client.close()


def test_blank_lines_are_no_requests(bridge):
    bridge.send_raw(b"")
    bridge.send_raw(b"   ")
    assert bridge.ask(type="hello")["type"] == "capabilities"


def test_the_end_of_the_input_ends_the_program(open_bridge, pcm):
    bridge = open_bridge()
    bridge.ask(type="start_stream", stream_id="a", unsolicited=True, max_batch_delay_ms=LONG_MS)
    bridge.ask(type="audio_chunk", stream_id="a", pcm16=encoded(pcm))
    last, = bridge.end()
    assert texts(last) == [SAID["english.wav"]]
    assert bridge.process.returncode == 0


def test_a_model_that_is_not_there_is_an_answer(open_bridge):
    bridge = open_bridge("--model", "tiny", "--bits", "3")                      # engine cpu has no 3 bits
    reply = bridge.ask(type="start")
    assert reply["type"] == "error"
    assert bridge.ask(type="hello")["type"] == "capabilities"


def test_capabilities_can_be_printed(ossicle):
    done = ossicle("bridge", "--print-capabilities", "tiny", "--no-cache")
    reply = json.loads(done.stdout)
    assert (checked(reply)["model"], reply["decoder_modes"]) == ("tiny", ["no_cache"])


def test_an_aligner_is_no_model_to_start():
    from ossicle import ModelError, load
    from ossicle.surfaces.bridge.loading import Loading

    model = Loading("tiny-aligner", lambda: None, lambda: load("tiny-aligner"))
    with pytest.raises(ModelError, match="is a forced aligner: it hears no words"):
        model.get()
    assert not model.is_loaded


def test_a_model_is_named_once(ossicle):
    assert ossicle("bridge", "tiny", "--model", "0.6b").exit_code == 2
