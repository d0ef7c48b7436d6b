"""pfl-research's rounds, as its users write them. Runs in the peer's own environment, one line of input a round."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.hyperparam.base import NNTrainHyperParams
from pfl.metrics import Metrics
from pfl.model.pytorch import PyTorchModel
from pfl.privacy.gaussian_mechanism import GaussianMechanism
from pfl.privacy.privacy_mechanism import CentrallyAppliedPrivacyMechanism
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.detector.classifier import Classifier
from simulations.bench.device_calls import (
    CALLS,
    CLIP_NORM,
    COHORT,
    DIMENSIONS,
    LEARNING_RATE,
    NOISE_MULTIPLIER,
    WORDS,
    embedded_calls,
    labels,
)


class PeerClassifier(Classifier):
    """The same network, with the two methods that pfl asks for."""

    def loss(self, embedded: Tensor, lengths: Tensor, of_calls: Tensor) -> Tensor:
        """Return the mean loss of calls."""
        return binary_cross_entropy_with_logits(self(embedded, lengths)[0], of_calls)

    def metrics(self, *_: Tensor) -> dict[str, Any]:
        """Return nothing: no round of this bench evaluates."""
        return {}


class OneLineARound(TrainingProcessCallback):  # type: ignore[misc]  # pfl has no types
    """Says when a round is done, and starts the next one when it is told to."""

    def on_train_begin(self, *, model: object) -> Metrics:
        """Wait for the first line."""
        sys.stdin.readline()
        return Metrics()

    def after_central_iteration(self, *_: object, **__: object) -> tuple[bool, Metrics]:
        """Say so, and stop where no more lines come."""
        sys.stdout.write("done\n")
        sys.stdout.flush()
        return not sys.stdin.readline(), Metrics()


def main() -> None:
    """Train rounds as long as lines come."""
    network = PeerClassifier(DIMENSIONS)
    of_calls, lengths = torch.from_numpy(labels()), torch.full((CALLS,), WORDS)
    users = [
        Dataset((torch.from_numpy(embedded), lengths, of_calls), user_id=str(n))
        for n, embedded in enumerate(embedded_calls())
    ]
    order = itertools.cycle(range(COHORT))
    noise = CentrallyAppliedPrivacyMechanism(GaussianMechanism(CLIP_NORM, NOISE_MULTIPLIER))
    FederatedAveraging().run(
        backend=SimulatedBackend(FederatedDataset(users.__getitem__, lambda: next(order)), None, [noise]),
        model=PyTorchModel(network, torch.optim.SGD, torch.optim.SGD(network.parameters(), lr=1.0)),
        algorithm_params=NNAlgorithmParams(
            central_num_iterations=sys.maxsize,
            evaluation_frequency=sys.maxsize,
            train_cohort_size=COHORT,
            val_cohort_size=0,
        ),
        model_train_params=NNTrainHyperParams(
            local_num_epochs=1, local_learning_rate=LEARNING_RATE, local_batch_size=CALLS
        ),
        callbacks=[OneLineARound()],
        send_metrics_to_platform=False,
    )


if __name__ == "__main__":
    main()
