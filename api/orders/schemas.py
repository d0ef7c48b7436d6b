"""What is said over HTTP about operators' orders."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.moments import moment
from api.orders.operators import OperatorOrderPage, Wanted, WantedRollout
from api.orders.repository import PlacedOrder
from models.domain.order import OrderState, Outcome, PauseRounds, Refusal, ResumeRounds

Version = Annotated[int, Field(strict=True, ge=1, le=2**53)]

Percent = Annotated[int, Field(strict=True, ge=0, le=100, description="Share of devices that are offered it.")]


class RolloutRequest(BaseModel):
    """Offer a release to a share of the devices, or publish an earlier one's files under the next version."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"kind": "set-rollout", "version": 3, "confirm": 3, "rollout_percent": 20}]},
    )

    kind: Literal["set-rollout", "roll-back"]
    version: Version = Field(description="To roll out, or to go back to.")
    confirm: Version = Field(description="The version once more, as a person typed it.")
    rollout_percent: Percent

    @model_validator(mode="after")
    def require_confirmation(self) -> RolloutRequest:
        """Refuse where the two versions differ."""
        if self.confirm != self.version:
            raise ValueError("the version was not confirmed")
        return self

    def wanted(self) -> Wanted:
        """Return what is wanted."""
        return WantedRollout(self.version, self.rollout_percent, is_rollback=self.kind == "roll-back")


class PauseRequest(BaseModel):
    """Begin no more rounds, or begin them again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"kind": "pause"}]})

    kind: Literal["pause", "resume"]

    def wanted(self) -> Wanted:
        """Return what is wanted."""
        return PauseRounds() if self.kind == "pause" else ResumeRounds()


OrderRequest = Annotated[RolloutRequest | PauseRequest, Field(discriminator="kind")]


class PlacedAnswer(BaseModel):
    """An order was placed; the server that trains carries it out, or refuses it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "1795080600000-7c9e6679f3d04f2b"}]})

    name: str


class OrderAnswer(BaseModel):
    """An operator's order and what became of it."""

    name: str
    kind: str
    version: int | None = Field(description="To roll out, or to go back to.")
    rollout_percent: int | None
    placed_at: datetime
    placed_by: str = Field(description="Random id of the operator.")
    state: OrderState
    refusal: Refusal | None = Field(description="Why, where it was refused.")
    settled_at: datetime | None = Field(description="When it was carried out or refused.")
    made_version: int | None = Field(description="The release that it changed or made.")


class OrdersAnswer(BaseModel):
    """Some orders of operators, the newest first."""

    orders: list[OrderAnswer]
    before: str | None = Field(description="Ask with it for the orders before these; null where there is none.")


def orders_answer(page: OperatorOrderPage) -> OrdersAnswer:
    """Return a page as it is said over HTTP."""
    return OrdersAnswer(orders=[_order_answer(*each) for each in page.orders], before=page.before)


def _order_answer(placed: PlacedOrder, outcome: Outcome | None) -> OrderAnswer:
    record = placed.record
    return OrderAnswer(
        name=placed.name,
        kind=record["kind"],
        version=record.get("version", record.get("to_version")),
        rollout_percent=record.get("rollout_percent"),
        placed_at=moment(placed.placed_at),
        placed_by=placed.placed_by,
        state=OrderState.PENDING if outcome is None else outcome.state,
        refusal=None if outcome is None else outcome.refusal,
        settled_at=None if outcome is None else moment(outcome.at),
        made_version=None if outcome is None else outcome.version,
    )
