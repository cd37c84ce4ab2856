"""An engine around a scripted network, and what it says."""

from importlib.resources import files
from pathlib import Path

import pytest

from ossicle.model.config import ModelConfig
from ossicle.pipeline.engine import Engine, Parts
from ossicle.pipeline.worker import Worker
from ossicle.results import ModelFacts
from ossicle.text.tokenizer import Tokenizer
from tests.listening import ListeningNetwork
from tests.scripted import ScriptedNetwork
from tests.scripted_aligner import ScriptedAligner

TINY = Path(str(files("ossicle") / "models" / "tiny"))


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_folder(TINY)


@pytest.fixture
def around(tokenizer):
    """Build an engine around a network; its worker ends with the test."""
    workers = []

    def build(network) -> Engine:
        worker = Worker("scripted", lambda: None)
        workers.append(worker)
        facts = ModelFacts("scripted", str(TINY), "scripted", "none", "float32", "none", 0)
        return Engine(Parts(network, tokenizer, network.config, frozenset([tokenizer.im_end])), facts, worker)

    yield build
    for worker in workers:
        worker.close()


@pytest.fixture
def engine_of(around):
    """Build an engine around a scripted network."""
    return lambda answer: around(ScriptedNetwork(ModelConfig.from_file(TINY / "config.json"), answer))


@pytest.fixture
def listening_engine(around, tokenizer):
    """Build an engine around a network that reads its prompt."""
    return lambda languages, text: around(ListeningNetwork(ModelConfig.from_file(TINY / "config.json"), tokenizer, languages, text))


@pytest.fixture
def ids(tokenizer):
    """Token ids of a reply, closed by the end token."""
    def encode(text: str, language: str = "English") -> list[int]:
        return [*tokenizer.encode(f"language {language}<asr_text>{text}"), tokenizer.im_end]

    return encode



@pytest.fixture
def aligner_of(tokenizer):
    """Build the parts of a scripted aligner."""
    def build(answer, num_classes: int = 5000) -> Parts:
        network = ScriptedAligner(ModelConfig.from_file(TINY / "config.json"), answer, num_classes)
        return Parts(network, tokenizer, network.config, frozenset())

    return build
