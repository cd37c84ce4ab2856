"""Choose the aligner's held-out recordings for the package's tests: sound, text, and when each word is spoken.

usage: align_samples.py MODEL_FOLDER DATA TEST_SET_FOLDER

All are drawn from the test shards, in a fixed order and not by result. TEST_SET_FOLDER gets Opus files and words.json, with
the words as the aligner is given them; "classes" are the model's start and end of each (float32 arithmetic, on the file as it
is read back). Their figures go to MODEL_FOLDER/card.json as "bundled_test".
"""
import json
import os
import sys

import numpy as np
import soundfile
import torch

from align_evaluate import AlignModel, figures, joined_pieces, late, timed_clips
from evaluate import test_clips
from mel import SAMPLE_RATE, raw_log_mel

SINGLE = (("en", 4), ("enheld", 1), ("slt", 1), ("hts", 1), ("rms", 2), ("de", 3), ("cmn", 2), ("zh", 1))
JOINED = (("en", 10, 13), ("en", 20, 24), ("slt", 12, 15), ("rms", 10, 13), ("rms", 17, 20), ("de", 10, 13), ("de", 22, 28),
          ("cmn", 10, 13), ("cmn", 17, 20))
COMPRESSION = 0.92                            # of soundfile's scale: about 20 kbit/s


def recordings(data):
    """Yield (file name, group, samples, words, text, language)."""
    shards = {name: [clip for clip in test_clips(data, "test_" + name) if clip[1]["starts"]] for name, _ in SINGLE}
    for name, count in SINGLE:
        group = "unseen_speaker" if name == "rms" else shards[name][0][1]["language"].lower()
        for number, clip in enumerate(shards[name][10: 10 + count]):
            yield f"{name}_{number:02}.opus", group, *timed_clips([clip])[0]
    for number, (name, shortest, longest) in enumerate(JOINED):
        group = "joined_unseen_speaker" if name == "rms" else "joined"
        piece = joined_pieces(timed_clips(shards[name][20:]), 1, shortest, longest, number)[0]
        yield f"joined_{number:02}_{name}.opus", group, *piece


def main() -> None:
    folder, data, test_folder = sys.argv[1:4]
    torch.set_num_threads(1)
    os.makedirs(test_folder, exist_ok=True)
    model, records, errors = AlignModel(folder, folder), [], {}
    for name, group, samples, words, text, language in recordings(data):
        path = os.path.join(test_folder, name)
        soundfile.write(path, samples, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=COMPRESSION)
        read = soundfile.read(path, dtype="float32")[0]
        classes = model.classes(raw_log_mel(read).numpy(), words)
        words = [(word, round(start, 3), round(end, 3)) for word, start, end in words]
        errors.setdefault(group, []).append(late(classes, words))
        records.append({"file": name, "group": group, "seconds": round(len(read) / SAMPLE_RATE, 3), "language": language, "text": text,
                        "words": [{"text": word, "start": start, "end": end} for word, start, end in words],
                        "classes": classes})
    with open(os.path.join(test_folder, "words.json"), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(record, ensure_ascii=False) for record in records) + "\n]\n")
    path, card = os.path.join(folder, "card.json"), {}
    if os.path.exists(path):
        with open(path) as file:
            card = json.load(file)
    card["bundled_test"] = {group: {"clips": len(rows)} | figures(np.concatenate(rows)) for group, rows in errors.items()}
    with open(path, "w") as file:
        json.dump(card, file, indent=1)
    print(json.dumps(card["bundled_test"], indent=1))


if __name__ == "__main__":
    main()
