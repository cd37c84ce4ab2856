"""Choose the recordings that travel with the model: samples for people, a small held-out set for the package's tests.

usage: samples.py MODEL_FOLDER DATA TEST_SET_FOLDER

Everything is drawn from the test shards, in a fixed order and not by result. MODEL_FOLDER/samples gets wav, flac and one Opus
files, TEST_SET_FOLDER Opus files; both get transcripts.json, with what the model writes for each file (float32 arithmetic, greedy),
measured on the file as it is read back. The test set's figures go to MODEL_FOLDER/card.json as "bundled_test".
"""
import json
import os
import random
import sys

import numpy as np
import soundfile
import torch

from corpus import noise
from domain import SECOND_SPELLING
from evaluate import Model, distance, has_one_name, test_clips, units
from mel import SAMPLE_RATE, raw_log_mel
from voices import words_of

PAUSES = (0.25, 0.4)                          # seconds between the sentences of a joined recording, in turn


def timed_words(record, offset, seconds):
    """The words with start and end, or None where the voice did not tell."""
    spans, starts = words_of(record["text"], record["language"]), record["starts"]
    if starts is None or len(spans) != len(starts):
        return None
    ends = [*starts[1:], seconds]
    return [{"text": record["text"][a:b], "start": round(offset + start, 3), "end": round(offset + end, 3)}
            for (a, b), start, end in zip(spans, starts, ends)]


def single(clip):
    samples, record = clip
    return samples, {"language": record["language"], "text": record["text"], "voice": record["voice"],
                     "words": timed_words(record, 0.0, len(samples) / SAMPLE_RATE)}


def joined(clips, shortest, longest):
    """Clips in a row until `shortest` is passed, none beyond `longest`; a sentence is used once."""
    parts, texts, words, voices, seconds = [], [], [], [], 0.0
    for samples, record in clips:
        if seconds + len(samples) / SAMPLE_RATE > longest or record["text"] in texts:
            continue
        pause = np.zeros(int(SAMPLE_RATE * PAUSES[len(texts) % 2]), np.float32)
        spoken = timed_words(record, seconds, len(samples) / SAMPLE_RATE)
        words = None if words is None or spoken is None else words + spoken
        parts += [samples, pause]
        texts.append(record["text"])
        voices.append(record["voice"])
        seconds += (len(samples) + len(pause)) / SAMPLE_RATE
        if seconds > shortest:
            break
    separator = "" if record["language"] == "Chinese" else " "
    return np.concatenate(parts[:-1]), {"language": record["language"], "text": separator.join(texts), "voice": voices, "words": words}


def samples_for_people(data):
    """Yield (file name, samples, record); the record may hold a context and the text it should lead to."""
    shards = {name: test_clips(data, "test_" + name) for name in ("en", "rms", "slt", "de", "zh")}
    middle = {name: [c for c in clips if 1.5 < len(c[0]) / SAMPLE_RATE < 2.5] for name, clips in shards.items()}
    yield "english.wav", *single(middle["en"][1])
    yield "german.flac", *single(middle["de"][1])
    yield "chinese.flac", *single(middle["zh"][1])
    yield "english_unseen_speaker.flac", *single(middle["rms"][1])
    yield "english_joined.opus", *joined(shards["slt"][10:], 8, 10)
    yield "english_long.wav", *joined(shards["en"][40:], 20, 20.8)
    samples, record = single(next(c for c in middle["slt"] + middle["en"] if has_one_name(c)))
    name = next(w for w in (w.strip(".,?") for w in record["text"].split()) if w in SECOND_SPELLING)
    second = SECOND_SPELLING[name]
    named = {"context": f"Oliver, {second}, Emma", "text_with_context": record["text"].replace(name, second)}
    yield "english_context.flac", samples, record | named
    yield "noise.wav", noise(random.Random(3), 1.2), {"language": "None", "text": "", "voice": "noise", "words": []}


def samples_for_tests(data):
    """30 English clips, 10 German, 10 Chinese, 10 joined."""
    shards = {name: test_clips(data, "test_" + name) for name in ("en", "enheld", "slt", "hts", "de", "zh")}
    for name, count in (("en", 16), ("enheld", 6), ("slt", 6), ("hts", 2), ("de", 10), ("zh", 10)):
        for number, clip in enumerate(shards[name][:count]):
            yield f"{name}_{number:02}.opus", *single(clip)
    for number, (name, first, shortest) in enumerate(
            (("en", 20, 5), ("en", 30, 8), ("en", 45, 10), ("slt", 20, 6), ("slt", 40, 9), ("en", 60, 15),
             ("de", 20, 6), ("de", 40, 10), ("zh", 20, 6), ("zh", 40, 10))):
        yield f"joined_{number:02}_{name}.opus", *joined(shards[name][first:], shortest, shortest + 3)


def write(folder, clips, model):
    """Write the files; returns the records with what the model writes for each as it is read back."""
    os.makedirs(folder, exist_ok=True)
    records = []
    for name, samples, record in clips:
        path = os.path.join(folder, name)
        if name.endswith(".opus"):
            soundfile.write(path, samples, SAMPLE_RATE, format="OGG", subtype="OPUS")
        else:
            soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
        read = soundfile.read(path, dtype="float32")[0]
        mel = raw_log_mel(read).numpy()
        language, text = model.transcribe(mel)
        entry = {"file": name, "seconds": round(len(read) / SAMPLE_RATE, 3), **record,
                 "model_language": language, "model_text": text}
        if "context" in record:
            entry["model_text_with_context"] = model.transcribe(mel, record["context"])[1]
        records.append(entry)
        print(entry["file"], entry["seconds"], "exact" if text == record["text"] else text, flush=True)
    with open(os.path.join(folder, "transcripts.json"), "w") as file:
        json.dump(records, file, indent=1, ensure_ascii=False)
    return records


def figures(records):
    """Error rate, exact replies and right languages of every group of the test set."""
    groups = {}
    for record in records:
        kind = "joined" if record["file"].startswith("joined") else record["language"].lower()
        groups.setdefault(kind, []).append(record)
    result = {}
    for kind, members in groups.items():
        pairs = [(units(m["text"], m["language"]), units(m["model_text"], m["language"])) for m in members]
        rate = 100 * sum(distance(*pair) for pair in pairs) / sum(len(reference) for reference, _ in pairs)
        result[kind] = {
            "clips": len(members), "cer" if kind == "chinese" else "wer": round(rate, 2),
            "exact": round(100 * sum(m["text"] == m["model_text"] for m in members) / len(members), 1),
            "language": round(100 * sum(m["language"] == m["model_language"] for m in members) / len(members), 1)}
    return result


def main() -> None:
    folder, data, test_folder = sys.argv[1:4]
    torch.set_num_threads(1)
    model = Model(folder, folder)
    write(os.path.join(folder, "samples"), samples_for_people(data), model)
    records = write(test_folder, samples_for_tests(data), model)
    path = os.path.join(folder, "card.json")
    card = {}
    if os.path.exists(path):
        with open(path) as file:
            card = json.load(file)
    card["bundled_test"] = figures(records)
    with open(path, "w") as file:
        json.dump(card, file, indent=1, ensure_ascii=False)
    print(json.dumps(card["bundled_test"]))


if __name__ == "__main__":
    main()
