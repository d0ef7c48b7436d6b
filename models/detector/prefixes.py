"""Judging every beginning of a call at once: the training's loss.

The LSTM and the attention's sums only look back, so one pass gives the logit after each word. N calls, T words,
H hidden units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.detector.classifier import Classifier

_FIRST_JUDGED = 8
"""Words before which nobody could tell; the slowest speakers say so many in 10 s."""


def prefix_logits(network: Classifier, hidden: Tensor) -> Tensor:
    """Return the logit after each word, (N, T), for hidden states (N, T, H): attention over the words so far."""
    energies = network.head.attention(hidden).squeeze(-1)  # (N, T)
    weights = torch.exp(energies - energies.max(dim=1, keepdim=True).values.detach())
    votes = hidden @ network.head.output.weight[0]  # (N, T)
    sums = torch.cumsum(weights, dim=1).clamp_min(torch.finfo(hidden.dtype).tiny)
    return torch.cumsum(weights * votes, dim=1) / sums + network.head.output.bias


def prefix_loss(logits: Tensor, labels: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean cross-entropy over all beginnings of all calls, in nats.

    A beginning of t words weighs 1/t: as if each call were cut at a random time, even on a logarithmic scale.

    Args:
        logits: (N, T), after each word.
        labels: (N,).
        lengths: (N,), in words.
        weights: (N,), of each call.
    """
    places = torch.arange(1, logits.shape[1] + 1)
    first = torch.clamp(lengths, max=_FIRST_JUDGED).unsqueeze(1)
    judged = (places >= first) & (places <= lengths.unsqueeze(1))
    shares = judged / places
    shares = weights.unsqueeze(1) * shares / shares.sum(dim=1, keepdim=True)
    targets = labels.unsqueeze(1).expand_as(logits)
    losses = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (shares * losses).sum() / weights.sum()
