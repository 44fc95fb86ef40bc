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


def find_chromium() -> str | None:
    """Return the path of a Chromium, if there is one."""
    return next((path for path in map(shutil.which, _NAMES) if path), None)


def drive(page: str, script: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Open a copy of a page, run a script in it, and return what that wrote to ``out``.

    The copy's content security policy allows the script by its digest, and what
    went wrong in the page is in ``out.errors``.

    Returns
    -------
    What the script put into the object ``out``, and what the browser logged to its console.
    """
    # The errors of the page's own script come before the driver's: it must be first.
    catcher = (
        "window.out={errors:[]};addEventListener('error',e=>out.errors.push(e.message));"
        "addEventListener('securitypolicyviolation',e=>out.errors.push(e.violatedDirective));"
    )
    driver = (
        f"addEventListener('load',()=>{{try{{{script}}}catch(e){{out.errors.push(String(e))}}"
        "const p=document.createElement('pre');p.id='driver-out';"
        "p.textContent=JSON.stringify(out);document.body.appendChild(p);});"
    )
    digests = " ".join(f"'{_digest(text)}'" for text in (catcher, driver))
    page = page.replace("script-src ", f"script-src {digests} ", 1)
    generator = '<meta name="generator"'
    page = page.replace(generator, f"<script>{catcher}</script>{generator}", 1)
    page = page.replace("</body>", f"<script>{driver}</script></body>", 1)
    copy = folder / "driven.html"
    copy.write_text(page, encoding="utf-8")
    profile = folder / "profile"
    profile.mkdir(exist_ok=True)
    command = [str(find_chromium()), *_FLAGS, f"--user-data-dir={profile}", "--dump-dom"]
    done = subprocess.run(
        [*command, copy.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    found = re.search(r'<pre id="driver-out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the script did not finish: {done.stderr[-2000:]}"
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(unescape(found.group(1))), console


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
