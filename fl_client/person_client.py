"""The typed client of what the API offers to people. Nothing on a device needs a person to be logged in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from fl_client.api_answers import LoginSession, PersonAccount
from fl_client.api_connection import TokenRefusedError, send, understand
from models.errors import UsageError

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """What a login gives. Sensitive: whoever has them is the person.

    Attributes:
        access_token: Good for some minutes.
        refresh_token: Good once; a second use ends the session.
    """

    access_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class _LinkedDevice:
    device_id: str


class PersonClient:
    """One person's view of the API.

    Every method raises ``LoginRefusedError`` where name, password or tokens are refused, and otherwise what
    ``fl_client.api_connection.send`` raises. An access token that is over is refreshed once, by itself.
    """

    def __init__(
        self,
        connection: httpx.Client,
        tokens: Tokens | None = None,
        keep: Callable[[Tokens | None], None] = lambda _: None,
    ) -> None:
        """Speak for a person.

        Args:
            connection: See ``open_connection``.
            tokens: Those of an earlier login.
            keep: Called with every new pair before it is used, and with ``None`` at the end: store it.
        """
        self._connection, self._tokens, self._keep = connection, tokens, keep

    @property
    def access_token(self) -> str:
        """The token to link a device with.

        Raises:
            UsageError: Nobody is logged in.
        """
        return self._require_tokens().access_token

    def sign_up(self, name: str, password: str) -> None:
        """Make an account and log in."""
        self._take(self._send("POST", "/v1/people", json={"name": name, "password": password}))

    def log_in(self, name: str, password: str) -> None:
        """Log in."""
        self._take(self._send("POST", "/v1/people/sessions", json={"name": name, "password": password}))

    def refresh(self) -> None:
        """Take new tokens for the refresh token. If the answer is lost, the session is over: log in again."""
        body = {"refresh_token": self._require_tokens().refresh_token}
        self._take(self._send("POST", "/v1/people/sessions/refresh", json=body))

    def account(self) -> PersonAccount:
        """Return all that is held about this person."""
        return self._ask(PersonAccount, "GET", "/v1/people/self")

    def sessions(self) -> tuple[LoginSession, ...]:
        """Return where this person is logged in."""
        return self._ask(tuple[LoginSession, ...], "GET", "/v1/people/sessions")

    def devices(self) -> tuple[str, ...]:
        """Return the ids of the devices that were linked to this person."""
        found = self._ask(tuple[_LinkedDevice, ...], "GET", "/v1/people/self/devices")
        return tuple(device.device_id for device in found)

    def revoke_device(self, device_id: str) -> None:
        """Destroy one of this person's devices at the API."""
        self._authorised("DELETE", f"/v1/people/self/devices/{device_id}")

    def change_password(self, current: str, new: str) -> None:
        """Change the password; all sessions end, and a new one begins here."""
        body = {"current_password": current, "new_password": new}
        self._take(self._authorised("PUT", "/v1/people/self/password", json=body))

    def log_out(self) -> None:
        """End this session."""
        self._end("/v1/people/sessions/current")

    def log_out_everywhere(self) -> None:
        """End all sessions."""
        self._end("/v1/people/sessions")

    def remove_account(self) -> None:
        """Destroy the account, and the devices that were linked to it."""
        self._end("/v1/people/self")

    def _end(self, path: str) -> None:
        self._authorised("DELETE", path)
        self._tokens = None
        self._keep(None)

    def _take(self, response: httpx.Response) -> None:
        tokens = understand(Tokens, response)
        self._keep(tokens)
        self._tokens = tokens

    def _require_tokens(self) -> Tokens:
        if self._tokens is None:
            raise UsageError("nobody is logged in: log in first")
        return self._tokens

    def _ask(self, form: type[_Answer], method: str, path: str) -> _Answer:
        return understand(form, self._authorised(method, path))

    def _authorised(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return self._send(method, path, headers=self._authorisation(), **content)
        except TokenRefusedError:
            self.refresh()
        return self._send(method, path, headers=self._authorisation(), **content)

    def _authorisation(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._require_tokens().access_token}"}

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        return send(self._connection, method, path, **content)
