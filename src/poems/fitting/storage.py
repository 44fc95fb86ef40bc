"""FittedPoems to and from a model file; every field is checked on the way in."""

from __future__ import annotations

import logging
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from poems.clustering.tried import NumberTried
from poems.files.tensors import write_state
from poems.fitting.fit_tables import told_by
from poems.fitting.record import (
    TRAINING,
    Arrays,
    OwnRecord,
    Record,
    TrainingRecord,
    ViewRecord,
    read_record,
    take,
    unreadable,
)
from poems.fitting.result import FittedPoems
from poems.fitting.sensible import require_sensible
from poems.nn.background import Background
from poems.nn.estimates import FeatureEstimates, SampleEstimates
from poems.nn.model import POEMS
from poems.scaling.own_scale import OwnScale
from poems.scaling.preprocessing import Preprocessing
from poems.scaling.view_scaling import ViewScaling

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)

_SCALING_ARRAYS = ("lower", "upper", "offset", "scale", "fill", "variance")
_OWN_ARRAYS = ("mean", "dispersion", "levels")


def save(
    fitted: FittedPoems,
    path: str | Path,
    *,
    training: TrainingRecord | None = None,
    of_training: Mapping[str, npt.NDArray[Any]] | None = None,
) -> None:
    """Write a fitted model to one file, of a checkpoint with the state of its training."""
    samples, features = fitted.sample_estimates, fitted.feature_estimates
    tensors: Arrays = {
        f"module.{name}": value.numpy() for name, value in fitted.module.state_dict().items()
    }
    for field in fields(samples):
        value = getattr(samples, field.name)
        if isinstance(value, torch.Tensor):
            tensors[f"samples.{field.name}"] = value.numpy()
    if fitted.network is not None:
        tensors["samples.network"] = fitted.network.numpy()
    tensors["features.gram"] = features.gram.numpy()
    for i, (name, scaling) in enumerate(fitted.preprocessing.views.items()):
        tensors[f"features.slope.{i}"] = features.slope[name].numpy()
        tensors[f"features.size.{i}"] = features.size[name].numpy()
        if name in features.score:
            tensors[f"features.score.{i}"] = features.score[name].numpy()
        for array in _SCALING_ARRAYS:
            tensors[f"scaling.{array}.{i}"] = getattr(scaling, array)
        if scaling.own is not None:
            for array in _OWN_ARRAYS:
                tensors[f"scaling.own.{array}.{i}"] = getattr(scaling.own, array)
        if fitted.principal_axes is not None:
            tensors[f"principal.{i}"] = fitted.principal_axes[name].numpy()
    tensors |= {f"{TRAINING}{name}": value for name, value in (of_training or {}).items()}
    # Of a checkpoint nobody asks for clusters, which take seconds.
    numbers = _numbers(fitted) if training is None else None
    record = Record(
        settings=fitted.settings,
        seed=fitted.seed,
        status=fitted.status,
        versions=dict(fitted.versions),
        samples=list(map(str, fitted.samples)),
        views=[
            ViewRecord(
                name=name,
                features=list(map(str, scaling.features)),
                log1p=scaling.log1p,
                own=None
                if scaling.own is None
                else OwnRecord(
                    kind=scaling.own.kind,
                    sizes=scaling.own.sizes,
                    ends=scaling.own.ends,
                    reference=scaling.own.reference,
                ),
                r2=features.r2[name],
                total=features.total.get(name),
                values=features.values.get(name),
            )
            for name, scaling in fitted.preprocessing.views.items()
        ],
        findings=list(fitted.findings),
        history={str(k): v for k, v in fitted.history.to_dict(orient="list").items()},
        diagnosis=None if fitted.diagnosis is None else list(fitted.diagnosis.checks),
        cluster_numbers=None if numbers is None else list(numbers),
        training=training,
    )
    write_state(path, tensors, record.model_dump(mode="json"))


def _numbers(fitted: FittedPoems) -> tuple[NumberTried, ...] | None:
    try:
        return fitted.cluster_numbers
    # Broad on purpose: whatever cannot be told of the clusters, the model is worth saving; who
    # asks for its subtypes is told.
    except Exception:
        logger.exception("how many clusters the samples form could not be judged")
        return None


def load_fitted(path: str | Path) -> FittedPoems:
    """Read a fitted model from a file.

    Raises
    ------
    StorageError
        If the file is missing, damaged, or its parts do not fit together.
    """
    record, tensors = read_record(path)
    try:
        require_sensible(record, tensors)
        return _assemble(record, tensors)
    except (KeyError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        raise unreadable(path, error) from error


def _assemble(record: Record, tensors: Arrays) -> FittedPoems:
    """Build the result; shapes and types that do not agree raise one of torch's or our errors."""
    told = told_by(record)
    names = [view.name for view in record.views]
    scalings = {}
    for i, view in enumerate(record.views):
        width = (len(view.features),)
        arrays = {
            array: take(tensors, f"scaling.{array}.{i}", width, np.float64)
            for array in _SCALING_ARRAYS
        }
        scalings[view.name] = ViewScaling(
            features=pd.Index(view.features),
            log1p=view.log1p,
            own=None if view.own is None else _own_scale(view.own, tensors, i, width),
            **arrays,
        )
    n_latent, n_samples = record.settings.model.n_latent, len(record.samples)

    # Built without memory of its own: wrong sizes in the record cannot allocate anything.
    with torch.device("meta"):
        module = POEMS(
            {name: torch.empty(len(scaling.features)) for name, scaling in scalings.items()},
            record.settings,
            Preprocessing(scalings).n_levels,
        )
        module.background = Background(
            module.background.sizes, _n_background(tensors), module.n_latent
        )
    state = {
        name.removeprefix("module."): _tensor(tensors, name, value.shape)
        for name, value in tensors.items()
        if name.startswith("module.")
    }
    if "feature_weights" not in state:
        # A file of before features were weighted.
        state["feature_weights"] = torch.ones(module.feature_weights.shape)
    if "background.loadings" not in state:
        state |= {f"background.{k}": v for k, v in _no_background(module).state_dict().items()}
    if "background.weak" not in state:
        state |= without_weak_effects(module.background, state)
    module.load_state_dict(state, strict=True, assign=True)
    module.requires_grad_(False).eval()
    if not ((module.feature_weights > 0) & (module.feature_weights <= 1)).all():
        raise ValueError("weights of features lie above 0 and are at most 1")

    components = None
    if "samples.components" in tensors:
        shape = (n_samples, record.settings.model.n_components)
        components = _tensor(tensors, "samples.components", shape)
    network = None
    if "samples.network" in tensors:
        n_coordinates = tensors["samples.network"].shape[-1]
        network = _tensor(tensors, "samples.network", (n_samples, n_coordinates))
    samples = SampleEstimates(
        loc=_tensor(tensors, "samples.loc", (n_samples, n_latent)),
        variance=_tensor(tensors, "samples.variance", (n_samples, n_latent)),
        gates=_tensor(tensors, "samples.gates", (n_samples, len(names))),
        components=components,
        background=_optional(tensors, "samples.background", (n_samples, _n_background(tensors))),
        shares=_optional(tensors, "samples.shares", (n_samples, len(names))),
        log_sizes=_optional(tensors, "samples.log_sizes", (n_samples, len(names))),
    )
    by_view: Mapping[str, tuple[int, int]] = {
        view.name: (len(view.features), n_latent) for view in record.views
    }
    features = FeatureEstimates(
        slope={v: _tensor(tensors, f"features.slope.{i}", by_view[v]) for i, v in enumerate(names)},
        size={v: _tensor(tensors, f"features.size.{i}", by_view[v]) for i, v in enumerate(names)},
        gram=_tensor(tensors, "features.gram", (n_latent, n_latent)),
        r2={view.name: view.r2 for view in record.views},
        total={view.name: view.total for view in record.views if view.total is not None},
        values={view.name: view.values for view in record.views if view.values is not None},
        # Checkpoints have none, nor have files of before loadings were scored.
        score={
            v: _tensor(tensors, f"features.score.{i}", by_view[v])
            for i, v in enumerate(names)
            if f"features.score.{i}" in tensors
        },
    )
    return FittedPoems(
        **told,
        preprocessing=Preprocessing(scalings),
        module=module,
        sample_estimates=samples,
        feature_estimates=features,
        network=network,
        principal_axes=_principal_axes(tensors, by_view),
        numbers_stored=None if record.cluster_numbers is None else tuple(record.cluster_numbers),
    )


def _own_scale(record: OwnRecord, tensors: Arrays, view: int, width: tuple[int, ...]) -> OwnScale:
    levels = tensors[f"scaling.own.levels.{view}"]
    shapes = {"mean": width, "dispersion": width, "levels": (levels.size,)}
    arrays = {
        array: take(tensors, f"scaling.own.{array}.{view}", shape, np.float64)
        for array, shape in shapes.items()
    }
    return OwnScale(
        kind=record.kind,
        sizes=record.sizes,
        ends=record.ends,
        reference=record.reference,
        **arrays,
    )


def _n_background(tensors: Arrays) -> int:
    """Return the number of background factors; 0 in files of before there were any."""
    loadings = tensors.get("module.background.loadings")
    return 0 if loadings is None else int(loadings.shape[-1])


def _no_background(module: POEMS) -> Background:
    return Background(module.background.sizes, 0, module.n_latent)


def without_weak_effects(
    background: Background, state: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return what files of before factors had weak effects lack: there are none."""
    n_latent = background.n_latent
    uncertainty = torch.zeros(background.uncertainty.shape)
    uncertainty[:, n_latent:, n_latent:] = state["background.uncertainty"]
    return {
        "background.weak": torch.zeros(background.weak.shape),
        "background.carried": torch.ones(background.carried.shape),
        "background.moments": torch.ones(background.moments.shape),
        "background.uncertainty": uncertainty,
    }


def _optional(tensors: Arrays, name: str, shape: tuple[int, ...]) -> torch.Tensor | None:
    return _tensor(tensors, name, shape) if name in tensors else None


def _principal_axes(
    tensors: Arrays, by_view: Mapping[str, tuple[int, int]]
) -> dict[str, torch.Tensor] | None:
    """Return the axes of each view, all of one rank; ``None`` in files of version 1."""
    if "principal.0" not in tensors:
        return None
    rank = tensors["principal.0"].shape[-1]
    return {
        name: _tensor(tensors, f"principal.{i}", (width, rank))
        for i, (name, (width, _)) in enumerate(by_view.items())
    }


def _tensor(tensors: Arrays, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a single-precision tensor of the expected shape."""
    return torch.from_numpy(take(tensors, name, shape, np.float32))
