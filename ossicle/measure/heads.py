"""Recordings and a recogniser to the attention heads that point at the sound: a report, and the best of them into a checkpoint.

Computes nothing of its own: every recording goes the way of `Recognizer.score_heads`. docs/heads.md has the form of the report.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ossicle.errors import AudioError, ModelError, OptionError, SpeechError
from ossicle.measure.manifest import Item, read_manifest
from ossicle.options import TranscribeOptions
from ossicle.progress import CancelToken
from ossicle.recognizer import HeadScores, Recognizer

SCHEMA = "ossicle-heads/1"
MANIFESTS = (".jsonl", ".json", ".ndjson", ".tsv", ".csv")
THRESHOLD = 0.1                      # scores of which and more are listed, as in the published lists
APPLIED = 0.7                        # score of a head that is good enough to time words by
MOST_APPLIED = 12                    # the mean of a dozen is steadier than the best alone; of worse heads it is not
BEHIND_BEST = 0.15                   # a head that is so much worse than the best one does harm in the mean
GENERATION = "generation_config.json"

OnDone = Callable[[int, int, str], None]            # (recordings done, recordings in all, id of the last one)


def read_items(sources: Iterable[Path]) -> list[Item]:
    """Recordings, each with the text that lies beside it as .txt, if one does; manifests, as `ossicle eval` reads them, opened.

    An item without text has "". Raises OptionError for what is not there.
    """
    items: list[Item] = []
    for source in sources:
        if source.is_dir() or source.suffix.lower() in MANIFESTS or source.name.endswith(".trans.txt"):
            items += read_manifest(source).items
        elif source.is_file():
            beside = source.with_suffix(".txt")
            items.append(Item(str(source), source, beside.read_text("utf-8-sig").strip() if beside.is_file() else ""))
        else:
            raise OptionError(f"expected a recording or a manifest at {source}, but there is none; check name and folder")
    return items


def find_heads(
    recognizer: Recognizer, items: Sequence[Item], options: TranscribeOptions, on_done: OnDone = lambda done, count, name: None,
    cancel: CancelToken | None = None,
) -> tuple[HeadScores, dict[str, str]]:
    """Scores over all recordings, and what went wrong by the id of its recording.

    options   as for `Recognizer.score_heads`; part and language of an item go before theirs

    Raises SpeechError when nothing could be counted, Cancelled when that was asked for.
    """
    total: HeadScores | None = None
    failures: dict[str, str] = {}
    for done, item in enumerate(items, start=1):
        audio = replace(options.audio, start_seconds=item.start, end_seconds=item.end)
        asked = replace(options, audio=audio, language=item.language or options.language)
        try:
            found = recognizer.score_heads(item.audio, item.text or None, options=asked, cancel=cancel)
            total = found if total is None else total + found
        except (AudioError, OptionError) as error:      # of this recording; without a model or an aligner none can be scored
            failures[item.id] = str(error)
        on_done(done, len(items), item.id)
    if total is None or not total.num_tokens:
        said = next(iter([*failures.values(), *(total.warnings if total else ())]), "no speech was found")
        raise SpeechError(f"no head could be scored on {len(items)} recordings: {said}")
    return total, failures


def heads_report(scores: HeadScores, model: str, failures: dict[str, str] | None = None) -> dict[str, Any]:
    """Ready for JSON; in the form of the published lists, and more."""
    _, num_layers, num_heads = scores.hits.shape
    languages = dict(sorted(scores.languages.items(), key=lambda entry: (-entry[1], entry[0])))
    return {
        "schema": SCHEMA,
        "model": model,
        "aligner": scores.aligner,
        "language": ", ".join(languages),
        "languages": languages,
        "num_layers": num_layers,
        "num_heads": num_heads,
        "num_kv_heads": scores.num_kv_heads,
        "num_samples": scores.num_samples,
        "total_alignable_tokens": scores.num_tokens,
        "ts_threshold": THRESHOLD,
        "query": "fed",
        **_asked(scores, 0),
        "predicted": _asked(scores, 1),
        "failures": failures or {},
        "warnings": list(scores.warnings),
    }


def heads_to_apply(report: dict[str, Any]) -> list[list[int]]:
    """[layer, head] of those that are to time words, asked where a token is predicted; best first.

    Raises ModelError where none is good enough.
    """
    ranked = report["predicted"]["alignment_heads"]
    best = ranked[0]["ts"] if ranked else 0.0
    if best < APPLIED:
        raise ModelError(f"no head of this checkpoint is good enough to time words by: the best one points at the right word {best:.0%} of "
                         f"the time, expected {APPLIED:.0%}; words are better timed by an aligner, or estimated")
    return [[entry["layer"], entry["head"]] for entry in ranked if entry["ts"] >= max(APPLIED, best - BEHIND_BEST)][:MOST_APPLIED]


def apply_heads(folder: Path, heads: Sequence[Sequence[int]]) -> Path:
    """Write heads into a checkpoint's generation_config.json, where they are looked for; everything else in it stays.

    Raises ModelError for what is no folder of one's own: a download is checked against what was published.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"heads can be applied to a checkpoint in a folder of your own, got {folder}; copy or convert the model first")
    file = folder / GENERATION
    if file.is_symlink():
        raise ModelError(f"{file} is a link into a cache of downloads, which must stay as published; copy or convert the model first")
    content = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    part = file.with_name(file.name + ".part")
    part.write_text(json.dumps({**content, "alignment_heads": [list(pair) for pair in heads]}, indent=2) + "\n", encoding="utf-8")
    part.replace(file)
    return file


def _asked(scores: HeadScores, place: int) -> dict[str, Any]:
    """Scores of all heads, asked at one place."""
    rates, shares = scores.hits[place] / scores.num_tokens, scores.mass[place] / scores.num_tokens      # (layers, heads)
    ranked = sorted(((layer, head) for layer, row in enumerate(rates) for head, rate in enumerate(row) if rate > THRESHOLD),
                    key=lambda pair: (-rates[pair], -shares[pair], pair))
    return {
        "ts_matrix": [[round(float(rate), 4) for rate in row] for row in rates],
        "concentration_matrix": [[round(float(share), 4) for share in row] for row in shares],
        "alignment_heads": [{"layer": layer, "head": head, "ts": round(float(rates[layer, head]), 4),
                             "concentration": round(float(shares[layer, head]), 4)} for layer, head in ranked],
        "alignment_heads_compact": [[layer, head] for layer, head in ranked],
    }
