"""What a fit and its report cost: processor seconds, bytes, and pages in print, by cohort.

    python benchmarks/report_costs.py DATA_DIR [--only gbm_stategra hnsc_porpoise] [--keep DIR]

Every cohort is a sub-folder of <view>.csv.gz files and obs.csv. Runs the real command line with
its defaults and one thread, `poems fit` and then `poems report` with survival where obs.csv has
os_time and os_event, a process each: seconds are of the processor, of the whole process, start
and reading included. Pages are those that a headless Chromium prints of the report as it opens;
without one in the PATH there are none.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from cohorts import view_files

SURVIVAL = ("os_time", "os_event")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="*", help="Cohorts, by their folders; all by default.")
    parser.add_argument("--keep", type=Path, help="Write the runs here and keep them.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = args.keep or Path(temporary)
        rows = {}
        for folder in sorted(path for path in args.data.iterdir() if path.is_dir()):
            if (folder / "obs.csv").exists() and (not args.only or folder.name in args.only):
                rows[folder.name] = costs(folder, out / folder.name)
                print(folder.name, rows[folder.name], flush=True)
        print(table(rows))


def costs(folder: Path, run: Path) -> dict[str, object]:
    """Fit a cohort and report on it; what each took, and how large the report is."""
    views = [f"--view={name}={path}" for name, path in view_files(folder).items()]
    obs = folder / "obs.csv"
    row: dict[str, object] = {"fit_s": seconds("fit", *views, "--obs", obs, "--out", run)}
    columns = pd.read_csv(obs, nrows=1).columns
    with_survival = set(SURVIVAL) <= set(columns)
    survival = ["--time", SURVIVAL[0], "--event", SURVIVAL[1]] if with_survival else []
    row["report_s"] = seconds("report", run, *survival)
    page = run / "report.html"
    latent = pd.read_csv(run / "latent.csv", index_col=0)
    return {
        "samples": len(latent),
        "features": sum(len(pd.read_csv(path)) for path in (run / "loadings").glob("*.csv")),
        "subtypes": pd.read_csv(run / "subtypes.csv", index_col=0)["subtype"].nunique(),
        **row,
        "report_mb": page.stat().st_size / 1e6,
        "pages": printed_pages(page, run.parent),
    }


def seconds(*command: object) -> float:
    """Run a command of POEMS; processor seconds of the process and its children."""
    process = subprocess.Popen(
        [sys.executable, "-m", "poems", *map(str, command)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"poems {' '.join(map(str, command))} failed")
    return usage.ru_utime + usage.ru_stime


def printed_pages(page: Path, scratch: Path) -> int | None:
    """Print a report as it opens; the number of its sheets."""
    browser = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser is None:
        return None
    pdf, profile = scratch / "printed.pdf", scratch / "browser"
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
    told = (f"--user-data-dir={profile}", f"--print-to-pdf={pdf}", "--virtual-time-budget=4000")
    command = [browser, *flags, *told, "--no-pdf-header-footer", page.resolve().as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    shutil.rmtree(profile, ignore_errors=True)
    return len(re.findall(rb"/Type\s*/Page[^s]", pdf.read_bytes()))


def table(rows: dict[str, dict[str, object]]) -> str:
    """Write the rows as a table of the documentation."""
    names = {
        "samples": "samples",
        "features": "features",
        "subtypes": "subtypes",
        "fit_s": "fit, s",
        "report_s": "report, s",
        "report_mb": "report, MB",
        "pages": "pages in print",
    }
    lines = [f"| cohort | {' | '.join(names.values())} |", "|---" * (len(names) + 1) + "|"]
    for cohort, row in rows.items():
        cells = [
            f"{row[name]:.1f}" if isinstance(row[name], float) else str(row[name]) for name in names
        ]
        lines.append(f"| {cohort} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
