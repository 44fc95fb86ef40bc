"""The optimiser of a whole model: AdamW, and proximal Adam for sparse loadings."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from poems.nn.decode import ALL, NONE, Turns
from poems.nn.model import POEMS
from poems.nn.objective import Terms
from poems.nn.profiling import NO_PROFILE, Profile
from poems.settings.schema import Settings
from poems.training.adam import FlatAdamW
from poems.training.flat import flatten_parameters
from poems.training.proximal import ProximalAdam
from poems.training.schedule import decayed
from poems.training.state import set_tensors

# Steps in which every zero loading is looked at once.
REVISIT = 4


class Optimizer:
    """Takes the steps of training.

    Weight decay reaches the encoders and the gate only. Sparse loadings are left
    to :class:`~poems.training.proximal.ProximalAdam`, their zeros a quarter of the
    features per step.

    Parameters
    ----------
    model
        The model, on its device.
    settings
        ``training`` and ``sparsity`` matter here.
    """

    def __init__(self, model: POEMS, settings: Settings) -> None:
        self._settings = settings
        options = settings.training
        loadings = [decoder.loadings for _, decoder in model.sparse_decoders()]
        decayed_parts = [*model.encoders.parameters(), *model.gate.parameters()]
        apart = {id(p) for p in decayed_parts}
        self._flat: list[nn.Parameter] = []
        self._proximal: ProximalAdam | None = None
        if settings.sparsity.proximal and loadings:
            apart |= {id(p) for p in loadings}
            self._flat.append(flatten_parameters(loadings))
            self._proximal = ProximalAdam(self._flat[0].detach().view(-1, model.n_latent))
        others = [p for p in model.parameters() if id(p) not in apart]
        self._flat.append(flatten_parameters([*decayed_parts, *others]))
        n_decayed = sum(p.numel() for p in decayed_parts)
        self._adam = FlatAdamW(self._flat[-1], n_decayed, options.weight_decay)
        # Kept, since they stay where they are: backward passes add to them in place.
        self._gradients = [flat.grad for flat in self._flat if flat.grad is not None]
        self._learning_rate = options.learning_rate
        self._n_steps = 0
        self._resting = False

    @property
    def turns(self) -> Turns:
        """Whose zero loadings are looked at in this step."""
        if self._proximal is None:
            return ALL
        return NONE if self._resting else Turns(REVISIT, self._n_steps % REVISIT)

    def set_progress(self, progress: float) -> None:
        """Let zero loadings rest until the spike, and the learning rate fall after its ramp.

        At the start latents say little of the data yet: what is zero by then had
        better stay so, and nothing that is not should be held against the spike.
        """
        self._resting = progress < self._settings.sparsity.ramp_start
        options = self._settings.training
        factor = decayed(progress, self._settings.sparsity.ramp_end, options.final_learning_rate)
        self._learning_rate = options.learning_rate * factor

    def tensors(self) -> dict[str, Tensor]:
        """Return what steps depend on beside the model and the progress, to be stored."""
        found = {f"adam.{name}": value for name, value in self._adam.tensors().items()}
        if self._proximal is not None:
            own = self._proximal.tensors().items()
            found |= {f"proximal.{name}": value for name, value in own}
        return found | {"steps": torch.tensor(float(self._n_steps))}

    def set_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Bring back what :meth:`tensors` returned.

        Raises
        ------
        ValueError
            If it is of another model.
        """
        set_tensors(self.tensors(), tensors)
        prefix = "adam."
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        self._adam.set_tensors(own)
        self._n_steps = int(tensors["steps"])

    def step(
        self, terms: Terms, present: Tensor | None = None, profile: Profile = NO_PROFILE
    ) -> float:
        """Differentiate the loss and step; return the norm of the gradients.

        If the norm is not finite no step is taken. ``present`` says which features
        a sample of the batch has: booleans of shape (n_features,), ``None`` for all.
        """
        with profile.span("backward"):
            for gradient in self._gradients:
                gradient.zero_()
            terms.loss.backward()  # type: ignore[no-untyped-call]
        with profile.span("optimiser"):
            return self._move(terms, present)

    def _move(self, terms: Terms, present: Tensor | None) -> float:
        largest = self._settings.training.max_grad_norm
        norm = math.hypot(*(torch.linalg.vector_norm(g).item() for g in self._gradients))
        if math.isfinite(norm):
            if norm > largest:
                for gradient in self._gradients:
                    gradient.mul_(largest / norm)
            self._adam.step(self._learning_rate)
            if self._proximal is not None:
                self._proximal.step(
                    self._gradients[0].view_as(terms.rates),
                    terms.rates,
                    learning_rate=self._learning_rate,
                    turns=self.turns,
                    present=present,
                )
            self._n_steps += 1
        return norm
