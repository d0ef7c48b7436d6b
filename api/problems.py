"""Every error of the API as a problem document (RFC 9457); the HTTP status is mapped here and nowhere else."""

from __future__ import annotations

from enum import Enum
from typing import Any

from models.errors import RefusedError

MEDIA_TYPE = "application/problem+json"


class Problem(Enum):
    """A kind of trouble: its name in ``type``, its HTTP status and what it means."""

    MALFORMED = ("malformed-request", 400, "The request can't be read")
    SIGNATURE_REFUSED = ("signature-refused", 401, "The request's signature was refused")
    CLOCK_SKEW = ("clock-skew", 401, "The device's clock and the server's are too far apart")
    NONCE_REPLAYED = ("nonce-replayed", 401, "A request with this nonce was answered before")
    TOKEN_REFUSED = ("token-refused", 401, "The access token was refused")
    LOGIN_REFUSED = ("login-refused", 401, "Name and password don't belong together")
    SESSION_OVER = ("session-over", 401, "The refresh token was refused: log in again")
    CONSENT_MISSING = ("consent-missing", 403, "There is no consent for this purpose")
    GUARDIAN_MISSING = ("guardian-missing", 403, "A child under 14 needs a guardian's verified consent")
    PASSWORD_WRONG = ("password-wrong", 403, "The current password is wrong")
    FORM_REFUSED = ("form-refused", 403, "The form was not sent from this page")
    OPERATORS_ONLY = ("operators-only", 403, "This is for operators")
    NOT_FOUND = ("not-found", 404, "There is nothing here")
    NOT_RELEASED = ("figure-not-released", 404, "There is no released figure for this window")
    NO_RELEASE = ("no-release", 404, "Nothing was released yet")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "This address doesn't take that method")
    TOO_SLOW = ("request-too-slow", 408, "The request didn't arrive in time")
    CONSENT_TEXT_OUTDATED = ("consent-text-outdated", 409, "This version of the consent text is not in force")
    REPORT_CONFLICT = ("report-conflict", 409, "Another report of this device is there for this window")
    WINDOW_NOT_OPEN = ("window-not-open", 409, "No reports are taken for this window")
    WINDOW_NOT_DUE = ("window-not-due", 409, "This window can't be released")
    KEYS_TAKEN = ("keys-taken", 409, "Another device has one of these keys")
    NAME_TAKEN = ("name-taken", 409, "Somebody else has this login name")
    STATE_CHANGED = ("state-changed", 412, "What this was asked for has changed since it was looked at")
    BODY_TOO_LARGE = ("body-too-large", 413, "The request's body is too large")
    MEDIA_TYPE_UNKNOWN = ("media-type-unknown", 415, "The body's type is not application/json")
    RANGE_REFUSED = ("range-not-satisfiable", 416, "The file is shorter than the range asked for")
    INVALID = ("invalid-request", 422, "The request doesn't have the form that is documented")
    KEYS_REFUSED = ("keys-refused", 422, "These keys can't be enrolled")
    PASSWORD_REFUSED = ("password-refused", 422, "This password can't be used")
    STATE_MISSING = ("state-missing", 428, "This must name the state that it is asked for, in If-Match")
    TOO_MANY_ATTEMPTS = ("too-many-attempts", 429, "There were too many attempts")
    FAULT = ("fault", 500, "A fault of the server's")
    DATABASE_UNAVAILABLE = ("database-unavailable", 503, "The database can't be reached at the moment")
    NOT_READY = ("not-ready", 503, "The server isn't ready")

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.slug, self.status, self.title = slug, status, title

    @property
    def uri(self) -> str:
        """The problem's ``type``: a relative address of this API."""
        return f"/problems/{self.slug}"

    @classmethod
    def of_status(cls, status: int) -> Problem:
        """Return the most general problem with a status, ``FAULT`` where there is none."""
        return _GENERAL.get(status, cls.FAULT)


_GENERAL = {
    400: Problem.MALFORMED,
    401: Problem.SIGNATURE_REFUSED,
    404: Problem.NOT_FOUND,
    405: Problem.METHOD_NOT_ALLOWED,
    413: Problem.BODY_TOO_LARGE,
    415: Problem.MEDIA_TYPE_UNKNOWN,
    416: Problem.RANGE_REFUSED,
    422: Problem.INVALID,
    503: Problem.DATABASE_UNAVAILABLE,
}


class ProblemError(RefusedError):
    """A request, or an operator's command, that can't be carried out.

    Attributes:
        problem: The kind.
        detail: One sentence about this very case; quotes nothing that a body held.
        members: Further members of the document, such as ``purpose``.
    """

    def __init__(self, problem: Problem, detail: str, **members: Any) -> None:
        self.problem, self.detail, self.members = problem, detail, members
        super().__init__(detail)

    @property
    def headers(self) -> dict[str, str]:
        """What HTTP says of the case beside the document."""
        headers = {}
        if "retry_after" in self.members:
            headers["Retry-After"] = str(self.members["retry_after"])
        if "size" in self.members:
            headers["Content-Range"] = f"bytes */{self.members['size']}"
        return headers


def problem_document(problem: Problem, detail: str, **members: Any) -> dict[str, Any]:
    """Return the JSON object that stands for a problem."""
    return {
        "type": problem.uri,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        **members,
    }
