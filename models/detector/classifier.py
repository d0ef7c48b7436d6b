"""The detector's network: one LSTM layer, attention pooling, one output.

Source: the detector paper's LSTM-Attention. At 300 dimensions it has exactly 93,826 parameters.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

HIDDEN = 64
"""Units of the LSTM."""


class AttentionPooling(nn.Module):
    """Attention over the words of a call, and the output on their weighted mean.

    N calls, T words, H units of what is known of a word: by default the LSTM's.
    """

    def __init__(self, units: int = HIDDEN) -> None:
        super().__init__()
        self.attention = nn.Linear(units, 1)
        self.output = nn.Linear(units, 1)

    def weigh_alike(self) -> None:
        """Let every word weigh the same for good: mean pooling instead of attention."""
        for parameter in self.attention.parameters():
            nn.init.zeros_(parameter.requires_grad_(False))

    def forward(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N,) and attention weights (N, T) for hidden states (N, T, H) and lengths (N,) in words."""
        energies = self.attention(hidden).squeeze(-1)  # (N, T)
        spoken = torch.arange(hidden.shape[1], device=hidden.device).unsqueeze(0) < lengths.unsqueeze(1)
        weights = torch.softmax(energies.masked_fill(~spoken, -1e9), dim=1)
        pooled = (weights.unsqueeze(-1) * hidden).sum(dim=1)  # (N, H)
        return self.output(pooled).squeeze(-1), weights


class Classifier(nn.Module):
    """LSTM and attention over embedded words. Parameters are named and ordered as nn.LSTM names them."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dimensions, HIDDEN, batch_first=True)
        self.head = AttentionPooling()

    def forward(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N,) and attention weights (N, T) for embedded words (N, T, D) and lengths (N,) in words.

        Words beyond a call's length are padding on the right and change nothing.
        """
        hidden, _ = self.lstm(embedded)
        logits, weights = self.head(hidden, lengths)
        return logits, weights


@lru_cache(maxsize=8)
def parameter_shapes(dimensions: int) -> dict[str, torch.Size]:
    """Return the shape of each parameter of a `Classifier` for words of so many dimensions, in order."""
    with torch.device("meta"):
        return {name: parameter.shape for name, parameter in Classifier(dimensions).named_parameters()}
