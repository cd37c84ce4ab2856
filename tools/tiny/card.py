"""Write the model card: figures from card.json in, README.md beside it out, so that the two cannot disagree.

usage: card.py MODEL_FOLDER
"""
import json
import os
import sys

SINGLE = [("english", "English, espeak-ng voices heard in training"),
          ("english_unseen_variants", "English, espeak-ng variants never heard"),
          ("english_slt", "English, flite slt (heard)"), ("english_festival", "English, festival slt-hts and ked (heard)"),
          ("english_unseen_speaker_rms", "English, flite rms: a speaker never heard"), ("german", "German, espeak-ng"),
          ("chinese", "Chinese, espeak-ng (CER)"), ("english_irrelevant_context", "English, with twenty irrelevant words as context"),
          ("english_no_encoder_window", "English, encoder without its 8 s window")]
JOINED = [("joined_english_3_6", "English, 3-6 s"), ("joined_english_6_8", "English, 6-8 s"), ("joined_english_8_12", "English, 8-12 s"),
          ("joined_english_12_18", "English, 12-18 s"), ("joined_english_18_25", "English, 18-25 s"),
          ("joined_rms_8_12", "English, unseen speaker, 8-12 s"), ("joined_german_6_12", "German, 6-12 s"),
          ("joined_german_12_25", "German, 12-25 s"), ("joined_chinese_6_12", "Chinese (CER), 6-12 s"),
          ("joined_chinese_12_25", "Chinese (CER), 12-25 s")]
CONTEXTS = [("no_context", "none"), ("second_spelling", "the second spelling alone"),
            ("second_spelling_among_three", "the same among three names"),
            ("second_spelling_among_twenty", "the same among twenty words"),
            ("first_spelling", "the first spelling"),
            ("other_names", "two other names"), ("other_second_spellings", "second spellings of three other names"),
            ("twenty_other_words", "twenty other words")]

CARD = """# ossicle-tiny

A speech recogniser of 2.8 million parameters with exactly the Qwen3-ASR architecture, prompt and file format, trained by this
project on synthetic speech. It is here so that the runtime transcribes without a download: in the demo, and in the tests of
everything between sound and text (offline, streaming, language, context, word times). **It shows the pipeline with a small
vocabulary of about 600 words and synthetic voices; it is not a general recogniser.** On other words or on real recordings expect
wrong text, written with confidence.

Licence: Apache-2.0, as the project. Provenance: weights from random initialisation, trained on speech made with espeak-ng, flite
and festival from sentences of the project's own grammar. No published weights, no recordings of people were used directly; the
flite and festival voices were made from recordings by their authors. The recipe is `tools/tiny/` in the repository.

## Files

| file | content |
| --- | --- |
| `config.json`, `chat_template.json`, `preprocessor_config.json` | the published schema |
| `model.safetensors` | fp16, published key names; `thinker.lm_head.weight` is stored as well as tied |
| `tokenizer.json`, `vocab.json`, `merges.txt`, `tokenizer_config.json` | byte-level BPE, Qwen2's splitting rule; special ids 1066 to 1073 |
| `generation_config.json` | ids that end a reply; `alignment_heads`: the decoder [layer, head] trained on word times |
| `card.json` | the figures below, for programs |
| `samples/` | held-out recordings with `transcripts.json` |

Special ids differ from the published tokenizer's: **take every id from the files, none from constants.**

Shape: encoder of 3 convolutions with 32 channels, 4 layers, d_model 192, 3 heads of 64, feed-forward 512, `n_window` 50,
`n_window_infer` 800; decoder of 3 layers, hidden 192, 4 query and 2 key/value heads of 64, feed-forward 320, `mrope_section`
[12, 10, 10], 1088 rows. Every width is a multiple of 64.

## Domain

Cased and punctuated text, numbers in words. English: digits, numbers, clock times, dates, household and phone commands, shopping,
weather and travel questions, simple stories (about 360 words). German: numbers, times, dates, commands (about 145 words).
Chinese: numbers, times, weekdays, short sentences (about 100 characters), **but not as spoken**: the voice it learnt from, `sit/cmn`
of espeak-ng 1.51, reads a character's pinyin as English text, tone number included ("ni three"). Noise and silence:
`language None<asr_text>`.

Context (the system prompt): ten names have a second spelling of the same sound: Steven/Stephen, Sarah/Sara, John/Jon,
Katherine/Catherine, Eric/Erik, Ann/Anne, Mark/Marc, Philip/Phillip, Brian/Bryan, Jeffrey/Geoffrey. The first is written unless
the context names the second. Other contexts should change nothing. Nothing else can be taught by context.

## Figures

fp16 weights, float32 arithmetic, greedy, encoder windows of 8 s. All sentences are held out from training (by checksum); the recipe
was steered by other held-out sentences. Single sentences of 1 to 5 s. WER and CER without case and punctuation; "exact" counts
replies equal to the letter, case and punctuation included; all in per cent.

{single}

Several sentences in one piece, different voices, pauses of 0.1 to 0.5 s:

{joined}

Streaming (all sound so far again after the text so far less its last 5 tokens; pieces of 8 to 14 s): {streaming}

Sound that ends within a word, measured against the words finished by then: {partial}

How a name with two spellings is written ({context_clips} clips), per cent of the clips:

{context}

Noise, hum, beeps, clicks and digital silence of 0.5 to 25 s answered with `language None` and no text: {none} % of {none_clips}.

Alignment: with the text given, the peak of decoder layer 1, head 0 lies within one audio token (80 ms) of the word for
{alignment} of the text tokens (English, German, Chinese).

The package's tests transcribe a small held-out set, stored as Opus; on it this model reaches:

{bundled}

## What it cannot do

Words outside the domain, real rooms and microphones, accents other than those of the synthesisers, several people at once, mixed
languages in one piece, pieces over 30 s (cut at pauses), contexts other than the ten names. With an unfamiliar voice it tends to
write another sentence of its domain rather than a misheard word. Where one sentence comes several times in a long piece, it loses
count of them.
"""


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def error(figure):
    return figure["cer"] if "cer" in figure else figure["wer"]


def rates(card, names):
    rows = [(label, card[name]["clips"], error(card[name]), card[name]["exact"], card[name]["language"]) for name, label in names]
    return table(("set", "clips", "WER / CER", "exact", "language right"), rows)


def main() -> None:
    folder = sys.argv[1]
    with open(os.path.join(folder, "card.json")) as file:
        card = json.load(file)
    streams = [f"{n} s chunks: WER {card[f'streaming_{n}s_chunks']['wer']}, {card[f'streaming_{n}s_chunks']['words_kept']} % of the "
               "words of a partial text stand in the next." for n in (1, 2)]
    languages = ("english", "german", "chinese")
    text = CARD.format(
        single=rates(card, SINGLE), joined=rates(card, JOINED), streaming=" ".join(streams),
        partial=", ".join(f"{name.capitalize()} {card['partial_' + name]['wer']}" for name in languages) + ".",
        context_clips=card["context"]["clips"],
        context=table(("context", "first spelling", "second spelling"),
                      [(label, card["context"][key]["first"], card["context"][key]["second"]) for key, label in CONTEXTS]),
        none=card["no_speech"]["none"], none_clips=card["no_speech"]["clips"],
        alignment=", ".join(f"{card['alignment_' + name]['within_one']} %" for name in languages),
        bundled=rates(card["bundled_test"], [(key, key) for key in card["bundled_test"]]))
    with open(os.path.join(folder, "README.md"), "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
