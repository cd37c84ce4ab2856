"""The package as text: modules, their trees, and what imports what. Imports nothing of the package."""

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ossicle"
FOUNDATION = {"errors", "checks", "glossary", "options", "results", "progress", "stream_options", "stream_events", "_version"}


@dataclass(frozen=True)
class Module:
    path: Path

    @property
    def name(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        parts = self.name.split(".")
        if len(parts) == 1:
            return "front door"
        return "foundation" if parts[1] in FOUNDATION else parts[1]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"))

    def imports(self, known: set[str]) -> set[str]:
        """The modules of ours that this one imports, anywhere in it."""
        return {name for node in ast.walk(self.tree) for name in _names(node, known)}

    def imports_at_once(self, known: set[str]) -> set[str]:
        """Those that it needs to be imported itself: neither inside a function nor for types only."""
        return {name for node in _outside_functions(self.tree) for name in _names(node, known)}


def modules() -> list[Module]:
    return [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]


def _names(node: ast.AST, known: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.split(".")[0] == "ossicle"]
    if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "ossicle"):
        assert not node.level, "imports are absolute"
        return [name if (name := f"{node.module}.{alias.name}") in known else str(node.module) for alias in node.names]
    return []


def _outside_functions(tree: ast.AST):
    for node in ast.iter_child_nodes(tree):
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_for_types:
            continue
        yield node
        yield from _outside_functions(node)
