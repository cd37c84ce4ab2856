"""Measure a model folder or a checkpoint on the corpus: greedy, float32, the official streaming scheme.

usage: evaluate.py MODEL_FOLDER_OR_CHECKPOINT BASE DATA [--dev] [--json FILE]

--dev looks at the small development sets only, for use while training; the test sets are for the end.
"""
import argparse
import itertools
import json
import os
import random
import re

import numpy as np
import torch
from safetensors.torch import load_file

from corpus import noise
from domain import CITIES, FOODS, OTHER_NAMES, SECOND_SPELLING, THINGS
from items import Prompt, collate
from mel import SAMPLE_RATE, raw_log_mel
from network import Recogniser
from voices import words_of

LONGEST_REPLY = 260                          # tokens; 25 s of digits need about 100
GUIDED = (1, 0)


class Model:
    """A recogniser with its tokenizer; transcribes one clip at a time, with a cache."""

    def __init__(self, path: str, base: str, average: bool = True):
        with open(base + "/config.json") as file:
            self.network = Recogniser(json.load(file))
        if os.path.isdir(path):
            state = {k: v.float() for k, v in load_file(path + "/model.safetensors").items() if k != "thinker.lm_head.weight"}
        else:
            checkpoint = torch.load(path)
            state = checkpoint["average"] if average and "average" in checkpoint else checkpoint["net"]
        self.network.load_state_dict(state)
        self.network.eval()
        self.prompt = Prompt(base)

    @torch.no_grad()
    def reply(self, mel, context="", written=(), window=8) -> list[int]:
        """Token ids written after the prompt (and after the ids in `written`, which are included)."""
        item = self.prompt.pack(mel, "English", context=context)
        batch = collate([item])
        audio, _, counts = self.network.thinker.audio_tower(batch["mel"], batch["frames"], window)
        reply = list(written)
        ids = torch.tensor([item["ids"][: item["reply_start"]] + reply])
        rows, past, position = self.network.embed(ids, audio, counts), None, 0
        while len(reply) < LONGEST_REPLY:
            hidden, _, past = self.network.thinker.model(rows, past, position)
            position += rows.shape[1]
            token = int(self.network.logits(hidden[0, -1]).argmax())
            if token == self.prompt.end:
                break
            reply.append(token)
            rows = self.network.thinker.model.embed_tokens.weight[token][None, None]
        return reply

    def transcribe(self, mel, context="", window=8) -> tuple[str, str]:
        """Language and text."""
        return self.read(self.reply(mel, context, window=window))

    def read(self, reply):
        tag, _, text = self.prompt.tokenizer.decode(reply, skip_special_tokens=False).partition("<asr_text>")
        return tag.removeprefix("language "), text

    def stream(self, mel, chunk_frames, rollback=5, free_chunks=2) -> list[str]:
        """The official scheme: all sound so far again, after the text so far less its last tokens."""
        reply, texts = [], []
        for number, end in enumerate([*range(chunk_frames, len(mel), chunk_frames), len(mel)]):
            kept = [] if number < free_chunks else reply[:-rollback]
            while kept and "\ufffd" in self.prompt.tokenizer.decode(kept):
                kept = kept[:-1]
            reply = self.reply(mel[:end], written=kept)
            texts.append(self.read(reply)[1])
        return texts


def distance(reference, hypothesis) -> int:
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, found in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (expected != found))
    return row[-1]


def units(text: str, language: str) -> list[str]:
    """Words, or in Chinese characters, without case and punctuation."""
    text = re.sub(r"[.,?。，？]", "", text.lower())
    return list(text.replace(" ", "")) if language == "Chinese" else text.split()


def test_clips(data: str, name: str):
    """(samples, record) of every clip of a test shard."""
    samples, start, clips = np.load(f"{data}/{name}.wav.npy"), 0, []
    with open(f"{data}/{name}.wav.json") as counts, open(f"{data}/{name}.json") as records:
        for count, record in zip(json.load(counts), json.load(records)):
            clips.append((samples[start: start + count].astype(np.float32) / 32768, record))
            start += count
    return clips


def joined_clips(clips, count, shortest, longest, seed):
    """`count` pieces of `shortest` to `longest` seconds: different clips with pauses of 0.1 to 0.5 s."""
    random_, pieces = random.Random(seed), []
    while len(pieces) < count:
        parts, texts, total = [], [], 0.0
        for samples, record in random_.sample(clips, min(len(clips), 20)):
            pause = random_.uniform(0.1, 0.5)
            if total + len(samples) / SAMPLE_RATE > longest:
                break
            hiss = np.random.default_rng(random_.randrange(1 << 30)).standard_normal(int(pause * SAMPLE_RATE))
            parts += [samples, (hiss * random_.choice([0, 3e-4])).astype(np.float32)]
            texts.append(record["text"])
            total += len(samples) / SAMPLE_RATE + pause
        if total >= shortest:
            text = ("" if record["language"] == "Chinese" else " ").join(texts)
            pieces.append((np.concatenate(parts[:-1]), {"text": text, "language": record["language"]}))
    return pieces


def rate(model, clips, context="", window=8):
    """Error rate, exact replies and right languages, in per cent."""
    errors = words = exact = right = 0
    for samples, record in clips:
        mel = raw_log_mel(samples).numpy()
        language, text = model.transcribe(mel, context(record) if callable(context) else context, window)
        reference = units(record["text"], record["language"])
        errors, words = errors + distance(reference, units(text, record["language"])), words + len(reference)
        exact, right = exact + (text == record["text"]), right + (language == record["language"])
    unit = "cer" if clips[0][1]["language"] == "Chinese" else "wer"
    return {"clips": len(clips), unit: round(100 * errors / words, 2), "exact": round(100 * exact / len(clips), 1),
            "language": round(100 * right / len(clips), 1)}


def rate_context(model, clips):
    """How a name with two spellings is written, by context; clips hold exactly one such name."""
    random_ = random.Random(5)
    fillers = OTHER_NAMES + CITIES + FOODS + THINGS
    contexts = {
        "no_context": lambda name, alt: "",
        "second_spelling": lambda name, alt: alt,
        "second_spelling_among_three": lambda name, alt: f"Oliver, {alt}, Emma",
        "second_spelling_among_twenty": lambda name, alt: ", ".join(random_.sample([*random_.sample(fillers, 19), alt], 20)),
        "first_spelling": lambda name, alt: name,
        "other_names": lambda name, alt: "Oliver, Emma",
        "other_second_spellings": lambda name, alt: ", ".join(random_.sample([v for k, v in SECOND_SPELLING.items() if k != name], 3)),
        "twenty_other_words": lambda name, alt: ", ".join(random_.sample(fillers, 20)),
    }
    figures = {"clips": len(clips)}
    for label, make in contexts.items():
        first = second = 0
        for samples, record in clips:
            name = next(w for w in (w.strip(".,?") for w in record["text"].split()) if w in SECOND_SPELLING)
            words = units(model.transcribe(raw_log_mel(samples).numpy(), make(name, SECOND_SPELLING[name]))[1], "English")
            first, second = first + (name.lower() in words), second + (SECOND_SPELLING[name].lower() in words)
        figures[label] = {"first": round(100 * first / len(clips), 1), "second": round(100 * second / len(clips), 1)}
    return figures


def rate_no_speech(model, count):
    random_, right, wrong = random.Random(9), 0, []
    sounds = [noise(random_, random_.choice([0.5, 1, 2, 4, 8, 16, 25])) for _ in range(count - 6)]
    sounds += [np.zeros(int(SAMPLE_RATE * s), np.float32) for s in (0.5, 1, 2, 5, 12, 25)]
    for sound in sounds:
        reply = model.transcribe(raw_log_mel(sound).numpy())
        right += reply == ("None", "")
        wrong += [] if reply == ("None", "") else [[round(len(sound) / SAMPLE_RATE, 1), *reply]]
    return {"clips": len(sounds), "none": round(100 * right / len(sounds), 1), "wrong": wrong[:5]}


def rate_streaming(model, clips, chunk_seconds):
    errors = words = kept = shown = 0
    for samples, record in clips:
        texts = model.stream(raw_log_mel(samples).numpy(), int(100 * chunk_seconds))
        reference = units(record["text"], record["language"])
        errors, words = errors + distance(reference, units(texts[-1], record["language"])), words + len(reference)
        for now, later in itertools.pairwise(texts):
            now, later = units(now, record["language"]), units(later, record["language"])
            kept, shown = kept + sum(a == b for a, b in zip(now, later)), shown + len(now)
    return {"clips": len(clips), "wer": round(100 * errors / words, 2), "words_kept": round(100 * kept / max(1, shown), 1)}


def rate_partial(model, clips, seed=3):
    """Sound that ends within a word: errors against the words finished by then."""
    random_, errors, words = random.Random(seed), 0, 0
    for samples, record in clips:
        spans, starts = words_of(record["text"], record["language"]), record["starts"]
        if starts is None or len(spans) != len(starts) or len(spans) < 3:
            continue
        word = random_.randint(1, len(spans) - 1)
        text = model.transcribe(raw_log_mel(samples[: int(SAMPLE_RATE * (starts[word] + 0.06))]).numpy())[1]
        reference = units(record["text"][: spans[word - 1][1]], record["language"])
        errors, words = errors + distance(reference, units(text, record["language"])), words + len(reference)
    return {"clips": len(clips), "wer": round(100 * errors / max(1, words), 2)}


@torch.no_grad()
def rate_alignment(model, clips):
    """With the text given: share of text tokens at which the guided head's peak is within one audio token of the word."""
    near = total = 0
    for samples, record in clips:
        spans, starts = words_of(record["text"], record["language"]), record["starts"]
        if starts is None or len(starts) != len(spans):
            continue
        ends = [*starts[1:], len(samples) / SAMPLE_RATE]
        item = model.prompt.pack(raw_log_mel(samples).numpy(), record["language"], record["text"],
                                 [(a, b, s, e) for (a, b), s, e in zip(spans, starts, ends)])
        batch = collate([item])
        audio, _, counts = model.network.thinker.audio_tower(batch["mel"], batch["frames"])
        _, weights, _ = model.network.thinker.model(model.network.embed(batch["ids"], audio, counts))
        for row, low, high in item["spans"]:
            at = item["audio_start"]
            peak = at + int(weights[GUIDED[0]][0, GUIDED[1], row, at: at + item["audio_tokens"]].argmax())
            near, total = near + (low - 1 <= peak <= high), total + 1
    return {"tokens": total, "within_one": round(100 * near / max(1, total), 1)}


def irrelevant(record):
    """Twenty words that the sentence does not contain."""
    said = set(record["text"].replace(".", "").replace("?", "").split())
    said |= {SECOND_SPELLING[word] for word in said if word in SECOND_SPELLING}
    words = OTHER_NAMES + list(SECOND_SPELLING) + list(SECOND_SPELLING.values()) + CITIES + THINGS
    return ", ".join(random.Random(record["text"]).sample([word for word in words if word not in said], 20))


def has_one_name(clip) -> bool:
    """Does the sentence hold exactly one name with two spellings?"""
    return sum(word.strip(".,?") in SECOND_SPELLING for word in clip[1]["text"].split()) == 1


def development(model, data):
    sets = {name: test_clips(data, "dev_" + name) for name in ("en", "rms", "de", "zh")}
    yield from ((name, rate(model, clips)) for name, clips in sets.items())
    yield "joined en 8-12", rate(model, joined_clips(sets["en"], 8, 8, 12, 1))
    yield "joined en 20-25", rate(model, joined_clips(sets["en"], 6, 20, 25, 2))
    yield "joined de 12-20", rate(model, joined_clips(sets["de"], 4, 12, 20, 3))
    yield "partial en", rate_partial(model, sets["en"])
    named = [clip for name in ("en", "rms") for clip in sets[name] if has_one_name(clip)]
    yield "context", rate_context(model, named[:12])
    yield "no speech", rate_no_speech(model, 14)


TEST_SETS = {
    "english": ["test_en"], "english_unseen_variants": ["test_enheld"], "english_slt": ["test_slt"],
    "english_festival": ["test_hts", "test_ked"], "english_unseen_speaker_rms": ["test_rms"],
    "german": ["test_de"], "chinese": ["test_zh"],
}


def test(model, data):
    sets = {name: [clip for shard in shards for clip in test_clips(data, shard)] for name, shards in TEST_SETS.items()}
    yield from ((name, rate(model, clips)) for name, clips in sets.items())
    yield "english_no_encoder_window", rate(model, sets["english"], window=1000)
    yield "english_irrelevant_context", rate(model, sets["english"], irrelevant)
    natural = sets["english"] + sets["english_slt"] + sets["english_festival"]
    for shortest, longest in ((3, 6), (6, 8), (8, 12), (12, 18), (18, 25)):
        yield f"joined_english_{shortest}_{longest}", rate(model, joined_clips(natural, 30, shortest, longest, longest))
    for language in ("german", "chinese"):
        for shortest, longest in ((6, 12), (12, 25)):
            yield f"joined_{language}_{shortest}_{longest}", rate(model, joined_clips(sets[language], 20, shortest, longest, longest))
    yield "joined_rms_8_12", rate(model, joined_clips(sets["english_unseen_speaker_rms"], 20, 8, 12, 1))
    for chunk in (1, 2):
        yield f"streaming_{chunk}s_chunks", rate_streaming(model, joined_clips(sets["english"], 15, 8, 14, 77), chunk)
    for name in ("english", "german", "chinese"):
        yield f"partial_{name}", rate_partial(model, sets[name])
    spoken = ("english", "english_unseen_variants", "english_slt", "english_festival")
    named = [clip for name in spoken for clip in sets[name] if has_one_name(clip)]
    yield "context", rate_context(model, named[:60])
    yield "no_speech", rate_no_speech(model, 60)
    for name in ("english", "german", "chinese"):
        yield f"alignment_{name}", rate_alignment(model, sets[name])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("base")
    parser.add_argument("data")
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--last", action="store_true", help="the last weights of a checkpoint, not the average")
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    model, figures = Model(options.model, options.base, not options.last), {}
    for name, figure in (development if options.dev else test)(model, options.data):
        figures[name] = figure
        print(name, json.dumps(figure, ensure_ascii=False), flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
