"""The device's ClientApp under secure aggregation: a masked vector leaves, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from scipy.stats import chisquare

from fl_client import secure_training
from fl_client.guard import DeviceFacts, Guard, simulation_guard
from fl_client.ledger import IN_MEMORY, LedgerStore, Training
from fl_client.policy import PEOPLE, SIMULATION, require_obeyable
from fl_client.secure_training import build_secure_client_app
from fl_client.training import train_on_device
from fl_server.secure_collecting import SecureCollector, SecureSettings
from models.domain.messages import MODEL, SECURE, TASK, UPDATE, SecureStage, task_to_values
from models.domain.secure_aggregation import ThreatModel
from models.domain.training import CallSteps
from models.errors import TaskRefusedError
from models.privacy.randomness import SystemWords
from models.privacy.secure_aggregation import wire
from models.privacy.secure_aggregation.session import digest_model
from models.privacy.secure_vector import VectorCode
from models.privacy.vectors import Arrays
from simulations.grid import InProcessGrid
from tests.fl_client.conftest import refusal_in
from tests.secure_federation import ENROLMENT, secure_plan
from tests.small_federation import BAD_MODELS, DEVICES, TestClock, empty_context, some_calls, start_parameters

PLAN = secure_plan(noise=1.0)


def run_a_round(plan, calls: int) -> tuple[list[Message], InProcessGrid]:
    """Run one round of devices with so many calls each; return every message that crossed."""
    heard: list[bytes] = []
    app = build_secure_client_app(lambda _device: some_calls(calls), simulation_guard(), ENROLMENT.credentials_of)
    grid = InProcessGrid(app, DEVICES, wiretap=heard.append)
    settings = SecureSettings(ENROLMENT.authority, 10.0, TestClock().clock())
    total, _ = SecureCollector(grid, start_parameters(), plan.task_of(1, 1.0), settings).collect(range(1, DEVICES + 1))
    assert total.update is not None
    return [message_from_proto(ProtoMessage.FromString(crossing)) for crossing in heard], grid


def replies_of(messages: list[Message], stage: SecureStage) -> list[Message]:
    return [m for m in messages if m.metadata.message_type == stage and m.metadata.reply_to_message_id]


@pytest.fixture(scope="module")
def crossed():
    """Return what crossed in a round, and what only a simulator may know: the norms of the updates."""
    messages, grid = run_a_round(PLAN, 6)
    return messages, grid.take_norms()


def test_each_stages_reply_holds_what_the_protocol_says_and_nothing_else(crossed):
    messages, _ = crossed
    names = {
        SecureStage.KEYS: {"advertisement"},
        SecureStage.SHARES: {"commitment", "places", "boxes"},
        SecureStage.SURVIVORS: {"signature"},
        SecureStage.UNMASK: {"places", "boxes"},
    }
    for stage, said in names.items():
        replies = replies_of(messages, stage)
        assert len(replies) == DEVICES
        for reply in replies:
            assert list(reply.content) == [SECURE]
            assert set(reply.content.config_records[SECURE]) == said
    for reply in replies_of(messages, SecureStage.MASKED):
        assert list(reply.content) == [UPDATE]
        assert list(reply.content.array_records[UPDATE]) == [wire.MASKED]


def masked_vectors(messages: list[Message]) -> list[np.ndarray]:
    replies = replies_of(messages, SecureStage.MASKED)
    return [reply.content.array_records[UPDATE][wire.MASKED].numpy() for reply in replies]


def looks_random(vector: np.ndarray) -> bool:
    """Say whether every byte of the words is even, and neighbours don't resemble each other."""
    octets = vector.view(np.uint8).reshape(-1, 4)
    even = all(chisquare(np.bincount(octets[:, place], minlength=256)).pvalue > 1e-9 for place in range(4))
    signed = vector.astype(np.int32).astype(float)
    return even and abs(np.corrcoef(signed[1:], signed[:-1])[0, 1]) < 6 / len(vector) ** 0.5


def test_a_masked_vector_reveals_nothing_and_what_is_beneath_would(crossed):
    messages, _ = crossed
    task = PLAN.task_of(1, 1.0)
    model = start_parameters()
    update = train_on_device(model, some_calls(6), replace(task, clip_norm=None, secure=None), 0).update.astype(float)
    code = VectorCode(len(update), task.clip_norm, task.secure, b"s" * 32)
    assert not looks_random(code.encode(update, SystemWords()))  # the negative control: noised, but not masked
    vectors = masked_vectors(messages)
    assert all(looks_random(vector) for vector in vectors)
    for one in range(DEVICES):
        for other in range(one):
            assert looks_random(vectors[one] - vectors[other])  # masks are nobody else's


def test_replies_are_as_long_and_say_the_same_but_for_random_bytes_whatever_the_device_holds():
    sizes = []
    for calls in (0, 1, 20):
        messages, _ = run_a_round(PLAN, calls)
        replies = [reply for stage in SecureStage for reply in replies_of(messages, stage)]
        sizes.append([sum(len(part) for part in parts_of(reply)) for reply in replies])
    assert sizes[0] == sizes[1] == sizes[2]


def parts_of(reply: Message) -> list[bytes]:
    proto = message_to_proto(reply)
    proto.metadata.created_at = proto.metadata.ttl = 0.0
    for record in reply.content.config_records.values():
        if "places" in record:  # whose neighbour has which number is drawn anew, and numbers have one byte each here
            assert max(record["places"]) < DEVICES
    return [proto.content.SerializeToString(deterministic=True)]


def norms_in(messages: list[Message], norms: list[float]) -> set[tuple[str, int, int, float]]:
    """Return which norms stand in what was said, by stage, sender and receiver."""
    return {
        (said.metadata.message_type, said.metadata.src_node_id, said.metadata.dst_node_id, norm)
        for said in messages
        for norm in norms
        if any(np.array(norm, kind).tobytes() in message_to_proto(said).SerializeToString() for kind in ("<f4", "<f8"))
    }


def test_the_norm_stays_on_the_device(crossed):
    """Told, a norm would stand in every round; by chance its 4 bytes stand in the masks of one round in a thousand."""
    (messages, norms), (again, _) = crossed, run_a_round(PLAN, 6)
    assert len(norms) == DEVICES
    assert min(norms) > 0
    assert not norms_in(messages, norms) & norms_in(again, norms)


class Device:
    """One device, asked directly."""

    def __init__(self, guard: Guard | None = None) -> None:
        self.context = empty_context()
        self.app = build_secure_client_app(
            lambda _device: some_calls(3), guard or simulation_guard(), ENROLMENT.credentials_of
        )

    def ask(self, kind: str, content: RecordDict) -> Message:
        message = Message(content, 1, kind, group_id="1")
        message.metadata.__dict__["_message_id"] = "m"
        return self.app(message, self.context)

    def say(self, stage: SecureStage, **values) -> Message:
        return self.ask(stage, RecordDict({SECURE: ConfigRecord(values)}))

    def propose(self, values) -> Message:
        digest = digest_model(start_parameters())
        return self.ask(
            SecureStage.KEYS,
            RecordDict({TASK: ConfigRecord(values), SECURE: ConfigRecord(dict(wire.write_session(digest)))}),
        )


@pytest.fixture
def device(monkeypatch) -> Device:
    InProcessGrid(
        build_secure_client_app(lambda _device: [], simulation_guard(), ENROLMENT.credentials_of), 1
    )  # sets the task's identity
    return Device()


def model_record() -> ArrayRecord:
    return ArrayRecord({name: Array(array) for name, array in start_parameters().items()})


def test_a_device_set_up_for_secure_rounds_does_no_unmasked_task(device, log):
    plain = task_to_values(replace(PLAN.task_of(1, 1.0), secure=None))
    asked = device.ask("train", RecordDict({MODEL: model_record(), TASK: ConfigRecord(dict(plain))}))
    assert "unmasked" in refusal_in(asked, log)
    assert "unmasked" in refusal_in(device.propose(plain), log)
    assert len(device.context.state) == 0


@pytest.mark.parametrize("missing", ["secure-quorum", "secure-noise-deviation", "secure-threat-model", "clip-norm"])
def test_a_task_that_is_not_whole_is_refused(device, missing, log):
    values = {name: value for name, value in task_to_values(PLAN.task_of(1, 1.0)).items() if name != missing}
    assert refusal_in(device.propose(values), log)
    assert "in no round" in refusal_in(device.say(SecureStage.SHARES, roster=[b""]), log)


def test_a_message_without_its_records_is_refused(device, log):
    for stage, reason in ((SecureStage.KEYS, "lacks its"), (SecureStage.SHARES, "in no round")):
        assert reason in refusal_in(device.ask(stage, RecordDict({})), log)
    device.propose(task_to_values(PLAN.task_of(1, 1.0)))
    for stage, reason in ((SecureStage.SHARES, "lacks its"), (SecureStage.MASKED, "can't be read")):
        assert reason in refusal_in(device.ask(stage, RecordDict({})), log)


def test_a_device_that_may_not_take_part_says_so_before_others_count_on_it(device, log):
    """Refused at the first stage, it is in no roster; at the masking stage it would be a dropout to make up for."""
    store, consents = LedgerStore(IN_MEMORY), [False]
    asked = Device(Guard(SIMULATION, store, DeviceFacts(lambda: consents[0], lambda: 0)))
    values = task_to_values(replace(PLAN.task_of(1, 1.0), participations=1))
    assert "no consent" in refusal_in(asked.propose(values), log)
    assert "in no round" in refusal_in(asked.say(SecureStage.SHARES, roster=[b""]), log)
    consents[0] = True
    assert not asked.propose(values).has_error()
    assert store.ledger_of(0).rounds(release=0) == []  # a look costs nothing
    store.ledger_of(0).charge(Training(0, 1, 0, None), [])
    assert "participations" in refusal_in(asked.propose(values | {"round": 2}), log)


def test_unknown_threat_models_are_refused(device, log):
    reply = device.propose(task_to_values(PLAN.task_of(1, 1.0)) | {"secure-threat-model": "none"})
    assert "threat model is unknown" in refusal_in(reply, log)


@pytest.mark.parametrize("stage", list(SecureStage)[1:])
def test_a_device_that_knows_of_no_round_answers_no_stage(device, stage, log):
    assert "in no round" in refusal_in(device.say(stage, survivors=[0, 1, 2]), log)


@pytest.mark.parametrize("roster", [[b"short"], [b"x" * 232], []])
def test_a_malformed_roster_is_refused_and_ends_the_round_for_the_device(device, roster, log):
    device.propose(task_to_values(PLAN.task_of(1, 1.0)))
    assert refusal_in(device.say(SecureStage.SHARES, roster=roster), log)


def failing_round(collect: type[SecureCollector], model: Arrays, monkeypatch) -> LedgerStore:
    """Run a round in which every device refuses; return the ledgers. Whoever trains fails the test."""
    monkeypatch.setattr(secure_training, "train_on_device", None)
    store = LedgerStore(IN_MEMORY)
    app = build_secure_client_app(lambda _device: some_calls(3), simulation_guard(store), ENROLMENT.credentials_of)
    settings = SecureSettings(ENROLMENT.authority, 10.0, TestClock().clock())
    collector = collect(InProcessGrid(app, DEVICES), model, PLAN.task_of(1, 1.0), settings)
    total, fates = collector.collect(range(1, DEVICES + 1))
    assert total.update is None
    assert {str(fate): count for fate, count in fates.items()} == {"refused": DEVICES}
    return store


class SwappingCollector(SecureCollector):
    """Announces one model and sends another."""

    def _collect_masked(self):
        self._model = {name: array + 1 for name, array in self._model.items()}
        return super()._collect_masked()


class MisdeliveringCollector(SecureCollector):
    """Hands each device somebody else's boxes."""

    def _collect_masked(self):
        inboxes = self._machine.close_sharing()
        swapped = {place: inboxes[(place + 1) % len(inboxes)] for place in inboxes}
        self._machine.close_sharing = lambda: swapped
        return super()._collect_masked()


@pytest.mark.parametrize("collect", [SwappingCollector, MisdeliveringCollector])
def test_what_a_device_refuses_at_the_masking_stage_costs_it_nothing(collect, monkeypatch):
    """Every device refuses, there is no sum, and no ledger has a charge."""
    store = failing_round(collect, start_parameters(), monkeypatch)
    assert [store.ledger_of(device).rounds(release=0) for device in range(DEVICES)] == [[]] * DEVICES


@pytest.mark.parametrize("model", BAD_MODELS.values(), ids=BAD_MODELS)
def test_a_model_that_training_would_stumble_over_costs_a_secure_round_nothing(model, monkeypatch):
    store = failing_round(SecureCollector, model, monkeypatch)
    assert [store.ledger_of(device).rounds(release=0) for device in range(DEVICES)] == [[]] * DEVICES


@pytest.mark.parametrize(("multiplier", "obeyed"), [(1.0, True), (2.0, True), (0.99, False)])
def test_a_persons_device_takes_noise_in_shares_for_noise_but_not_too_little_of_it(multiplier, obeyed):
    task = replace(secure_plan(noise=multiplier).task_of(1, 1.0), seed=None)
    if obeyed:
        require_obeyable(task, PEOPLE, release=0, seconds_left=1.0)
        return
    with pytest.raises(TaskRefusedError, match=r"noise multiplier is 0\.99"):
        require_obeyable(task, PEOPLE, release=0, seconds_left=1.0)


def test_a_persons_device_isnt_talked_into_believing_the_server():
    """An active server that could call itself honest would spare itself the consistency check."""
    task = replace(secure_plan(ThreatModel.HONEST_BUT_CURIOUS).task_of(1, 1.0), seed=None)
    with pytest.raises(TaskRefusedError, match="honest_but_curious"):
        require_obeyable(task, PEOPLE, release=0, seconds_left=1.0)
    require_obeyable(task, replace(PEOPLE, threat_model=None), release=0, seconds_left=1.0)


def test_a_masked_training_is_charged_before_it_runs(monkeypatch):
    store, charged = LedgerStore(IN_MEMORY, at_once=False), []
    honest = secure_training.train_on_device

    def train(model, calls, task, device):
        charged.append(store.ledger_of(device).rounds(release=0))
        return honest(model, calls, task, device)

    monkeypatch.setattr(secure_training, "train_on_device", train)
    settings = SecureSettings(ENROLMENT.authority, 10.0, TestClock().clock())
    app = build_secure_client_app(lambda _device: some_calls(3), simulation_guard(store), ENROLMENT.credentials_of)
    grid = InProcessGrid(app, DEVICES)
    SecureCollector(grid, start_parameters(), PLAN.task_of(1, 1.0), settings).collect(range(1, DEVICES + 1))
    assert charged == [[1]] * DEVICES


def test_steps_that_were_not_paid_for_never_leave_a_secure_round_either(monkeypatch):
    greedy = CallSteps(1.0, 1.0, 99)
    honest = secure_training.train_on_device
    monkeypatch.setattr(secure_training, "train_on_device", lambda *given: replace(honest(*given), call_steps=greedy))
    settings = SecureSettings(ENROLMENT.authority, 10.0, TestClock().clock())
    app = build_secure_client_app(lambda _device: some_calls(3), simulation_guard(), ENROLMENT.credentials_of)
    total, fates = SecureCollector(
        InProcessGrid(app, DEVICES), start_parameters(), PLAN.task_of(1, 1.0), settings
    ).collect(range(1, DEVICES + 1))
    assert total.update is None
    assert {str(fate): count for fate, count in fates.items()} == {"refused": DEVICES}


def test_a_persons_device_trains_nothing_unmasked_without_its_own_noise():
    task = replace(PLAN.task_of(1, 1.0), seed=None, secure=None)
    with pytest.raises(TaskRefusedError, match="without noise"):
        require_obeyable(task, PEOPLE, release=0, seconds_left=1.0)
