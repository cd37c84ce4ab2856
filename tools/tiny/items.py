"""Training items: clips of the corpus in, padded batches of mel, token ids and labels out.

An item is one to ten clips with pauses between them, altered a little, perhaps cut, perhaps with a context; its labels are
the reply to write, for every audio token the text token being spoken, and for every text token where it is spoken.
"""
# ruff: noqa: SIM905  (word lists read better as one string)
import glob
import json
import os
import random

import numpy as np
import torch
from tokenizers import Tokenizer

from domain import CITIES, FOODS, GENERATORS, NAME_PAIRS, OTHER_NAMES, SECOND_SPELLING, THINGS
from mel import BANDS, SILENCE, normalise
from network import CHUNK, TOKENS_PER_CHUNK, audio_tokens
from voices import words_of

# (weight, longest item in seconds, most clips, chance of a cut end): about equal shares of the audio
LENGTHS = [(40, 4.5, 1, 0.12), (18, 8, 3, 0.2), (18, 14, 5, 0.2), (13, 29, 12, 0.12)]
NO_SPEECH, NAMED, NATURAL = 0.04, 0.16, 0.42       # shares: no speech; a name with two spellings; natural voices of English
NAME_WEIGHT = 5.0                                  # of a name with two spellings in the reply's loss: few tokens, all to learn
PLAIN_NAMES = OTHER_NAMES + [name for pair in NAME_PAIRS for name in pair]
IRRELEVANT = PLAIN_NAMES * 3 + CITIES + FOODS + THINGS + "München Wetter Küche 北京 天气 ossicle Speech project agenda".split()


class Corpus:
    """All clips of the shards that match a pattern."""

    def __init__(self, pattern: str):
        self.clips = []
        for path in sorted(glob.glob(pattern)):
            if path.endswith(".wav.npy") or not os.path.exists(path[:-4] + ".json"):
                continue
            frames, start = np.load(path, mmap_mode="r"), 0
            with open(path[:-4] + ".json") as file:
                for record in json.load(file):
                    self.clips.append((frames, start, record))
                    start += record["frames"]

    def get(self, index: int):
        """Raw mel (frames, 128) and the record of a clip."""
        frames, start, record = self.clips[index]
        return np.asarray(frames[start: start + record["frames"]], dtype=np.float32), record


def token_at(seconds: float) -> float:
    """The audio token, with fraction, at a time of the clip."""
    frame = max(0.0, seconds * 100)
    return frame // CHUNK * TOKENS_PER_CHUNK + frame % CHUNK / 8


class Prompt:
    """Turns mel and text into token ids and labels."""

    def __init__(self, folder: str):
        self.tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
        with open(folder + "/config.json") as file:
            thinker = json.load(file)["thinker_config"]
        self.blank = thinker["text_config"]["vocab_size"]
        self.audio_token, self.end = thinker["audio_token_id"], self.ids("<|im_end|>")[0]
        self.after_audio = self.ids("<|audio_end|><|im_end|>\n<|im_start|>assistant\n")

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids

    def pack(self, mel, language, text="", words=(), context="", is_cut=False):
        """One item. words: (first character, one past the last, start, end in seconds), or None where unknown."""
        count = int(audio_tokens(len(mel)))
        before = self.ids("<|im_start|>system\n" + context + "<|im_end|>\n<|im_start|>user\n<|audio_start|>")
        encoded, tag = self.tokenizer.encode(text), self.ids("language " + language + "<asr_text>")
        reply = len(before) + count + len(self.after_audio)
        names = _spans_of_names(text) if language == "English" else []
        item = {
            "mel": normalise(mel), "language": language, "text": text, "audio_start": len(before), "audio_tokens": count,
            "reply_start": reply, "frame_labels": None, "spans": [],
            "weights": [1.0] * len(tag) + [NAME_WEIGHT if any(a < end and b > start for start, end in names) else 1.0
                                           for a, b in encoded.offsets] + [1.0],
            "ids": before + [self.audio_token] * count + self.after_audio + tag + encoded.ids + [self.end],
        }
        if words is not None:
            item["frame_labels"] = self.frame_labels(encoded, words, count, is_cut)
            item["spans"] = self._spans(encoded, words, count, len(before), reply + len(tag) - 1)
        return item

    def frame_labels(self, encoded, words, count, is_cut):
        """For every audio token the text token being spoken, the blank in silence, -100 after a cut."""
        labels, last = np.full(count, self.blank), 0
        for first, end, start_seconds, end_seconds in words:
            tokens = [t for t, (a, b) in enumerate(encoded.offsets) if a < end and b > first]
            shares = [max(1, min(end, encoded.offsets[t][1]) - max(first, encoded.offsets[t][0])) for t in tokens]
            bounds = np.cumsum([0, *shares]) / sum(shares)       # within a word, by letters
            low, high = token_at(start_seconds), token_at(end_seconds)
            for t, a, b in zip(tokens, bounds, bounds[1:]):
                begin = round(low + (high - low) * a)
                labels[min(count, begin): min(count, max(round(low + (high - low) * b), begin + 1))] = encoded.ids[t]
            last = max(last, high)
        if is_cut:
            labels[min(count, int(last)):] = -100
        return labels

    def _spans(self, encoded, words, count, audio_start, row):
        """(row that predicts a text token, first audio position of its word, one past the last)."""
        spans = []
        for t, (a, b) in enumerate(encoded.offsets):
            spoken = [w for w in words if w[0] < b and w[1] > a]
            if spoken:
                low, high = token_at(spoken[0][2]), token_at(spoken[-1][3])
                spans.append((row + t, audio_start + int(low), audio_start + min(count, max(int(low) + 1, int(np.ceil(high))))))
        return spans


class Items:
    """Draws items from a corpus; what it draws depends on the seed alone."""

    def __init__(self, folder: str, corpus: Corpus, seed: int):
        self.prompt, self.corpus = Prompt(folder), corpus
        self.random, self.numpy = random.Random(seed), np.random.default_rng(seed)
        self.by_language, self.by_voice, self.natural, self.named = {}, {}, [], []
        for i, (_, _, record) in enumerate(corpus.clips):
            if record["language"] != "None" and record["starts"] is None:
                continue                                         # without word times there are no labels
            self.by_language.setdefault(record["language"], []).append(i)
            self.by_voice.setdefault((record["language"], record["voice"]), []).append(i)
            if record["language"] == "English":
                if not record["voice"].startswith("espeak"):
                    self.natural.append(i)
                if _names_in(record["text"]):
                    self.named.append(i)

    def draw(self):
        choose = self.random
        _, longest, most, cut = choose.choices(LENGTHS, [row[0] for row in LENGTHS])[0]
        if choose.random() < NO_SPEECH:
            return self._no_speech(longest)
        language = choose.choices(["English", "German", "Chinese"], [0.66, 0.18, 0.16])[0]
        indices = self._choose_clips(language, longest, most)
        clips = [self.corpus.get(i) for i in indices]
        swaps, context = self._choose_context(language, " ".join(record["text"] for _, record in clips))
        mel, text, words, is_cut = self._join(clips, swaps, language, cut)
        return self.prompt.pack(self._alter(mel), language, text, words, context, is_cut)

    def _choose_clips(self, language, longest, most):
        choose = self.random
        pool = self.by_language[language]
        if language == "English":
            pool = self.natural if choose.random() < NATURAL else pool
            if choose.random() < NAMED / 0.66 and self.named:
                pool = self.named
        count = choose.randint(max(1, most // 2), most)
        indices, frames = [], 0
        for _ in range(count + 15):
            i = choose.choice(pool)
            length = self.corpus.clips[i][2]["frames"] + 35
            if frames + length > longest * 100 and (indices or length > 1000):
                continue
            indices.append(i)
            frames += length
            if len(indices) == count:
                break
            if len(indices) == 1:                                # the others: any of the kind, or of the same voice
                voice = self.by_voice[language, self.corpus.clips[i][2]["voice"]]
                if choose.random() < 0.4 and len(voice) >= 2 * count:
                    pool = voice
                elif pool is not self.natural:
                    pool = self.by_language[language]
        choose.shuffle(indices)
        return indices

    def _choose_context(self, language, text):
        """Which names take their second spelling, and the context that says so."""
        choose = self.random
        present = _names_in(text) if language == "English" else []
        swaps = {name: SECOND_SPELLING[name] for name in present if choose.random() < 0.45}
        shown = list(swaps.values()) + [name for name in present if name not in swaps and choose.random() < 0.2]
        if not shown and choose.random() > (0.45 if present else 0.1):
            return swaps, ""
        barred = {form for name in present for form in (name, SECOND_SPELLING[name])}
        extra = choose.choices([choose.randint(0, 2), choose.randint(3, 8), choose.randint(8, 25)], [5, 4, 2])[0]
        others = PLAIN_NAMES if choose.random() < 0.5 else IRRELEVANT
        shown += [word for word in (choose.choice(others) for _ in range(extra if shown else extra + 1)) if word not in barred]
        shown = list(dict.fromkeys(shown))
        choose.shuffle(shown)
        if choose.random() < 0.12:                               # a sentence or two instead of a list
            carriers = ["We talk with {}.", "Call {} at work.", "This is about {}.", "{} is on the phone.", "Please write {}."]
            context = " ".join(choose.choice(carriers).format(word) for word in shown[:6] + list(set(swaps.values()) - set(shown[:6])))
        else:
            context = choose.choice([", ", ", ", " ", "\n", "; "]).join(shown)
            context = choose.choice(["", "", "", "Names: ", "Context: ", "Words: "]) + context + choose.choice(["", "", ".", "\n"])
        if not present and choose.random() < 0.15:
            context = GENERATORS[choose.choice(list(GENERATORS))](choose)
        return swaps, context

    def _join(self, clips, swaps, language, cut):
        choose = self.random
        separator = "" if language == "Chinese" else " "
        self.floor, self.floor_is_noise = choose.uniform(-9.9, -6), choose.random() < 0.4
        pauses = choose.choices([(0.05, 0.7), (0.02, 0.2), (0.7, 2.5)], [6, 3, 1])[0]
        parts, text, words, is_cut = [], "", [], False
        if choose.random() < 0.6:
            parts.append(self._silence(0, 0.6 if choose.random() < 0.9 else 3))
        for number, (mel, record) in enumerate(clips):
            mel, tempo = self._warp(mel, record["voice"])
            starts = [start / tempo for start in record["starts"]]
            ends = self._ends(record, starts, tempo, len(mel) / 100)
            sentence = " ".join(_swap(word, swaps) for word in record["text"].split(" ")) if swaps else record["text"]
            spans = words_of(sentence, language)
            if len(spans) != len(starts):
                continue
            is_last = number == len(clips) - 1
            if number == 0 and len(spans) > 2 and choose.random() < 0.04:       # begins within a sentence
                word = choose.randint(1, len(spans) - 1)
                mel, shift, begin = mel[int(starts[word] * 100):], int(starts[word] * 100) / 100, spans[word][0]
                sentence, spans = sentence[begin:], [(a - begin, b - begin) for a, b in spans[word:]]
                starts, ends = [s - shift for s in starts[word:]], [e - shift for e in ends[word:]]
            if is_last and len(spans) > 1 and choose.random() < cut:            # a stream so far: ends within a word
                word = choose.randint(1, len(spans) - 1)
                mel = mel[: max(20, int(100 * (starts[word] + (ends[word] - starts[word]) * choose.uniform(0, 0.5))))]
                sentence = sentence[: spans[word - 1][1]].rstrip(",，")
                spans, starts, ends, is_cut = spans[:word], starts[:word], ends[:word], True
            if len(clips) > 1:
                mel = mel + choose.uniform(-0.4, 0.4)
            offset, base = sum(map(len, parts)) / 100, len(text) + (len(separator) if text else 0)
            text += (separator if text else "") + sentence
            words += [(base + a, base + b, offset + s, offset + e) for (a, b), s, e in zip(spans, starts, ends)]
            parts.append(mel)
            if not is_last:
                parts.append(self._silence(*pauses))
        if not is_cut and choose.random() < 0.6:
            parts.append(self._silence(0, 0.6 if choose.random() < 0.9 else 3))
        return np.concatenate(parts), text, words, is_cut

    def _ends(self, record, starts, tempo, seconds):
        """A word lasts until the next: the recogniser was made before the voices told ends."""
        return [*starts[1:], seconds]

    def _silence(self, shortest, longest):
        frames = int(self.random.uniform(shortest, longest) * 100)
        quiet = np.full((frames, BANDS), self.floor, np.float32)
        return quiet + 0.5 * self.numpy.standard_normal(quiet.shape, np.float32) if self.floor_is_noise else quiet

    def _warp(self, mel, voice):
        """Formants, tempo and channel, moved a little; returns the tempo too."""
        choose, tempo = self.random, 1.0
        natural = not voice.startswith("espeak")
        if choose.random() < (0.5 if natural else 0.3):
            reach = 0.1 if natural else 0.07
            at = np.clip(np.arange(BANDS) * choose.uniform(1 - reach, 1 + reach), 0, BANDS - 1)
            low, share = at.astype(int), (at % 1).astype(np.float32)
            mel = mel[:, low] * (1 - share) + mel[:, np.minimum(low + 1, BANDS - 1)] * share
        if choose.random() < 0.25:
            tempo = choose.uniform(0.84, 1.2)
            mel = mel[np.minimum((np.arange(int(len(mel) / tempo)) * tempo).astype(int), len(mel) - 1)]
        if choose.random() < 0.4:
            knots = self.numpy.uniform(-0.45, 0.45, 6)
            mel = mel + np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 6), knots).astype(np.float32)
        return mel, tempo

    def _alter(self, mel):
        """Loudness, background noise, small holes."""
        choose = self.random
        mel = mel + np.float32(choose.uniform(-1.5, 0.6))
        if choose.random() < 0.35:
            background = self._background(len(mel))
            level = np.log10((10 ** mel[::3]).mean(0)).max() - background.max() - choose.uniform(1.5, 5)
            mel = np.logaddexp2(mel * LOG2_10, (background + level) * LOG2_10) / LOG2_10
        mel = np.maximum(mel, SILENCE)
        if choose.random() < 0.2:
            start = choose.randint(0, 110)
            mel[:, start: start + choose.randint(0, 12)] = mel.min()
        if choose.random() < 0.1 and len(mel) > 100:
            start = choose.randint(0, len(mel) - 12)
            mel[start: start + choose.randint(0, 10)] = mel.min()
        return mel.astype(np.float32)

    def _background(self, frames):
        if self.random.random() < 0.4 and "None" in self.by_language:
            mel, _ = self.corpus.get(self.random.choice(self.by_language["None"]))
            return np.resize(mel, (frames, BANDS))
        slope = self.random.uniform(0, 3) * np.linspace(0, 1, BANDS, dtype=np.float32)
        power = self.numpy.standard_gamma(3.0, (frames, BANDS), np.float32) / 3
        if self.random.random() < 0.3:
            power *= (1.2 + np.sin(np.arange(frames, dtype=np.float32) / self.random.uniform(4, 40)))[:, None]
        return np.log10(power + 1e-6) - slope

    def _no_speech(self, longest):
        choose = self.random
        frames = choose.randint(20, int(longest * 100))
        if choose.random() < 0.15:
            mel = np.full((frames, BANDS), SILENCE, np.float32)
        else:
            mel = np.maximum(self._background(frames) + choose.uniform(-7, 0.5), SILENCE)
        context = ", ".join(choose.sample(PLAIN_NAMES, choose.randint(1, 8))) if choose.random() < 0.15 else ""
        return self.prompt.pack(mel, "None", context=context)


BOTH_SPELLINGS = {name for pair in NAME_PAIRS for name in pair}
LOG2_10 = np.float32(np.log2(10))


def _names_in(text):
    return sorted({word for word in (w.strip(".?,") for w in text.split()) if word in SECOND_SPELLING})


def _spans_of_names(text):
    """First character and one past the last of every name with two spellings, in either."""
    return [(a, b) for a, b in words_of(text, "English") if text[a:b].strip(".?,") in BOTH_SPELLINGS]


def _swap(word, swaps):
    name = word.strip(".?,")
    return word.replace(name, swaps[name]) if name in swaps else word


def collate(items):
    """A batch of tensors; every clip padded with zeros to whole chunks of the longest."""
    batch, chunks = len(items), max(-(-len(i["mel"]) // CHUNK) for i in items)
    mel = np.zeros((batch, chunks * CHUNK, BANDS), np.float32)
    tokens, audio = max(len(i["ids"]) for i in items), max(i["audio_tokens"] for i in items)
    ids = torch.zeros(batch, tokens, dtype=torch.long)
    weights = torch.zeros(batch, tokens)
    labels, frame_labels = torch.full((batch, tokens), -100), torch.full((batch, audio), -100)
    spans = []
    for row, item in enumerate(items):
        mel[row, : len(item["mel"])] = item["mel"]
        ids[row, : len(item["ids"])] = torch.tensor(item["ids"])
        start, end = item["reply_start"], len(item["ids"])
        labels[row, start - 1: end - 1] = ids[row, start: end]
        weights[row, start - 1: end - 1] = torch.tensor(item["weights"])
        if item["frame_labels"] is not None:
            frame_labels[row, : item["audio_tokens"]] = torch.from_numpy(item["frame_labels"])
        spans += [(row, *span) for span in item["spans"]]
    return {
        "mel": torch.from_numpy(mel).view(batch, chunks, CHUNK, BANDS).transpose(2, 3).contiguous(),
        "frames": torch.tensor([len(i["mel"]) for i in items]), "ids": ids, "labels": labels, "weights": weights,
        "frame_labels": frame_labels, "spans": torch.tensor(spans, dtype=torch.long).view(-1, 4),
    }


class Batches(torch.utils.data.IterableDataset):
    """Endless batches of about `frames` mel frames, padding included; new shards are taken up as they appear."""

    ITEMS, COLLATE = Items, staticmethod(collate)

    def __init__(self, folder, pattern, frames=7200, pool=240):
        self.folder, self.pattern, self.frames, self.pool = folder, pattern, frames, pool

    def __iter__(self):
        torch.set_num_threads(1)
        os.nice(5)
        shards = None
        while True:
            found = sorted(p for p in glob.glob(self.pattern) if os.path.exists(p[:-4] + ".json"))
            if found != shards:
                shards = found
                items = self.ITEMS(self.folder, Corpus(self.pattern), seed=int.from_bytes(os.urandom(4), "little"))
                print("corpus:", len(items.corpus.clips), "clips", flush=True)
            batches = self._batches([items.draw() for _ in range(self.pool)])
            items.random.shuffle(batches)
            yield from map(self.COLLATE, batches)

    def _batches(self, pool):
        pool.sort(key=lambda item: len(item["mel"]))
        batches, batch, chunks = [], [], 0
        for item in pool:
            chunks = max(chunks, -(-len(item["mel"]) // CHUNK))
            if batch and chunks * (len(batch) + 1) * CHUNK > self.frames:
                batches.append(batch)
                batch, chunks = [], -(-len(item["mel"]) // CHUNK)
            batch.append(item)
        return [*batches, batch]
