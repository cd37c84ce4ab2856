"""Where a checkpoint comes from: a name in, a folder on this machine out.

A name is a folder, a short name, or a hub id `org/name[@revision]`. Hub ids live in the hub client's own cache, shared
with other programs; what is complete there is used without asking the network, and `download` brings it up to date.
Knows nothing of networks beyond which files one needs; prints nothing. Access tokens and mirrors come from the hub
client's environment (HF_TOKEN, HF_ENDPOINT, HF_HOME, HF_HUB_OFFLINE).
"""

import difflib
import logging
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from ossicle.errors import ModelError, OptionError
from ossicle.model.checkpoint import find_weight_files
from ossicle.model.tensors import read_json
from ossicle.options import SourceOptions

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]       # (bytes done, bytes in all so far known)

SHORT_NAMES = {
    "0.6b": "Qwen/Qwen3-ASR-0.6B",
    "1.7b": "Qwen/Qwen3-ASR-1.7B",
    "aligner": "Qwen/Qwen3-ForcedAligner-0.6B",
}
BUNDLED = "tiny"                            # a package data folder, small enough to come along
BUNDLED_ALIGNER = "tiny-aligner"            # its companion for the times of words
BUNDLED_NAMES = (BUNDLED, BUNDLED_ALIGNER)
NEEDED_FILES = ("*.json", "*.safetensors", "*.txt", "*.jinja", "LICENSE*")
UNNEEDED_FILES = ("*/*",)                   # other formats of the same weights lie in subfolders
HUB_ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.][\w./-]*))?")
COMMIT = re.compile(r"[0-9a-f]{40}")
MAX_TRIES = 3                               # of a connection that breaks; newer hub clients also try again themselves
DEFAULTS = SourceOptions()
MODEL_TYPES = ("qwen3_asr", "qwen3_forced_aligner")


@dataclass(frozen=True)
class StoredModel:
    """One revision of a checkpoint on this machine."""

    name: str                               # hub id, or a bundled one's short name
    path: Path
    num_bytes: int
    revision: str | None                    # commit; None for what is bundled
    refs: tuple[str, ...] = ()              # branches and tags that stand for this commit
    problem: str | None = None              # what is missing, in words; None when complete


@dataclass(frozen=True)
class Removal:
    """What `remove` took away."""

    name: str
    revisions: tuple[str, ...]
    freed_bytes: int


@dataclass(frozen=True)
class _Source:
    """A name, understood."""

    kind: Literal["folder", "bundled", "hub"]
    folder: Path = Path()
    repo: str = ""
    revision: str | None = None             # None is whatever main stands for


def resolve_model(name: str | Path, options: SourceOptions = DEFAULTS, on_progress: Progress | None = None) -> Path:
    """The folder of the checkpoint called `name`; downloads it when it is not here yet and may be.

    Raises ModelError that says what was tried, what is here, and what to do.
    """
    source = _understand(name, options)
    if source.kind != "hub":
        return source.folder
    stored = _find(source, options)
    if stored is not None and stored.problem is None:
        return stored.path
    if _is_offline(options):
        raise ModelError(_not_here(source, stored, options))
    return _fetch(source, options, on_progress)


def aligner_of(model: str) -> str:
    """The name of the forced aligner that goes with a recogniser, where nobody names another."""
    return BUNDLED_ALIGNER if model.lower() == BUNDLED else "aligner"


def model_path(name: str | Path, options: SourceOptions = DEFAULTS) -> Path:
    """As `resolve_model`, but never downloads."""
    source = _understand(name, options)
    if source.kind != "hub":
        return source.folder
    stored = _find(source, options)
    if stored is None or stored.problem is not None:
        raise ModelError(_not_here(source, stored, options))
    return stored.path


def download(name: str, options: SourceOptions = DEFAULTS, on_progress: Progress | None = None) -> Path:
    """Fetch the newest state of a hub model; files already here are kept, an interrupted download goes on where it can."""
    source = _understand(name, options)
    if source.kind != "hub":
        return source.folder
    if _is_offline(options):
        raise OptionError(f"{source.repo} cannot be downloaded offline; leave out the offline option and HF_HUB_OFFLINE")
    return _fetch(source, options, on_progress)


def list_models(options: SourceOptions = DEFAULTS) -> list[StoredModel]:
    """Every Qwen3-ASR checkpoint in the hub's cache, complete or not, and the bundled ones."""
    bundled = [(name, _bundled_folder(name)) for name in BUNDLED_NAMES]
    models = [StoredModel(name, path, _folder_bytes(path), None) for name, path in bundled if (path / "config.json").is_file()]
    ours = (folder for folder in sorted(_cache_dir(options).glob("models--*--*")) if _is_ours(folder))
    return models + [model for repository in ours for model in _revisions(repository)]


def remove(name: str, options: SourceOptions = DEFAULTS) -> Removal:
    """Delete a hub model from the cache: one revision when the name or the options say which, else all of them."""
    source = _understand(name, options)
    if source.kind != "hub":
        what = "comes with ossicle" if source.kind == "bundled" else "is a folder of yours; delete it yourself if you mean to"
        raise OptionError(f"only downloaded models can be removed, {name} {what}")
    models = [model for model in _revisions(_repository(source.repo, options)) if _stands_for(model, source.revision)]
    if not models:
        raise ModelError(_not_here(source, None, options))
    revisions = tuple(model.revision for model in models if model.revision)
    return Removal(source.repo, revisions, _delete(source.repo, revisions, options))


def missing_files(folder: Path) -> str | None:
    """What a checkpoint folder lacks, in words; None when all is there. Looks at names only."""
    if not (folder / "config.json").is_file():
        return f"{folder} lacks config.json"
    try:
        find_weight_files(folder)
    except ModelError as error:
        return str(error)
    if not (folder / "tokenizer.json").is_file():
        lost = [name for name in ("vocab.json", "merges.txt", "tokenizer_config.json") if not (folder / name).is_file()]
        if lost:
            return f"{folder} lacks {', '.join(lost)} of its tokenizer"
    return None


def _understand(name: str | Path, options: SourceOptions) -> _Source:
    text = str(name)
    if isinstance(name, str) and text.lower() in BUNDLED_NAMES:
        bundled = _bundled_folder(text.lower())
        if not (bundled / "config.json").is_file():
            raise ModelError(f"this installation of ossicle has no bundled model {text.lower()!r}; "
                             f"choose one of {', '.join(SHORT_NAMES)}, a hub id or a folder")
        return _Source("bundled", folder=bundled)
    if isinstance(name, str) and text.lower() in SHORT_NAMES:
        return _Source("hub", repo=SHORT_NAMES[text.lower()], revision=options.revision)
    folder = Path(text).expanduser()
    if folder.is_dir():
        return _Source("folder", folder=folder)
    if folder.is_file():
        raise ModelError(f"expected the folder of a checkpoint, got the file {folder}; give {folder.parent}")
    match = HUB_ID.fullmatch(text)
    if isinstance(name, Path) or text.startswith(("/", ".", "~", "\\")) or (text.count("/") > 1 and not match):
        raise ModelError(f"no folder {folder}; check the path")
    if not match:
        raise ModelError(f"no model is called {text!r}{_near(text)}; choose {', '.join((*SHORT_NAMES, *BUNDLED_NAMES))}, "
                         f"a hub id (org/name, org/name@revision) or a folder")
    revision = match["revision"]
    if revision and options.revision and revision != options.revision:
        raise OptionError(f"revision must be given once, got {revision} in the name and {options.revision} in the options")
    return _Source("hub", repo=match["repo"], revision=revision or options.revision)


def _near(text: str) -> str:
    known = {name.rpartition("/")[2].lower(): name for name in SHORT_NAMES.values()}
    known |= {name: name for name in (*SHORT_NAMES, *BUNDLED_NAMES)}
    near = difflib.get_close_matches(text.lower().rpartition("/")[2], known, n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(known[name] for name in near)}?" if near else ""


def _bundled_folder(name: str) -> Path:
    return Path(str(resources.files("ossicle"))) / "models" / name


def _cache_dir(options: SourceOptions) -> Path:
    from huggingface_hub import constants

    return Path(options.cache_dir or constants.HF_HUB_CACHE).expanduser()


def _is_offline(options: SourceOptions) -> bool:
    from huggingface_hub import constants

    return options.offline or bool(constants.HF_HUB_OFFLINE)


def _repository(repo: str, options: SourceOptions) -> Path:
    return _cache_dir(options) / f"models--{repo.replace('/', '--')}"


def _revisions(repository: Path) -> Iterator[StoredModel]:
    # The hub's own scan leaves out a repository with one broken link; those are what a user wants to see and remove.
    refs: dict[str, list[str]] = {}
    for ref in sorted(file for file in (repository / "refs").rglob("*") if file.is_file()):
        refs.setdefault(ref.read_text("utf-8", "replace").strip(), []).append(ref.relative_to(repository / "refs").as_posix())
    for path in sorted(folder for folder in (repository / "snapshots").glob("*") if folder.is_dir()):
        name = repository.name.removeprefix("models--").replace("--", "/")
        yield StoredModel(name, path, _folder_bytes(path), path.name, tuple(refs.get(path.name, ())), missing_files(path))


def _find(source: _Source, options: SourceOptions) -> StoredModel | None:
    revisions = _revisions(_repository(source.repo, options))
    return next((model for model in revisions if _stands_for(model, source.revision or "main")), None)


def _stands_for(model: StoredModel, revision: str | None) -> bool:
    return revision in (None, model.revision, *model.refs)


def _is_ours(repository: Path) -> bool:
    for file in repository.glob("snapshots/*/config.json"):
        try:
            config = read_json(file)
        except ModelError:
            continue
        return isinstance(config, dict) and config.get("model_type") in MODEL_TYPES
    name = repository.name.lower()                      # a download interrupted early has no config yet
    return "qwen3-asr" in name or "qwen3-forcedaligner" in name


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _not_here(source: _Source, stored: StoredModel | None, options: SourceOptions) -> str:
    wanted = f"{source.repo}@{source.revision}" if source.revision else source.repo
    state = f"is incomplete on this machine ({stored.problem})" if stored else f"is not on this machine (looked in {_cache_dir(options)})"
    return f"{wanted} {state}; {_here(options)}; with a network, run `ossicle models download {wanted}`, or give a local folder"


def _here(options: SourceOptions) -> str:
    names = sorted({model.name for model in list_models(options) if model.problem is None})
    return f"complete here: {', '.join(names)}" if names else "no model is here"


def _fetch(source: _Source, options: SourceOptions, on_progress: Progress | None) -> Path:
    from huggingface_hub import constants, errors

    try:
        folder = _snapshot(source, options, on_progress)
    except errors.GatedRepoError as error:
        raise ModelError(f"{source.repo} needs its owner's consent; ask for it at {constants.ENDPOINT}/{source.repo}, "
                         f"then set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(f"{constants.ENDPOINT} has no model {source.repo} that you may read{_near(source.repo)}; "
                         f"check the name, or set HF_TOKEN for a private one") from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{source.repo} has no revision {source.revision}; leave it out, or name a branch, tag or commit") from error
    except errors.HFValidationError as error:
        raise ModelError(f"{source.repo} is no possible hub id: {error}") from error
    except (errors.HTTPError, OSError) as error:        # the hub's errors of looking things up are OSErrors
        stored = _find(source, options)
        if stored is not None and stored.problem is None:
            logger.info("%s: %s does not answer, the cached revision %s is used", source.repo, constants.ENDPOINT, stored.revision)
            return stored.path
        if isinstance(error, OSError) and error.errno is not None:
            raise ModelError(f"cannot write {source.repo} to {_cache_dir(options)}: {error.strerror}; "
                             f"make room, or choose another cache_dir") from error
        raise ModelError(f"cannot download from {constants.ENDPOINT} ({_cause(error)}). {_not_here(source, stored, options)}") from error
    problem = missing_files(folder)
    if problem is not None:
        raise ModelError(f"{source.repo} at {constants.ENDPOINT} is no checkpoint that ossicle can load: {problem}")
    return folder


def _snapshot(source: _Source, options: SourceOptions, on_progress: Progress | None) -> Path:
    import huggingface_hub
    from huggingface_hub import errors

    tries = MAX_TRIES
    while True:
        try:
            return Path(huggingface_hub.snapshot_download(
                source.repo,
                revision=source.revision,
                cache_dir=options.cache_dir,
                allow_patterns=list(NEEDED_FILES),
                ignore_patterns=list(UNNEEDED_FILES),
                tqdm_class=_progress_bar(options.show_progress, on_progress),
            ))
        except errors.HTTPError as error:
            tries -= 1
            if isinstance(error, errors.HfHubHTTPError) or not tries:
                raise
            logger.info("%s: the connection broke (%s), going on where it did", source.repo, _cause(error))


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no details'}"


def _progress_bar(show: bool, on_progress: Progress | None) -> type[Any]:
    """The hub's bar on stderr, or a silent one; either tells `on_progress` of the bytes that reached the disk."""
    from huggingface_hub.utils import tqdm

    lock = threading.Lock()                             # several files arrive at once

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.counts_bytes = kwargs.get("unit") == "B" and not str(kwargs.get("name")).endswith(".transfer")
            self.num_done = 0
            if not show:
                kwargs["disable"] = True
            super().__init__(*args, **kwargs)

        def update(self, n: float | None = 1) -> bool | None:
            with lock:
                self.num_done += int(n or 0)
                if on_progress is not None and self.counts_bytes:
                    on_progress(self.num_done, max(self.num_done, int(self.total or 0)))
            return super().update(n)

    return Bar


def _delete(repo: str, revisions: tuple[str, ...], options: SourceOptions) -> int:
    from huggingface_hub import scan_cache_dir

    folder = _repository(repo, options)
    before = _folder_bytes(folder / "blobs")
    scan = scan_cache_dir(_cache_dir(options))
    ours = frozenset(cached for cached in scan.repos if cached.repo_path.name == folder.name)
    if ours:
        # The hub's client goes by commit alone, and takes any repository that has it: a fork has its parent's commits.
        strategy = replace(scan, repos=ours).delete_revisions(*revisions)
        strategy.execute()
        return strategy.expected_freed_size
    # Too damaged for the hub's own accounts.
    remaining = {path.name for path in (folder / "snapshots").glob("*")} - set(revisions)
    if remaining:
        for revision in revisions:
            shutil.rmtree(folder / "snapshots" / revision, ignore_errors=True)
        return 0                                        # its files stay until the last revision goes
    shutil.rmtree(folder, ignore_errors=True)
    return before
