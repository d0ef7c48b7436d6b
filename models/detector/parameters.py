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
    if list(own) != list(parameters):
        raise ModelFileError(f"expected parameters {list(own)}, got {list(parameters)}")
    with torch.no_grad():
        for name, value in own.items():
            given = parameters[name]
            if tuple(value.shape) != given.shape:
                raise ModelFileError(f"{name}: expected shape {tuple(value.shape)}, got {given.shape}")
            value.copy_(torch.from_numpy(np.ascontiguousarray(given, dtype=np.float32)))
