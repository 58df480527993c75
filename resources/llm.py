"""The language model as an option: asked about a stream's unsure fields, bounded in money, time and trust.

One question a stream. Before each request: the flag, the breaker, the budget; after it: ledger, strict
validation, one more try for a bad answer. Whatever goes wrong, the fields are left to review. What an
answer may change is ``core/llm/weigh.py``.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from decimal import Decimal

from core.llm.answer import AnswerRefused, read_answer
from core.llm.prompt import Prompt, build_prompt
from core.llm.question import LlmAnswer, StreamQuestion, Unheard
from resources.breaker import Breaker
from resources.database import Database
from resources.flags import LLM, read_flag
from resources.llm_budget import (
    CallLabel,
    Reservation,
    Settlement,
    price_call,
    read_commitment,
    reserve,
    settle,
)
from resources.llm_client import Completion, complete, load_litellm
from resources.llm_ledger import Outcome, read_resting
from resources.mapper_again import Turn
from resources.settings import Settings

PURPOSE = "mapping.propose"
MAX_OUTAGES = 3
"""Requests of one question that may end without an answer."""
MAX_BAD_ANSWERS = 2
"""Answers of one question that may be unusable: the first and one more."""
FIRST_PAUSE_S = 0.5
_OUTAGES = (Outcome.TIMED_OUT, Outcome.RATE_LIMITED, Outcome.UNAVAILABLE, Outcome.UNAUTHORISED)
_AGAIN = (Outcome.RATE_LIMITED, Outcome.UNAVAILABLE)
"""Outages worth a second request: what timed out has used the time up, a refused key stays refused."""

_BAD = (Outcome.INVALID, Outcome.REFUSED, Outcome.TRUNCATED)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LlmReply:
    """The answers to a question, none unless ``outcome`` is ANSWERED.

    ``is_heard``: the model gave an answer, if a bad one. ``needs_usd``: what the budget had no room for.
    """

    outcome: Outcome
    answers: tuple[LlmAnswer, ...] = ()
    is_heard: bool = False
    needs_usd: Decimal = Decimal(0)


@dataclass
class _Tries:
    """What is left of one question's patience."""

    deadline: float
    outages: int = 0
    bad_answers: int = 0

    @property
    def left_s(self) -> float:
        return self.deadline - time.monotonic()


@dataclass(frozen=True)
class LlmProposer:
    """Asks the model of the settings; safe to share between threads."""

    database: Database
    settings: Settings
    breaker: Breaker = field(repr=False)

    def propose(self, tenant_id: str, question: StreamQuestion) -> list[LlmAnswer]:
        """Evidence about the stream's unsure fields; none where the answers were bad.

        Raises Unheard when the model may not or cannot be asked, StorageUnavailable; nothing that a model
        or its server does.
        """
        reply = self.ask(tenant_id, question)
        if not reply.is_heard:
            raise Unheard(reply.needs_usd)
        return list(reply.answers)

    def read_turn(self, tenant_id: str) -> Turn | None:
        """Whether the model may be asked about the tenant's fields now, and how far; None: not at all."""
        state = self.breaker.look()
        if state.is_open or not read_flag(self.database, LLM, tenant_id):
            return None
        left = self._budget - read_commitment(self.database, tenant_id)
        resting = read_resting(self.database, tenant_id, self.breaker.model)
        return Turn(left, state.open_until is not None, resting)

    @property
    def _budget(self) -> Decimal:
        return Decimal(str(self.settings.llm_monthly_budget_usd))

    def ask(self, tenant_id: str, question: StreamQuestion) -> LlmReply:
        """As ``propose``, and how it ended."""
        if not question.fields:
            return LlmReply(Outcome.NOTHING_ASKED, is_heard=True)
        if not read_flag(self.database, LLM, tenant_id):
            return LlmReply(Outcome.SWITCHED_OFF)
        load_litellm()  # seconds, once: not of the question's time
        prompt = build_prompt(question)
        tries = _Tries(time.monotonic() + self.settings.llm_timeout_s)
        while True:
            reply = self._ask_once(tenant_id, question, prompt, tries)
            if not _may_retry(reply.outcome, tries):
                break
        if reply.outcome is not Outcome.ANSWERED:
            _log.warning(
                "tenant %s: no answer of the model for %s/%s (%s); its unsure fields go to review",
                tenant_id,
                question.connector,
                question.stream,
                reply.outcome,
            )
        return replace(reply, is_heard=reply.outcome is Outcome.ANSWERED or tries.bad_answers > 0)

    def _ask_once(self, tenant_id: str, question: StreamQuestion, prompt: Prompt, tries: _Tries) -> LlmReply:
        if not read_flag(self.database, LLM, tenant_id):
            return LlmReply(Outcome.SWITCHED_OFF)
        bound = price_call(self.settings, prompt.max_prompt_tokens, prompt.max_output_tokens)
        label = CallLabel(
            tenant_id, str(self.settings.llm_model), PURPOSE, question.connector, question.stream
        )
        reservation = reserve(self.database, label, bound, self._budget)
        if reservation is None:
            return LlmReply(Outcome.BUDGET_EXHAUSTED, needs_usd=bound)
        if not self.breaker.admit():
            settle(self.database, reservation, Settlement(Outcome.BREAKER_OPEN, Decimal(0), 0.0))
            return LlmReply(Outcome.BREAKER_OPEN)
        return self._request(reservation, prompt, tries)

    def _request(self, reservation: Reservation, prompt: Prompt, tries: _Tries) -> LlmReply:
        started = time.monotonic()
        completion = complete(self.settings, prompt, max(tries.left_s, 0.001))
        reply, error_class = _read_completion(completion, prompt)
        cost = self._cost(completion)
        if cost is not None and cost > reservation.usd:
            cost, error_class = None, "UsageBeyondBound"  # more tokens than bytes were sent or allowed
        settle(
            self.database,
            reservation,
            Settlement(
                reply.outcome,
                cost,
                time.monotonic() - started,
                completion.prompt_tokens,
                completion.completion_tokens,
                error_class,
            ),
        )
        if reply.outcome in _OUTAGES:
            self.breaker.note_outage()
            tries.outages += 1
            if reply.outcome in _AGAIN:
                _pause(completion, tries)
        else:  # who refuses a request is there: no tenant's bad one may use up the try of all
            self.breaker.note_answer()
            tries.bad_answers += reply.outcome in _BAD
        return reply

    def _cost(self, completion: Completion) -> Decimal | None:
        """The true cost; 0 for what no vendor charges; None, the upper bound, where nobody knows."""
        if not completion.paid:
            return Decimal(0)
        if completion.prompt_tokens is None or completion.completion_tokens is None:
            return None
        return price_call(self.settings, completion.prompt_tokens, completion.completion_tokens)


def open_proposer(database: Database, settings: Settings) -> LlmProposer | None:
    """The proposer, or None without a model or a key: then everything works, with more review."""
    if settings.llm_model is None or settings.llm_api_key is None:
        return None
    return LlmProposer(database, settings, Breaker(database, settings.llm_model))


def project_cost(settings: Settings, calls: float, prompt_tokens: float, completion_tokens: float) -> float:
    """USD for a number of calls of the given mean sizes, at the settings' prices."""
    return float(price_call(settings, round(calls * prompt_tokens), round(calls * completion_tokens)))


def _read_completion(completion: Completion, prompt: Prompt) -> tuple[LlmReply, str | None]:
    """The reply, and the class of what was wrong with it."""
    if completion.text is None:
        return LlmReply(completion.outcome), completion.error_class
    try:
        return LlmReply(Outcome.ANSWERED, tuple(read_answer(completion.text, prompt))), None
    except AnswerRefused as error:
        return LlmReply(Outcome.INVALID), str(error)


def _may_retry(outcome: Outcome, tries: _Tries) -> bool:
    if tries.left_s <= 0:
        return False
    if outcome in _AGAIN:
        return tries.outages < MAX_OUTAGES
    return outcome in _BAD and tries.bad_answers < MAX_BAD_ANSWERS


def _pause(completion: Completion, tries: _Tries) -> None:
    """Wait as long as the server asked, else twice as long each time; never past the deadline."""
    if tries.outages >= MAX_OUTAGES:
        return
    wanted = completion.retry_after_s
    pause = FIRST_PAUSE_S * 2 ** (tries.outages - 1) if wanted is None else wanted
    if pause >= tries.left_s:
        tries.deadline = time.monotonic()  # no answer can come in time: give up now, not after waiting
        return
    time.sleep(pause)
