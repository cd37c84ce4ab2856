"""The desk in the hall: questions about models and languages, answered without loading one."""

import pytest

from ossicle import catalog
from ossicle.errors import AudioError, ModelError, OptionError
from ossicle.options import AudioOptions, SourceOptions
from tests import checkpoints


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return checkpoints.build(tmp_path_factory.mktemp("models") / "small")


def test_a_language_is_checked_against_the_model_that_is_here(checkpoint):
    assert catalog.check_language("de-AT", str(checkpoint)).name == "German"
    with pytest.raises(OptionError, match="did you mean German"):
        catalog.check_language("Germn", str(checkpoint))


def test_a_language_is_checked_without_a_model_too(tmp_path):
    away = SourceOptions(offline=True, cache_dir=str(tmp_path))
    assert catalog.check_language("zh-TW", "0.6b", away).name == "Chinese"
    with pytest.raises(OptionError, match="Klingon"):
        catalog.check_language("Klingon", "0.6b", away)


def test_a_folder_resolves_to_itself_and_nothing_is_fetched_offline(checkpoint, tmp_path):
    assert catalog.resolve(str(checkpoint)) == checkpoint
    assert catalog.path_of(str(checkpoint)) == checkpoint
    with pytest.raises(ModelError, match="is not on this machine"):
        catalog.resolve("0.6b", SourceOptions(offline=True, cache_dir=str(tmp_path)))


def test_verify_looks_into_an_incomplete_download(tmp_path):
    folder = tmp_path / "models--Qwen--Qwen3-ASR-0.6B" / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text("{}")
    found = catalog.verify("0.6b", SourceOptions(cache_dir=str(tmp_path)))
    assert (found.folder, found.is_intact) == (folder, False)


def test_bundled_samples_are_recordings_that_exist():
    assert all(path.suffix == ".wav" and path.is_file() for path in catalog.bundled_samples())


def test_a_recording_is_encoded_for_browsers(tmp_path):
    sample = next(path for path in catalog.bundled_samples() if path.name == "english.wav")
    encoded = catalog.encode_sound(sample, AudioOptions(end_seconds=1.0))
    assert (encoded.mime, encoded.begin_seconds, encoded.seconds) == ("audio/webm", 0.0, 1.0)
    assert encoded.data.startswith(b"\x1a\x45\xdf\xa3")          # EBML, as every WebM file begins
    with pytest.raises(AudioError, match="there is none"):
        catalog.encode_sound(tmp_path / "none.wav")
