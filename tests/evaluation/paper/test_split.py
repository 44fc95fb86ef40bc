from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from poems.errors import DataError
from poems.evaluation.paper.split import paper_split


def names(n: int) -> pd.Index:
    return pd.Index([f"s{i}" for i in range(n)])


@pytest.mark.parametrize("n", [7, 100, 875])
def test_the_parts_are_those_of_the_paper_s_code(n: int) -> None:
    split = paper_split(names(n))
    rest, test = train_test_split(np.arange(n), test_size=0.2, random_state=1)
    train, validation = train_test_split(rest, test_size=0.2, random_state=1)
    for found, expected in (
        (split.train, train),
        (split.validation, validation),
        (split.test, test),
    ):
        assert found.tolist() == [f"s{i}" for i in expected]
    assert sorted(split.fitted.append(split.test)) == sorted(names(n))
    parts = split.table()
    assert parts.value_counts().to_dict() == {
        "train": len(train),
        "validation": len(validation),
        "test": len(test),
    }
    assert parts[split.test[0]] == "test"
    if n == 875:
        assert len(test) == 175


def test_another_seed_is_another_split() -> None:
    assert set(paper_split(names(50)).test) != set(paper_split(names(50), seed=2).test)


def test_a_patient_is_in_one_part() -> None:
    patients = pd.Series([f"p{i // 2}" for i in range(100)], index=names(100))
    split = paper_split(names(100), groups=patients)
    parts = [set(patients[part]) for part in (split.train, split.validation, split.test)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 50
    assert [len(part) for part in parts] == [32, 8, 10]


def test_a_published_test_is_kept() -> None:
    published = pd.Series(["test"] * 13 + ["train"] * 20, index=names(33))
    split = paper_split(names(33), published=published)
    assert split.test.tolist() == names(33)[:13].tolist()
    rest = train_test_split(np.arange(13, 33), test_size=0.2, random_state=1)
    assert split.train.tolist() == [f"s{i}" for i in rest[0]]
    assert split.validation.tolist() == [f"s{i}" for i in rest[1]]


def test_what_cannot_be_split_is_said() -> None:
    with pytest.raises(DataError, match="too few samples to split a fifth off"):
        paper_split(names(1))
    with pytest.raises(DataError, match="too few groups to split a fifth off"):
        paper_split(names(9), groups=pd.Series(["one"] * 9, index=names(9)))
    with pytest.raises(DataError, match="groups has 1 missing values"):
        paper_split(names(3), groups=pd.Series(["a", None, "b"], index=names(3)))
    published = pd.Series(["train", "test", "val", "train"], index=names(4))
    with pytest.raises(DataError, match="must say 'train' or 'test' of every sample; it says val"):
        paper_split(names(4), published=published)
    with pytest.raises(DataError, match="puts 0 of 4 into the test"):
        paper_split(names(4), published=published.replace({"test": "train", "val": "train"}))
    whole = published.replace({"val": "test"})
    with pytest.raises(DataError, match=r"1 group is in both parts of the published split \(b\)"):
        paper_split(
            names(4), published=whole, groups=pd.Series(["a", "b", "c", "b"], index=names(4))
        )
