"""The shape of the code in numbers, and what one request passes through.

    python benchmarks/structure.py
    python benchmarks/structure.py --tree ../an-older-checkout

A file's length counts all its lines. A function's length counts its lines without the docstring. Parameters are
counted without `self` and `cls`. `Any` is counted as a word.

The request is GET /v1/users/{id}/recommendations. A small log is run through the whole job; the service is started
without a socket, asked once to warm up, and traced while it answers again. The files are those of the project that
hold a function called meanwhile, on the event loop or in a worker thread. The nesting is the longest chain of the
project's functions on one stack; a task of the event loop and a thread each begin a stack of their own.
"""

import argparse
import ast
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from types import CodeType, FrameType
from typing import Any

PRODUCT = ("recsys", "api", "pipelines")
MOST = 5
USER = "u0007"

_COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>"}
_PIPELINE = """
workspace = "work"
[log]
paths = ["events.csv"]
user = "user"
item = "item"
timestamp = "time"
[items]
path = "items.csv"
id = "item"
title = "title"
[evaluate]
cutoffs = [5, 20]
bootstrap = 50
[model]
auto = false
factors = 8
iterations = 2
[publish]
store = "store"
"""


def main() -> None:
    """Print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[1], help="root of the checkout")
    parser.add_argument("--trace", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.trace:
        asyncio.run(trace(args.tree.resolve()))
        return
    for name, figure in figures(args.tree.resolve()):
        print(f"{name:<34}{figure}")
    sys.stdout.flush()
    request(args.tree.resolve())


def figures(tree: Path) -> Iterator[tuple[str, str]]:
    """Names and values of what can be read from the files of `tree`."""
    sources = {path: path.read_text("utf-8") for name in PRODUCT for path in sorted((tree / name).rglob("*.py"))}
    lengths = [len(text.splitlines()) for text in sources.values()]
    functions = [it for path, text in sources.items() for it in _functions(path.relative_to(tree), ast.parse(text))]
    tests = [len(path.read_text("utf-8").splitlines()) for path in (tree / "tests").rglob("*.py")]
    yield "product files", f"{len(lengths)}, of them {sum(path.name != '__init__.py' for path in sources)} modules"
    yield "product lines", f"{sum(lengths):,}"
    yield "median file", f"{median(lengths):g} lines; {sum(length < 40 for length in lengths)} files under 40"
    yield (
        "largest files",
        ", ".join(_largest({str(path.relative_to(tree)): len(text.splitlines()) for path, text in sources.items()})),
    )
    sizes = {name: size for name, size, _ in functions}
    under = sum(size < 12 for _, size, _ in functions) / len(functions)
    yield "functions", f"{len(functions):,}; median {median(sizes.values()):g} lines, {under:.0%} under 12"
    yield "largest functions", ", ".join(_largest(sizes))
    yield "most parameters", ", ".join(_largest({name: parameters for name, _, parameters in functions}))
    yield "`Any`", str(sum(len(re.findall(r"\bAny\b", text)) for text in sources.values()))
    yield "test files", f"{len(tests)}, {sum(tests):,} lines"


def _largest(sizes: dict[str, int]) -> list[str]:
    return [f"{name} {sizes[name]}" for name in sorted(sizes, key=lambda name: -sizes[name])[:MOST]]


def _functions(path: Path, module: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Name, lines and number of parameters of each function of a file."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = node.body[0] if ast.get_docstring(node) is not None else None
            described = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            named = sum(it.arg not in ("self", "cls") for it in parameters)
            size = (node.end_lineno or 0) - node.lineno + 1 - described
            yield f"{path.with_suffix('').as_posix()}:{node.name}:{node.lineno}", size, named


def request(tree: Path) -> None:
    """Seal a small version with the code of `tree`, and trace one request to it, both in processes of their own."""
    with tempfile.TemporaryDirectory() as folder:
        _write_log(Path(folder))
        environment = {**os.environ, "PYTHONPATH": str(tree), "RECSYS_STORE": str(Path(folder) / "store")}
        job = [sys.executable, "-P", "-m", "pipelines", "run", "pipeline.toml"]
        done = subprocess.run(job, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        script = [sys.executable, "-P", str(Path(__file__).resolve()), "--trace", "--tree", str(tree)]
        subprocess.run(script, cwd=folder, env=environment, check=True)


def _write_log(folder: Path) -> None:
    """200 users, 60 items in three groups, and the configuration of their job."""
    rows = [
        f"u{user:04},i{3 * ((user * 7 + step) % 20) + user % 3:02},{1_700_000_000 + 604_800 * step + user}"
        for user in range(200)
        for step in range(12)
    ]
    (folder / "events.csv").write_text("\n".join(["user,item,time", *rows]) + "\n", encoding="utf-8")
    items = [f"i{item:02},Title {item}" for item in range(60)]
    (folder / "items.csv").write_text("\n".join(["item,title", *items]) + "\n", encoding="utf-8")
    (folder / "pipeline.toml").write_text(_PIPELINE, encoding="utf-8")


async def trace(tree: Path) -> None:
    """Ask the service once more than needed, and print what the second request passes through."""
    watched = Calls(tree)
    threading.setprofile(watched.profile)  # for the worker threads, which the first request starts
    app = import_module("api.app").create_app()
    async with app.router.lifespan_context(app):
        await _get(app, f"/v1/users/{USER}/recommendations")
        watched.active = True
        sys.setprofile(watched.profile)
        status = await _get(app, f"/v1/users/{USER}/recommendations")
        sys.setprofile(None)
        watched.active = False
    if status != 200:
        raise SystemExit(f"GET recommendations: status {status}, expected 200")
    files = sorted({Path(code.co_filename).relative_to(tree).as_posix() for code in watched.called})
    print(f"{'files of one GET':<34}{len(files)}; {len(watched.called)} functions")
    print(f"{'deepest nesting of one GET':<34}{len(watched.deepest)}")
    print("\nfiles:", *files, sep="\n  ")
    print("\ndeepest:", *watched.deepest, sep="\n  ")


class Calls:
    """Which functions of the project in `tree` were called while `active`, and the deepest chain of them."""

    def __init__(self, tree: Path) -> None:
        self.active = False
        self.called: set[CodeType] = set()
        self.deepest: list[str] = []
        self._roots = tuple(f"{tree / name}{os.sep}" for name in PRODUCT)

    def profile(self, frame: FrameType, event: str, argument: object) -> None:
        """What `sys.setprofile` calls."""
        if self.active and event == "call" and frame.f_code.co_filename.startswith(self._roots):
            self.called.add(frame.f_code)
            chain = [code for code in _stack(frame) if code.co_filename.startswith(self._roots)]
            names = [code.co_qualname for code in chain if code.co_name not in _COMPREHENSIONS]
            if len(names) > len(self.deepest):
                self.deepest = names[::-1]


def _stack(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


async def _get(app: Any, path: str) -> int:
    """Send one GET to the application as a server would; returns the status."""
    status: list[int] = []
    scope = {
        **{"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "root_path": ""},
        **{"path": path, "raw_path": path.encode(), "query_string": b"", "headers": []},
        **{"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "asgi": {"version": "3.0"}, "state": {}},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    await app(scope, receive, send)
    return status[0]


if __name__ == "__main__":
    main()
