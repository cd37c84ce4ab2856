"""What the settings say of speakers, checked as far as a look shows it: the rest would come after minutes of loading."""

from importlib.util import find_spec
from pathlib import Path

from ossicle.errors import MissingExtra, OptionError
from ossicle.options import SourceOptions, SpeakerOptions, read_names
from ossicle.surfaces.settings import Settings

LIBRARIES = {"sherpa": ("sherpa_onnx", "diarize"), "pyannote": ("pyannote.audio", "pyannote")}        # (what is imported, the extra)
NEED_SPEAKERS = ("num_speakers", "min_speakers", "max_speakers", "speaker_names", "diarize_model")


def speaker_options(settings: Settings) -> SpeakerOptions:
    """Raises OptionError for what is not possible, MissingExtra where the library is not installed."""
    options = SpeakerOptions(
        source=settings.speakers,
        num_speakers=settings.num_speakers,
        min_speakers=settings.min_speakers,
        max_speakers=settings.max_speakers,
        names=read_names(settings.speaker_names),
        device=settings.diarize_device,
        model=settings.diarize_model,
        download=SourceOptions(offline=settings.offline, cache_dir=settings.cache_dir),
    )
    if not options.is_wanted:
        idle = next((name for name in NEED_SPEAKERS if getattr(settings, name)), None)
        if idle is not None:
            raise OptionError(f"{idle} needs speakers: say who is to tell them apart, as in --speakers sherpa")
    if settings.speakers in LIBRARIES:
        module, extra = LIBRARIES[settings.speakers]
        if not _is_installed(module):
            raise MissingExtra(f'--speakers {settings.speakers} needs a library that is not installed; install it with: '
                               f'pip install "ossicle[{extra}]"')
    if options.is_file and not Path(options.source).expanduser().exists():
        raise OptionError(f"speakers must be an RTTM file or a folder of them that is there, got {options.source}; check name and folder")
    return options


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:                                 # of the package around it
        return False
