"""What is said over HTTP about people."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.config import JsonDict

from api.auth.access_tokens import ACCESS_SECONDS
from api.people.repository import Role

LoginName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_.-]{2,31}$",
        max_length=32,
        description="Chosen by the person; a name that says nothing of them is best. No address is asked for.",
        examples=["quiet-river"],
    ),
]


_NUMBER = re.compile(r"[0-9]{7,}|.*[0-9]{9}.*")  # one of the neighbourhood, or any with its prefix


def _require_no_number(name: str) -> str:
    if _NUMBER.fullmatch(re.sub(r"[-_.]", "", name)):
        raise ValueError("it looks like a telephone number, which says who somebody is")
    return name


NewLoginName = Annotated[LoginName, AfterValidator(_require_no_number)]
"""One that nobody has yet; what looks like a telephone number is refused."""


def _require_text(password: SecretStr) -> SecretStr:
    password.get_secret_value().encode()  # a half of a surrogate pair is no text: ValueError
    return password


Password = Annotated[
    SecretStr,
    AfterValidator(_require_text),
    Field(max_length=1024, description="12 to 128 characters of any kind.", examples=["correct horse ..."]),
]

_EXAMPLE: JsonDict = {"name": "quiet-river", "password": "four words nobody guesses"}


class NameAndPassword(BaseModel):
    """What a person logs in with."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    name: LoginName
    password: Password


class NewPerson(NameAndPassword):
    """What a person signs up with. A name that looks like a telephone number is refused."""

    name: NewLoginName


class NewPassword(BaseModel):
    """A password to put in place of the current one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"current_password": "four words ...", "new_password": "four other words"}]},
    )

    current_password: Password
    new_password: Password


class RefreshRequest(BaseModel):
    """The refresh token that came last."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"refresh_token": f"{'0' * 32}.{'A' * 43}"}]}
    )

    refresh_token: str = Field(pattern=r"^[0-9a-f]{32}\.[A-Za-z0-9_-]{43}$", max_length=76)


class TokenAnswer(BaseModel):
    """Tokens of a session. Keep them on the device."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ii4uLiJ9.e30.c2ln",
                    "token_type": "Bearer",
                    "expires_in": ACCESS_SECONDS,
                    "refresh_token": f"{'0' * 32}.{'A' * 43}",
                }
            ]
        }
    )

    access_token: str = Field(description="Goes into `Authorization: Bearer`.")
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(default=ACCESS_SECONDS, description="Seconds.")
    refresh_token: str = Field(description="Good once; a second use ends the session.")


class PersonAnswer(BaseModel):
    """All that is held about a person, but for the password's hash."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "0f8fad5bd9cb469fa16570867728950e", "name": "quiet-river", "role": "person"}]
        }
    )

    id: str
    name: str
    role: Role


class SessionAnswer(BaseModel):
    """A login on one device."""

    id: str
    started_at: datetime
    expires_at: datetime = Field(description="Moves on while it is used, to 180 days after its start at most.")
    current: bool = Field(description="This is the one that asks.")


class DeviceAnswer(BaseModel):
    """A device that was linked to a person."""

    device_id: str
