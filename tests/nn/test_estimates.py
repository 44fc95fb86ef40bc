from __future__ import annotations

import pytest
import torch

from poems.nn.estimates import estimate_features, estimate_samples, explained_share
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.settings.schema import Settings


def make(**changes: object) -> POEMS:
    settings = Settings().updated(n_latent=3, encoder_layers=(8,), decoder_hidden=5, **changes)
    return POEMS({"a": torch.ones(6), "b": torch.ones(4)}, settings)


def test_chunks_do_not_change_the_result(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(prior="mixture", encoder_dropout=0.5)
    whole = estimate_samples(model, batch)
    whole_chunks = Batch.chunks
    monkeypatch.setattr(Batch, "chunks", lambda data: whole_chunks(data, 3))
    parts = estimate_samples(model, batch)
    for name in ("loc", "variance", "gates", "components"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))
    assert whole.components is not None
    torch.testing.assert_close(whole.components.sum(dim=1), torch.ones(10))
    assert not whole.loc.requires_grad


def test_features_are_summed_over_views(batch: Batch) -> None:
    model = make()
    loc = torch.randn(10, 3)
    found = estimate_features(model, batch, loc)
    gram = torch.zeros(3, 3)
    for i, name in enumerate(model.views):
        mean, mean_abs, view_gram = model.decoder(i).jacobian(loc)
        assert torch.equal(found.slope[name], mean)
        assert torch.equal(found.size[name], mean_abs)
        gram += view_gram / len(mean)
    torch.testing.assert_close(found.gram, gram)


def test_the_explained_share_reads_measured_entries_alone(batch: Batch) -> None:
    model, loc = make().eval(), torch.randn(10, 3)
    reference = estimate_features(model, batch, loc).r2
    batch.values["b"][:3] = torch.nan
    batch.values["a"][4, 2] = 1e9
    found = estimate_features(model, batch, loc).r2
    assert found == reference


def test_the_explained_share_is_that_of_the_textbook() -> None:
    x, predicted = torch.randn(30, 4).double(), torch.randn(30, 4).double()
    mask = torch.rand(30, 4) > 0.3
    residual = total = 0.0
    for j in range(4):
        column = x[mask[:, j], j]
        residual += (column - predicted[mask[:, j], j]).square().sum().item()
        total += (column - column.mean()).square().sum().item()
    assert explained_share(x, predicted, mask) == pytest.approx(1 - residual / total)
    assert explained_share(x, x.mean(dim=0).expand(30, 4), None) == pytest.approx(0, abs=1e-9)
    assert explained_share(torch.ones(5, 2), torch.zeros(5, 2), None) == 0.0
