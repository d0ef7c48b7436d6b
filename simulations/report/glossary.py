"""The field's words that the page uses, each in one sentence for who meets it first."""

from __future__ import annotations

from dataclasses import dataclass

from models.page.text import Text


@dataclass(frozen=True, slots=True)
class Entry:
    """A word and what it means."""

    name: Text
    meaning: Text


GLOSSARY = {
    "round": Entry(
        Text("round", "라운드"),
        Text(
            "Some devices each train the model on their own calls; the updates that come back are averaged.",
            "서버가 일부 기기에 모델을 보내고, 각 기기가 자기 통화로 학습한 업데이트를 모아 평균하는 한 번의 과정.",
        ),
    ),
    "cohort": Entry(
        Text("cohort", "코호트"),
        Text("The devices that are asked to train in one round.", "한 라운드에서 학습을 요청받는 기기들."),
    ),
    "kept-apart": Entry(
        Text("calls kept apart", "분리해 둔 통화"),
        Text(
            "Calls that neither the devices nor the server train on or choose by; they only measure.",
            "기기도 서버도 학습이나 선택에 쓰지 않고 측정에만 쓰는 통화.",
        ),
    ),
    "acceptance-set": Entry(
        Text("acceptance set", "승인용 데이터"),
        Text(
            "The server's own calls, by which it chooses a round and decides on its release.",
            "서버가 라운드를 고르고 배포를 결정할 때 쓰는 서버 자체의 통화.",
        ),
    ),
    "recall": Entry(
        Text("recall", "재현율"),
        Text("The share of scam calls that the detector warned of.", "사기 통화 가운데 탐지기가 경고한 비율."),
    ),
    "f1": Entry(
        Text("F1", "F1"),
        Text(
            "One number for missed scams and false alarms together: 1 is perfect, 0 is useless.",
            "놓친 사기와 오경보를 함께 나타내는 수. 1이면 완벽하고 0이면 쓸모없다.",
        ),
    ),
    "roc-auc": Entry(
        Text("ROC-AUC", "ROC-AUC"),
        Text(
            "How often a scam call scores above a normal one; 0.5 is guessing.",
            "사기 통화의 점수가 정상 통화보다 높을 확률. 0.5는 무작위 추측과 같다.",
        ),
    ),
    "epsilon": Entry(
        Text("epsilon", "엡실론"),
        Text(
            "How much what is released can give away about one person or one call: the smaller, the less.",
            "공개되는 것이 한 사람이나 한 통화에 대해 드러낼 수 있는 정도. 작을수록 적게 드러난다.",
        ),
    ),
    "delta": Entry(
        Text("delta", "델타"),
        Text("The small probability with which epsilon's promise may fail.", "엡실론의 약속이 깨질 수 있는 작은 확률."),
    ),
    "recipients": Entry(
        Text("recipients", "수신자"),
        Text(
            "Whoever sees only released models, and not who took part in a round.",
            "배포된 모델만 보고 누가 라운드에 참여했는지는 모르는 사람들.",
        ),
    ),
    "server": Entry(
        Text("server", "서버"),
        Text(
            "Sees each round's sum and who took part, so its epsilon is larger.",
            "라운드마다의 합과 참여자를 볼 수 있어 엡실론이 더 크다.",
        ),
    ),
    "clipping": Entry(
        Text("clipping", "절단"),
        Text(
            "Shortening an update to a fixed length, so that no single device weighs more than the noise can hide.",
            "업데이트의 길이를 정해진 값으로 줄여, 한 기기의 영향이 잡음에 가려지게 하는 일.",
        ),
    ),
    "simulated": Entry(
        Text("simulated", "모의값"),
        Text(
            "The noise is scaled to a larger cohort than really ran; the figure holds for that cohort only.",
            "실제보다 큰 코호트에 맞춰 잡음을 줄인 값. 이 실행이 아니라 그 코호트에 대해 성립한다.",
        ),
    ),
    "gate": Entry(
        Text("acceptance gate", "승인 관문"),
        Text(
            "Conditions that a model must meet before it is signed and offered to devices.",
            "모델이 서명되어 기기에 제공되기 전에 갖춰야 할 조건.",
        ),
    ),
    "int8": Entry(
        Text("INT8", "INT8"),
        Text(
            "Weights stored in one byte each instead of four: the form that devices run.",
            "가중치를 4바이트 대신 1바이트로 저장한 형식. 기기에서 쓰인다.",
        ),
    ),
    "key-token": Entry(
        Text("key word", "핵심 어절"),
        Text("A word of the call that the detector attended to most.", "탐지기가 가장 주목한 통화 속 어절."),
    ),
    "randomised-response": Entry(
        Text("randomised response", "무작위 응답"),
        Text(
            "Each device answers truly or by chance, at odds that epsilon sets; only many answers tell anything.",
            "각 기기가 엡실론이 정한 확률로 사실 또는 임의의 답을 보낸다. 많은 답이 모여야만 의미가 있다.",
        ),
    ),
}
