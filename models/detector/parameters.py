"""Trained parameters as named arrays: what travels, is clipped, summed and saved."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.errors import ModelFileError

Parameters = dict[str, NDArray[np.float32]]
"""Name to array, in the network's own order."""


def read_parameters(network: nn.Module) -> Parameters:
    """Return copies of a network's trained parameters."""
    return {name: value.detach().cpu().numpy().copy() for name, value in network.named_parameters()}


def write_parameters(network: nn.Module, parameters: Mapping[str, NDArray[np.float32]]) -> None:
    """Set a network's trained parameters.

    Raises:
        ModelFileError: Names or shapes differ from the network's.
    """
    own = dict(network.named_parameters())
    require_layout(parameters, {name: value.shape for name, value in own.items()})
    with torch.no_grad():
        for name, value in own.items():
            # A copy first: arrays that were read from a message can't be written to, and torch warns of such.
            value.copy_(torch.from_numpy(np.array(parameters[name], dtype=np.float32)))


def require_layout(parameters: Mapping[str, NDArray[np.float32]], layout: Mapping[str, torch.Size]) -> None:
    """Refuse parameters whose names, order or shapes are others than a network's.

    Raises:
        ModelFileError: They are.
    """
    if list(layout) != list(parameters):
        raise ModelFileError(f"expected parameters {list(layout)}, got {list(parameters)}")
    for name, shape in layout.items():
        if tuple(shape) != parameters[name].shape:
            raise ModelFileError(f"{name}: expected shape {tuple(shape)}, got {parameters[name].shape}")
