"""Text to token ids and back: a checkpoint's own byte-level vocabulary, read from its folder.

Knows nothing of prompts or languages. Every id comes from the files; none is a constant, for the bundled model's ids
differ from the published ones. The recipe is in docs/model.md under "Tokenizer".
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from ossicle.errors import ModelError

# What the vocabulary was trained with. Files that carry another split (one loader writes Mistral's) are overruled:
# with it, mixed case and Thai get ids that the model has hardly seen.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
AUDIO_START = "<|audio_start|>"
AUDIO_PAD = "<|audio_pad|>"
AUDIO_END = "<|audio_end|>"
ASR_TEXT = "<asr_text>"
TIMESTAMP = "<timestamp>"

FETCH_AGAIN = "fetch the checkpoint again; a stopped download or a Git LFS pointer looks like this"


def _byte_of_char() -> dict[str, int]:
    """The character that stands for each byte in a byte-level vocabulary, read backwards (the GPT-2 table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


BYTE_OF_CHAR = _byte_of_char()


class Tokenizer:
    """A checkpoint's vocabulary, with NFC before and the Qwen2 split inside, whatever the files say of these two."""

    def __init__(self, backend: Backend) -> None:
        backend.normalizer = normalizers.NFC()  # decomposed accents have other ids
        backend.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
        backend.no_truncation()
        backend.no_padding()
        backend.model.dropout = None
        added = backend.get_added_tokens_decoder()
        self._backend = backend
        self._added = {token_id: token.content for token_id, token in added.items()}
        # A reply is read by its tag, so the tag is text even where a converter marked it special.
        self._special = frozenset(i for i, token in added.items() if token.special and token.content != ASR_TEXT)

    @classmethod
    def from_folder(cls, path: Path | str) -> "Tokenizer":
        """Read tokenizer.json, or else vocab.json, merges.txt and tokenizer_config.json, from a checkpoint's folder.

        Raises ModelError naming the file that is missing, damaged or of another kind.
        """
        folder = Path(path)
        if (folder / "tokenizer.json").is_file():
            backend = _read_backend(folder / "tokenizer.json")
            has_config = (folder / "tokenizer_config.json").is_file()
        else:
            backend = _build_backend(folder / "vocab.json", folder / "merges.txt")
            has_config = True  # the only place left that names the added tokens
        if has_config:
            _add_tokens(backend, folder / "tokenizer_config.json")
        missing = [char for char in BYTE_OF_CHAR if backend.token_to_id(char) is None]
        if missing:
            raise ModelError(f"the tokenizer in {folder} must have a token for each of the 256 bytes, "
                             f"{len(missing)} are missing; it is of another kind, or damaged: {FETCH_AGAIN}")
        return cls(backend)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; the literals of added tokens become their ids. Nothing is put before or after."""
        return self._backend.encode(text, add_special_tokens=False).ids

    def encode_plain(self, text: str) -> list[int]:
        """Token ids of text that others wrote: `<|im_end|>` in it is ten characters, never the control token."""
        normal = self._backend.normalizer.normalize_str(text)
        pieces = self._backend.pre_tokenizer.pre_tokenize_str(normal)
        return [token.id for piece, _ in pieces for token in self._backend.model.tokenize(piece)]

    def decode(self, ids: Iterable[int], skip_special: bool = True) -> str:
        """The text of `ids`; broken UTF-8 becomes U+FFFD, spaces are left as they are.

        skip_special leaves out the tokens that the checkpoint marks special; `<asr_text>` is not one of them. Ids that
        have a row in the network but no token are silent.
        """
        kept = (i for i in ids if not (skip_special and i in self._special))
        return b"".join(map(self.token_bytes, kept)).decode("utf-8", errors="replace")

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that one id stands for, special or not: part of a character, several words, or nothing."""
        token_id = int(token_id)
        if token_id in self._added:
            return self._added[token_id].encode()
        token = self._backend.id_to_token(token_id) if token_id >= 0 else None
        if not token:
            return b""
        return bytes(BYTE_OF_CHAR[char] for char in token) if BYTE_OF_CHAR.keys() >= set(token) else token.encode()

    def id_of(self, token: str) -> int:
        """The id of a token by its literal, such as `<|im_end|>`."""
        token_id = self._backend.token_to_id(token)
        if token_id is None:
            raise ModelError(f"the checkpoint's tokenizer must have the token {token}, it has not; "
                             "is this a Qwen3-ASR checkpoint, with its own tokenizer_config.json?")
        return token_id

    @property
    def added_tokens(self) -> tuple[str, ...]:
        """The literals that are matched before everything else, by id."""
        return tuple(self._added[i] for i in sorted(self._added))

    @property
    def special_ids(self) -> frozenset[int]:
        """The ids that `decode` leaves out."""
        return self._special

    @property
    def vocab_size(self) -> int:
        """How many ids have a token; a network may have more rows."""
        return self._backend.get_vocab_size(with_added_tokens=True)

    @property
    def im_start(self) -> int:
        return self.id_of(IM_START)

    @property
    def im_end(self) -> int:
        return self.id_of(IM_END)

    @property
    def audio_start(self) -> int:
        return self.id_of(AUDIO_START)

    @property
    def audio_pad(self) -> int:
        return self.id_of(AUDIO_PAD)

    @property
    def audio_end(self) -> int:
        return self.id_of(AUDIO_END)

    @property
    def asr_text(self) -> int:
        return self.id_of(ASR_TEXT)

    @property
    def timestamp(self) -> int | None:
        """None for a checkpoint that was not made to align."""
        return self._backend.token_to_id(TIMESTAMP)


def _read_backend(path: Path) -> Backend:
    try:
        backend = Backend.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise ModelError(f"{path} must be a tokenizer file, it cannot be read ({error}); {FETCH_AGAIN}") from error
    if not isinstance(backend.model, models.BPE):
        raise ModelError(f"{path} must hold a byte-level BPE vocabulary, it holds {type(backend.model).__name__}; "
                         "use the tokenizer files of a Qwen3-ASR checkpoint")
    return backend


def _build_backend(vocab_path: Path, merges_path: Path) -> Backend:
    vocab = _read_json(vocab_path)
    if not all(isinstance(token_id, int) for token_id in vocab.values()):
        raise ModelError(f"{vocab_path} must map tokens to whole numbers; {FETCH_AGAIN}")
    lines = _read_text(merges_path).removesuffix("\n").split("\n")
    merges = []
    for line in lines:
        if line and not line.startswith("#version"):
            first, _, second = line.partition(" ")
            if not second or first + second not in vocab:
                raise ModelError(f"{merges_path} must hold pairs that join to a token of {vocab_path.name}, "
                                 f"got {line[:80]!r}; {FETCH_AGAIN}")
            merges.append((first, second))
    try:
        return Backend(models.BPE(vocab=vocab, merges=merges))
    except Exception as error:  # the library raises nothing narrower
        raise ModelError(f"{vocab_path} must fit {merges_path.name}, it does not ({error}); {FETCH_AGAIN}") from error


def _add_tokens(backend: Backend, path: Path) -> None:
    """Add the tokens that tokenizer_config.json names and the backend lacks; their ids must come out as written."""
    listed = _read_json(path).get("added_tokens_decoder") or {}
    try:
        tokens = sorted((int(token_id), entry["content"], entry) for token_id, entry in listed.items())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} must hold added_tokens_decoder, id to content: {error!r}; {FETCH_AGAIN}") from error
    known = {token.content for token in backend.get_added_tokens_decoder().values()}
    for token_id, content, entry in tokens:
        if content not in known:
            flags = {name: bool(entry.get(name)) for name in ("single_word", "lstrip", "rstrip", "normalized")}
            token = AddedToken(content, special=bool(entry.get("special")), **flags)
            (backend.add_special_tokens if token.special else backend.add_tokens)([token])
        if backend.token_to_id(content) != token_id:
            raise ModelError(f"{path} gives {content} the id {token_id}, the vocabulary beside it gives "
                             f"{backend.token_to_id(content)}; take all tokenizer files from one checkpoint")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read_text(path))
    except ValueError as error:
        raise ModelError(f"{path} must be JSON, it cannot be read ({error}); {FETCH_AGAIN}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} must hold a JSON object, got {type(content).__name__}; {FETCH_AGAIN}")
    return content


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing; a tokenizer is tokenizer.json, or vocab.json with merges.txt and "
                         "tokenizer_config.json: fetch the checkpoint again, or name its folder") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read ({error}); {FETCH_AGAIN}") from error
