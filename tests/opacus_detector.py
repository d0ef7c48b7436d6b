"""The detector as a user of Opacus would write it: the oracle for gradients and training that are ours."""

from __future__ import annotations

import torch
from opacus.layers import DPLSTM
from torch import nn

from models.detector.classifier import HIDDEN, Classifier


class OpacusDetector(nn.Module):
    """A network with Opacus's DPLSTM, starting from a copy of a `Classifier`."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.lstm = DPLSTM(network.lstm.input_size, HIDDEN, batch_first=True)
        self.lstm.load_state_dict(network.lstm.state_dict())
        self.head = type(network.head)()
        self.head.load_state_dict(network.head.state_dict())

    def forward(self, embedded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits (N,)."""
        return self.head(self.lstm(embedded)[0], lengths)[0]

    def parameters_as_in(self, network: nn.Module) -> list[nn.Parameter]:
        """Return the parameters under the names, and in the order, of a network: Opacus's own differ."""
        own = dict(self.named_parameters(remove_duplicate=False))
        return [own[name] for name, _ in network.named_parameters()]
