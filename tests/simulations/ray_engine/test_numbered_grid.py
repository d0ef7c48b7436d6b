from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from flwr.app import Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from fl_client.app import DEVICE_ID, build_client_app
from fl_client.guard import simulation_guard
from models.errors import UnreachableError
from simulations.crossing import Crossing, crossing_of, message_from_bytes
from simulations.grid import Answer, InProcessGrid, IsLost, nobody_is_lost
from simulations.ray_engine.apps import client_app as flower_client_app
from simulations.ray_engine.numbered_grid import NumberedGrid
from tests.small_federation import DEVICES, PLAN, Watcher, calls_of, run_federation, small_grid


def devices_app() -> ClientApp:
    """Return the app that Flower loads, training on this module's calls instead of a run's folder."""
    app = ClientApp()
    trained = build_client_app(calls_of, simulation_guard())

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return trained(message, context)

    for name in ("number", "norm"):
        app.query(name)(lambda message, context: flower_client_app(message, context))
    return app


class KeepingGrid(InProcessGrid):
    """Leaves a device's own record of the round on the device, as a grid that is no simulation's does."""

    def _deliver(self, message_id: str, node_id: int, crossing: Crossing) -> None:
        message = message_from_bytes(crossing.whole)
        try:
            reply = self._host._client_app(message, self.context_of(node_id))
        except ValueError as error:
            reply = Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, str(error)), reply_to=message)
        self._keep(message_id, Answer(crossing_of(reply), None))


class FlowerLikeGrid(Grid):
    """Node ids as Flower draws them: large, and in another order than the devices' numbers."""

    def __init__(self, devices: int = DEVICES) -> None:
        # Flower's own grid leaves norms on the devices.
        self.inner = KeepingGrid(devices_app(), devices)
        self.ids = {number: 10**18 - 97 * number for number in range(1, devices + 1)}
        self.pushed: list[int] = []

    def set_run(self, run: object) -> None:
        raise AssertionError("the grid in front of it makes the messages")

    @property
    def run(self) -> object:
        return self.inner.run

    def create_message(self, *_: object, **__: object) -> Message:
        raise AssertionError("the grid in front of it makes the messages")

    def get_node_ids(self) -> list[int]:
        return sorted(self.ids.values())

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        numbers = {flower_id: number for number, flower_id in self.ids.items()}
        for message in messages:
            number = numbers[message.metadata.dst_node_id]
            self.pushed.append(number)
            message.metadata.dst_node_id = number
            yield from self.inner.push_messages([message])

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        replies = self.inner.pull_messages(message_ids)
        for reply in replies:
            reply.metadata.__dict__["_src_node_id"] = self.ids[reply.metadata.src_node_id]
        return replies

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        return self.pull_messages(list(self.push_messages(messages)))


def first_two_are_lost(_group: str, device: int) -> bool:
    return device < 2


def run_over(grid: NumberedGrid | InProcessGrid, folder: Path) -> tuple[object, ...]:
    watcher = Watcher()
    federation = run_federation(folder, PLAN, grid, watcher)
    return ({name: a.tolist() for name, a in federation.model_after(PLAN.rounds).items()}, watcher.published[-1].fates)


@pytest.mark.parametrize("is_lost", [nobody_is_lost, first_two_are_lost])
def test_a_federation_over_flowers_node_ids_equals_the_one_in_this_process(is_lost: IsLost, tmp_path: Path):
    numbered = run_over(NumberedGrid(FlowerLikeGrid(), DEVICES, is_lost), tmp_path / "numbered")
    assert numbered == run_over(small_grid(is_lost=is_lost), tmp_path / "here")


def test_devices_that_drop_out_are_never_asked(tmp_path: Path):
    flower = FlowerLikeGrid()
    grid = NumberedGrid(flower, DEVICES, first_two_are_lost)
    flower.pushed.clear()
    run_over(grid, tmp_path)
    assert flower.pushed
    assert not {1, 2} & set(flower.pushed)


def test_each_updates_norm_is_told_once(tmp_path: Path):
    grid = NumberedGrid(FlowerLikeGrid(), DEVICES, nobody_is_lost)
    run_over(grid, tmp_path)
    norms = grid.take_norms()
    assert norms
    assert min(norms) >= 0
    grid._asked = set(grid.get_node_ids())
    assert grid.take_norms() == []


def test_nodes_that_do_not_start_are_told_of(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("simulations.ray_engine.numbered_grid.START_SECONDS", 0.0)
    with pytest.raises(UnreachableError, match=f"only {DEVICES} of {DEVICES + 1} simulated devices started"):
        NumberedGrid(FlowerLikeGrid(), DEVICES + 1, nobody_is_lost)


def test_devices_that_do_not_answer_are_told_of():
    flower = FlowerLikeGrid()
    flower.inner = KeepingGrid(build_client_app(calls_of, simulation_guard()), DEVICES)
    with pytest.raises(UnreachableError, match=f"only 0 of {DEVICES} simulated devices answered"):
        NumberedGrid(flower, DEVICES, nobody_is_lost)


def test_flower_numbers_devices_as_the_grid_in_this_process_does():
    context = Context(1, 5, {DEVICE_ID: 4}, RecordDict(), {})
    grid = InProcessGrid(devices_app(), 6)
    request = grid.create_message(RecordDict({"ask": MetricRecord({"x": 1})}), "query.number", 5, "0")
    (reply,) = grid.send_and_receive([request])
    assert reply.content["number"]["value"] == context.node_id  # type: ignore[index, call-overload]
