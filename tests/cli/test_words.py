"""The library names arguments, the command line flags."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.cli.printing import output, print_findings
from poems.cli.words import in_flags, in_words
from poems.findings import Finding
from poems.settings.schema import setting_groups


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("(samples='intersection')", "(--samples intersection)"),
        ('fit with prior="mixture"', "fit with --prior mixture"),
        ("use method='kmeans'", "use --subtypes-by kmeans"),
        ("with scale='none' it drowns", "with --scale none it drowns"),
        ("lower kl_weight (1 here), or train", "lower --kl-weight (1 here), or train"),
        ("compare with n_latent=12", "compare with --n-latent 12"),
        ("backed=True takes .h5mu", "--backed takes .h5mu"),
        ("say features_in_rows (--features-in-rows).", "say --features-in-rows."),
        ("pass features_in_rows=True (--features-in-rows)", "pass --features-in-rows"),
        (
            "Pass features_in_rows=['a', 'b'] now",
            "Pass --features-in-rows-of a --features-in-rows-of b now",
        ),
        ("gene_map is of the gene sets; give gene_sets", "--map is of the gene sets; give --gmt"),
        ("a smaller n_jobs", "a smaller --jobs"),
        ("ask for at least 99 (n_permutations)", "ask for at least 99 (--n-permutations)"),
        ("n_subtypes=3 has no meaning", "--n-subtypes 3 has no meaning"),
        ("set event_value (--event-value) to 0", "set --event-value to 0"),
        ("read with backed=True (--backed)", "read with --backed"),
        (
            "Pass features_in_rows=['cnv 2'] (on the command line, --features-in-rows-of 'cnv 2')",
            "Pass --features-in-rows-of 'cnv 2'",
        ),
        (
            "Leave out features_in_rows (on the command line, --features-in-rows[-of])",
            "Leave out --features-in-rows[-of]",
        ),
        (
            "pass genes=matched_genes(…, match='case') (--match-features case)",
            "pass --match-features case",
        ),
        ("give both, time and event (--time, --event)",) * 2,
        ("`event_value` needs `time` and `event`", "--event-value needs --time and --event"),
    ],
)
def test_arguments_are_said_as_flags(message: str, said: str) -> None:
    assert in_flags(message) == said


@pytest.mark.parametrize(
    "message",
    [
        "3 samples are backed by time and event",
        "no column 'n_latent'; there are: 'batch_size'",
        "my/n_latent.csv and n_latent.csv do not exist",
        "the view some_view has p=3 and x_y=2",
        "view 'samples=union' is unknown",
        "`poems check` says more, and so does `nothing`",
    ],
)
def test_words_and_names_from_the_data_stay(message: str) -> None:
    assert in_flags(message) == message


def test_every_setting_is_said_as_its_flag() -> None:
    for group in setting_groups().values():
        for name in group.model_fields:
            flag = f"--{name.replace('_', '-')}"
            assert in_flags(f"set {name}=3 now") == f"set {flag} 3 now"


def test_names_that_a_finding_lists_are_not_taken_for_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    finding = Finding("note", "x", "constant: n_latent; raise kl_weight", items=("n_latent",))
    print_findings(output(), [finding], all_notes=True)
    assert "constant: n_latent; raise --kl-weight" in capsys.readouterr().out


@given(st.text(alphabet=string.ascii_letters + string.digits + " .,;:'\"()-é", max_size=80))
def test_text_without_arguments_is_never_changed(message: str) -> None:
    assert in_flags(message) == message


@given(st.text(max_size=60))
def test_no_text_is_refused(message: str) -> None:
    assert isinstance(in_words(message), str)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("2 views: a view's mean", "2 omics: an omic's mean"),
        ("A view lacks 'a view'; pass --view", "An omic lacks 'a view'; pass --view"),
        ("view1 and views/a.csv, my.view", "view1 and views/a.csv, my.view"),
    ],
)
def test_a_view_is_an_omic_in_the_terminal(message: str, said: str) -> None:
    assert in_words(message) == said
