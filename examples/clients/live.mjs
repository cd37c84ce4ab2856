// Send a recording to `ossicle bridge` as a microphone would, and print what is heard. Needs nothing but Node 18.
//
//   node live.mjs talk.wav                    version 2: text as it becomes certain
//   node live.mjs talk.wav --v1               version 1: whole utterances, ended by this client
//   node live.mjs talk.wav --bridge "ossicle bridge 1.7b"
//
// The recording: 16-bit mono WAV. The protocol: docs/bridge.md.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const CHUNK_SECONDS = 0.1;

// The program behind two pipes: one JSON object a line each way.
class Bridge {
  constructor(command, onEvent) {
    const [program, ...rest] = command.split(" ");
    this.process = spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] });
    this.process.on("exit", (code) => code && fail(`the bridge ended with ${code}`));
    this.waiting = new Map(); // version 2: by id; version 1: in order
    this.number = 0;
    createInterface({ input: this.process.stdout }).on("line", (line) => {
      const reply = JSON.parse(line);
      if (reply.type === "error") fail(`the bridge said: ${reply.message ?? reply.error.message}`);
      if (reply.id === null) return onEvent(reply); // version 2: no request asked for it
      const key = reply.id ?? this.waiting.keys().next().value;
      this.waiting.get(key)(reply);
      this.waiting.delete(key);
    });
  }

  // Resolves with the reply. Version 1 answers in order, so an id that it ignores does no harm.
  ask(request) {
    const id = ++this.number;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.process.stdin.write(JSON.stringify({ id, ...request }) + "\n");
    });
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

// The samples of a WAV file and their rate: its chunks have a name of four letters and a length.
function readWav(file) {
  const bytes = readFileSync(file);
  let rate = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = bytes.toString("latin1", at, at + 4), size = bytes.readUInt32LE(at + 4), body = at + 8;
    if (name === "fmt ") {
      if (bytes.readUInt16LE(body + 2) !== 1 || bytes.readUInt16LE(body + 14) !== 16) fail("expected a 16-bit mono WAV file");
      rate = bytes.readUInt32LE(body + 4);
    }
    if (name === "data") return { rate, sound: bytes.subarray(body, body + size) };
    at = body + size + (size % 2);
  }
  fail("expected a WAV file");
}

function* chunks({ rate, sound }) {
  const step = 2 * Math.floor(rate * CHUNK_SECONDS);
  for (let at = 0; at < sound.length; at += step) yield sound.subarray(at, at + step).toString("base64");
}

// We say where an utterance ends; the reply to `flush` has the text, with the model's markup before it.
async function firstVersion(bridge, wav) {
  await bridge.ask({ type: "start" });
  await bridge.ask({ type: "start_stream", stream_id: "file" });
  for (const pcm16 of chunks(wav)) {
    const partial = await bridge.ask({ type: "audio_chunk", stream_id: "file", sample_rate: wav.rate, pcm16 });
    process.stderr.write(`\r${partial.text}`);
  }
  await bridge.ask({ type: "end_utterance", stream_id: "file" });
  for (const item of (await bridge.ask({ type: "flush" })).items) console.log(item.text.replace("<asr_text>", ": "));
  await bridge.ask({ type: "stop" });
}

// The bridge hears where utterances end, and tells by itself: see onEvent.
async function secondVersion(bridge, wav) {
  await bridge.ask({ type: "start", protocol: "ossicle-jsonl-v2" });
  await bridge.ask({ type: "start_stream", stream_id: "file" });
  for (const pcm16 of chunks(wav)) {
    const ack = await bridge.ask({ type: "audio_chunk", stream_id: "file", sample_rate: wav.rate, pcm16, ack: true });
    // How much sound waits: a file must not run ahead of the ear.
    if (ack.queued_ms > 4000) await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await bridge.ask({ type: "stop_stream", stream_id: "file" });
  await bridge.ask({ type: "stop" });
}

// Committed text stays, pending text may change.
function onEvent({ event = {} }) {
  if (event.type === "partial") process.stderr.write(`\r${event.committed_text}\x1b[2m${event.pending_text}\x1b[0m`);
  if (event.type === "final") console.log(`${event.language}: ${event.text}`);
}

const options = process.argv.slice(2);
const named = options.indexOf("--bridge");
const bridge = new Bridge(named < 0 ? "ossicle bridge" : options[named + 1], onEvent);
await (options.includes("--v1") ? firstVersion : secondVersion)(bridge, readWav(options[0]));
