"""One HTTP session a reader: paced, retried, bounded in time and bytes, and true to one origin.

It is a dlt session, so dlt's RESTClient and its paginators work on it; what they cannot do happens in
``send``: the total deadline, the byte cap, redirects followed by hand, credentials for one hop only.
"""

from __future__ import annotations

import random
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin

import requests
from dlt.sources.helpers.requests.session import Session
from requests import PreparedRequest, Response
from urllib3.exceptions import HTTPError as WireError

from core.errors import (
    AccessDenied,
    ConfigError,
    CredentialError,
    MeshError,
    SourceUnavailable,
    UnexpectedAnswer,
)
from resources.connectors.auth import Authenticator, build_auth
from resources.connectors.base import SourceContext, require_base_url
from resources.connectors.bodies import BodyTooLarge, BodyUnreadable, PageResponse, parse_json, read_content
from resources.connectors.retrying import Backoff, is_throttled, read_retry_after
from resources.connectors.throttle import Clock, Deadline, SystemClock, TokenBucket
from resources.connectors.wire import Watch, WatchedAdapter
from resources.connectors.wording import Scrubber, read_origin, show_path

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_HOPS = 5
_CONNECT_S = 10.0
_ERROR_BYTES = 64 * 1024


class EndpointMissing(ConfigError):
    """The source knows no such resource (404, 410)."""


class _Transient(Exception):
    """This attempt failed; another may not. Text is free of secrets."""

    def __init__(self, found: str, retry_after_s: float | None = None, *, answered: bool = False) -> None:
        super().__init__(found)
        self.found = found
        self.retry_after_s = retry_after_s
        self.answered = answered


class SourceSession(Session):  # type: ignore[misc]
    """Sends requests of one connection. ``endpoint`` in ``send`` names the stream for messages."""

    def __init__(self, context: SourceContext, clock: Clock | None = None) -> None:
        super().__init__(raise_for_status=False)
        self.base_url = require_base_url(context)
        self._context = context
        self._limits = context.spec.limits
        self._clock: Clock = clock or SystemClock()
        self._bucket = TokenBucket(self._limits.requests_per_s, self._limits.burst, self._clock)
        self._backoff = Backoff(random.Random())
        self.scrubber = Scrubber()
        self._auth = build_auth(context, self._fetch_token, self.scrubber)
        origin = read_origin(self.base_url)
        if origin is None:
            raise ConfigError(
                "the base URL cannot be used",
                expected="http(s)://host[:port][/path] without user and password",
                found=self.scrubber.excerpt(self.base_url.split("?")[0].rpartition("@")[2]),
                where=context.where,
            )
        self.origin = origin
        self.headers["User-Agent"] = "autonomos-mesh"
        # A cookie is state between streams and tenants' pages; no API we read needs one.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for prefix in ("http://", "https://"):
            self.mount(prefix, WatchedAdapter(pool_maxsize=16))

    def check_origin(self, url: str, what: str, where: str | None = None) -> None:
        """Raise ConfigError unless ``url`` leads to the base URL's scheme, host and port."""
        found = read_origin(url)
        if found != self.origin:
            raise ConfigError(
                f"{what} leads to another origin; no request was sent there",
                expected=str(self.origin),
                found=str(found) if found else "no usable http(s) URL",
                where=where or self._context.where,
                remedy="If that is where the API lives, make it the base URL of the connection",
            )

    def send(self, request: PreparedRequest, **kwargs: Any) -> PageResponse:
        """The response to ``request``, body read and parsed as JSON (None for 204).

        Raises SourceUnavailable, CredentialError or ConfigError; never returns an error status.
        """
        endpoint = kwargs.pop("endpoint", None)
        where = "/".join(filter(None, (self._context.where, endpoint)))
        return self._exchange(request, self._auth, where, kwargs)

    def _exchange(
        self, request: PreparedRequest, auth: Authenticator, where: str, kwargs: dict[str, Any]
    ) -> PageResponse:
        deadline = Deadline(self._limits.page_deadline_s, self._clock)
        renewed, failures = False, 0
        while True:
            deadline.extend(self._bucket.take())
            try:
                response = self._follow(request, auth, deadline, where, kwargs)
            except _Transient as failure:
                failures += 1
                self._wait(failure, failures, deadline, where, request)
                continue
            if response.status_code == 401 and not renewed:
                renewed = auth.renew()
                if renewed:
                    continue
            self._check_status(response, where)
            return response

    def _wait(
        self, failure: _Transient, failures: int, deadline: Deadline, where: str, request: PreparedRequest
    ) -> None:
        wait_s = self._backoff.wait_s(failures)
        if failure.retry_after_s is not None:
            wait_s = min(failure.retry_after_s, self._limits.retry_after_max_s)
        if failures > self._limits.retries or wait_s >= deadline.remaining_s:
            asked = f", asked to wait {failure.retry_after_s:g} s" if failure.retry_after_s else ""
            kind = UnexpectedAnswer if failure.answered else SourceUnavailable
            raise kind(
                f"{request.method} {show_path(str(request.url))} failed {failures} times",
                found=failure.found + asked,
                where=where,
                remedy="The next sync goes on from here",
            ) from None
        if failure.retry_after_s is not None:
            self._bucket.pause(wait_s)
        self._clock.sleep(wait_s)

    def _follow(
        self,
        request: PreparedRequest,
        auth: Authenticator,
        deadline: Deadline,
        where: str,
        kwargs: dict[str, Any],
    ) -> PageResponse:
        for _ in range(_MOST_HOPS + 1):
            self.check_origin(str(request.url), show_path(str(request.url)), where)
            response = self._hop(request, auth, deadline, where, kwargs)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location:
                return response
            target = urljoin(str(request.url), location)
            self.check_origin(target, f"a redirect from {show_path(str(request.url))}", where)
            request = _redirect(request, target, response.status_code)
        raise SourceUnavailable(
            f"{show_path(str(request.url))} is redirected more than {_MOST_HOPS} times", where=where
        )

    def _hop(
        self,
        request: PreparedRequest,
        auth: Authenticator,
        deadline: Deadline,
        where: str,
        kwargs: dict[str, Any],
    ) -> PageResponse:
        signed = request.copy()
        secret_query = auth.sign(signed)
        remaining_s = max(deadline.remaining_s, 0.001)
        # The watch ends the exchange; a read timeout is only there should the watch be gone.
        timeout = (min(_CONNECT_S, remaining_s), remaining_s + 1.0)
        path = show_path(str(request.url))
        with Watch(remaining_s, secret_query) as watch:
            try:
                options = {**kwargs, "stream": True, "timeout": timeout}
                options.pop("allow_redirects", None)
                response = self.get_adapter(str(signed.url)).send(signed, **options)
                try:
                    page = self._read(response, path, where)
                finally:
                    response.close()
            except MeshError:
                # What reads as broken JSON may be a body that was cut at the deadline.
                self._check_deadline(watch, path, where)
                raise
            except (requests.exceptions.SSLError, requests.exceptions.InvalidURL) as error:
                raise SourceUnavailable(
                    f"no connection to {self.origin}", found=_name_cause(error), where=where
                ) from None
            except (requests.RequestException, WireError, OSError, ValueError) as error:
                self._check_deadline(watch, path, where)
                raise _Transient(_name_cause(error)) from None
            # A cut connection looks like the end of a body that announced no length.
            self._check_deadline(watch, path, where)
        page.request = request
        if is_throttled(page):
            # 500 is this endpoint's own fault; 502 to 504 and 429 are the whole source's.
            own = page.status_code == 500
            raise _Transient(f"status {page.status_code}", read_retry_after(page), answered=own)
        return page

    def _read(self, response: Response, path: str, where: str) -> PageResponse:
        good = response.status_code < 300
        try:
            limit = self._limits.page_max_bytes if good else _ERROR_BYTES
            content = read_content(response, limit, cut=not good)
            if not good:
                return PageResponse.of(response, content, None)
            charset = requests.utils._parse_content_type_header(response.headers.get("Content-Type", ""))
            # Only 204 may say nothing: an empty 200 would pass for a source without records.
            empty = response.status_code == 204
            body = None if empty else parse_json(content, charset[1].get("charset"))
            return PageResponse.of(response, content, body)
        except BodyTooLarge as error:
            raise UnexpectedAnswer(
                f"a page of {path} is too large",
                expected=f"at most {self._limits.page_max_bytes} bytes",
                found=str(error),
                where=where,
                remedy="Ask for smaller pages or raise limits.page_max_bytes",
            ) from None
        except BodyUnreadable as error:
            raise UnexpectedAnswer(
                f"{path} answered {response.status_code}, {error}",
                expected="JSON",
                found=self.scrubber.excerpt(content) or "an empty body",
                where=where,
            ) from None

    def _check_deadline(self, watch: Watch, path: str, where: str) -> None:
        if watch.expired:
            raise SourceUnavailable(
                f"a page of {path} was not there in time",
                expected=f"at most {self._limits.page_deadline_s:g} s a page",
                where=where,
                remedy="Ask for smaller pages or raise limits.page_deadline_s",
            ) from None

    def _check_status(self, response: PageResponse, where: str) -> None:
        status = response.status_code
        if status < 300:
            return
        path = show_path(str(response.request.url))
        said = self.scrubber.excerpt(response.content) or "nothing"
        found = f"status {status}, saying: {said}"
        if status in (401, 403):
            remedy = f"aos connection rotate {self._context.tenant_id} {self._context.spec.connector}"
            refused = CredentialError if status == 401 else AccessDenied
            raise refused(
                f"the source refused the credentials at {path}", found=found, where=where, remedy=remedy
            )
        if status in (404, 410):
            raise EndpointMissing(f"the source has no {path}", found=found, where=where)
        if 400 <= status < 500:
            raise ConfigError(f"the source refused the request to {path}", found=found, where=where)
        raise SourceUnavailable(f"{path} did not answer as documented", found=found, where=where)

    def _fetch_token(self, path: str, form: dict[str, str]) -> Any:
        request = requests.Request("POST", urljoin(self.base_url + "/", path.lstrip("/")), data=form)
        prepared = self.prepare_request(request)
        prepared.headers["Accept"] = "application/json"
        kwargs = self.merge_environment_settings(prepared.url, {}, None, None, None)
        try:
            return self._exchange(prepared, Authenticator(), self._context.where, dict(kwargs)).body
        except ConfigError as error:
            # Token endpoints answer 400 invalid_grant or invalid_client to wrong credentials.
            raise CredentialError(
                "the token endpoint refused the credentials",
                found=error.found,
                where=error.where,
                remedy=f"aos connection rotate {self._context.tenant_id} {self._context.spec.connector}",
            ) from None


def _redirect(request: PreparedRequest, target: str, status: int) -> PreparedRequest:
    hop = request.copy()
    hop.url = target
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        hop.method, hop.body = "GET", None
        for name in ("Content-Length", "Content-Type", "Transfer-Encoding"):
            hop.headers.pop(name, None)
    return hop


def _name_cause(error: BaseException) -> str:
    """The innermost known reason, as a class name: texts of these errors may quote URLs and headers."""
    cause: BaseException = error
    while True:
        inner = getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
        if not isinstance(inner, BaseException):
            inner = next((a for a in cause.args if isinstance(a, BaseException)), None)
        if inner is None:
            return type(cause).__name__
        cause = inner
