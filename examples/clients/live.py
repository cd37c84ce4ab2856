"""Send a recording to `ossicle bridge` as a microphone would, and print what is heard. Needs nothing but Python.

    python live.py talk.wav                 version 2: text as it becomes certain
    python live.py talk.wav --v1            version 1: whole utterances, ended by this client
    python live.py talk.wav --bridge "ossicle bridge 1.7b"

The recording: 16-bit mono WAV. The protocol: docs/bridge.md.
"""

import argparse
import base64
import itertools
import json
import shlex
import subprocess
import sys
import time
import wave

CHUNK_SECONDS = 0.1


class Bridge:
    """The program behind two pipes: one JSON object a line each way."""

    def __init__(self, command):
        self.process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE)   # its stderr is ours
        self.ids = itertools.count(1)

    def send(self, **request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the bridge ended; its last words are above")
        reply = json.loads(line)
        if reply["type"] == "error":
            raise SystemExit(f"the bridge said: {reply.get('message') or reply['error']['message']}")
        return reply

    def ask(self, **request):
        """Version 1: each request has exactly one reply, the next line."""
        self.send(**request)
        return self.hear()

    def ask_by_id(self, on_event, **request):
        """Version 2: other lines may come before the reply that carries our id."""
        number = next(self.ids)
        self.send(id=number, **request)
        while (reply := self.hear()).get("id") != number:
            on_event(reply)
        return reply


def chunks(file):
    """A recording in pieces, as base64, with its rate."""
    with wave.open(file) as recording:
        if (recording.getnchannels(), recording.getsampwidth()) != (1, 2):
            raise SystemExit("expected a 16-bit mono WAV file")
        rate = recording.getframerate()
        while frames := recording.readframes(int(rate * CHUNK_SECONDS)):
            yield rate, base64.b64encode(frames).decode()


def first_version(bridge, file):
    """We say where an utterance ends; the reply to `flush` has the text, with the model's markup before it."""
    bridge.ask(type="start")
    bridge.ask(type="start_stream", stream_id="file")
    for rate, pcm16 in chunks(file):
        partial = bridge.ask(type="audio_chunk", stream_id="file", sample_rate=rate, pcm16=pcm16)
        print(f"\r{partial['text']}", end="", file=sys.stderr)
    bridge.ask(type="end_utterance", stream_id="file")
    for item in bridge.ask(type="flush")["items"]:
        language, _, text = item["text"].rpartition("<asr_text>")
        print(f"{language}: {text}" if language else text)
    bridge.ask(type="stop")


def second_version(bridge, file):
    """The bridge hears where utterances end, and tells by itself: committed text stays, pending text may change."""
    def on_event(line):
        event = line.get("event", {})
        if event.get("type") == "partial":
            print(f"\r{event['committed_text']}\033[2m{event['pending_text']}\033[0m", end="", file=sys.stderr)
        elif event.get("type") == "final":
            print(f"{event['language']}: {event['text']}")

    bridge.ask_by_id(on_event, type="start", protocol="ossicle-jsonl-v2")
    bridge.ask_by_id(on_event, type="start_stream", stream_id="file")
    for rate, pcm16 in chunks(file):
        # The answer to each chunk says how much sound waits: a file must not run ahead of the ear.
        ack = bridge.ask_by_id(on_event, type="audio_chunk", stream_id="file", sample_rate=rate, pcm16=pcm16, ack=True)
        if ack["queued_ms"] > 4000:
            time.sleep(0.5)
    bridge.ask_by_id(on_event, type="stop_stream", stream_id="file")
    bridge.ask_by_id(on_event, type="stop")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--v1", action="store_true", help="speak version 1")
    parser.add_argument("--bridge", default="ossicle bridge", help="how to start it")
    asked = parser.parse_args()
    (first_version if asked.v1 else second_version)(Bridge(asked.bridge), asked.file)
