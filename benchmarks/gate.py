"""The quality gate: the bundled model over its held-out clips against the newest stored result. Exit code 1 when it fell.

    python benchmarks/gate.py                       # accuracy, and speed over what the machine could do meanwhile
    python benchmarks/gate.py --accuracy-only       # where other programs run beside it
    python benchmarks/gate.py --store FILE          # keep this run as a new result, to be committed

The same for any model and manifest: `ossicle eval MANIFEST --model MODEL --against STORED.json`.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import ossicle  # noqa: E402
from ossicle import EngineOptions, TranscribeOptions  # noqa: E402
from ossicle.measure.evaluate import Evaluation, evaluate  # noqa: E402
from ossicle.measure.gate import GateOptions, judge, read_stored  # noqa: E402
from ossicle.measure.manifest import read_manifest  # noqa: E402
from ossicle.measure.normalise import find_normaliser  # noqa: E402
from ossicle.measure.predictions import PredictionFile  # noqa: E402

MANIFEST = ROOT / "tests" / "data" / "tiny_heldout" / "manifest.jsonl"
STORED = "*-eval-tiny-heldout.json"
ENGINE = EngineOptions("cpu", "float32")            # the one that every machine has, and the tests hold to the official code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="write the report here instead of judging it")
    parser.add_argument("--accuracy-only", action="store_true", help="do not judge the speed")
    args = parser.parse_args()
    report = run().to_dict(worst=0)
    if args.store:
        args.store.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
        return
    judgement = judge(report, read_stored(newest()), GateOptions(min_speed_ratio=0.0) if args.accuracy_only else None)
    for verdict in judgement.verdicts:
        print(f"{'held' if verdict.is_passed else 'FELL'}  {verdict.reason}")
    for difference in judgement.differences:
        print(f"differs: {difference}")
    sys.exit(0 if judgement.is_passed else 1)


def run() -> Evaluation:
    """The bundled model over all held-out clips, with the normaliser that no package can change."""
    with ossicle.load("tiny", ENGINE) as asr:
        return evaluate(asr, read_manifest(MANIFEST), TranscribeOptions(), find_normaliser("basic"), PredictionFile(None), engine=ENGINE)


def newest() -> Path:
    """The stored result that counts: the last by its date."""
    return max((ROOT / "benchmarks" / "results").glob(STORED))


if __name__ == "__main__":
    main()
