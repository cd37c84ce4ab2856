"""Write a checkpoint as a model folder: fp16 safetensors with the published key names, configs and tokenizer files.

usage: export.py CHECKPOINT BASE MODEL_FOLDER
"""
import os
import shutil
import sys

import torch
from safetensors.torch import save_file

FILES = ["config.json", "tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "chat_template.json",
         "preprocessor_config.json", "generation_config.json"]


def half_weights(checkpoint: str) -> dict:
    """The average's weights by their published names, fp16."""
    state = torch.load(checkpoint)
    return {name: value.half().contiguous() for name, value in state.get("average", state["net"]).items()}


def write_folder(weights: dict, base: str, folder: str, files=FILES) -> None:
    """Write the weights, and copy the files of BASE."""
    os.makedirs(folder, exist_ok=True)
    save_file(weights, folder + "/model.safetensors", metadata={"format": "pt"})
    for name in files:
        if os.path.abspath(base) != os.path.abspath(folder):
            shutil.copyfile(os.path.join(base, name), os.path.join(folder, name))
    os.chmod(folder + "/model.safetensors", 0o644)
    values = sum(value.numel() for value in weights.values())
    print(len(weights), "tensors,", values, "values,", os.path.getsize(folder + "/model.safetensors"), "bytes")


def main() -> None:
    checkpoint, base, folder = sys.argv[1:4]
    weights = half_weights(checkpoint)
    # The published checkpoints carry the tied head as well.
    weights["thinker.lm_head.weight"] = weights["thinker.model.embed_tokens.weight"].clone()
    write_folder(weights, base, folder)


if __name__ == "__main__":
    main()
