"""`python -m tests.vectors.make`: golden vectors, text to words to ids to score, and the small detector they are of.

The detector is trained on synthetic calls; training it on another machine may give slightly other numbers, so it is
kept, not made anew by tests. After a change of cleaning or hashing run this with ``--keep-detector``.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from pathlib import Path

from models.corpus.generator import generate_calls
from models.detector.detector import TrainedDetector
from models.detector.export import export_detector
from models.detector.onnx_contract import ModelVariant
from models.detector.runtime import OnnxDetector
from models.detector.training import TrainingSettings, train_detector
from models.text.clean import split_words
from models.text.ngrams import NgramScheme, ngram_ids

HERE = Path(__file__).parent
TRAINED, RELEASE, VECTORS = HERE / "trained", HERE / "release", HERE / "vectors.json"

TEXTS = {
    "nothing": "",
    "marks alone": " ... ?! \n\t",
    "one word": "네",
    "agency": "여보세요 중앙지검 수사관인데요, 본인 명의 통장이 범죄에 쓰였습니다. 바로 계좌로 이체하세요.",
    "loan": "국민은행입니다 고객님 저금리로 대환 대출 가능하신데 기존 대출 상환하시면 한도 3,000만원까지 나옵니다",
    "lunch": "어 나야 점심 뭐 먹을까 나 열두 시쯤 나갈 수 있는데 김치찌개 어때 그래 그럼 거기서 보자",
    "hospital": "안녕하세요 병원인데요 내일 오전 열 시 예약 확인차 전화드렸어요 금식하고 오시면 됩니다",
    "decomposed Hangul": unicodedata.normalize("NFD", "안녕하세요 검찰청입니다"),
    "loose letters": "ㅋㅋㅋ ㅠㅠ 어 ㅎㅎ ㄱㅅ",
    "de-identified": "OOO 고객님 저는 ○○은행 XX 지점 김00 대리이고 000-0000 번으로 &name& #주소# 드렸어요",
    "numbers": "010-0000-1234 번으로 2,000 만원 100 퍼센트 1.5 배 00은행 12:30",
    "transcriber's marks": "b/ 네 n/ 그게+ *저기* ((웃음)) 아/어 l/ blob/ u/",
    "Latin and digits": "OTP 번호 4자리 URL http://a.example/x_y LOL xx",
    "other alphabets": "café 東京 Привет 😀이모지 전화📞주세요 a\u200bb",
    "a long word": "가나다라마바사아자차카타파하" * 6,
    "odd spaces": "검찰\u00a0계좌\u3000대출\r\n이체\x1c앱\ufeff설치\x85확인\u2028번호",
    "the same again and again": "네 여보세요 검찰 " * 12,
    "brackets over lines": "앞 ((한 줄\n두 줄)) 뒤 ((한\r줄)) 끝",
    "a long call": " ".join(f"{word} {number}" for number in range(150) for word in ("계좌로", "보내세요", "네")),
}


def make_vectors() -> list[dict[str, object]]:
    """Return the vectors of the detector that is kept."""
    detector = OnnxDetector.load(RELEASE)
    vectors = []
    for name, text in TEXTS.items():
        words = split_words(text)
        listener, growing = detector.begin(), []
        for at in range(0, len(words), 7):
            listener.hear(words[at : at + 7])
            growing.append(listener.score)
        ids = [list(ngram_ids(word, detector.card.scheme)) for word in words]
        vectors.append(
            {"name": name, "text": text, "words": words, "ids": ids, "score": detector.score(words), "growing": growing}
        )
    return vectors


def main() -> None:
    """Write the detector, its release and the vectors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep-detector", action="store_true", help="compute the vectors alone")
    if not parser.parse_args().keep_detector:
        settings = TrainingSettings(dimensions=16, scheme=NgramScheme(buckets=4000), epochs=10)
        train_detector(generate_calls(1000, seed=2026), settings).save(TRAINED)
        export_detector(TrainedDetector.load(TRAINED), RELEASE)
        (RELEASE / ModelVariant.FP32).unlink()
    VECTORS.write_text(json.dumps(make_vectors(), ensure_ascii=True, indent=None) + "\n")


if __name__ == "__main__":
    main()
