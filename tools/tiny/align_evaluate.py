"""Measure an aligner (a model folder or a checkpoint) on the corpus: float32, encoder windows of 8 s, no repair of the times.

usage: align_evaluate.py MODEL_FOLDER_OR_CHECKPOINT BASE DATA [--dev] [--json FILE]

--dev looks at the small development sets only, for use while training; the test sets are for the end.
"""
import argparse
import json
import os
import random

import numpy as np
import torch
from safetensors.torch import load_file

from align_items import CLASS_SECONDS, kept, pack
from align_train import build
from evaluate import test_clips
from items import Prompt, collate
from mel import SAMPLE_RATE, raw_log_mel
from voices import words_of

HEARD = {"english": ["en"], "english_unseen_variants": ["enheld"], "english_slt": ["slt"], "english_festival": ["hts", "ked"],
         "english_unseen_speaker_rms": ["rms"], "german": ["de"], "chinese": ["cmn"], "chinese_as_recogniser_heard": ["zh"]}
JOINED = [("english", 10, 20), ("english", 20, 30), ("german", 10, 20), ("german", 20, 30), ("chinese", 10, 20), ("chinese", 20, 30),
          ("english_unseen_speaker_rms", 10, 20), ("english_unseen_speaker_rms", 20, 30)]


class AlignModel:
    """An aligner with its tokenizer; one clip at a time."""

    def __init__(self, path: str, base: str, average: bool = True):
        with open((path if os.path.isdir(path) else base) + "/config.json") as file:
            self.network = build(json.load(file))
        if os.path.isdir(path):
            state = {name: weight.float() for name, weight in load_file(path + "/model.safetensors").items()}
        else:
            checkpoint = torch.load(path)
            state = checkpoint["average"] if average and "average" in checkpoint else checkpoint["net"]
        self.network.load_state_dict(state)
        self.network.eval()
        self.prompt = Prompt(base)

    @torch.no_grad()
    def classes(self, mel, words) -> list[int]:
        """Start and end class of every word of [(text, start, end)]; the times are not looked at."""
        spans, text = [], ""
        for word, *_ in words:
            spans.append((len(text), len(text) + len(word), 0.0, 0.0))
            text += word
        item = pack(self.prompt, mel, text, spans)
        batch = collate([item])
        audio, _, counts = self.network.thinker.audio_tower(batch["mel"], batch["frames"])
        rows, _, _ = self.network.thinker.model(self.network.embed(batch["ids"], audio, counts))
        return self.network.logits(rows[0, [row for row, *_ in item["stamps"]]]).argmax(-1).tolist()


def timed_words(record):
    """[(what the aligner is given of a word, start, end)] of a clip."""
    words = [record["text"][a:b] for a, b in words_of(record["text"], record["language"])]
    return [(kept(word), start, end) for word, start, end in zip(words, record["starts"], record["ends"])]


def timed_clips(clips):
    """(samples, words, text, language) of the clips whose words have times."""
    return [(samples, timed_words(record), record["text"], record["language"]) for samples, record in clips
            if record["starts"] and len(record["starts"]) == len(words_of(record["text"], record["language"]))]


def joined_pieces(clips, count, shortest, longest, seed):
    """`count` pieces of different clips: up to 1.5 s before the first, pauses of 0.1 to 2.5 s, silence or faint hiss."""
    random_, pieces = random.Random(seed), []
    while len(pieces) < count:
        lead, hiss = random_.uniform(0, 1.5), random_.choice([0, 1e-4, 1e-3])
        parts, words, texts, total = [np.zeros(int(lead * SAMPLE_RATE), np.float32)], [], [], int(lead * SAMPLE_RATE)
        for samples, spoken, text, _ in random_.sample(clips, min(len(clips), 20)):
            pause = random_.uniform(0.1, 0.6) if random_.random() < 0.8 else random_.uniform(0.6, 2.5)
            if total + len(samples) > longest * SAMPLE_RATE or text in texts:
                continue
            parts += [samples, np.zeros(int(pause * SAMPLE_RATE), np.float32)]
            words += [(word, start + total / SAMPLE_RATE, end + total / SAMPLE_RATE) for word, start, end in spoken]
            texts.append(text)
            total += len(samples) + len(parts[-1])
        if total >= shortest * SAMPLE_RATE:
            joined = np.concatenate(parts[:-1])
            noise = np.random.default_rng(random_.randrange(1 << 30)).standard_normal(len(joined)).astype(np.float32)
            pieces.append((joined + noise * np.float32(hiss), words, ("" if clips[0][3] == "Chinese" else " ").join(texts), clips[0][3]))
    return pieces


def errors(model, pieces) -> np.ndarray:
    """(words, 2): by how many milliseconds each start and end is late."""
    return np.concatenate([late(model.classes(raw_log_mel(samples).numpy(), words), words) for samples, words, *_ in pieces])


def late(classes, words) -> np.ndarray:
    """The same of one piece, from the classes found."""
    found = np.array(classes).reshape(-1, 2) * CLASS_SECONDS
    return np.round(1000 * (found - np.array([times for _, *times in words])))


def figures(milliseconds) -> dict:
    """What the card says of a set."""
    size = np.abs(milliseconds)
    return {"words": len(milliseconds), "median_ms": round(float(np.median(size))), "mean_ms": round(float(size.mean())),
            "percentile_95_ms": round(float(np.percentile(size, 95))), "within_80_ms": round(100 * float((size <= 80).mean()), 1),
            "start_bias_ms": round(float(np.median(milliseconds[:, 0]))), "end_bias_ms": round(float(np.median(milliseconds[:, 1])))}


def development(model, data):
    sets = {name: timed_clips(test_clips(data, "dev_" + name)) for name in ("en", "rms", "de", "cmn", "zh")}
    yield from ((name, figures(errors(model, clips))) for name, clips in sets.items())
    for name, longest in (("en", 16), ("en", 30), ("de", 30), ("cmn", 30), ("rms", 16), ("rms", 30)):
        pieces = joined_pieces(sets[name], 8, longest - 10, longest, longest)
        yield f"joined {name} {longest - 10}-{longest}", figures(errors(model, pieces))


def test(model, data):
    sets = {name: timed_clips([clip for shard in shards for clip in test_clips(data, "test_" + shard)]) for name, shards in HEARD.items()}
    for name, clips in sets.items():
        yield name, {"clips": len(clips)} | figures(errors(model, clips))
    sets["english"] += sets["english_slt"] + sets["english_festival"]
    for name, shortest, longest in JOINED:
        pieces = joined_pieces(sets[name], 20, shortest, longest, longest)
        yield f"joined_{name}_{shortest}_{longest}", {"clips": 20} | figures(errors(model, pieces))


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
    model, found = AlignModel(options.model, options.base, not options.last), {}
    for name, figure in (development if options.dev else test)(model, options.data):
        found[name] = figure
        print(name, json.dumps(figure), flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
