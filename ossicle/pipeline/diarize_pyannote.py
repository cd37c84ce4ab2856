"""Speakers by pyannote.audio 4: a pipeline from a folder or from the hub, on whatever device torch has.

    pip install "ossicle[pyannote]"

The usual pipeline is gated: accept its conditions on its page and set HF_TOKEN, or keep a copy in a folder. The library
would report its use to its makers; here it does not, unless PYANNOTE_METRICS_ENABLED says so.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ossicle.errors import MissingExtra, ModelError, SpeechError
from ossicle.model.hub_files import resolve_files
from ossicle.options import SpeakerOptions
from ossicle.results import Turn

PIPELINE = "pyannote/speaker-diarization-community-1"       # CC-BY-4.0, gated
CONFIG = "config.yaml"
PARTS = "$model/"                    # begins the name of a part that lies in a folder of the pipeline's own repository
METRICS = "PYANNOTE_METRICS_ENABLED"
RATE = 16_000
STEPS = {"segmentation": (0.0, 0.3), "embeddings": (0.3, 0.7)}     # (begin, length) as shares of the time, roughly
INSTALL = 'install it with: pip install "ossicle[pyannote]"'
OnWarning = Callable[[str], None]
OnShare = Callable[[float], None]


class PyannoteDiarizer:
    """A pipeline, loaded. Raises MissingExtra without the library, ModelError when the pipeline cannot be had."""

    def __init__(self, options: SpeakerOptions) -> None:
        self._torch, pipeline_class = _library()
        self._pipeline = _load(pipeline_class, find_pipeline(options), options)
        self._device = choose_device(self._torch, options.device)

    def __call__(self, samples: np.ndarray, options: SpeakerOptions, on_share: OnShare, on_warning: OnWarning) -> list[Turn]:
        """The turns of a recording, with the labels that the pipeline gives.

        samples     (n,) float32 at 16 kHz
        on_share    called between its steps with the share that is done, 0 to 1; what it raises ends the work
        on_warning  told when the device fails and the processor takes over, for this recording and all later ones

        Raises ModelError when it fails on the processor, too.
        """
        if not len(samples):
            return []
        try:
            return turns_of(self._apply(samples, options, on_share))
        except SpeechError:
            raise
        except Exception as error:                      # torch raises what it likes; a device out of memory is a RuntimeError
            if self._device == "cpu":
                raise ModelError(f"pyannote.audio failed on this recording ({_say(error)})") from error
            on_warning(f"pyannote.audio failed on {self._device} ({_say(error)}); it goes on on the processor")
        self._device = "cpu"
        return self(samples, options, on_share, on_warning)

    def _apply(self, samples: np.ndarray, options: SpeakerOptions, on_share: OnShare) -> Any:
        def hook(step: str, artifact: Any, file: Any = None, total: int | None = None, completed: int | None = None) -> None:
            if step in STEPS:                           # told with counts while it goes on, without them at its end
                first, length = STEPS[step]
                on_share(first + length * (completed / total if total and completed is not None else 1.0))

        bounds = {"num_speakers": options.num_speakers, "min_speakers": options.min_speakers, "max_speakers": options.max_speakers}
        self._pipeline.to(self._torch.device(self._device))
        waveform = self._torch.from_numpy(np.array(samples, np.float32)[None])      # (1, samples)
        return self._pipeline({"waveform": waveform, "sample_rate": RATE}, hook=hook,
                              **{name: value for name, value in bounds.items() if value is not None})


def find_pipeline(options: SpeakerOptions) -> Path:
    """The folder of the pipeline: the one of the options, else from the hub."""
    name = options.model or PIPELINE
    folder = Path(name).expanduser()
    if folder.is_dir():
        if lacking := missing_parts(folder):
            raise ModelError(f"{folder} is no pipeline of pyannote.audio: it lacks {', '.join(lacking)}; give a copy of the whole "
                             f"repository, such as {PIPELINE}")
        return folder
    if name.startswith(("/", ".", "~", "\\")) or folder.exists():
        raise ModelError(f"expected the folder of a pipeline of pyannote.audio at {folder}, found none; check the path")
    return resolve_files(name, ["*.yaml", "*.bin", "*.npz", "*.safetensors"], missing_parts, options.download, options.token)


def missing_parts(folder: Path) -> list[str]:
    """What a pipeline's folder lacks of what its configuration names as its own."""
    config = folder / CONFIG
    if not config.is_file():
        return [CONFIG]
    words = config.read_text("utf-8", "replace").replace('"', " ").replace("'", " ").split()
    parts = [word.removeprefix(PARTS).partition("@")[0] for word in words if word.startswith(PARTS)]
    return [f"{part}/" for part in parts if not any(file.is_file() for file in (folder / part).glob("*"))]


def choose_device(torch: Any, asked: str) -> str:
    """The device that was asked for; for auto a GPU of NVIDIA or Apple where there is one."""
    if asked != "auto":
        return asked
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _library() -> tuple[Any, Any]:
    is_untold = METRICS not in os.environ
    try:
        import torch
        from pyannote.audio import Pipeline, __version__
    except ImportError as error:
        raise MissingExtra(f"finding speakers with pyannote needs pyannote.audio 4; {INSTALL}") from error
    except OSError as error:                            # torch and torchaudio of two builds
        raise MissingExtra(f"pyannote.audio is installed but does not load ({_say(error)}); install torch and torchaudio of one "
                           "version and kind") from error
    if int(__version__.partition(".")[0]) < 4:
        raise MissingExtra(f"pyannote.audio must be version 4, got {__version__}; {INSTALL}")
    if is_untold:
        from pyannote.audio.telemetry import set_telemetry_metrics

        set_telemetry_metrics(False)
    return torch, Pipeline


def _load(pipeline_class: Any, folder: Path, options: SpeakerOptions) -> Any:
    try:
        pipeline = pipeline_class.from_pretrained(folder, token=options.token, cache_dir=options.download.cache_dir)
    except Exception as error:                          # whatever the classes that its configuration names may raise
        raise ModelError(f"pyannote.audio cannot load the pipeline in {folder} ({_say(error)}); "
                         "is it complete, and of version 4?") from error
    if pipeline is None:
        raise ModelError(f"pyannote.audio finds no pipeline in {folder}")
    return pipeline


def turns_of(output: Any) -> list[Turn]:
    """Turns of version 4's output, of those without overlap first of all, or of a plain annotation."""
    choices = (getattr(output, "exclusive_speaker_diarization", None), getattr(output, "speaker_diarization", None), output)
    annotation = next((choice for choice in choices if hasattr(choice, "itertracks")), None)
    if annotation is None:
        raise ModelError(f"the pipeline must give an annotation of speakers, got {type(output).__name__}; is it one of diarization?")
    tracks: Iterable[tuple[Any, Any, Any]] = annotation.itertracks(yield_label=True)
    return [Turn(float(span.start), float(span.end), str(label)) for span, _, label in tracks]


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200] or 'no details'}"
