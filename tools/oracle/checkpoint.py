"""Write a random checkpoint from the command line: `python -m tools.oracle.checkpoint FOLDER --kind asr --size tiny`.

The builder itself is tests/checkpoints.py; this file only reads the arguments.
"""

import argparse
from pathlib import Path

from tests import checkpoints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=["asr", "aligner"], default="asr")
    parser.add_argument("--size", choices=list(checkpoints.SIZES), default="tiny")
    parser.add_argument("--layout", choices=["original", "hf"], default="original")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--tokenizer", type=Path, help="folder of another tokenizer than the bundled one")
    parser.add_argument("--vocab", choices=["whole", "small"], default="whole")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--num-classes", type=int, help="classes of an aligner")
    parser.add_argument("--vocab-rows", type=int, help="rows of the embedding")
    parser.add_argument("--shard-bytes", type=int, default=checkpoints.SHARD_BYTES)
    arguments = vars(parser.parse_args())
    print(checkpoints.build(arguments.pop("folder"), **arguments))


if __name__ == "__main__":
    main()
