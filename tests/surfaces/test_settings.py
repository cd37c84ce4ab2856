"""Flags go before environment, environment before file, file before defaults; and each value knows its place."""

import re

import pytest

from ossicle.errors import OptionError
from ossicle.surfaces.settings import Bits, Settings, config_path, read_settings, variable_of


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "settings.toml").write_text(text, "utf-8")
        return tmp_path / "settings.toml"
    return write


def test_each_layer_goes_before_the_next(file):
    config = file('bits = 8\nlanguage = "de"\nmodel = "1.7b"\n')
    found = read_settings({"bits": 4, "language": None}, config, {"OSSICLE_BITS": "6", "OSSICLE_LANGUAGE": "fr"})
    values, origins = found.settings, found.origins
    assert (values.bits, values.language, values.model, values.seed) == (4, "fr", "1.7b", 0)
    assert [str(origins[name]) for name in ("bits", "language", "model", "seed")] == [
        "--bits", "OSSICLE_LANGUAGE", f"{config}: model", "default"]


def test_a_flag_can_take_back_what_the_file_switched_on(file):
    assert read_settings({"quiet": False}, file("quiet = true"), {}).settings.quiet is False


def test_every_setting_can_be_set_from_the_environment():
    sample = {bool: "true", int: "5", float: "7.5", str: "x", int | None: "5", str | None: "x", Bits: "none",
              float | None: "7.5", bool | None: "true"}
    choices = {"engine": "cpu", "dtype": "float16", "format": "json", "kv_dtype": "float32",
               "preset": "shorts", "words": "aligner", "diarize_device": "cpu", "vad": "energy"}
    for name, field in Settings.model_fields.items():
        value = choices.get(name) or sample[field.annotation]
        found = read_settings({}, None, {variable_of(name): value})
        assert str(found.origins[name]) == variable_of(name)
        assert str(getattr(found.settings, name)).lower() == value


def test_an_empty_variable_counts_as_absent():
    assert read_settings({}, None, {"OSSICLE_BITS": ""}).settings.bits == "auto"


@pytest.mark.parametrize("name", ["bits", "encoder_bits"])
def test_bits_are_a_number_or_one_of_two_words_in_every_layer(file, name):
    for given, expected in (("none", "none"), ("auto", "auto"), ("8", 8)):
        assert getattr(read_settings({name: given}, file(f"{name} = 4"), {}).settings, name) == expected
        assert getattr(read_settings({}, None, {variable_of(name): given}).settings, name) == expected
    assert getattr(read_settings({}, file(f'{name} = "none"'), {}).settings, name) == "none"
    assert getattr(read_settings({}, file(f"{name} = 4"), {}).settings, name) == 4


@pytest.mark.parametrize(("text", "said"), [
    ('modle = "tiny"', "no setting is called 'modle'; did you mean model?"),
    ("[transcribe]\nmodel = 3", "no setting is called 'transcribe'"),
    ('bits = "many"', ": bits must be a whole number, or 'auto' or 'none'; got 'many'"),
    ('encoder_bits = "non"', ": encoder_bits must be a whole number, or 'auto' or 'none'; got 'non'; did you mean none"),
    ("threads = 1.5", ": threads must be a whole number; got 1.5"),
    ('format = "jsn"', ": format must be one or several of txt, json, jsonl, srt"),
    ("quiet = 7", ": quiet must be"),
    ("model = 3", ": model must be text in quotes; got 3"),
    ("model = ", "cannot read the configuration file"),
])
def test_a_wrong_file_is_named_with_key_and_value(file, text, said):
    config = file(text)
    with pytest.raises(OptionError, match=re.escape(said)) as caught:
        read_settings({}, config, {})
    assert str(config) in str(caught.value)


def test_a_wrong_variable_is_named_with_its_value():
    with pytest.raises(OptionError, match="OSSICLE_BATCH_SIZE must be a whole number; got 'lots'"):
        read_settings({}, None, {"OSSICLE_BATCH_SIZE": "lots"})


def test_a_named_file_must_exist_and_the_usual_one_need_not(tmp_path, monkeypatch):
    with pytest.raises(OptionError, match="expected a configuration file at"):
        read_settings({}, tmp_path / "none.toml", {})
    with pytest.raises(OptionError, match="expected a configuration file at"):
        read_settings({}, None, {"OSSICLE_CONFIG": str(tmp_path / "none.toml")})
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    assert read_settings({}, None, {}).settings == Settings()


def test_the_flag_names_the_file_before_the_environment(tmp_path):
    named, variable = tmp_path / "a.toml", {"OSSICLE_CONFIG": str(tmp_path / "b.toml")}
    assert config_path(named, variable) == named
    assert config_path(None, variable) == tmp_path / "b.toml"
    assert config_path(None, {}).parts[-2:] == ("ossicle", "config.toml")


def test_unknown_variables_are_told_and_harm_nothing():
    assert read_settings({}, None, {"OSSICLE_MODL": "x", "OTHER": "y"}).unknown_variables == ("OSSICLE_MODL",)
