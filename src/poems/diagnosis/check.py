"""A check, a measured quantity beside its threshold; a diagnosis, all checks of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Final, Literal

import pandas as pd

from poems.findings import Finding, count, name_some
from poems.notebook import card

Verdict = Literal["ok", "note", "warning", "not judged"]
Samples = Literal["training", "held out"]

# Views or factors that a finding's text names with their values, at most.
_NAMED: Final = 6


@dataclass(frozen=True)
class Check:
    """One measured quantity, judged.

    Parameters
    ----------
    signature
        A stable slug of the failure that it would show, such as
        ``"gate-collapsed"``; the code of the finding that it becomes.
    quantity
        What was measured.
    value
        The measured value; ``None`` where it is not defined.
    threshold
        The limit beyond which it is a failure; ``None`` for a quantity that is
        there for comparison.
    verdict
        ``"warning"`` for a failure, ``"note"`` for what is good to know,
        ``"not judged"`` for what is there for comparison.
    view, factor
        What it was measured on; ``None`` for the whole model.
    samples
        Whether it was measured on the training samples or on others.
    meaning, remedy
        What a verdict other than ``"ok"`` means, and what to try.

    Examples
    --------
    >>> Check("loadings-dense", "share non-zero", 0.1, 0.5, "ok", view="rna").verdict
    'ok'
    """

    signature: str
    quantity: str
    value: float | None
    threshold: float | None
    verdict: Verdict
    view: str | None = None
    factor: str | None = None
    samples: Samples = "training"
    meaning: str = ""
    remedy: str = ""


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The failure signatures of a model.

    Parameters
    ----------
    checks
        Every quantity that was measured.
    noticed
        What was noticed about the held-out samples, if some were given.

    Examples
    --------
    >>> dense = Check("loadings-dense", "share non-zero", 0.9, 0.5, "warning", view="rna",
    ...     meaning="most loadings are non-zero", remedy="raise lambda_spike_scale")
    >>> diagnosis = Diagnosis((dense,))
    >>> str(diagnosis)
    '1 failure signature: loadings-dense'
    >>> print(diagnosis.findings[0])
    warning: rna: most loadings are non-zero (share non-zero: 0.90); raise lambda_spike_scale
    """

    checks: tuple[Check, ...]
    noticed: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong or good to know: warnings first, views and factors alike together."""
        groups: dict[tuple[str, ...], list[Check]] = {}
        for check in self.checks:
            if check.verdict in ("note", "warning"):
                key = (check.signature, check.verdict, check.samples, check.meaning, check.remedy)
                groups.setdefault(key, []).append(check)
        gathered = (*self.noticed, *map(_finding, groups.values()))
        return tuple(sorted(gathered, key=lambda finding: finding.severity != "warning"))

    @property
    def signatures(self) -> tuple[str, ...]:
        """Slugs of the failures that were found, each once."""
        return tuple(dict.fromkeys(c.signature for c in self.checks if c.verdict == "warning"))

    @property
    def table(self) -> pd.DataFrame:
        """Every check as a row; the columns are the attributes of :class:`Check`."""
        columns = [field.name for field in fields(Check)]
        table = pd.DataFrame([asdict(check) for check in self.checks], columns=columns)
        return table.astype({"value": float, "threshold": float})

    def __str__(self) -> str:
        names = self.signatures
        if not names:
            return "no failure signature"
        return f"{count(len(names), 'failure signature')}: {', '.join(names)}"

    def __repr__(self) -> str:
        return f"Diagnosis: {self}, {count(len(self.checks), 'check')}"

    def _repr_html_(self) -> str:
        """Show the verdict and what failed in a notebook."""
        failed = [each for each in self.checks if each.verdict == "warning"]
        rows = [
            (
                each.signature,
                each.view or each.factor or "",
                "" if each.value is None else f"{each.value:.3g}",
                "" if each.threshold is None else f"{each.threshold:.3g}",
            )
            for each in failed
        ]
        about = f"{count(len(self.checks), 'check')}"
        heads = ("signature", "of", "measured", "limit")
        return card(f"Diagnosis: {self}", [about], heads, rows, self.findings)


def superseded(checks: Iterable[Check], newer: Sequence[Check]) -> tuple[Check, ...]:
    """Return both, with those of ``checks`` not judged that ``newer`` judges on other samples.

    Checks are of the same thing if they have the same signature and view.

    >>> old = Check("a", "x", 1.0, 0.5, "warning"), Check("b", "y", 2.0, 3.0, "ok")
    >>> [check.verdict for check in superseded(old, [Check("a", "x", 0.3, 0.5, "ok")])]
    ['not judged', 'ok', 'ok']
    """
    judged = {(check.signature, check.view) for check in newer if check.verdict != "not judged"}
    older = (
        replace(check, verdict="not judged", meaning="", remedy="")
        if (check.signature, check.view) in judged
        else check
        for check in checks
    )
    return (*older, *newer)


def _finding(checks: Sequence[Check]) -> Finding:
    """One finding from checks that mean the same, of several views or factors perhaps."""
    first = checks[0]
    names = [name for check in checks if (name := check.factor or check.view) is not None]
    text = first.meaning
    if names:
        values = ["–" if check.value is None else f"{check.value:.2f}" for check in checks]
        alone = len(checks) == 1 and first.factor is None
        named = [
            value if alone else f"{name} {value}" for name, value in zip(names, values, strict=True)
        ]
        text += f" ({first.quantity}: {name_some(named, _NAMED)})"
    if first.remedy:
        text += f"; {first.remedy}"
    views = {check.view for check in checks}
    return Finding(
        "warning" if first.verdict == "warning" else "note",
        first.signature,
        text,
        first.view if len(views) == 1 else None,
        tuple(names),
    )
