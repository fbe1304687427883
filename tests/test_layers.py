"""Imports go one way. Proved from the syntax trees of all modules, without importing them.

A module belongs to the longest name of ``LAYERS`` that it starts with. A new package needs a row here:
that is the moment to decide where it stands.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reward_push

PACKAGE = "reward_push"
ROOT = Path(reward_push.__file__).parent

SHARED = {"strict_json", "rate"}
"""Modules of ours that any layer may import, besides itself."""
LAYERS: dict[str, set[str]] = {
    "strict_json": set(),
    "rate": set(),
    "errors": set(),
    "engineio": set(),
    "access": set(),
    # Streamers, groups and devices bear the same names everywhere.
    "access.claims": {"access", "rewards.names"},
    "ops": set(),
    "rewards": set(),
    "rewards.delivery": {"rewards", "socketio.interfaces"},
    "rewards.trackers": {"rewards", "engineio.interfaces"},
    "rewards.acknowledgements": {"rewards", "access.interfaces"},
    "socketio": {"engineio"},
    "transports": {"engineio", "access"},
    "cluster.emitters": {"rewards", "access", "engineio.outgoing", "socketio", "cluster"},
    "cluster": {"rewards", "access", "engineio", "transports"},
    "cluster.connection": {"access.interfaces", "cluster.address", "cluster.interfaces"},
    "cluster.address": set(),
    # Values that the store's scripts share with the nodes: these know no network.
    "cluster.interfaces": {"rewards", "cluster.history"},
    "cluster.device_text": set(),
    "cluster.channels": {"rewards"},
    "cluster.envelope": {"rewards", "cluster.device_text"},
    "cluster.history": {"cluster.envelope"},
    "store": {
        *("rewards", "access"),
        *("cluster.interfaces", "cluster.device_text", "cluster.channels", "cluster.envelope"),
        "cluster.history",
    },
    "api": {"rewards", "access", "ops"},
    "admission": set(),
    "admission.audience": {
        *("engineio.errors", "engineio.interfaces", "socketio", "access", "rewards", "admission"),
    },
    "admission.holders": {"socketio"},
    "admission.key_end": {"engineio.interfaces", "socketio", "access"},
    "admission.renewal": {"socketio", "access", "admission.key_end"},
    "admission.replay": {"engineio.interfaces", "socketio", "access", "rewards"},
    "settings": {
        *("engineio.options", "errors", "access.limits", "access.addresses", "cluster.address"),
        *("access.token_keys", "access.key_set_file"),
    },
    # Talks to a node over HTTP alone.
    "cli": {"settings", "errors"},
    "signals": set(),
    "workers": {"settings", "signals", "transports.listening"},
    "workers.child": {"*"},
    "node": set(),
    "node.alone": {"*"},
    "node.bodies": {"api", "settings", "transports"},
    "node.build": {"*"},
    "node.census": {"engineio"},
    "node.figures": {"*"},
    "node.first_keys": {"access", "errors", "settings"},
    "node.mover": {"engineio"},
    "node.ports": {"node.bodies", "access", "api", "settings", "transports"},
    "node.presence": {"engineio", "socketio", "rewards", "cluster.peers"},
    "node.recovery": {"access", "cluster", "node.mover", "store"},
    "node.running": {
        *("engineio.registry", "ops", "rewards", "socketio.server", "transports.wheel"),
        *("node.mover", "node.standing", "node.upkeep"),
    },
    "node.standing": {"*"},
    "node.together": {"*"},
    "node.upkeep": set(),
    "tap": {"*"},
}
"""Layer → what of ours it may import."""

STDLIB = set(sys.stdlib_module_names)
OUTSIDE: dict[str, set[str]] = {
    "strict_json": set(),
    "engineio": {"attr", "attrs", "zope.interface"},
    "socketio": {
        *("attr", "attrs", "zope.interface"),
        *("twisted.internet.defer", "twisted.logger", "twisted.python.failure"),
    },
    "settings": {"attr", "attrs", "twisted.internet.endpoints"},
}
"""Layer → what it may import that is neither ours nor Python's; a layer without a row: anything."""

IO_AND_CLOCKS = {
    *(
        "asyncio",
        "concurrent",
        "datetime",
        "http",
        "io",
        "mmap",
        "multiprocessing",
        "os",
        "pathlib",
    ),
    *("sched", "select", "selectors", "signal", "socket", "socketserver", "sqlite3", "ssl"),
    *("subprocess", "sys", "tempfile", "threading", "time", "urllib.request"),
}
SANS_IO = ("engineio", "socketio")
"""Layers that must not touch the network, files or a clock: time is an argument."""

ONLY_IN: dict[str, set[str]] = {
    "twisted.internet.reactor": {"node.build", "tap", "workers.child"},
    "txredisapi": {"cluster.connection"},
    "autobahn": {"transports"},
    "jwt": {"access"},
    "cryptography": {"access"},
    "sqlite3": {"store"},
}
"""Module → the only layers that may import it."""


def module_name(path: Path) -> str:
    """The name of the module in ``path`` below the package; empty for the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, tuple[ast.Module, bool]]:
    """All modules: name → (tree, whether it is a package)."""
    return {
        module_name(path): (ast.parse(path.read_text(), str(path)), path.stem == "__init__")
        for path in sorted(ROOT.rglob("*.py"))
    }


def imports(name: str, tree: ast.Module, *, is_package: bool) -> Iterator[str]:
    """What a module imports, wherever in it: absolute names; ours begin with ``reward_push``.

    ``from a import b`` counts as ``a.b``: whether ``b`` is a module cannot be seen here.
    """
    here = f"{PACKAGE}.{name}".rstrip(".").split(".")
    package = here if is_package else here[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_in(name: str, parent: str) -> bool:
    """Whether ``name`` is ``parent`` or something in it."""
    return name == parent or name.startswith(f"{parent}.")


def layer_of(name: str) -> str | None:
    """The layer that a module of ours belongs to."""
    return max((layer for layer in LAYERS if is_in(name, layer)), key=len, default=None)


def inward_violations(name: str, imported: str) -> bool:
    """Whether a module must not import ``imported`` (of ours, named without the package)."""
    layer = layer_of(name)
    assert layer is not None, f"{name} has no row in LAYERS"
    allowed = LAYERS[layer] | SHARED
    return "*" not in allowed and not any(is_in(imported, each) for each in {*allowed, layer})


def compares_revisions(tree: ast.AST) -> Iterator[int]:
    """Lines that decide by a protocol revision: comparisons and matches of something called so."""

    def is_revision(node: ast.AST) -> bool:
        named = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
        whole = ast.unparse(node).lower()
        return named.lower() in ("revision", "eio", "v3", "v4") or whole.endswith("revision.number")

    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            is_none = any(
                isinstance(each, ast.Constant) and each.value is None for each in operands
            )
            if not is_none and any(map(is_revision, operands)):
                yield node.lineno
        elif isinstance(node, ast.Match) and is_revision(node.subject):
            yield node.lineno


def test_every_module_belongs_to_a_layer() -> None:
    homeless = [name for name in modules() if name and layer_of(name) is None]
    assert homeless == [], "give these a row in LAYERS"


def test_imports_of_ours_go_one_way() -> None:
    wrong = [
        f"{name} imports {imported.removeprefix(PACKAGE + '.')}"
        for name, (tree, is_package) in modules().items()
        if name
        for imported in imports(name, tree, is_package=is_package)
        if is_in(imported, PACKAGE)
        and inward_violations(name, imported.removeprefix(PACKAGE).lstrip("."))
    ]
    assert wrong == []


def test_what_a_layer_may_import_it_does() -> None:
    """So the table says what is so, and not what was once."""
    used: dict[str | None, set[str]] = {}
    for name, (tree, is_package) in modules().items():
        ours = used.setdefault(layer_of(name), set())
        ours.update(
            each.removeprefix(PACKAGE).lstrip(".")
            for each in imports(name, tree, is_package=is_package)
            if is_in(each, PACKAGE)
        )
    idle = [
        f"{layer} does not import {allowed}"
        for layer, row in LAYERS.items()
        for allowed in row - {"*"}
        if not any(is_in(each, allowed) for each in used[layer])
    ]
    assert idle == []


def test_the_package_itself_imports_nothing() -> None:
    tree, _ = modules()[""]
    assert list(imports("", tree, is_package=True)) == []


def test_what_of_others_the_core_uses() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, (tree, is_package) in modules().items()
        if (layer := layer_of(name)) in OUTSIDE
        for imported in imports(name, tree, is_package=is_package)
        if not is_in(imported, PACKAGE)
        and imported.split(".")[0] not in STDLIB
        and not any(is_in(imported, each) for each in OUTSIDE[layer])
    ]
    assert wrong == []


def test_the_core_has_no_io_and_no_clock() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, (tree, is_package) in modules().items()
        if layer_of(name) in SANS_IO
        for imported in imports(name, tree, is_package=is_package)
        if any(is_in(imported, each) for each in IO_AND_CLOCKS)
    ]
    assert wrong == []


@pytest.mark.parametrize("module", ONLY_IN)
def test_what_only_some_layers_know(module: str) -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, (tree, is_package) in modules().items()
        if name and layer_of(name) not in ONLY_IN[module]
        for imported in imports(name, tree, is_package=is_package)
        if is_in(imported, module)
    ]
    assert wrong == []


def test_only_one_module_compares_revisions() -> None:
    wrong = [
        f"{name}:{line}"
        for name, (tree, _) in modules().items()
        if name != "engineio.revision"
        for line in compares_revisions(tree)
    ]
    assert wrong == []


# The checker itself


@pytest.mark.parametrize(
    ("name", "is_package", "source", "imported"),
    [
        ("api.keys", False, "import a.b, c", ["a.b", "c"]),
        ("api.keys", False, "from a import b as c, d", ["a.b", "a.d"]),
        ("api.keys", False, "from . import x", ["reward_push.api.x"]),
        ("api.keys", False, "from .x import y", ["reward_push.api.x.y"]),
        ("api.keys", False, "from ..rewards.x import y", ["reward_push.rewards.x.y"]),
        ("api", True, "from .x import y", ["reward_push.api.x.y"]),
        ("api", True, "from ..x import y", ["reward_push.x.y"]),
        ("tap", False, "from .node import y", ["reward_push.node.y"]),
        (
            "tap",
            False,
            "def f():\n    from twisted.internet import reactor",
            ["twisted.internet.reactor"],
        ),
    ],
)
def test_imports_are_found(name: str, is_package: bool, source: str, imported: list[str]) -> None:
    assert list(imports(name, ast.parse(source), is_package=is_package)) == imported


@pytest.mark.parametrize(
    ("name", "imported", "wrong"),
    [
        ("engineio.session", "engineio.packet.Packet", False),
        ("engineio.session", "strict_json.dumps", False),
        ("engineio.session", "socketio.packet.Packet", True),
        ("socketio.client", "engineio.session.Session", False),
        ("rewards.publisher", "socketio.interfaces.IBroadcaster", True),
        ("rewards.delivery", "socketio.interfaces.IBroadcaster", False),
        ("rewards.delivery", "socketio.client.Client", True),
        ("rewards.delivery", "rewards.message.Message", False),
        ("api.resource", "store.sqlite.SqliteStore", True),
        ("transports.site", "api.resource.build", True),
        ("node.build", "api.resource.build", False),
    ],
)
def test_directions_are_judged(name: str, imported: str, wrong: bool) -> None:
    assert inward_violations(name, imported) is wrong


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("revision == 3", [1]),
        ("self.session.revision is V3", [1]),
        ("x.revision.number < 4", [1]),
        ("eio in ('3', '4')", [1]),
        ("match session.revision:\n    case 3: pass", [1]),
        ("session.revision is None", []),
        ("session.revision.server_pings", []),
        ("revision_of == 3", []),
    ],
)
def test_comparisons_of_revisions_are_found(source: str, found: list[int]) -> None:
    assert list(compares_revisions(ast.parse(source))) == found
