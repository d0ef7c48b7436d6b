"""Releases over HTTP: the TUF repository as it stands, and the newest release in plain JSON."""

from __future__ import annotations

import re
from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from api.auth.bearer import FOR_OPERATORS, Operator
from api.context import context_of
from api.documentation import BEARER_OPERATION, Responses, problems
from api.orders.situation import read_situation, require_releases
from api.problems import Problem, ProblemError
from api.releases.repository import PublishedFile, find_metadata, find_target
from api.releases.schemas import ReleaseAnswer, ReleasesAnswer, release_answer, releases_answer

router = APIRouter(prefix="/v1/releases", tags=["releases"])

_ONE_RANGE = re.compile(r"bytes=(?:([0-9]{1,15})-([0-9]{0,15})|-0*[1-9][0-9]{0,14})")

_CONTENT: Responses = {
    200: {"description": "The file", "content": {"application/octet-stream": {}}},
    206: {"description": "The range that was asked for"},
    304: {"description": "The file is still what the ETag names"},
}
_TAGGED: Responses = {
    200: {"headers": {"ETag": {"description": "Names what is answered.", "schema": {"type": "string"}}}}
}
_FILE = _CONTENT | problems(Problem.NOT_FOUND, Problem.RANGE_REFUSED, Problem.INVALID)


@router.get(
    "",
    responses=FOR_OPERATORS | problems(Problem.DATABASE_UNAVAILABLE, Problem.NOT_READY) | _TAGGED,
    openapi_extra=BEARER_OPERATION,
)
def list_releases(operator: Operator, request: Request, response: Response) -> ReleasesAnswer:
    """All releases, for operators. An order repeats the ETag in If-Match: nobody orders what they didn't see."""
    with operator.open(write=False) as call:
        situation = read_situation(call.connection, context_of(request).settings.registry)
    response.headers["ETag"] = situation.tag
    response.headers["Cache-Control"] = "no-store"
    return releases_answer(situation.releases, paused=situation.paused, pending=situation.pending)


@router.get("/current", responses=problems(Problem.NO_RELEASE, Problem.NOT_READY))
def read_current_release(request: Request) -> ReleaseAnswer:
    """The newest release, for people. Devices trust the signed metadata only."""
    releases = require_releases(context_of(request).settings.registry)
    if not releases:
        raise ProblemError(Problem.NO_RELEASE, "the registry holds no release yet")
    return release_answer(releases[-1])


@router.head("/metadata/{name:path}", include_in_schema=False)
@router.get("/metadata/{name:path}", responses=_FILE, response_class=FileResponse)
def read_metadata(name: str, request: Request) -> Response:
    """A file of the TUF metadata."""
    return _serve(request, lambda: find_metadata(context_of(request).settings.registry, name), "application/json")


@router.head("/targets/{name:path}", include_in_schema=False)
@router.get("/targets/{name:path}", responses=_FILE, response_class=FileResponse)
def read_target(name: str, request: Request) -> Response:
    """A released file, under the name with its hash."""
    return _serve(request, lambda: find_target(context_of(request).settings.registry, name), "application/octet-stream")


def _serve(request: Request, find: Callable[[], PublishedFile | None], media_type: str) -> Response:
    found = find()
    if found is None:
        raise ProblemError(Problem.NOT_FOUND, "the registry holds no such file")
    headers = {"ETag": found.etag, "Cache-Control": found.cache_control}
    if not {found.etag, "*"}.isdisjoint(_etags(request.headers.get("if-none-match", ""))):
        return Response(status_code=304, headers=headers)
    _settle_range(request, found.size)
    return FileResponse(found.path, media_type=media_type, headers=headers)


def _settle_range(request: Request, size: int) -> None:
    """Take away a range that means nothing (RFC 9110, 14.2: of another method too), and refuse one beyond the end."""
    wanted = request.headers.get("range")
    if wanted is None:
        return
    match = _ONE_RANGE.fullmatch(wanted)
    if request.method != "GET" or match is None or (match[2] and int(match[2]) < int(match[1] or 0)):
        request.scope["headers"] = [line for line in request.scope["headers"] if line[0] != b"range"]
    elif match[1] and int(match[1]) >= size:
        raise ProblemError(Problem.RANGE_REFUSED, f"the file has {size} bytes", size=size)


def _etags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
