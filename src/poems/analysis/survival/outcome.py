"""Times and events, read from the columns of a clinical table as people write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.obs.cells import clean_column
from poems.data.obs.missing import missing_in_numbers
from poems.data.obs.values import column_findings
from poems.errors import DataError
from poems.findings import Finding, count, name_some

# Fewer events than this tell nothing apart: the standard error of a log hazard ratio between two
# halves is then 2 / sqrt(10) = 0.63, so that even a doubled hazard lies within noise.
FEWEST_EVENTS: Final = 10

_SEEN = frozenset(
    ("1", "true", "yes", "y", "event", "dead", "deceased", "died", "death", "expired",
     "relapse", "relapsed", "recurrence", "recurred", "progression", "progressed",
     "recurred/progressed")
)  # fmt: skip
_NOT_SEEN = frozenset(
    ("0", "false", "no", "n", "none", "censored", "alive", "living", "diseasefree",
     "disease-free", "progressionfree", "progression-free")
)  # fmt: skip
# As cBioPortal writes a status: '1:DECEASED', '0:ALIVE OR DEAD TUMOR FREE'.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}")
_WITH_UNIT = re.compile(r"[0-9.]+ ?(days?|d|weeks?|w|months?|mos?|m|years?|yrs?|y)", re.IGNORECASE)
_COMMA = re.compile(r"[0-9]+,[0-9]+")
_CODED = re.compile(r"\s*([01])(?:\.0)?\s*:\s*(.*?)\s*")


@dataclass(frozen=True, eq=False)
class Outcome:
    """Follow-up of the samples on which it is known.

    Parameters
    ----------
    time
        Follow-up, not negative, in the units it came in: Series by sample.
    event
        Whether the event was seen at that time (else follow-up ended then).
    findings
        What was left out or assumed.
    """

    time: pd.Series
    event: pd.Series
    findings: tuple[Finding, ...] = ()

    @property
    def n_events(self) -> int:
        """Number of events seen."""
        return int(self.event.sum())


def read_outcome(
    time: pd.Series,
    event: pd.Series,
    samples: pd.Index,
    *,
    event_value: object | None = None,
    fewest: int = FEWEST_EVENTS,
) -> Outcome:
    """Read follow-up and events of ``samples``.

    Events are understood as 0/1, truth values, ``'dead'``/``'alive'``,
    ``'Deceased'``/``'Living'``, ``'yes'``/``'no'``, ``'relapse'``, ``'censored'``, and cBioPortal's
    ``'1:DECEASED'``, in any case. Samples without a time, with a negative or infinite one, or
    without a known event are left out, which the findings say with their names; a time of 0 is
    kept.

    Parameters
    ----------
    time, event
        One value per sample, matched by name.
    samples
        Samples to read.
    event_value
        The value of ``event`` that means that it was seen, compared as text; every other known
        value means that it was not, of which the findings name those that are not understood so.
        By default values are understood as above.
    fewest
        Events needed.

    Raises
    ------
    DataError
        If a time is no number, a value of ``event`` is not understood, a sample has several rows,
        or there are fewer events than needed. The text names values and numbers.

    Examples
    --------
    >>> samples = pd.Index([f"s{at}" for at in range(12)])
    >>> time = pd.Series(np.arange(12.0), samples)
    >>> outcome = read_outcome(time, pd.Series(["Dead"] * 11 + ["alive"], samples), samples)
    >>> outcome.n_events, [finding.code for finding in outcome.findings]
    (11, ['survival-zero-times'])
    """
    times, seen = _column(time, "time", samples), _column(event, "event", samples)
    numbers, noticed = _numbers(times)
    events, findings = _events(seen, event_value)
    findings = [*noticed, *findings]
    finite = np.isfinite(numbers)
    bad = finite & (numbers < 0)
    lacking = ~finite | np.isnan(events)
    if bad.any():
        findings.append(
            _finding(
                "warning", "survival-negative-times", samples[bad],
                "with a negative time left out of the survival analysis; correct the column "
                f"'{time.name}' if they should count",
            )
        )  # fmt: skip
    if (lacking & ~bad).any():
        findings.append(
            _finding(
                "note", "survival-unknown", samples[lacking & ~bad],
                "without a known time or event left out of the survival analysis",
            )
        )  # fmt: skip
    kept = ~lacking & ~bad
    zero = kept & (numbers == 0)
    if zero.any():
        findings.append(
            _finding(
                "note", "survival-zero-times", samples[zero],
                "with a follow-up of 0 kept, at risk at the very start only",
            )
        )  # fmt: skip
    if kept.sum() > 1 and len(np.unique(numbers[kept])) == 1:
        text = (
            f"the time column '{time.name}' holds {numbers[kept][0]:g} for all "
            f"{kept.sum()} samples, so that nobody lived longer than another, and no test of "
            "survival tells anything; choose the column of follow-up"
        )
        findings.append(Finding("warning", "survival-one-time", text))
    outcome = Outcome(
        pd.Series(numbers[kept], index=samples[kept], name="time"),
        pd.Series(events[kept] == 1, index=samples[kept], name="event"),
        tuple(findings),
    )
    if outcome.n_events < fewest:
        negative = samples[bad]
        if len(negative) > len(outcome.time):
            raise DataError(
                f"the time column '{time.name}' is negative in {count(len(negative), 'sample')} of "
                f"{len(samples)} ({name_some(negative)}), which leaves too few events; follow-up "
                "counts from 0 upwards, so give the time from diagnosis or treatment to the event "
                "or the last visit"
            )
        raise DataError(
            f"there are too few events for a survival analysis: {outcome.n_events} among "
            f"{count(len(outcome.time), 'sample')} with a known time and event (of "
            f"{len(samples)}); at least {fewest} are needed. Check that '{event.name}' is the "
            "right column and which of its values means an event"
        )
    return outcome


def _column(column: pd.Series, what: str, samples: pd.Index) -> pd.Series:
    """Bring a column to the samples."""
    if column.index.has_duplicates:
        twice = column.index[column.index.duplicated()].unique()
        raise DataError(
            f"the {what} column '{column.name}' has several rows for {name_some(twice)}; keep one "
            "of them"
        )
    if len(samples) and not samples.isin(column.index).any():
        raise DataError(
            f"no sample has a row in the {what} column '{column.name}': it has "
            f"{name_some(column.index)}, the model {name_some(samples)}"
        )
    return column.reindex(samples)


def _numbers(times: pd.Series) -> tuple[npt.NDArray[np.float64], tuple[Finding, ...]]:
    """Return times as numbers, NaN where there is none, and what was decided about entries."""
    if pd.api.types.is_bool_dtype(times) or pd.api.types.is_datetime64_any_dtype(times):
        raise DataError(
            f"the time column '{times.name}' holds {times.dtype} values; give a column of "
            "durations, such as days of follow-up"
        )
    clean = clean_column(times.astype(object), typed=True)
    values = clean.values
    known = values[values.notna()]
    wrong = known[[not _is_number(value) for value in known]]
    if len(wrong):
        raise DataError(
            f"the time column '{times.name}' holds values that are no numbers: "
            f"{_some_values(wrong)}; {_as_durations(wrong)}"
        )
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers, column_findings([(str(times.name), clean)])


def _as_durations(wrong: pd.Series) -> str:
    """Say what to do about times that are no numbers."""
    texts = [str(value).strip() for value in wrong]
    if all(map(_DATE.match, texts)):
        return (
            "these are dates: give the time from diagnosis or treatment to the event or the last "
            "visit, which is one date less the other"
        )
    if all(map(_WITH_UNIT.fullmatch, texts)):
        return "write the numbers alone, all in one unit"
    if all(map(_COMMA.fullmatch, texts)):
        return "write decimals with a point, and thousands without a comma"
    return "give a column of durations"


def _of_r(values: set[str]) -> str:
    """Explain the coding of R, where it is that."""
    if values != {"1", "2"}:
        return ""
    return ": in the coding that is usual in R, 1 is censored and 2 an event"


def _events(
    column: pd.Series, event_value: object | None
) -> tuple[npt.NDArray[np.float64], list[Finding]]:
    """Return 1 for an event, 0 for none, NaN for unknown."""
    plain = column.astype(object)
    texts = [("" if _unknown(value) else _text(value)) for value in plain]
    known = np.array([text != "" for text in texts], dtype=bool)
    if event_value is not None:
        wanted = _text(event_value)
        codes = [
            np.nan if not there else float(text == wanted)
            for text, there in zip(texts, known, strict=True)
        ]
        if 1.0 not in codes:
            raise DataError(
                f"no sample has the value '{event_value}' in the event column '{column.name}'; "
                f"there are {_some_values(column[known])}"
            )
        return np.array(codes, dtype=np.float64), _counted_as_censored(column, texts, wanted)
    meanings = {text: _meaning(text) for text in set(texts) - {""}}
    strange = {text for text, meaning in meanings.items() if meaning is None}
    if strange:
        # Numbers that are not understood make those that are doubtful: 1 and 2 in R's coding.
        of = column[[text in strange for text in texts]]
        raise DataError(
            f"the event column '{column.name}' holds values that are not understood: "
            f"{_some_values(of)} (all values: {_some_values(column[known])}). Give 0/1, "
            "true/false, dead/alive or the like, or say which value means an event with "
            f"event_value (--event-value){_of_r(set(meanings))}"
        )
    findings = []
    if "cens" in str(column.name).lower() and "0" in meanings:
        findings.append(
            Finding(
                "warning",
                "survival-event-censoring",
                f"the event column is called '{column.name}', and 1 was taken for an event; if 1 "
                "means censored, set event_value (--event-value) to 0",
            )
        )
    codes = [np.nan if (code := meanings.get(text)) is None else code for text in texts]
    return np.array(codes, dtype=np.float64), findings


def _counted_as_censored(column: pd.Series, texts: list[str], wanted: str) -> list[Finding]:
    """Warn of values beside the event's, and beside those that mean none, that count as none.

    Where two values are all that there are, the other one means that there was no event.
    """
    others = {text for text in texts if text not in ("", wanted)}
    doubtful = {text for text in others if _meaning(text) != 0.0} if len(others) > 1 else set()
    if not doubtful:
        return []
    of = [text in doubtful for text in texts]
    shown = Counter(str(value) for value in column[of])
    text = (
        f"values of the event column '{column.name}' that are not the event's and were taken to "
        f"mean that there was none: {name_some((f'{v!r} ({n})' for v, n in shown.items()), 5)}. "
        "Leave the cell empty where it is not known whether there was one"
    )
    items = tuple(map(str, column.index[of]))
    return [Finding("warning", "survival-other-events", text, items=items)]


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _unknown(value: Any) -> bool:
    """Say whether the value of an event column is missing; 'none' says that no event was seen."""
    return bool(pd.isna(value)) or (missing_in_numbers(value) and _text(value) not in _NOT_SEEN)


def _meaning(text: str) -> float | None:
    """Tell what a value of an event column means; ``None`` if that is not known.

    >>> _meaning("1:deceased"), _meaning("living"), _meaning("2"), _meaning("1:living")
    (1.0, 0.0, None, None)
    """
    coded = _CODED.fullmatch(text)
    if coded:
        code, words = float(coded[1]), coded[2]
        by_word = 1.0 if words in _SEEN else 0.0 if words in _NOT_SEEN else code
        return code if by_word == code else None
    return 1.0 if text in _SEEN else 0.0 if text in _NOT_SEEN else None


def _text(value: Any) -> str:
    """Write a value as text to compare: in lower case, whole numbers without a point.

    >>> _text(1.0), _text(" Dead "), _text(True), _text("1.0"), _text("[Not Available]")
    ('1', 'dead', 'true', '1', 'not available')
    """
    text = " ".join(str(value).split()).lower().strip("[]")
    return text[:-2] if text in ("0.0", "1.0", "2.0") else text


def _some_values(values: pd.Series) -> str:
    shown: Iterable[object] = dict.fromkeys(str(value) for value in values)
    return name_some((f"'{value}'" for value in shown), 5)


def _finding(severity: Any, code: str, samples: pd.Index, rest: str) -> Finding:
    verb = "was" if len(samples) == 1 else "were"
    # "3 samples with … were left out …" reads better than the parts do apart.
    for marker in (" left out", " kept"):
        rest = rest.replace(marker, f" {verb}{marker}", 1)
    text = f"{count(len(samples), 'sample')} {rest} ({name_some(samples)})"
    return Finding(severity, code, text, items=tuple(map(str, samples)))
