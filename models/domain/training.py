"""What a device is asked to do in a round: the words that server and device share."""

from __future__ import annotations

from dataclasses import dataclass

from models.domain.privacy import CallPrivacy


@dataclass(frozen=True, slots=True)
class LocalTask:
    """Training of one round on one device.

    Attributes:
        round_number: Counts from 1.
        epochs: Passes over the device's calls.
        batch_calls: Calls in a batch.
        learning_rate: Of plain stochastic gradient descent.
        shortest_words: Calls are cut after a random number of words from here ...
        longest_words: ... to here, so that the detector learns to judge growing calls.
        clip_norm: L2 norm that the whole update is clipped to; ``None`` where persons are not protected.
        call_privacy: DP-SGD on the device; ``None`` where calls are not protected.
        seed: Makes a simulation repeatable; ``None`` with people's devices.
    """

    round_number: int
    epochs: int
    batch_calls: int
    learning_rate: float
    shortest_words: int
    longest_words: int
    clip_norm: float | None
    call_privacy: CallPrivacy | None
    seed: int | None
