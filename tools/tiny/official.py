"""Ask the official implementation what it writes for the model's samples, and compare with what our torch code wrote.

Needs qwen-asr 0.0.6 (its torch classes only), transformers 4.57.6 and librosa, which fit no other tool here: use an own
environment, with the unpacked wheel on PYTHONPATH.

usage: official.py MODEL_FOLDER FOLDER_WITH_TRANSCRIPTS
"""
import functools
import json
import os
import sys
import types

import torch

for name in ("nagisa", "soynlp", "soynlp.tokenizer"):        # word splitters of the aligner, not needed here
    sys.modules.setdefault(name, types.SimpleNamespace(LTokenizer=object))

from qwen_asr.inference.qwen3_asr import Qwen3ASRModel  # noqa: E402  (after the stand-ins above)


def main() -> None:
    model_folder, folder = sys.argv[1:3]
    torch.set_num_threads(1)
    official = Qwen3ASRModel.from_pretrained(model_folder, dtype=torch.float32, device_map="cpu")
    with open(model_folder + "/generation_config.json") as file:
        ends = json.load(file)["eos_token_id"]
    # The official wrapper ends replies at its own ids unless told otherwise.
    official.model.generate = functools.partial(official.model.generate, eos_token_id=ends)
    with open(folder + "/transcripts.json") as file:
        records = json.load(file)
    equal = 0
    for record in records:
        reply = official.transcribe(os.path.join(folder, record["file"]))[0]
        same = reply.text == record["model_text"] and reply.language == record["model_language"].replace("None", "")
        equal += same
        if not same:
            print(record["file"], "| official:", reply.language, reply.text, "| ours:", record["model_language"], record["model_text"])
        if "context" in record:
            reply = official.transcribe(os.path.join(folder, record["file"]), context=record["context"])[0]
            print(record["file"], "with context:", reply.text == record["model_text_with_context"])
    print(f"{equal} of {len(records)} equal")


if __name__ == "__main__":
    main()
