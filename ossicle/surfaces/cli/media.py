"""The recording of a transcript, for the page that plays it: by its address, or encoded and carried inside.

A recording that cannot be carried is said to be missing and linked to instead: the transcript is worth more than its page.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from ossicle.errors import OptionError, SpeechError
from ossicle.formats.html import Media, link_media
from ossicle.options import AudioOptions
from ossicle.results import Transcript

FindMedia = Callable[[Transcript, Path], Media | None]  # (transcript, folder of the page)


def link_recording(transcript: Transcript, folder: Path, recordings: Mapping[str, str] | None = None) -> Media | None:
    """The way from a page in `folder` to its recording; None where it is no file of this machine.

    recordings   what to read, by the name that transcripts give it; default is that name
    """
    recording = (recordings or {}).get(transcript.source or "", transcript.source)
    return link_media(recording, folder) if recording and _is_file(recording) else None


def embed_recordings(recordings: Mapping[str, str], audio: AudioOptions, say: Callable[[str], None]) -> FindMedia:
    """Carries the recording inside the page, in some 15 MB an hour.

    audio   how the recordings were read
    say     is told the size of each, and why one is not inside
    """
    def find(transcript: Transcript, folder: Path) -> Media | None:
        from ossicle import catalog

        name = transcript.source or "the recording"
        try:
            encoded = catalog.encode_sound(recordings.get(name, name), audio)
        except SpeechError as error:
            say(f"ossicle: warning: {name} is not inside its page: {error}")
            return link_recording(transcript, folder, recordings)
        say(f"{name}: its page carries {len(encoded.data) * 4 / 3 / 1e6:.1f} MB of sound")
        return Media(Path(name).name, data=encoded.data, mime=encoded.mime, begin=encoded.begin_seconds)

    return find


def find_recording(source: str, folder: Path) -> str:
    """Where a recording lies now: as its transcript says it, seen from here or from the transcript's folder, or in that folder."""
    places = (source, str(folder / source), str(folder / Path(source.replace("\\", "/")).name))
    return next(filter(_is_file, places), source)


def check_embedding(formats: tuple[str, ...], sources: tuple[str, ...], is_flag: bool) -> None:
    """Raise OptionError where no recording could be carried, before any work is done.

    is_flag   it was asked for here and now, not once and for all in a file
    """
    if "html" not in formats:
        if is_flag:
            raise OptionError(f"--embed-audio is of the format html, got {', '.join(formats)}; add -f html, or leave it away")
    elif "-" in sources:
        raise OptionError("--embed-audio reads each recording a second time, which standard input cannot be; save it to a file first")


def _is_file(recording: str) -> bool:
    try:
        return recording != "-" and Path(recording).is_file()
    except (OSError, ValueError):                       # a name that no system takes, or a URL
        return False
