from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.analysis.survival.outcome import read_outcome
from poems.errors import DataError

NAMES = pd.Index([f"s{at}" for at in range(24)])
DAYS = pd.Series(np.arange(1.0, 25.0), NAMES, name="days")


def column(seen: object, not_seen: object, name: str = "status") -> pd.Series:
    return pd.Series([seen, not_seen] * 12, NAMES, name=name, dtype=object)


@pytest.mark.parametrize(
    ("seen", "not_seen"),
    [
        (1, 0),
        (1.0, 0.0),
        ("1", "0"),
        (True, False),
        ("dead", "alive"),
        ("Deceased", "LIVING"),
        ("1:DECEASED", "0:LIVING"),
        ("1:DEAD WITH TUMOR", "0:ALIVE OR DEAD TUMOR FREE"),
        ("1:Recurred/Progressed", "0:DiseaseFree"),
        ("yes", "no"),
        ("event", "censored"),
    ],
)
def test_events_are_understood_as_people_write_them(seen: object, not_seen: object) -> None:
    outcome = read_outcome(DAYS, column(seen, not_seen), NAMES)
    assert outcome.event.tolist() == [True, False] * 12
    assert outcome.findings == ()
    typed = column(seen, not_seen).infer_objects()
    assert read_outcome(DAYS, typed, NAMES).event.tolist() == [True, False] * 12


@pytest.mark.parametrize(
    ("seen", "not_seen", "message"),
    [
        (2, 1, r"holds values that are not understood: '2' \(all values: '2', '1'\)"),
        ("ill", "well", "'ill', 'well'"),
        ("1:LIVING", "0:DECEASED", "'1:LIVING', '0:DECEASED'"),
        ("D", "0", "'D'"),
    ],
)
def test_other_values_are_refused_by_name(seen: object, not_seen: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_outcome(DAYS, column(seen, not_seen), NAMES)


def test_the_value_of_an_event_can_be_given() -> None:
    outcome = read_outcome(DAYS, column(2, 1), NAMES, event_value="2")
    assert outcome.event.tolist() == [True, False] * 12
    assert read_outcome(DAYS, column("Ill", "well"), NAMES, event_value="ill").n_events == 12
    with pytest.raises(DataError, match=r"no sample has the value '3' .* '2', '1'"):
        read_outcome(DAYS, column(2, 1), NAMES, event_value=3)


def test_a_column_called_censored_is_warned_of() -> None:
    (finding,) = read_outcome(DAYS, column(1, 0, "Censored"), NAMES).findings
    assert (finding.severity, finding.code) == ("warning", "survival-event-censoring")


def test_what_is_left_out_or_kept_is_said_with_names() -> None:
    time, event = DAYS.astype(object), column("dead", "alive")
    time["s0"], time["s1"], time["s2"], time["s3"] = -5, np.nan, "NA", 0
    time["s6"], time["s8"] = np.inf, "17.5"
    event["s4"], event["s5"] = None, "[Not Available]"
    outcome = read_outcome(time, event, NAMES.append(pd.Index(["s99"])), fewest=1)
    found = {finding.code: finding for finding in outcome.findings}
    assert found["survival-negative-times"].items == ("s0",)
    assert found["survival-negative-times"].severity == "warning"
    assert found["survival-negative-times"].message.startswith(
        "1 sample with a negative time was left out of the survival analysis"
    )
    assert found["survival-unknown"].items == ("s1", "s2", "s4", "s5", "s6", "s99")
    assert found["survival-zero-times"].items == ("s3",)
    assert "s3" in outcome.time.index
    assert outcome.time["s8"] == 17.5
    assert len(outcome.time) == 24 - 6


def test_too_few_events_are_refused_with_their_number() -> None:
    event = pd.Series(0, NAMES, name="os")
    event.iloc[:9] = 1
    with pytest.raises(DataError, match=r"9 among 24 samples .* at least 10 are needed"):
        read_outcome(DAYS, event, NAMES)
    event.iloc[9] = 1
    assert read_outcome(DAYS, event, NAMES).n_events == 10


def test_times_that_are_none_are_refused() -> None:
    event = column(1, 0)
    words = pd.Series(["three years", "long"] * 12, NAMES, name="days")
    with pytest.raises(DataError, match="'days' holds values that are no numbers: 'three years'"):
        read_outcome(words, event, NAMES)
    with pytest.raises(DataError, match="bool values; give a column of durations"):
        read_outcome(pd.Series(True, NAMES, name="x"), event, NAMES)
    dates = pd.Series(pd.Timestamp("2020-01-01"), NAMES, name="death")
    with pytest.raises(DataError, match="give a column of durations"):
        read_outcome(dates, event, NAMES)
    with pytest.raises(DataError, match="no sample has a row in the time column 'days'"):
        read_outcome(DAYS.set_axis(range(24)), event, NAMES)
    with pytest.raises(DataError, match="several rows for s0"):
        read_outcome(pd.concat([DAYS, DAYS[:1]]), event, NAMES)


def test_entries_of_a_time_column_that_are_no_numbers_are_named_and_missing() -> None:
    time = DAYS.astype(str)
    time["s3"], time["s5"], time["s7"] = ">20", "[Not Available]", "Unknown"
    outcome = read_outcome(time, column(1, 0), NAMES, fewest=1)
    assert not {"s3", "s5", "s7"} & set(outcome.time.index)
    found = {finding.code: finding for finding in outcome.findings}
    assert found["obs-not-numbers"].items == ("s3",)
    assert found["survival-unknown"].items == ("s3", "s5", "s7")


@pytest.mark.parametrize("word", ["Unknown", "not reported", "[Discrepancy]", "#N/A", ".", "?"])
def test_events_are_unknown_where_a_word_says_so(word: str) -> None:
    event = column("dead", "alive")
    event["s2"] = word
    assert "s2" not in read_outcome(DAYS, event, NAMES, fewest=1).event.index
    assert "s2" not in read_outcome(DAYS, event, NAMES, event_value="dead", fewest=1).event.index


def test_times_that_are_negative_are_named_and_not_the_events() -> None:
    samples = pd.Index([f"s{at}" for at in range(20)])
    time = pd.Series(-np.arange(1.0, 21.0), samples, name="days")
    event = pd.Series([0, 1] * 10, samples, name="dead")
    with pytest.raises(DataError, match=r"'days' is negative in 20 samples of 20 \(s0, s1"):
        read_outcome(time, event, samples)


@pytest.mark.parametrize(
    ("times", "remedy"),
    [
        ([f"{n} months" for n in range(1, 21)], "write the numbers alone"),
        ([f"2020-01-{n:02d}" for n in range(1, 21)], "these are dates"),
        (["1,5", "2,5"] * 10, "decimals with a point"),
        (["long", "short"] * 10, "give a column of durations"),
    ],
)
def test_the_remedy_of_times_that_are_no_numbers_follows_from_what_they_are(
    times: list[str], remedy: str
) -> None:
    samples = pd.Index([f"s{n}" for n in range(20)])
    event = pd.Series([0, 1] * 10, samples, name="event")
    with pytest.raises(DataError, match=remedy):
        read_outcome(pd.Series(times, samples, name="time"), event, samples)


def test_the_coding_of_r_is_explained() -> None:
    samples = pd.Index([f"s{n}" for n in range(20)])
    time = pd.Series(range(1, 21), samples, name="time")
    with pytest.raises(DataError, match="1 is censored and 2 an event"):
        read_outcome(time, pd.Series([1, 2] * 10, samples, name="event"), samples)


def test_times_that_are_all_alike_are_told_of() -> None:
    samples = pd.Index([f"s{n}" for n in range(30)])
    event = pd.Series([0, 1] * 15, samples, name="event")
    found = read_outcome(pd.Series(7.0, samples, name="time"), event, samples).findings
    assert "survival-one-time" in [each.code for each in found]


def test_of_an_event_by_value_what_is_not_understood_as_none_is_named() -> None:
    event = column("dead", "alive")
    event.iloc[[1, 3, 5]] = ["gone", -9, "lost"]
    outcome = read_outcome(DAYS, event, NAMES, event_value="dead")
    (finding,) = outcome.findings
    assert finding.severity == "warning"
    assert finding.items == ("s1", "s3", "s5")
    assert "'gone' (1), '-9' (1), 'lost' (1)" in finding.message
    # Of two values the other one means that there was none, whatever it is called.
    assert read_outcome(DAYS, column("Ill", "well"), NAMES, event_value="ill").findings == ()
