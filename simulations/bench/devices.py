"""Simulated devices a second, on all cores against pfl-research, and on one against the bare training steps."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from flwr.clientapp import ClientApp

from fl_client.app import build_client_app
from fl_client.guard import simulation_guard
from fl_client.training import LabelledWords, train_on_device
from fl_server.aggregation import ServerStep, UpdateSum, noise_spacings, step_global_model
from fl_server.collecting import Clock, Replies, Waiting, fold_replies
from models.detector.classifier import Classifier
from models.detector.parameters import read_parameters
from models.domain.training import LocalTask
from models.privacy.randomness import SystemGaussian
from models.privacy.vectors import Arrays, flatten, unflatten
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
from simulations.bench.peer_environment import Peer, PeerMissingError, peer_python, running_peer
from simulations.bench.row import Row, compare, median_pair, print_rows
from simulations.grid import InProcessGrid, SimulatedGrid, WorkerGrid
