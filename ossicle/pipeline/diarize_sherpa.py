"""Speakers by sherpa-onnx: a model that finds changes of speaker, and one whose numbers are alike for one voice.

    pip install "ossicle[diarize]"

Both models are public: they come from the hub like any other, or lie in a folder. Runs on the processor. Two things to
know of the library: it holds Python's lock while it works, so that other threads wait, and it ends the process when a file
is no model of the kind it expects, so files are looked at before it sees them.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ossicle.errors import MissingExtra, ModelError, OptionError
from ossicle.model.hub_files import resolve_files
from ossicle.model.threads import usable_cores
from ossicle.options import SpeakerOptions
from ossicle.results import Turn

SEGMENTATION = ("csukuangfj/sherpa-onnx-pyannote-segmentation-3-0", "model.onnx")               # 6 MB, MIT
EMBEDDING = ("csukuangfj/speaker-embedding-models", "wespeaker_en_voxceleb_resnet34_LM.onnx")   # 27 MB, CC-BY-4.0
WANTED = ("one model of segmentation, with 'segmentation' in its name or its folder's (segmentation.onnx, or model.onnx as in "
          f"{SEGMENTATION[0]}), and one of voices (embedding.onnx, or any file of {EMBEDDING[0]})")
ONNX = b"\x08"                       # the first byte of every ONNX file: its version field comes first
OnShare = Callable[[float], None]


class SherpaDiarizer:
    """The two models, loaded. Raises MissingExtra without the library, ModelError for missing or wrong files."""

    def __init__(self, options: SpeakerOptions) -> None:
        self._sherpa = _library()
        if options.device not in ("auto", "cpu"):
            raise OptionError(f"device must be auto or cpu for sherpa, which runs on the processor; got {options.device}")
        self._segmentation, self._embedding = find_models(options)
        self._diarizer = self._sherpa.OfflineSpeakerDiarization(self._config(-1, options.threshold))
        if self._diarizer.sample_rate != 16_000:
            raise ModelError(f"{self._segmentation} wants sound at {self._diarizer.sample_rate} Hz, expected 16000; give another model")

    def __call__(self, samples: np.ndarray, options: SpeakerOptions, on_share: OnShare) -> list[Turn]:
        """The turns of a recording with labels "0", "1" and so on.

        samples    (n,) float32 at 16 kHz
        on_share   called with the share that is done, 0 to 1; what it raises ends the work
        """
        if not len(samples):
            return []
        result = self._process(samples, options.num_speakers or -1, options.threshold, on_share)
        bound = _bound(result.num_speakers, options)
        if bound is not None:                           # it knows exact numbers only: once more, with the bound as one
            result = self._process(samples, bound, options.threshold, on_share)
        return [Turn(found.start, found.end, str(found.speaker)) for found in result.sort_by_start_time()]

    def _process(self, samples: np.ndarray, num_speakers: int, threshold: float, on_share: OnShare) -> Any:
        def on_chunk(done: int, total: int) -> int:
            on_share(done / total if total else 0.0)
            return 0                                    # another number does not stop it (2.0.1), an exception does

        self._diarizer.set_config(self._config(num_speakers, threshold))
        return self._diarizer.process(samples, callback=on_chunk)

    def _config(self, num_speakers: int, threshold: float) -> Any:
        """The library's own settings; a number of -1 lets the threshold decide."""
        sherpa, threads = self._sherpa, usable_cores()
        config = sherpa.OfflineSpeakerDiarizationConfig(
            segmentation=sherpa.OfflineSpeakerSegmentationModelConfig(
                pyannote=sherpa.OfflineSpeakerSegmentationPyannoteModelConfig(model=str(self._segmentation)), num_threads=threads),
            embedding=sherpa.SpeakerEmbeddingExtractorConfig(model=str(self._embedding), num_threads=threads),
            clustering=sherpa.FastClusteringConfig(num_clusters=num_speakers, threshold=threshold),
        )
        if not config.validate():
            raise ModelError(f"sherpa-onnx does not take {self._segmentation} and {self._embedding}; its reason stands on stderr")
        return config


def find_models(options: SpeakerOptions) -> tuple[Path, Path]:
    """The files of the two models: in the folder of the options, else from the hub."""
    if options.model is None:
        return _fetched(SEGMENTATION, options), _fetched(EMBEDDING, options)
    folder = Path(options.model).expanduser()
    if not folder.is_dir():
        raise ModelError(f"expected a folder with two models for sherpa at {folder}, found none; it must hold {WANTED}")
    files = sorted(file for file in folder.rglob("*.onnx") if not file.name.endswith(".int8.onnx")) or sorted(folder.rglob("*.onnx"))
    segmentations = [file for file in files if "segmentation" in file.relative_to(folder).as_posix().lower()]
    embeddings = [file for file in files if file not in segmentations]
    if len(segmentations) != 1 or len(embeddings) != 1:
        found = ", ".join(file.relative_to(folder).as_posix() for file in files) or "no .onnx file"
        raise ModelError(f"{folder} must hold {WANTED}; found: {found}")
    for file in (segmentations[0], embeddings[0]):
        _check(file)
    return segmentations[0], embeddings[0]


def _library() -> Any:
    try:
        import sherpa_onnx
    except ImportError as error:
        raise MissingExtra('finding speakers with sherpa needs sherpa-onnx; install it with: pip install "ossicle[diarize]"') from error
    return sherpa_onnx


def _fetched(wanted: tuple[str, str], options: SpeakerOptions) -> Path:
    repo, name = wanted
    folder = resolve_files(repo, [name], lambda folder: [] if (folder / name).is_file() else [name], options.download, options.token)
    _check(folder / name)
    return folder / name


def _check(file: Path) -> None:
    with file.open("rb") as opened:
        head = opened.read(1)
    if head != ONNX:
        raise ModelError(f"{file} is no ONNX model; was it fetched whole, and not as a pointer to where it lies?")


def _bound(num_speakers: int, options: SpeakerOptions) -> int | None:
    """The bound that a number found breaks; None where it keeps them, or where nobody was found."""
    if options.num_speakers is not None or num_speakers == 0:
        return None
    bound = min(max(num_speakers, options.min_speakers or 1), options.max_speakers or math.inf)
    return int(bound) if bound != num_speakers else None
