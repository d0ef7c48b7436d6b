"""A Hugging Face encoder, such as KoBERT, from a local folder with weights: fine-tuned whole, with one output.

Needs the extra ``encoder``. Nothing is downloaded. N calls, T tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.comparison.peer import Cost, Fitted, Uncalibrated, fit_calibrated
from models.detector.cut_calls import LEARNED_AT, Examples, Words
from models.domain.call import Call
from models.errors import BadInputError

ROW = "encoder"

_MOST_TOKENS = 256
_FORMULA = "2 T per number of the layers, and 4 T^2 per hidden unit and layer for attention; T tokens"


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder with a fresh output for one logit.

    Attributes:
        weights: A folder that transformers can load: configuration, tokenizer and weights.
        epochs: Over the examples, as many an epoch as there are calls, of all windows alike.
        batch_calls: N of a step.
        learning_rate: Of AdamW, lowered to zero in a straight line after a short warm-up.
        rows: The one row.
    """

    weights: Path
    epochs: int = 4
    batch_calls: int = 16
    learning_rate: float = 3e-5
    rows: tuple[str, ...] = (ROW,)

    def fit(self, calls: Sequence[Call], seed: int, folder: Path) -> Mapping[str, Fitted]:
        """Return the fitted model."""
        return fit_calibrated(self._fit, calls, seed)

    def load(self) -> tuple[Any, Any]:
        """Return tokenizer and model.

        Raises:
            BadInputError: The folder holds no encoder that can be loaded.
        """
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.weights, local_files_only=True)
            model = AutoModelForSequenceClassification.from_pretrained(
                self.weights, num_labels=1, local_files_only=True, ignore_mismatched_sizes=True
            )
        except Exception as error:  # the library raises nearly anything for a folder that isn't a model's
            raise BadInputError(f"{self.weights}: no encoder with tokenizer and weights can be loaded") from error
        return tokenizer, model

    def _fit(self, examples: Examples, seed: int) -> dict[str, Uncalibrated]:
        torch.manual_seed(seed)  # the library draws the fresh output and dropout from the process's generator
        tokenizer, model = self.load()
        self._fine_tune(_Reader(tokenizer, model), examples, seed)
        reader = _Reader(tokenizer, model.eval())
        return {ROW: Uncalibrated(reader.judge, lambda: _cost(reader, self.weights))}

    def _fine_tune(self, reader: _Reader, examples: Examples, seed: int) -> None:
        rng = np.random.default_rng(seed)
        batches = list(self._batches(examples, rng))
        optimizer = torch.optim.AdamW(reader.model.parameters(), lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _pace(step, len(batches)))
        reader.model.train()
        for rows in batches:
            logits = reader.logits([examples.words[row] for row in rows])
            labels, weights = (torch.from_numpy(of[rows]).float() for of in (examples.labels, examples.weights))
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels, weight=weights)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()

    def _batches(self, examples: Examples, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield rows; an epoch takes as many examples as there are calls, of all windows alike."""
        calls = math.ceil(len(examples.words) / len(LEARNED_AT))
        for _ in range(self.epochs):
            rows = rng.permutation(len(examples.words))[:calls]
            yield from (rows[at : at + self.batch_calls] for at in range(0, calls, self.batch_calls))


@dataclass(frozen=True, slots=True)
class _Reader:
    tokenizer: Any
    model: Any

    def logits(self, calls: Sequence[Words]) -> torch.Tensor:
        texts = [" ".join(words) for words in calls]
        tokens = self.tokenizer(texts, truncation=True, max_length=_MOST_TOKENS, padding=True, return_tensors="pt")
        logits: torch.Tensor = self.model(**tokens).logits.squeeze(-1)
        return logits

    def judge(self, calls: Sequence[Words]) -> NDArray[np.float64]:
        with torch.inference_mode():
            parts = [self.logits(calls[at : at + 16]).double().numpy() for at in range(0, len(calls), 16)]
        return np.concatenate(parts)

    def flops(self, words: Words) -> int:
        tokens = min(len(self.tokenizer(" ".join(words)).input_ids), _MOST_TOKENS)
        attention = 4 * tokens**2 * self.model.config.hidden_size * self.model.config.num_hidden_layers
        return int(2 * tokens * _layer_parameters(self.model) + attention)


def reason_missing(weights: Path | None) -> str | None:
    """Return why the row can't be measured; None where it can."""
    if weights is None:
        return "no weights given (--encoder DIR)"
    if find_spec("transformers") is None:
        return "transformers isn't installed (the extra 'encoder')"
    return None


def _cost(reader: _Reader, weights: Path) -> Cost:
    embedding = reader.model.get_input_embeddings().weight
    parameters = sum(parameter.numel() for parameter in reader.model.parameters())
    tokenizer_size = sum(path.stat().st_size for path in weights.glob("*token*"))
    return Cost(
        parameters=parameters,
        size=4 * parameters + tokenizer_size,
        embedding_size=4 * embedding.numel(),
        flops=reader.flops,
        formula=_FORMULA,
    )


def _layer_parameters(model: Any) -> int:
    return sum(value.numel() for name, value in model.named_parameters() if "embedding" not in name)


def _pace(step: int, steps: int) -> float:
    warm_up = max(1, steps // 10)
    return min(1.0, (step + 1) / warm_up) * (1 - step / steps)
