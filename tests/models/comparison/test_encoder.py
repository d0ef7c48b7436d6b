from __future__ import annotations

from pathlib import Path

import pytest

from models.comparison import encoder
from models.comparison.encoder import Encoder, reason_missing
from models.comparison.rows import choose_peers
from models.errors import BadInputError
from models.text.window import words_until
from tests.models.detector.small import authored_calls


def test_without_weights_the_row_says_so() -> None:
    assert "no weights given" in (reason_missing(None) or "")
    assert choose_peers().skipped[encoder.ROW] == reason_missing(None)


def test_without_the_library_the_row_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(encoder, "find_spec", lambda name: None)
    lineup = choose_peers([encoder.ROW], tmp_path)

    assert "transformers isn't installed" in lineup.skipped[encoder.ROW]
    assert lineup.rows == ()
    assert lineup.peers == ()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A tiny encoder with random weights, saved as any other."""
    transformers = pytest.importorskip("transformers", reason="transformers isn't installed: the extra 'encoder'")
    words = sorted({word for call in authored_calls(40) for word in call.text.split()})
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt"), do_lower_case=False).save_pretrained(tmp_path)
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "initializer_range": 0.2,
    }
    config = transformers.BertConfig(vocab_size=len(words) + 5, initializer_range=0.2, **sizes)
    transformers.BertModel(config).save_pretrained(tmp_path)
    return tmp_path


def test_an_encoder_is_fine_tuned_from_its_folder(weights: Path, tmp_path: Path) -> None:
    calls = authored_calls(40)
    probe = [words_until(call, 30) for call in calls]
    fitted = Encoder(weights, epochs=30, learning_rate=5e-3).fit(calls, 0, tmp_path)[encoder.ROW]
    scores = fitted.score(probe)

    assert scores[::2].min() > scores[1::2].max()
    assert fitted.cost.parameters
    assert fitted.cost.size > 4 * fitted.cost.parameters
    assert fitted.cost.flops(probe[0]) > 0


def test_a_folder_without_an_encoder_is_an_error_before_any_work(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers isn't installed: the extra 'encoder'")
    with pytest.raises(BadInputError, match="no encoder"):
        choose_peers([encoder.ROW], tmp_path)
