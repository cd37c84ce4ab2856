"""Write an aligner's checkpoint as a model folder in the published form; BASE is the recogniser's folder.

usage: align_export.py CHECKPOINT BASE MODEL_FOLDER
"""
import json
import sys

from align_items import aligner_config
from export import FILES, half_weights, write_folder
from items import Prompt

WRITTEN = ("config.json", "generation_config.json")


def main() -> None:
    checkpoint, base, folder = sys.argv[1:4]
    prompt = Prompt(base)
    write_folder(half_weights(checkpoint), base, folder, [name for name in FILES if name not in WRITTEN])
    for name in WRITTEN:
        with open(f"{base}/{name}") as file:
            content = json.load(file)
        if name == "config.json":
            content = aligner_config(content, lambda token: prompt.ids(token)[0])
        else:
            content = {key: content[key] for key in ("do_sample", "eos_token_id", "pad_token_id")}      # it generates nothing
        with open(f"{folder}/{name}", "w") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    main()
