"""How a device's TUF client downloads: bounded in silence and in time, nothing unpacked, nothing said of the device."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface

from fl_client.certificates import trusted_certificates

LONGEST_SECONDS = 120.0
"""Of one file. A limit on silence alone lets a server send a byte now and then for ever."""

LONGEST_SILENCE_SECONDS = 10.0

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ERRORS_BEGIN = 400


class BoundedFetcher(FetcherInterface):
    """Fetches files over HTTP within time limits; how many bytes a file may have is the TUF client's to say.

    Bytes are taken as they come: a compressed answer isn't unpacked, so it can't grow beyond what was signed.
    """

    def __init__(
        self,
        longest_seconds: float = LONGEST_SECONDS,
        longest_silence_seconds: float = LONGEST_SILENCE_SECONDS,
        ca_file: Path | None = None,
    ) -> None:
        self._certificates = trusted_certificates(ca_file)
        self._longest_seconds = longest_seconds
        self._silence_seconds = longest_silence_seconds
        self._clients: dict[bool, httpx.Client] = {}

    def _fetch(self, url: str) -> Iterator[bytes]:
        deadline = time.monotonic() + self._longest_seconds
        try:
            with self._client(url).stream("GET", url) as response:
                if response.status_code >= _ERRORS_BEGIN or response.is_redirect:
                    raise DownloadHTTPError(f"answered {response.status_code}", response.status_code)
                for chunk in response.iter_raw():
                    if time.monotonic() > deadline:
                        raise SlowRetrievalError(f"not done within {self._longest_seconds:.0f} s")
                    yield chunk
        except httpx.TimeoutException as error:
            raise SlowRetrievalError("no answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadError("can't be reached") from error

    def _client(self, url: str) -> httpx.Client:
        # A proxy set in the environment can't reach this machine's own servers.
        behind_proxy = urlsplit(url).hostname not in _LOOPBACK
        if behind_proxy not in self._clients:
            headers = {"Accept-Encoding": "identity", "User-Agent": "hearsay"}
            self._clients[behind_proxy] = httpx.Client(
                timeout=self._silence_seconds, trust_env=behind_proxy, headers=headers, verify=self._certificates
            )
        return self._clients[behind_proxy]
