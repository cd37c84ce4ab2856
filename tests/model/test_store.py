import hashlib
import os
import shutil
from pathlib import Path

import pytest

from ossicle.errors import ModelError, OptionError
from ossicle.model import store
from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.store import download, list_models, model_path, remove, resolve_model
from ossicle.model.verify import verify
from ossicle.options import SourceOptions
from tests.model import folders
from tests.model.fake_hub import COMMIT, FakeHub

constants = pytest.importorskip("huggingface_hub.constants")
folder, original = folders.folder, folders.original

REPO = "Qwen/Qwen3-ASR-0.6B"
OTHER_COMMIT = "f" * 40
NOWHERE = "http://127.0.0.1:9"          # the discard port: refuses at once


def fill_cache(cache: Path, repo: str, source: Path, commit: str = COMMIT, refs: tuple[str, ...] = ("main",)) -> Path:
    """Put a checkpoint where and how the hub client does: blobs by hash, a snapshot of links, refs."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    for part in (snapshot, folder / "blobs", folder / "refs"):
        part.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        content = file.read_bytes()
        large = len(content) > 100_000
        name = hashlib.sha256(content).hexdigest() if large else hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        (folder / "blobs" / name).write_bytes(content)
        (snapshot / file.name).symlink_to(os.path.relpath(folder / "blobs" / name, snapshot))
    for ref in refs:
        (folder / "refs" / ref).write_text(commit)
    return snapshot


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "hub"


@pytest.fixture
def here(cache):
    return SourceOptions(cache_dir=str(cache))


@pytest.fixture
def offline(cache):
    return SourceOptions(cache_dir=str(cache), offline=True)


@pytest.fixture(autouse=True)
def no_bundled_model(monkeypatch, tmp_path):
    """What comes with the package is another test's subject."""
    monkeypatch.setattr(store, "_bundled_folder", lambda name: tmp_path / name)


@pytest.fixture(autouse=True)
def endpoint(monkeypatch):
    """Point the hub client somewhere; nowhere, until a test says so. It reads HF_ENDPOINT once, when imported."""
    def point(url):
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")

    point(NOWHERE)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return point


# ---------------------------------------------------------------- names


def test_a_folder_is_itself(original):
    assert resolve_model(original) == resolve_model(str(original)) == original


def test_a_home_folder_may_be_abbreviated(original, monkeypatch):
    monkeypatch.setenv("HOME", str(original.parent))
    assert resolve_model(f"~/{original.name}") == original


@pytest.mark.parametrize("name", ["./none", "/none/of/that", "../none", "~/none", "a/b/c", Path("none")])
def test_a_missing_folder_is_not_taken_for_a_hub_id(name, here):
    with pytest.raises(ModelError, match="no folder"):
        resolve_model(name, here)


def test_a_weight_file_is_answered_with_its_folder(original, here):
    with pytest.raises(ModelError, match=f"got the file .*; give {original}"):
        resolve_model(original / "model.safetensors", here)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("0.6", "0.6b"), ("1,7b", "1.7b"), ("alinger", "aligner"), ("tiyn", "tiny"), ("qwen3-asr-1.7b", "Qwen/Qwen3-ASR-1.7B")],
)
def test_a_mistyped_name_is_answered_with_near_ones(typed, meant, here):
    with pytest.raises(ModelError, match="did you mean") as caught:
        resolve_model(typed, here)
    assert meant in str(caught.value)


def test_a_name_like_nothing_lists_the_choices(here):
    with pytest.raises(ModelError, match=r"no model is called 'whisper!'; choose 0\.6b, 1\.7b, aligner, tiny, tiny-aligner, a hub id"):
        resolve_model("whisper!", here)


def test_short_names_are_hub_ids(original, cache, offline):
    for short, repo in store.SHORT_NAMES.items():
        snapshot = fill_cache(cache, repo, original)
        assert resolve_model(short, offline) == resolve_model(short.upper(), offline) == resolve_model(repo, offline) == snapshot


@pytest.mark.parametrize("name", store.BUNDLED_NAMES)
def test_a_bundled_model_is_package_data_or_said_to_be_absent(name, original, tmp_path, monkeypatch, here):
    with pytest.raises(ModelError, match=f"has no bundled model '{name}'"):
        resolve_model(name, here)
    assert not list_models(here)
    monkeypatch.setattr(store, "_bundled_folder", lambda asked: original if asked == name else tmp_path / "none")
    assert resolve_model(name, here) == resolve_model(name.upper(), here) == original
    assert [model.name for model in list_models(here)] == [name]
    with pytest.raises(OptionError, match="comes with ossicle"):
        remove(name, here)


# ---------------------------------------------------------------- the cache


def test_what_is_complete_here_is_used_without_asking(original, cache, here):
    snapshot = fill_cache(cache, REPO, original)
    assert resolve_model("0.6b", here) == model_path("0.6b", here) == snapshot      # the endpoint is unreachable
    assert open_checkpoint(snapshot).layout == "original"


def test_revisions_are_told_apart(original, cache, offline):
    first = fill_cache(cache, REPO, original)
    second = fill_cache(cache, REPO, original, OTHER_COMMIT, ("v2",))
    assert resolve_model(REPO, offline) == first
    assert resolve_model(f"{REPO}@v2", offline) == resolve_model(f"{REPO}@{OTHER_COMMIT}", offline) == second
    assert resolve_model("0.6b", SourceOptions(revision="v2", offline=True, cache_dir=str(cache))) == second
    with pytest.raises(ModelError, match=f"{REPO}@v3 is not on this machine"):
        resolve_model(f"{REPO}@v3", offline)
    with pytest.raises(OptionError, match="revision must be given once, got v2 in the name and v3"):
        resolve_model(f"{REPO}@v2", SourceOptions(revision="v3"))


def test_offline_says_what_is_here_and_what_to_do(original, cache, offline):
    with pytest.raises(ModelError, match=f"looked in {cache}.*no model is here.*ossicle models download {REPO}"):
        resolve_model("0.6b", offline)
    fill_cache(cache, "mlx-community/Qwen3-ASR-1.7B-4bit", original)
    with pytest.raises(ModelError, match=r"complete here: mlx-community/Qwen3-ASR-1\.7B-4bit"):
        model_path("0.6b", offline)


def test_the_hubs_own_offline_switch_is_respected(here, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="is not on this machine"):
        resolve_model("0.6b", here)
    with pytest.raises(OptionError, match="cannot be downloaded offline"):
        download("0.6b", here)


@pytest.mark.parametrize("lost", ["model.safetensors", "config.json", "vocab.json"])
def test_an_incomplete_download_is_never_handed_out(original, cache, offline, lost):
    snapshot = fill_cache(cache, REPO, original)
    (snapshot / lost).resolve().unlink()                     # the link stays, as after an interrupted clean-up
    with pytest.raises(ModelError, match=rf"is incomplete on this machine .*{'no weights' if 'model' in lost else lost}"):
        resolve_model("0.6b", offline)
    assert [model.problem is None for model in list_models(offline)] == [False]


def test_listing_shows_our_models_only(original, cache, offline):
    snapshot = fill_cache(cache, REPO, original)
    fill_cache(cache, REPO, original, OTHER_COMMIT, ())
    foreign = fill_cache(cache, "openai/whisper-tiny", original)
    (foreign / "config.json").unlink()
    (foreign / "config.json").write_text('{"model_type": "whisper"}')
    models = {model.revision: model for model in list_models(offline)}
    assert models.keys() == {COMMIT, OTHER_COMMIT}
    assert models[COMMIT].name == REPO
    assert models[COMMIT].path == snapshot
    assert models[COMMIT].refs == ("main",)
    assert models[COMMIT].problem is None
    assert models[COMMIT].num_bytes == sum(file.stat().st_size for file in original.iterdir())
    assert models[OTHER_COMMIT].refs == ()


def test_an_empty_or_missing_cache_lists_nothing(offline, cache):
    assert not list_models(offline)
    cache.mkdir()
    assert not list_models(offline)


def test_a_fork_with_the_same_commit_is_left_alone(original, cache, offline):
    repos = [REPO, *(f"fork{number}/Qwen3-ASR-0.6B" for number in range(6))]
    for repo in repos:
        fill_cache(cache, repo, original)
    remove(REPO, offline)
    assert [model.name for model in list_models(offline)] == repos[1:]


def test_removing_frees_what_it_says(original, cache, offline):
    fill_cache(cache, REPO, original)
    fill_cache(cache, "mlx-community/Qwen3-ASR-1.7B-4bit", original)
    removal = remove("0.6b", offline)
    assert removal.name == REPO
    assert removal.revisions == (COMMIT,)
    assert removal.freed_bytes == sum(file.stat().st_size for file in original.iterdir())
    assert [model.name for model in list_models(offline)] == ["mlx-community/Qwen3-ASR-1.7B-4bit"]
    with pytest.raises(ModelError, match="is not on this machine"):
        remove("0.6b", offline)


def test_one_revision_may_be_removed(original, cache, offline):
    first = fill_cache(cache, REPO, original)
    fill_cache(cache, REPO, original, OTHER_COMMIT, ("v2",))
    assert remove(f"{REPO}@v2", offline).revisions == (OTHER_COMMIT,)
    assert [model.revision for model in list_models(offline)] == [COMMIT]
    assert open_checkpoint(first)                            # the blobs that both shared are still there


def test_a_broken_download_can_be_removed(original, cache, offline):
    snapshot = fill_cache(cache, REPO, original)
    (snapshot / "model.safetensors").resolve().unlink()
    assert remove("0.6b", offline).revisions == (COMMIT,)
    assert not list_models(offline)


def test_a_folder_is_never_removed(folder, offline):
    with pytest.raises(OptionError, match="is a folder of yours"):
        remove(str(folder), offline)
    assert open_checkpoint(folder)


# ---------------------------------------------------------------- verification


def test_an_untouched_download_is_intact(original, cache):
    steps = []
    report = verify(fill_cache(cache, REPO, original), lambda done, total: steps.append((done, total)))
    assert report.is_intact
    assert report.checkpoint is not None
    assert {file.name for file in report.files} == {file.name for file in original.iterdir()}
    assert all(file.is_intact for file in report.files)
    assert steps[-1][0] == steps[-1][1] == sum(file.num_bytes for file in report.files)


def test_a_plain_folder_has_no_hashes_to_compare(original):
    report = verify(original)
    assert report.is_intact
    assert {file.is_intact for file in report.files} == {None}


@pytest.mark.parametrize("name", ["model.safetensors", "merges.txt"])
def test_one_changed_byte_is_found(original, cache, name):
    snapshot = fill_cache(cache, REPO, original)
    content = bytearray((snapshot / name).read_bytes())
    content[-3] ^= 1
    (snapshot / name).resolve().write_bytes(content)
    report = verify(snapshot)
    assert [file.name for file in report.files if file.is_intact is False] == [name]
    assert len(report.problems) == 1
    assert name in report.problems[0]


def test_verification_tells_what_is_missing(folder, tmp_path):
    (folder / "merges.txt").unlink()
    assert "merges.txt" in verify(folder).problems[0]
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-100])
    report = verify(folder)
    assert report.checkpoint is None
    assert "cut short" in report.problems[0]
    assert not verify(tmp_path / "none").is_intact


# ---------------------------------------------------------------- the network


@pytest.fixture
def hub(original, tmp_path, endpoint):
    folder = Path(shutil.copytree(original, tmp_path / "served"))
    (folder / "README.md").write_text("no need of this")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_text("nor of this")
    with FakeHub(REPO, folder).serve() as hub:
        endpoint(hub.endpoint)
        yield hub


def test_a_download_brings_the_needed_files_and_no_others(hub, original, here, capfd):
    steps = []
    folder = resolve_model("0.6b", here, lambda done, total: steps.append((done, total)))
    assert folder.name == COMMIT
    assert {file.name for file in folder.iterdir()} == {file.name for file in original.iterdir()}
    assert verify(folder).is_intact
    assert all(file.is_intact for file in verify(folder).files)
    size = sum(file.stat().st_size for file in original.iterdir())
    assert steps[-1][0] == max(done for done, _ in steps) == size
    assert "".join(capfd.readouterr()) == ""                 # no bar unless asked
    num_requests = len(hub.requests)
    assert resolve_model("0.6b", here) == folder
    assert len(hub.requests) == num_requests                 # nobody asked again
    assert download("0.6b", here) == folder
    assert len(hub.requests) > num_requests                  # now somebody did, for the newest commit,
    assert not any(method == "GET" and "resolve" in path for method, path, _ in hub.requests[num_requests:])     # but fetched nothing


def test_a_bar_is_shown_on_stderr_when_asked(hub, cache, capfd, monkeypatch):
    monkeypatch.setenv("TQDM_POSITION", "-1")                # the hub client's way to have bars without a terminal
    resolve_model("0.6b", SourceOptions(cache_dir=str(cache), show_progress=True))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "100%" in captured.err


def test_a_dropped_connection_goes_on_where_it_broke(hub, here, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)      # what was received is kept in steps of this
    hub.drops = 1
    folder = resolve_model("0.6b", here)
    assert verify(folder).is_intact
    ranges = [bytes_asked for method, path, bytes_asked in hub.requests if method == "GET" and path.endswith("model.safetensors")]
    assert ranges[0] is None
    assert ranges[1].startswith("bytes=")
    assert int(ranges[1].removeprefix("bytes=").removesuffix("-")) > 0


def test_an_interrupted_download_keeps_the_files_it_has(hub, here, original):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resolve_model("0.6b", here, stop)
    folder = resolve_model("0.6b", here)
    assert verify(folder).is_intact


def test_an_incomplete_snapshot_is_completed(hub, here, original, cache):
    snapshot = fill_cache(cache, REPO, original)
    (snapshot / "model.safetensors").resolve().unlink()
    (snapshot / "model.safetensors").unlink()
    assert resolve_model("0.6b", here) == snapshot
    assert verify(snapshot).is_intact
    fetched = [path for method, path, _ in hub.requests if method == "GET" and "resolve" in path]
    assert fetched == [f"/{REPO}/resolve/{COMMIT}/model.safetensors"]


def test_an_unreachable_hub_says_what_was_tried_and_what_to_do(here):
    with pytest.raises(ModelError, match=rf"cannot download from {NOWHERE} \(.*\)\. {REPO} is not on this machine") as caught:
        resolve_model("0.6b", here)
    assert "no model is here" in str(caught.value)
    assert "ossicle models download" in str(caught.value)
    assert "local folder" in str(caught.value)


def test_a_refresh_without_network_keeps_what_is_here(original, cache, here):
    snapshot = fill_cache(cache, REPO, original)
    assert download("0.6b", here) == snapshot


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "has no model Qwen/Qwen3-ASR-0.6B that you may read"), (403, "needs its owner's consent"), (404, "has no revision v9"),
     (500, "cannot download from")],
)
def test_a_refusal_is_told_in_words(hub, here, status, message):
    hub.statuses = {"/api/models": status}
    with pytest.raises(ModelError) as caught:
        resolve_model(f"{REPO}@v9", here)
    assert message in str(caught.value)


def test_another_kind_of_repository_is_refused(hub, here):
    for file in hub.folder.glob("*.safetensors"):
        file.unlink()
    with pytest.raises(ModelError, match=r"is no checkpoint that ossicle can load: .*found no weights"):
        resolve_model("0.6b", here)


def test_a_place_without_room_is_told(hub, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"cannot write Qwen/Qwen3-ASR-0\.6B to"):
        resolve_model("0.6b", SourceOptions(cache_dir=str(tmp_path / "file" / "cache")))
