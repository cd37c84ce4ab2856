"""Files of other models: used from the cache when they are all there, fetched when not, never asked for offline."""

import pytest

from ossicle.errors import ModelError, OptionError
from ossicle.model.hub_files import resolve_files
from ossicle.options import SourceOptions
from tests.model.fake_hub import FakeHub

constants = pytest.importorskip("huggingface_hub.constants")

REPO = "someone/voices"
NAME = "voice.onnx"


def lacking(folder):
    return [] if (folder / NAME).is_file() else [NAME]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = tmp_path / "remote"
    folder.mkdir()
    (folder / NAME).write_bytes(b"\x08voice")
    (folder / "other.onnx").write_bytes(b"\x08other")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FakeHub(REPO, folder).serve() as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", served.endpoint + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield served


@pytest.fixture
def here(tmp_path):
    return SourceOptions(cache_dir=str(tmp_path / "cache"))


def test_only_the_asked_files_are_fetched_and_the_second_time_none(hub, here):
    folder = resolve_files(REPO, [NAME], lacking, here)
    assert [file.name for file in folder.iterdir()] == [NAME]
    num_requests = len(hub.requests)
    assert resolve_files(REPO, [NAME], lacking, here) == folder
    assert len(hub.requests) == num_requests


def test_offline_uses_what_is_here_and_asks_for_nothing(hub, here, tmp_path):
    offline = SourceOptions(cache_dir=here.cache_dir, offline=True)
    with pytest.raises(ModelError, match=r"someone/voices is not complete on this machine .* run once with a network"):
        resolve_files(REPO, [NAME], lacking, offline)
    assert hub.requests == []
    folder = resolve_files(REPO, [NAME], lacking, here)
    assert resolve_files(REPO, [NAME], lacking, offline) == folder


def test_a_repository_without_the_files_is_named(hub, here):
    with pytest.raises(ModelError, match=r"lacks none\.onnx; is it the right repository"):
        resolve_files(REPO, ["none.onnx"], lambda folder: ["none.onnx"], here)


@pytest.mark.parametrize(("status", "message"), [(403, "needs its owner's consent"), (401, "that you may read"), (404, "no revision v9")])
def test_a_refusal_says_what_to_do(hub, here, status, message):
    hub.statuses["/api/models/"] = status
    with pytest.raises(ModelError, match=message):
        resolve_files(f"{REPO}@v9", [NAME], lacking, here)


def test_an_unreachable_hub_is_told(hub, here, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="cannot fetch someone/voices"):
        resolve_files(REPO, [NAME], lacking, here)


def test_a_token_is_never_told(hub, here):
    hub.statuses["/api/models/"] = 403
    with pytest.raises(ModelError) as caught:
        resolve_files(REPO, [NAME], lacking, here, token="hf_secret")
    assert "hf_secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["voices", "a/b/c", "no such/name", ""])
def test_a_name_that_is_none_is_refused(name, here):
    with pytest.raises(OptionError, match="folder or a hub id"):
        resolve_files(name, [NAME], lacking, here)
