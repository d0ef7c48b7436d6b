"""Training on one device: from the global parameters to the update that may leave it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.detector.classifier import Classifier, parameter_shapes
from models.detector.parameters import read_parameters, require_layout, write_parameters
from models.detector.plain_classifier import PlainClassifier
from models.domain.training import CallSteps, LocalTask
from models.errors import ModelFileError, TaskRefusedError
from models.privacy.clipping import clip_factor, update_norm
from models.privacy.randomness import seeded_generator


@dataclass(frozen=True, slots=True)
class LabelledWords:
    """One call, ready to train on. Sensitive: it stays in the device's memory.

    Attributes:
        embedded: Embedded words from the call's start, shape (T, D); T may be 0.
        label: 1 vishing, 0 normal.
        key: The call's name in the device's own store; it stays the same when the call is labelled anew. Calls without
            one count as one call in the ledger.
    """

    embedded: NDArray[np.float32]
    label: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class LocalResult:
    """What training on a device came to.

    Attributes:
        update: Trained minus global parameters, clipped, shape (P,). The only thing that leaves the device.
        norm: L2 norm before clipping. Stays on the device; a simulator may look.
        call_steps: DP-SGD steps that were taken, ``None`` where calls are not protected or there are none.
    """

    update: NDArray[np.float32]
    norm: float
    call_steps: CallSteps | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls of one device, padded on the right: embedded (N, T, D), lengths (N,), labels (N,)."""

    embedded: Tensor
    lengths: Tensor
    labels: Tensor


def require_trainable(model: Mapping[str, NDArray[np.float32]], calls: Sequence[LabelledWords]) -> None:
    """Refuse a model that training would stumble over, before anything is charged for it.

    Raises:
        TaskRefusedError: It isn't this network's, for words like these, in finite numbers.
    """
    first = next(iter(model.values()), np.empty(0))
    dimensions = first.shape[1] if first.ndim == 2 else 0
    fits = all(call.embedded.shape[1] == dimensions for call in calls if len(call.embedded))
    try:
        require_layout(model, parameter_shapes(max(dimensions, 1)))
    except ModelFileError as error:
        raise TaskRefusedError("the model is another network's") from error
    if not (fits and all(array.dtype == np.float32 and np.isfinite(array).all() for array in model.values())):
        raise TaskRefusedError("the model isn't in finite numbers, or for other words")


def train_on_device(
    global_parameters: Mapping[str, NDArray[np.float32]],
    calls: Sequence[LabelledWords],
    task: LocalTask,
    device: int,
) -> LocalResult:
    """Train on a device's calls and return its update.

    A device without calls returns an update of zeros: the reply's shape doesn't tell, but its values do to whoever
    sees single updates. Only the noise on the sum hides them: without user-level privacy, having no call is no secret.

    Args:
        global_parameters: The round's model, named as the network names them.
        calls: The device's own calls.
        task: What the server asks for.
        device: Tells devices' generators apart where the task is seeded.

    Raises:
        UpdateRefusedError: Training diverged; nothing leaves the device.
    """
    generator = _generator(task, device)
    spoken = [call for call in calls if len(call.embedded)]
    if not spoken:
        return LocalResult(np.zeros(sum(array.size for array in global_parameters.values()), np.float32), 0.0, None)
    cut, steps = _cut(spoken, task, generator), None
    labels = np.array([call.label for call in spoken], np.float32)
    if task.call_privacy is None:
        update = _train_plainly(global_parameters, cut, labels, task, generator)
    else:
        from fl_client.private_training import train_privately  # Opacus: 100 MB that plain training doesn't need

        batch = _pad(cut, labels)
        network = Classifier(batch.embedded.shape[2])
        write_parameters(network, global_parameters)
        steps = train_privately(network, batch.embedded, batch.lengths, batch.labels, task, generator)
        update = _in_order(read_parameters(network)) - _in_order(global_parameters)
    norm = update_norm(update)
    if task.clip_norm is not None and norm > task.clip_norm:
        update *= clip_factor(norm, task.clip_norm)
    return LocalResult(update, norm, steps)


def _generator(task: LocalTask, device: int) -> np.random.Generator:
    if task.seed is None:
        return np.random.default_rng()
    return seeded_generator(task.seed, task.round_number, device, "local training")


def _cut(calls: Sequence[LabelledWords], task: LocalTask, generator: np.random.Generator) -> list[NDArray[np.float32]]:
    """Return each call's words up to a random number of them, as a growing call is judged before its end."""
    ends = generator.integers(task.shortest_words, task.longest_words + 1, size=len(calls))
    return [call.embedded[:end] for call, end in zip(calls, ends.tolist(), strict=True)]


def _pad(calls: Sequence[NDArray[np.float32]], labels: NDArray[np.float32]) -> Batch:
    lengths = [len(words) for words in calls]
    embedded = np.zeros((len(calls), max(lengths), calls[0].shape[1]), dtype=np.float32)  # (N, T, D)
    for row, words in enumerate(calls):
        embedded[row, : lengths[row]] = words
    return Batch(torch.from_numpy(embedded), torch.tensor(lengths), torch.from_numpy(labels))


def _train_plainly(
    start: Mapping[str, NDArray[np.float32]],
    calls: Sequence[NDArray[np.float32]],
    labels: NDArray[np.float32],
    task: LocalTask,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    network = PlainClassifier(start, calls[0].shape[1])
    for _ in range(task.epochs):
        order = generator.permutation(len(calls))
        for first in range(0, len(order), task.batch_calls):
            batch = order[first : first + task.batch_calls]
            words = [calls[place] for place in batch.tolist()]
            network.step(words, labels[batch], task.vishing_weight, task.learning_rate)
    return network.update


def _in_order(parameters: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return parameters as one vector of shape (P,)."""
    return np.concatenate([array.ravel() for array in parameters.values()])
