"""What may be asked about models, languages and recordings without loading a model: names in, facts out.

A desk in the hall: each function hands the question to the room that knows. Surfaces ask here, never there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ossicle.errors import ModelError
from ossicle.glossary import Glossary
from ossicle.model import quantize, store
from ossicle.model import verify as verification
from ossicle.model.config import ModelConfig
from ossicle.model.fingerprint import fingerprint as fingerprint_of
from ossicle.model.quantize import MODES, Conversion
from ossicle.model.store import BUNDLED, SHORT_NAMES, Removal, StoredModel
from ossicle.model.verify import Verification
from ossicle.options import AudioOptions, SourceOptions
from ossicle.text import languages as tongues
from ossicle.text.glossary import fit_terms
from ossicle.text.languages import Language
from ossicle.text.tokenizer import Tokenizer

__all__ = [
    "BUNDLED", "MODES", "SHORT_NAMES", "Conversion", "Language", "Removal", "StoredModel", "Verification", "Weights", "aligner_of",
    "bundled_samples", "cache_folder", "check_language", "convert", "dialects", "download", "encode_sound", "find_language",
    "fingerprint", "hub_address", "languages", "left_out_terms", "list_models", "path_of", "remove", "resolve", "verify",
]

if TYPE_CHECKING:                                   # no command but the one that asks for it waits for the sound libraries
    from ossicle.audio.encode import EncodedSound

HERE = SourceOptions()
OnBytes = Callable[[int, int], None]                # (bytes done, bytes in all)


@dataclass(frozen=True)
class Weights:
    """In which numbers `convert` writes a checkpoint."""

    bits: int | None = None                         # of the decoder; None leaves it plain
    group_size: int | None = None                   # weights that share a scale; None is what the mode asks for
    encoder_bits: int | None = None                 # None leaves the encoder plain, as the published ones are
    mode: str = "affine"
    dtype: str | None = None                        # of what stays plain; None keeps what is stored


def resolve(name: str, source: SourceOptions = HERE, on_progress: OnBytes | None = None) -> Path:
    """The folder of a model, downloaded when it is not here yet and may be. Raises ModelError."""
    return store.resolve_model(name, source, on_progress)


def path_of(name: str, source: SourceOptions = HERE) -> Path:
    """The folder of a model that is on this machine; never downloads. Raises ModelError."""
    return store.model_path(name, source)


def aligner_of(model: str) -> str:
    """The name of the forced aligner that goes with a recogniser, where nobody names another."""
    return store.aligner_of(model)


def download(name: str, source: SourceOptions = HERE, on_progress: OnBytes | None = None) -> Path:
    """Fetch the newest state of a hub model; what is here already is kept."""
    return store.download(name, source, on_progress)


def list_models(source: SourceOptions = HERE) -> list[StoredModel]:
    """Every Qwen3-ASR checkpoint in the hub's cache, complete or not, and the bundled ones."""
    return store.list_models(source)


def verify(name: str, source: SourceOptions = HERE, on_progress: OnBytes | None = None) -> Verification:
    """Check the files of a model on this machine: complete, readable, and as published where that is known."""
    return verification.verify(_folder_as_it_is(name, source), on_progress)


def fingerprint(name: str, source: SourceOptions = HERE) -> str:
    """What tells a model on this machine from any other, by its files. Raises ModelError."""
    return fingerprint_of(path_of(name, source))


def remove(name: str, source: SourceOptions = HERE) -> Removal:
    """Delete a downloaded model from the cache."""
    return store.remove(name, source)


def convert(
    name: str, out: Path, weights: Weights, source: SourceOptions = HERE, *, overwrite: bool = False, on_progress: OnBytes | None = None
) -> Conversion:
    """Write a model to the folder `out` in fewer bits. Raises OptionError, ModelError, MissingExtra."""
    return quantize.convert(
        resolve(name, source), out, weights.bits, weights.group_size, weights.encoder_bits,
        cast(quantize.Mode, weights.mode), weights.dtype, overwrite=overwrite, on_progress=on_progress,
    )


def languages() -> tuple[Language, ...]:
    """The thirty languages of the published models."""
    return tongues.all_languages()


def dialects() -> tuple[Language, ...]:
    """The 22 dialects that they hear."""
    return tongues.all_dialects()


def find_language(text: str) -> Language:
    """The language that `text` means, among the thirty of the published models. Raises OptionError with near names."""
    return tongues.find_language(text)


def check_language(text: str, model: str, source: SourceOptions = HERE) -> Language:
    """The language that `text` means to a model: to the one on this machine, or to any published one when it is not here yet.

    Raises OptionError with near names, before anything is downloaded or loaded.
    """
    try:
        config = ModelConfig.from_file(path_of(model, source) / "config.json")
    except ModelError:                              # loading says what is wrong with the model
        return tongues.find_language(text)
    return tongues.find_language(text, config.support_languages or None)


def left_out_terms(glossary: Glossary, model: str, max_tokens: int, source: SourceOptions = HERE) -> tuple[str, ...]:
    """The terms of a glossary that find no room in so many tokens of a model. Raises ModelError when it is not on this machine."""
    _, left_out = fit_terms(glossary, Tokenizer.from_folder(path_of(model, source)), max_tokens)
    return left_out


def bundled_samples() -> tuple[Path, ...]:
    """Recordings that come with the bundled model; none where it is not part of this installation."""
    try:
        return tuple(sorted((path_of(BUNDLED) / "samples").glob("*.wav")))
    except ModelError:
        return ()


def encode_sound(source: Any, options: AudioOptions | None = None) -> "EncodedSound":
    """A recording, or the asked part of it, as a small file that every browser plays. Raises AudioError, OptionError."""
    from ossicle.audio import encode

    return encode.encode_sound(source, options or AudioOptions())


def cache_folder(source: SourceOptions = HERE) -> Path:
    """Where downloaded models lie."""
    from huggingface_hub import constants

    return Path(source.cache_dir or constants.HF_HUB_CACHE).expanduser()


def hub_address() -> str:
    """The model hub, or the mirror that HF_ENDPOINT names."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _folder_as_it_is(name: str, source: SourceOptions) -> Path:
    """Also of an incomplete download: that is what one wants to look into."""
    try:
        return path_of(name, source)
    except ModelError:
        repo = SHORT_NAMES.get(name.lower(), name).partition("@")[0]
        found = [model.path for model in list_models(source) if model.name == repo and model.problem]
        if not found:
            raise
        return found[0]
