"""What export did, added to the pages of the report in the workspace, which publish wrote before."""

import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path

from pipelines.steps.summaries import ExportSummary
from pipelines.steps.workspace import Workspace
from recsys.artifacts.files import replace_durably
from recsys.storage import storage_errors

_TITLE = "Lists exported"


def add_to_report(workspace: Workspace, done: ExportSummary) -> None:
    """Add it to `report.json` (`export`), `report.md` and `report.html`, instead of what an earlier export added.

    The pages that are sealed with the version stay as they are.
    """
    with storage_errors(workspace.root, doing="while export added to the report"):
        _rewrite(workspace.report_json, lambda text: _in_json(text, done))
        _rewrite(workspace.report_markdown, lambda text: _in_markdown(text, done))
        _rewrite(workspace.report_html, lambda text: _in_html(text, done))


def _rewrite(path: Path, changed: Callable[[str], str]) -> None:
    if path.exists():
        replace_durably(path, changed(path.read_text(encoding="utf-8")).encode())


def _in_json(text: str, done: ExportSummary) -> str:
    tree = json.loads(text)
    tree["export"] = done.model_dump(mode="json")["exports"]
    return json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _in_markdown(text: str, done: ExportSummary) -> str:
    before = text.partition(f"\n## {_TITLE}\n")[0].rstrip("\n")
    lines = "".join(f"* {each.sentence()}\n" for each in done.exports)
    return f"{before}\n\n## {_TITLE}\n\n{lines}"


def _in_html(text: str, done: ExportSummary) -> str:
    text = re.sub(r'<section id="export">.*?</section>\n', "", text, flags=re.DOTALL)
    lines = "".join(f"<li>{escape(each.sentence())}</li>\n" for each in done.exports)
    section = f'<section id="export">\n<h2>{_TITLE}</h2>\n<ul>\n{lines}</ul>\n</section>\n'
    return text.replace("</main>", f"{section}</main>")
