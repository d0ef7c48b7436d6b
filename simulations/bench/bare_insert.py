"""The peer of a signed report: a bare FastAPI application that inserts the same row into the same table.

It runs with the API's own server settings, engine and transaction, so that the database promises the same (a commit is
on the disk before it is answered). It knows no signatures, nonces, consents or windows.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, Field
from sqlalchemy import Engine, insert

from api.database import connect_database, transaction
from api.serving import open_socket, serve, stop_with_input, url_of
from api.settings import Binding
from api.tables import reports
from models.command import print_json


class BareReport(BaseModel):
    """What the row holds."""

    device_id: Annotated[str, Field(max_length=32)]
    window: Annotated[str, Field(max_length=8)]
    metric: Annotated[str, Field(max_length=32)]
    answer: list[str]


class BareReceipt(BaseModel):
    """The row is stored."""

    window: str


def create_bare_app(engine: Engine) -> FastAPI:
    """Return the application."""
    app = FastAPI()

    @app.post("/reports")
    def insert_report(report: BareReport) -> BareReceipt:
        """Insert a row and commit."""
        row = report.model_dump() | {"answer": json.dumps(report.answer, separators=(",", ":"))}
        with transaction(engine) as connection:
            connection.execute(insert(reports).values(row))
        return BareReceipt(window=report.window)

    return app


def main(database_url: str) -> None:
    """Serve on loopback until standard input ends, and print the address first."""
    binding = Binding("127.0.0.1", 0, certificate=None)
    listener = open_socket(binding)
    url = url_of(listener, binding)
    stop_with_input()
    serve(create_bare_app(connect_database(database_url)), listener, binding, lambda: print_json({"url": url}))


if __name__ == "__main__":
    main(sys.argv[1])
