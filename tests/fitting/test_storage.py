from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import poems
from poems.analysis import factor_effects
from poems.data.container import MultiOmics, View
from poems.errors import DataError, StorageError
from poems.files.tensors import read_state, write_state
from poems.fitting.result import FittedPoems
from poems.nn.model import POEMS
from poems.simulation.cohort import Simulation

Edit = Callable[[dict[str, Any], dict[str, Any]], None]


@pytest.fixture
def saved(fitted: FittedPoems, tmp_path: Path) -> Path:
    path = tmp_path / "model.poems"
    fitted.save(path)
    return path


def assert_equal_tables(one: FittedPoems, other: FittedPoems) -> None:
    frames = [(one.latent, other.latent), (one.latent_variance, other.latent_variance)]
    frames += [(one.gates, other.gates), (one.history, other.history)]
    for name in one.view_names:
        frames += [(one.loadings[name], other.loadings[name])]
        frames += [(one.inclusion[name], other.inclusion[name])]
        frames += [(one.loading_scores[name], other.loading_scores[name])]
    for left, right in frames:
        pd.testing.assert_frame_equal(left, right, check_exact=True, check_names=True)
    for name in ("settings", "seed", "status", "findings"):
        assert getattr(one, name) == getattr(other, name)
    assert dict(one.versions) == dict(other.versions)
    assert one.r2.equals(other.r2)
    assert one.diagnosis is not None
    assert one.diagnosis == other.diagnosis
    assert one.principal_axes is not None
    assert other.principal_axes is not None
    for name, axes in one.principal_axes.items():
        assert torch.equal(other.principal_axes[name], axes)


@pytest.mark.parametrize("which", ["fitted", "fitted_incomplete"])
def test_loading_restores_every_table(
    which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model: FittedPoems = request.getfixturevalue(which)
    model.save(tmp_path / "m.poems")
    loaded = poems.load(str(tmp_path / "m.poems"))
    assert_equal_tables(model, loaded)
    if which == "fitted_incomplete":
        pd.testing.assert_frame_equal(
            model.component_probabilities, loaded.component_probabilities, check_exact=True
        )
    assert not loaded.module.training
    assert not any(p.requires_grad for p in loaded.module.parameters())
    # And again: what was loaded is saved as it was.
    loaded.save(tmp_path / "again.poems")
    tensors, record = read_state(tmp_path / "m.poems")
    tensors_again, record_again = read_state(tmp_path / "again.poems")
    assert record_again == record
    assert tensors_again.keys() == tensors.keys()
    assert all(np.array_equal(tensors_again[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    "options",
    [{"winsorise": None, "scale": "minmax"}, {"decoder": "dense"}, {"gate": "equal"}],
    ids=str,
)
def test_other_models_survive_too(
    incomplete: MultiOmics, tmp_path: Path, options: dict[str, Any]
) -> None:
    model = poems.fit(incomplete, epochs=2, n_latent=3, progress=False, **options)
    model.save(tmp_path / "m.poems")
    loaded = poems.load(tmp_path / "m.poems")
    assert_equal_tables(model, loaded)
    for name, table in model.reconstruct(incomplete).items():
        pd.testing.assert_frame_equal(loaded.reconstruct(incomplete)[name], table, check_exact=True)


def test_a_new_process_transforms_to_the_same_bytes(
    saved: Path, fitted: FittedPoems, tmp_path: Path
) -> None:
    # The cohort is simulated anew there, from the arguments of the shared fixture.
    code = (
        "import sys, hashlib, poems\n"
        "cohort = poems.simulate(n_samples=72, n_features={'rna': 40, 'protein': 30}, n_factors=3,"
        " density=0.2, seed=1).cohort\n"
        "latent = poems.load(sys.argv[1]).transform(cohort).latent\n"
        "print(hashlib.sha256(latent.to_numpy().tobytes()).hexdigest(), *latent.columns)\n"
    )
    command = [sys.executable, "-c", code, str(saved)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    expected = hashlib.sha256(fitted.latent.to_numpy().tobytes()).hexdigest()
    assert found == [expected, *fitted.factor_names]


def test_a_file_of_version_1_is_read_and_diagnosed_from_its_tables(
    saved: Path,
    fitted: FittedPoems,
    simulation: Simulation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tensors, record = read_state(saved)
    del record["diagnosis"]
    since = ("principal.", "features.score.")
    old = {name: value for name, value in tensors.items() if not name.startswith(since)}
    with monkeypatch.context() as patch:
        patch.setattr("poems.files.tensors.FORMAT_VERSION", 1)
        write_state(saved, old, record)
    loaded = poems.load(saved)
    assert loaded.diagnosis is None
    assert loaded.principal_axes is None
    assert loaded.diagnose().signatures == fitted.diagnose().signatures == ()
    pd.testing.assert_frame_equal(loaded.latent, fitted.latent)
    with pytest.raises(DataError, match=r"no scores of its loadings.* Fit it again"):
        _ = loaded.loading_scores
    assert factor_effects(loaded)["score"].isna().all()
    assert "poems_scores" not in loaded.to_mudata(simulation.cohort).varm
    # Saved again, it is as the file was, in the format of today.
    loaded.save(saved)
    assert poems.load(saved).diagnosis is None


def test_a_file_older_than_a_setting_does_what_was_done_then(
    saved: Path, fitted: FittedPoems
) -> None:
    tensors, record = read_state(saved)
    for name in ("redundancy", "inference"):
        del record["settings"]["model"][name]
    write_state(saved, tensors, record)
    old = poems.load(saved).settings.model
    assert (old.redundancy, old.inference) == ("none", "amortised")
    assert fitted.settings.model.inference == "exact"


def first_view(record: dict[str, Any]) -> dict[str, Any]:
    view: dict[str, Any] = record["views"][0]
    return view


F32 = np.float32

TAMPERINGS: dict[str, Edit] = {
    "fewer features": lambda t, r: first_view(r)["features"].pop(),
    "more features": lambda t, r: first_view(r)["features"].append("new"),
    "fewer samples": lambda t, r: r["samples"].pop(),
    "another n_latent": lambda t, r: r["settings"]["model"].update(n_latent=7),
    "a huge n_latent": lambda t, r: r["settings"]["model"].update(n_latent=10**12),
    "an absurd n_latent": lambda t, r: r["settings"]["model"].update(n_latent=10**30),
    "huge layers": lambda t, r: r["settings"]["model"].update(encoder_layers=[10**11, 10**11]),
    "absurd layers": lambda t, r: r["settings"]["model"].update(encoder_layers=[10**30]),
    "negative layers": lambda t, r: r["settings"]["model"].update(encoder_layers=[-3]),
    "a huge gate": lambda t, r: r["settings"]["model"].update(gate_hidden=10**15),
    "a setting out of range": lambda t, r: r["settings"]["model"].update(n_latent=0),
    "an unknown setting": lambda t, r: r["settings"]["model"].update(new=1),
    "an unknown key": lambda t, r: r.update(new=1),
    "a missing key": lambda t, r: r.pop("seed"),
    "another decoder": lambda t, r: r["settings"]["model"].update(decoder="dense"),
    "another prior": lambda t, r: r["settings"]["model"].update(prior="mixture"),
    "no samples": lambda t, r: r["samples"].clear(),
    "no features": lambda t, r: first_view(r)["features"].clear(),
    "no views": lambda t, r: r["views"].clear(),
    "a view twice": lambda t, r: r["views"].append(r["views"][0]),
    "a view less": lambda t, r: r["views"].pop(),
    "a view's name twice": lambda t, r: first_view(r).update(name="protein"),
    "a feature twice": lambda t, r: first_view(r)["features"].__setitem__(
        0, first_view(r)["features"][1]
    ),
    "a sample twice": lambda t, r: r["samples"].__setitem__(0, r["samples"][1]),
    "names that are no text": lambda t, r: first_view(r)["features"].__setitem__(0, 3),
    "uneven history": lambda t, r: r["history"]["kl"].pop(),
    "a history of text": lambda t, r: r["history"].update(kl=["a"]),
    "a missing tensor": lambda t, r: t.pop("samples.loc"),
    "a missing parameter": lambda t, r: t.pop("module.encoders.0.loc.bias"),
    "an extra parameter": lambda t, r: t.update({"module.new": np.zeros(3, dtype=F32)}),
    "a reshaped tensor": lambda t, r: t.update({"features.gram": np.zeros((2, 2), dtype=F32)}),
    "a reshaped parameter": lambda t, r: t.update(
        {"module.decoders.0.bias": np.zeros(2, dtype=F32)}
    ),
    "latents of integers": lambda t, r: t.update(
        {"samples.loc": np.zeros((72, 6), dtype=np.int64)}
    ),
    "a parameter of integers": lambda t, r: t.update(
        {"module.decoders.0.bias": np.zeros(40, dtype=np.int64)}
    ),
    "a double parameter": lambda t, r: t.update({"module.decoders.0.bias": np.zeros(40)}),
    "a verdict that is none": lambda t, r: r["diagnosis"][0].update(verdict="fine"),
    "a check without a value": lambda t, r: r["diagnosis"][0].pop("value"),
    "axes of another width": lambda t, r: t.update({"principal.0": np.zeros((3, 2), dtype=F32)}),
    "axes of unequal rank": lambda t, r: t.update({"principal.1": np.zeros((30, 9), dtype=F32)}),
    "axes of one view": lambda t, r: t.pop("principal.1"),
    "gates of another width": lambda t, r: t.update(
        {"samples.gates": np.zeros((72, 3), dtype=F32)}
    ),
}


@pytest.mark.parametrize("edit", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_parts_that_do_not_fit_together_are_refused(saved: Path, edit: Edit) -> None:
    tensors, record = read_state(saved)
    edit(tensors, record)
    write_state(saved, tensors, record)
    with pytest.raises(StorageError) as error:
        poems.load(saved)
    text = str(error.value)
    assert text.startswith(f"{saved} is not a model that this version can read: ")
    assert text.endswith("Use the version of POEMS that wrote it, or fit again.")
    assert "\n" not in text


@settings(max_examples=40)
@given(data=st.data())
def test_any_changed_value_of_the_record_loads_or_is_refused(
    fitted: FittedPoems, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("tampered") / "m.poems"
    fitted.save(path)
    tensors, record = read_state(path)
    place: Any = record
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    junk = (
        st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text("ab", max_size=3)
    )
    place[key] = data.draw(junk | st.lists(junk, max_size=2) | st.dictionaries(st.just("x"), junk))
    write_state(path, tensors, record)
    try:
        loaded = poems.load(path)
    except StorageError:
        return
    assert loaded.latent.shape[0] == 72


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
name_lists = st.lists(names, min_size=8, max_size=8, unique=True)


@settings(max_examples=15)
@given(
    samples=name_lists,
    features=name_lists,
    views=st.lists(names, min_size=2, max_size=2, unique=True),
)
def test_names_of_any_kind_survive(
    tmp_path_factory: pytest.TempPathFactory,
    samples: list[str],
    features: list[str],
    views: list[str],
) -> None:
    check_names(tmp_path_factory.mktemp("names") / "m.poems", samples, features, views)


def test_names_of_nasty_kinds_survive(tmp_path: Path) -> None:
    nasty = ['"quo"ted"', "a/b\\c", "Ω µ é", "new\nline", "{'x': 1}", "\U0001f9ec", "", " a"]
    check_names(tmp_path / "m.poems", nasty, nasty[::-1], ['../"x"', "module.encoders.0"])


def check_names(path: Path, samples: list[str], features: list[str], views: list[str]) -> None:
    values = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    index = pd.Index(samples)
    view = View(values, pd.Index(features), np.ones(8, dtype=bool))
    cohort = MultiOmics(dict.fromkeys(views, view), index, pd.DataFrame(index=index))
    model = poems.fit(
        cohort, epochs=1, n_latent=2, encoder_layers=(4,), decoder_hidden=4, progress=False
    )
    model.save(path)
    loaded = poems.load(path)
    assert list(loaded.samples) == samples
    assert list(loaded.view_names) == views
    assert list(loaded.features(views[1])) == features
    pd.testing.assert_frame_equal(loaded.transform(cohort).latent, model.latent, check_exact=True)


def test_loading_uses_no_memory_that_the_record_asks_for(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = set()
    original = POEMS.__init__

    def recorded(self: Any, *args: Any) -> None:
        original(self, *args)
        devices.update(str(p.device) for p in self.parameters())

    monkeypatch.setattr("poems.nn.model.POEMS.__init__", recorded)
    poems.load(saved)
    assert devices == {"meta"}


def test_loading_leaves_torchs_generator_alone(saved: Path) -> None:
    before = torch.get_rng_state()
    poems.load(saved)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_file_is_replaced_as_a_whole(
    saved: Path, fitted: FittedPoems, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def crash(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("poems.files.tensors._write", crash)
    with pytest.raises(KeyboardInterrupt):
        fitted.save(saved)
    assert saved.read_bytes() == before


def test_numpy_seeds_can_be_saved(incomplete: MultiOmics, tmp_path: Path) -> None:
    model = poems.fit(incomplete, seed=np.int64(3), epochs=1, n_latent=2, progress=False)
    model.save(tmp_path / "m.poems")
    assert poems.load(tmp_path / "m.poems").seed == 3


def test_loading_is_quick_to_start(tmp_path: Path, fitted: FittedPoems) -> None:
    fitted.save(tmp_path / "x.poems")
    program = (
        "import sys, poems; poems.load(sys.argv[1]); "
        "assert 'torch._dynamo' not in sys.modules, 'the compiler was imported'"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "x.poems")], check=True)
