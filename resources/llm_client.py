"""One request to a model through litellm: bounded in time and bytes, with its tokens, or why there is none.

litellm is imported at the first call. Its messages quote prompts and keys, so nothing of an exception but
its class leaves this module.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from core.llm.prompt import Prompt
from resources.llm_ledger import Outcome
from resources.settings import Settings, quiet_litellm

_SETUP = threading.Lock()
_STATUS = {
    400: Outcome.REJECTED,
    401: Outcome.UNAUTHORISED,
    403: Outcome.UNAUTHORISED,
    404: Outcome.UNAUTHORISED,
    408: Outcome.TIMED_OUT,
    422: Outcome.REJECTED,
    429: Outcome.RATE_LIMITED,
}


@dataclass(frozen=True)
class Completion:
    """What came back. ``text`` is None unless ``outcome`` is ANSWERED; tokens are None where unknown.

    ``retry_after_s``: what a 429 or 503 asked for. ``paid`` says whether the vendor may charge it.
    """

    outcome: Outcome
    text: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error_class: str | None = None
    retry_after_s: float | None = None
    paid: bool = True


def complete(settings: Settings, prompt: Prompt, timeout_s: float) -> Completion:
    """Ask once, within ``timeout_s`` in all. Raises nothing that a model or its server can cause."""
    litellm = load_litellm()
    call = _start(lambda: _request(litellm, settings, prompt, timeout_s))
    try:
        return call.result(timeout_s)
    except TimeoutError:
        return Completion(Outcome.TIMED_OUT, error_class="Deadline")


def load_litellm() -> Any:
    """litellm, imported on first use, with its network habits, callbacks and messages off."""
    with _SETUP:
        quiet_litellm()
        import litellm

        from resources.llm_http import bound_clients

        if litellm.client_session is None:
            litellm.telemetry = False
            litellm.suppress_debug_info = True
            litellm.turn_off_message_logging = True
            litellm.redact_messages_in_exceptions = True
            litellm.disable_hf_tokenizer_download = True
            for callbacks in (litellm.callbacks, litellm.success_callback, litellm.failure_callback):
                callbacks.clear()
            logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
            logging.getLogger("openai").setLevel(logging.WARNING)  # below, it logs whole prompts
            bound_clients(litellm)
        return litellm


def _request(litellm: Any, settings: Settings, prompt: Prompt, timeout_s: float) -> Any:
    key = settings.llm_api_key
    return litellm.completion(
        model=settings.llm_model,
        api_key=key.get_secret_value() if key else None,
        api_base=settings.llm_api_base,
        messages=[dict(one) for one in prompt.messages],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "answers", "strict": True, "schema": dict(prompt.schema)},
        },
        max_tokens=prompt.max_output_tokens,
        temperature=0,
        timeout=timeout_s,
        drop_params=True,  # models that know no temperature; the answer is validated all the same
        num_retries=0,
        max_retries=0,
    )


def _start(work: Callable[[], Any]) -> Future[Completion]:
    """Let ``work`` run in a thread of its own, which nobody waits for beyond the deadline.

    A read timeout starts anew with every byte, and not every vendor's client takes a deadline. Of
    whatever a client raises over a strange body, the class goes to the ledger.
    """
    future: Future[Completion] = Future()

    def run() -> None:
        try:
            future.set_result(_read_response(work()))
        except BaseException as error:  # noqa: BLE001 - told to the caller
            future.set_result(_read_failure(error))

    threading.Thread(target=run, name="llm-call", daemon=True).start()
    return future


def _read_failure(error: BaseException) -> Completion:
    import openai

    from resources.llm_http import OverlongResponse, may_be_charged

    name = type(error).__name__
    if any(isinstance(one, OverlongResponse) for one in _causes(error)):
        return Completion(Outcome.INVALID, error_class="OverlongResponse")
    if isinstance(error, openai.APITimeoutError):
        return Completion(Outcome.TIMED_OUT, error_class=name)
    if "ContentPolicy" in name:
        return Completion(Outcome.REFUSED, error_class=name)
    outcome = _STATUS.get(getattr(error, "status_code", None) or 0, Outcome.UNAVAILABLE)
    paid = may_be_charged(_causes(error))
    return Completion(outcome, error_class=name, retry_after_s=_retry_after(error), paid=paid)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _retry_after(error: BaseException) -> float | None:
    """Seconds the server asked for. litellm drops the headers from its own error, not from the cause."""
    for one in _causes(error):
        headers = getattr(getattr(one, "response", None), "headers", None) or {}
        try:
            return max(0.0, float(headers["retry-after"]))
        except (KeyError, ValueError):
            continue
    return None


def _read_response(response: Any) -> Completion:
    """Read litellm's ModelResponse; whatever is missing in it is an invalid answer, not an error."""
    usage = getattr(response, "usage", None)
    counted = Completion(
        Outcome.INVALID,
        prompt_tokens=_count(getattr(usage, "prompt_tokens", None)),
        completion_tokens=_count(getattr(usage, "completion_tokens", None)),
    )
    choices = getattr(response, "choices", None) or []
    message = getattr(choices[0], "message", None) if choices else None
    finish = getattr(choices[0], "finish_reason", None) if choices else None
    text = getattr(message, "content", None)
    if finish == "length":
        return replace(counted, outcome=Outcome.TRUNCATED)
    if finish == "content_filter" or getattr(message, "refusal", None) or _said_refusal(message):
        return replace(counted, outcome=Outcome.REFUSED)
    if not isinstance(text, str) or not text.strip():
        return replace(counted, error_class="NoText")
    return replace(counted, outcome=Outcome.ANSWERED, text=text)


def _said_refusal(message: Any) -> bool:
    """Whether litellm kept the refusal beside the message's known fields."""
    return bool((getattr(message, "provider_specific_fields", None) or {}).get("refusal"))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 < value < 2**31 else None
