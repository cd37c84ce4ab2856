"""Write the aligner's card: figures from card.json in, README.md beside it out, so that the two cannot disagree.

usage: align_card.py MODEL_FOLDER
"""
import json
import os
import sys

from card import table

SINGLE = [("english", "English, espeak-ng voices heard in training"),
          ("english_unseen_variants", "English, espeak-ng variants never heard"),
          ("english_slt", "English, flite slt (heard)"), ("english_festival", "English, festival slt-hts and ked (heard)"),
          ("english_unseen_speaker_rms", "English, flite rms: a speaker never heard"), ("german", "German, espeak-ng"),
          ("chinese", "Chinese, espeak-ng"),
          ("chinese_as_recogniser_heard", "Chinese as ossicle-tiny hears it (see \"Domain\")")]
JOINED = [(f"joined_{name}_{shortest}_{shortest + 10}", f"{label}, {shortest}-{shortest + 10} s")
          for name, label in (("english", "English"), ("german", "German"), ("chinese", "Chinese"),
                              ("english_unseen_speaker_rms", "English, unseen speaker")) for shortest in (10, 20)]

CARD = """# ossicle-tiny-aligner

A forced aligner of 2.9 million parameters with exactly the Qwen3-ForcedAligner architecture, prompt and file format: sound and
its text in, start and end of every word out. Companion of [ossicle-tiny](../tiny/README.md), trained by this project on the same
synthetic speech, and here so that the whole way to word times runs without a download, in the demo and in the tests. **It shows
the pipeline with a small vocabulary and synthetic voices; it is not a general aligner.**

Licence: Apache-2.0, as the project. Provenance: weights begun from ossicle-tiny's, trained on speech made with espeak-ng, flite and
festival from sentences of the project's own grammar. No published weights, no recordings of people were used directly; the flite
and festival voices were made from recordings by their authors. The recipe is `tools/tiny/` in the repository.

## Files

| file | content |
| --- | --- |
| `config.json`, `chat_template.json`, `preprocessor_config.json` | the published schema: `classify_num` 400, `timestamp_segment_time` 80 |
| `model.safetensors` | fp16, published key names; `thinker.lm_head.weight` has a row for every class |
| `tokenizer.json`, `vocab.json`, `merges.txt`, `tokenizer_config.json` | ossicle-tiny's, byte for byte; `<timestamp>` is among its tokens |
| `generation_config.json` | special ids; an aligner generates nothing |
| `card.json` | the figures below, for programs |

**Take every id from the files, none from constants.** Shape: ossicle-tiny's with a fourth decoder layer.

## What it is given and gives

`<|audio_start|><|audio_pad|>...<|audio_end|>`, then every word followed by two `<timestamp>`: its start and its end. A word is
encoded alone, without a space before it, as letters, numbers and straight apostrophes only; in Chinese it is one character. The
likeliest class at a `<timestamp>`, times 80 ms, is the time: trained so that it is the **nearest** multiple of 80 ms, neither early nor
late. A perfect aligner would have a median error of 20 ms. Sound may have up to 32 s (400 classes); it was trained up to that.

**End** is where the word's last sound ends, as the synthesiser says: where no pause follows, that is the next word's start; a
pause belongs to no word, and the tail of a room's reverberation to none either.

## Domain

The sentences of ossicle-tiny (English about 360 words, German about 145, Chinese about 100 characters), single and joined, with
pauses of up to 2.5 s between sentences and between words, silence before and after, mild noise. Chinese is Mandarin as
espeak-ng's voice `sit/cmn-Latn-pinyin` speaks it, and also what ossicle-tiny was trained on: `sit/cmn`, which in espeak-ng 1.51 reads
pinyin as English ("ni three").

## Figures

fp16 weights, float32 arithmetic, encoder windows of 8 s, classes as they come, without repair. Sentences are held out from training,
for flite rms the speaker too. Errors of starts and ends together, in milliseconds; "late": median of found minus true.

{single}

Several sentences in one piece, pauses mostly of 0.1 to 0.6 s, one in five of up to 2.5 s:

{joined}

The package's tests align a small held-out set, stored as Opus; on it this model reaches:

{bundled}

## What it cannot do

Words outside the domain, real rooms and microphones, words that were not said, sound over 32 s, several people at once.
"""

HEAD = ("set", "clips", "words", "median", "mean", "95 %", "within 80 ms (%)", "starts late", "ends late")
KEYS = ("clips", "words", "median_ms", "mean_ms", "percentile_95_ms", "within_80_ms", "start_bias_ms", "end_bias_ms")


def rows(card, names):
    return table(HEAD, [(label, *(card[name][key] for key in KEYS)) for name, label in names])


def main() -> None:
    folder = sys.argv[1]
    with open(os.path.join(folder, "card.json")) as file:
        card = json.load(file)
    bundled = card["bundled_test"]
    text = CARD.format(single=rows(card, SINGLE), joined=rows(card, JOINED),
                       bundled=rows(bundled, [(name, name.replace("_", " ")) for name in bundled]))
    with open(os.path.join(folder, "README.md"), "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
