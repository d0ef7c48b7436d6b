"""What the detector paper (on-device XAI vishing detection, LSTM-Attention, February 2026) measured on its own calls.

5,002 calls: recordings that the financial supervisor published, calls written by a language model, and easy normal
ones. Other calls than ours, so its figures stand beside ours and are not to be compared digit by digit.
"""

from __future__ import annotations

from typing import Any

from models.comparison import encoder, networks, trees

PAPER: dict[str, Any] = {
    "calls": 5002,
    "note": "other calls than these: not comparable digit by digit",
    "seconds": [10, 20, 30, 60, 120, 180],
    "f1": {
        networks.ATTENTION: [0.984, 0.994, 0.996, 0.998, 0.999, 0.998],
        trees.LIGHTGBM: [0.964, 0.972, 0.976, 0.985, 0.984, 0.987],
        trees.CATBOOST: [0.964, 0.974, 0.978, 0.985, 0.985, 0.986],
        encoder.ROW: [0.996, 0.999, 1.0, 1.0, 1.0, 1.0],
    },
    "mcnemar": [
        {"seconds": 30, "first": encoder.ROW, "second": networks.ATTENTION, "discordant": [5, 23], "mid_p": 5.46e-4},
        {"seconds": 60, "first": encoder.ROW, "second": networks.ATTENTION, "discordant": [0, 13], "mid_p": 1.22e-4},
    ],
    "cost": {
        networks.ATTENTION: {"parameters": 93_826, "megabytes": 0.362, "flops_at_107_words": 2.00e7},
        networks.ATTENTION_INT8: {"parameters": 93_826, "megabytes": 0.119},
    },
}
