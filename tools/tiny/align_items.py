"""Training items of the aligner: joins of clips in, the published aligner's input with the times of its stamps out.

An item's text is known: what is to learn is when each word begins and ends. The rest (joins, pauses, noise) is items.py's.
"""
import unicodedata

import numpy as np
import torch

from items import Batches, Items, collate, token_at
from mel import BANDS, normalise
from network import audio_tokens

CLASSES, CLASS_SECONDS = 400, 0.08           # 32 s: the longest item, and the longest sound the aligner is for
# (weight, longest item in seconds, most clips, chance of an end within a word)
LENGTHS = [(28, 4.5, 1, 0.05), (20, 9, 4, 0.08), (26, 18, 7, 0.08), (30, 30, 14, 0.08)]
LANGUAGES = {"English": 0.56, "German": 0.18, "Chinese": 0.26}
PAUSED = 0.25                                # share of clips with a pause put between two of their words


def kept(word: str) -> str:
    """The characters of a word that the published aligner is given: letters, numbers, the straight apostrophe."""
    return "".join(char for char in word if char == "'" or unicodedata.category(char)[0] in "LN")


def aligner_config(config: dict, token_id) -> dict:
    """The aligner's config.json in the published form, from the recogniser's; one decoder layer more."""
    thinker = dict(config["thinker_config"])
    thinker |= {"model_type": "qwen3_forced_aligner", "classify_num": CLASSES}
    layers = thinker["text_config"]["num_hidden_layers"] + 1
    thinker["text_config"] = thinker["text_config"] | {"num_hidden_layers": layers, "tie_word_embeddings": False}
    return config | {"timestamp_token_id": token_id("<timestamp>"), "timestamp_segment_time": round(1000 * CLASS_SECONDS),
                     "thinker_config": thinker}


def pack(prompt, mel, text, words, is_cut=False):
    """One item. words: (first character, one past the last, start, end in seconds)."""
    count = int(audio_tokens(len(mel)))
    ids = [*prompt.ids("<|audio_start|>"), *[prompt.audio_token] * count, *prompt.ids("<|audio_end|>")]
    stamp, stamps, spans = prompt.ids("<timestamp>"), [], []
    for first, last, start, end in words:
        begin = len(ids)
        ids += prompt.ids(kept(text[first: last])) + 2 * stamp
        low, high = token_at(start), token_at(end)
        for row, at in ((len(ids) - 2, low), (len(ids) - 1, high)):
            near = min(count - 1, int(at))
            stamps.append((row, 1 + max(0, near - 1), 1 + min(count, near + 2)))
        low, high = min(count - 1, int(low)), min(count, max(int(low) + 1, int(np.ceil(high))))
        spans += [(row, 1 + low, 1 + high) for row in range(begin, len(ids))]
    return {
        "mel": normalise(mel), "ids": ids, "audio_tokens": count, "reply_start": len(ids), "weights": [], "spans": spans,
        "frame_labels": prompt.frame_labels(prompt.tokenizer.encode(text), words, count, is_cut),
        "stamps": stamps, "times": [time for *_, start, end in words for time in (start, end)],
    }


class AlignItems(Items):
    """Draws items; every clip has words with starts and ends."""

    def draw(self):
        choose = self.random
        while True:
            _, longest, most, cut = choose.choices(LENGTHS, [row[0] for row in LENGTHS])[0]
            language = choose.choices(list(LANGUAGES), list(LANGUAGES.values()))[0]
            clips = [self._pause_within(*self.corpus.get(i)) for i in self._choose_clips(language, longest, most)]
            mel, text, words, is_cut = self._join(clips, {}, language, cut)
            if words and len(mel) < 100 * CLASSES * CLASS_SECONDS:
                return pack(self.prompt, self._alter(mel), text, words, is_cut)

    def _pause_within(self, mel, record):
        """Sometimes a pause between two words, which move apart."""
        choose = self.random
        if choose.random() > PAUSED or len(record["starts"]) < 2:
            return mel, record
        word, seconds = choose.randint(1, len(record["starts"]) - 1), choose.choice([choose.uniform(0.1, 0.6), choose.uniform(0.3, 2.5)])
        at, frames = int(100 * record["starts"][word]), int(100 * seconds)
        quiet = np.full((frames, BANDS), min(-6.0, float(mel.min()) + choose.uniform(0, 1)), np.float32)
        moved = {key: [time + (i >= word) * frames / 100 for i, time in enumerate(record[key])] for key in ("starts", "ends")}
        moved["ends"][word - 1] = min(moved["ends"][word - 1], at / 100)
        return np.concatenate((mel[:at], quiet, mel[at:])), record | moved

    def _ends(self, record, starts, tempo, seconds):
        return [min(seconds, max(start, end / tempo)) for start, end in zip(starts, record["ends"])]


def collate_stamps(items):
    """A batch of tensors: that of the recogniser, and (item, row, first and one past the last audio row near) of every stamp."""
    stamps = [(number, *stamp) for number, item in enumerate(items) for stamp in item["stamps"]]
    times = [time / CLASS_SECONDS for item in items for time in item["times"]]
    return collate(items) | {"stamps": torch.tensor(stamps), "times": torch.tensor(times, dtype=torch.float32)}


class AlignBatches(Batches):
    ITEMS, COLLATE = AlignItems, staticmethod(collate_stamps)
