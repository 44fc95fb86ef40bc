"""A page in a headless browser, driven by a script of the test."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=4000",
)
# How the script's object gets into the document that is read.
_TOLD = (
    "const p=document.createElement('pre');p.id='driver-out';"
    "p.textContent=JSON.stringify(out);document.body.appendChild(p);"
)
_SENT = "parent.postMessage(out,'*');"


def find_chromium() -> str | None:
    """Return the path of a Chromium, if there is one."""
    return next((path for path in map(shutil.which, _NAMES) if path), None)


def drive(
    page: str, script: str, folder: Path, *, width: int | None = None
) -> tuple[dict[str, Any], str]:
    """Open a copy of a page, run a script in it, and return what that wrote to ``out``.

    The copy's content security policy allows the script by its digest, and what
    went wrong in the page is in ``out.errors``. With ``width`` the page is seen in a
    frame of so many pixels: windows are not narrower than 500.

    Returns
    -------
    What the script put into the object ``out``, and what the browser logged to its console.
    """
    # The errors of the page's own script come before the driver's: it must be first.
    catcher = (
        "window.out={errors:[]};addEventListener('error',e=>out.errors.push(e.message));"
        "addEventListener('securitypolicyviolation',e=>out.errors.push(e.violatedDirective));"
    )
    # Told in a later task: the browser reports what it refused only after the page was loaded.
    driver = (
        f"addEventListener('load',()=>{{try{{{script}}}catch(e){{out.errors.push(String(e))}}"
        f"setTimeout(()=>{{{_TOLD if width is None else _SENT}}},50)}});"
    )
    digests = " ".join(f"'{_digest(text)}'" for text in (catcher, driver))
    page = page.replace("script-src ", f"script-src {digests} ", 1)
    generator = '<meta name="generator"'
    page = page.replace(generator, f"<script>{catcher}</script>{generator}", 1)
    page = page.replace("</body>", f"<script>{driver}</script></body>", 1)
    copy = folder / "driven.html"
    copy.write_text(page, encoding="utf-8")
    if width is not None:
        copy = folder / "frame.html"
        frame = f'<iframe src="driven.html" width="{width}" height="900" frameborder="0"></iframe>'
        hear = f"addEventListener('message',e=>{{const out=e.data;{_TOLD}}});"
        copy.write_text(f"<body><script>{hear}</script>{frame}</body>", encoding="utf-8")
    done = _chromium(folder, "--dump-dom", copy)
    found = re.search(r'<pre id="driver-out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the script did not finish: {done.stderr[-2000:]}"
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(unescape(found.group(1))), console


def printed_pages(page: str, folder: Path) -> int:
    """Print a page as it opens, and return the number of sheets."""
    copy, printed = folder / "printed.html", folder / "printed.pdf"
    copy.write_text(page, encoding="utf-8")
    _chromium(folder, f"--print-to-pdf={printed}", copy, "--no-pdf-header-footer")
    return len(re.findall(rb"/Type\s*/Page[^s]", printed.read_bytes()))


def _chromium(folder: Path, what: str, page: Path, *more: str) -> subprocess.CompletedProcess[str]:
    profile = folder / "profile"
    profile.mkdir(exist_ok=True)
    command = [str(find_chromium()), *_FLAGS, f"--user-data-dir={profile}", what, *more]
    return subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
