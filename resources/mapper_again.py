"""Fields that wait for the language model: the basis of their proposals says that it was not heard.

They are asked again on that basis once the model may be asked; what it was heard on never is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from resources.registry_rows import StreamKey

_UNHEARD = "/unheard:"


@dataclass(frozen=True)
class Turn:
    """The model may be asked about a tenant's fields, but not of ``resting`` streams; USD left for it.

    ``is_try``: it was out, and one question is to find out whether it still is.
    """

    left_usd: Decimal
    is_try: bool = False
    resting: frozenset[StreamKey] = frozenset()


OpenFields = Mapping[StreamKey, Mapping[str, str]]
"""Open fields by stream, each with the basis of its pending proposal, empty without one."""
ReadTurn = Callable[[str], Turn | None]
"""From the tenant; None: the model may not be asked."""


def mark_unheard(basis: str, needs_usd: Decimal) -> str:
    """The basis of a field that the model was not heard on; its question needs so much money."""
    return f"{basis}{_UNHEARD}{needs_usd}"


def leave_waiting(
    open_fields: OpenFields, basis: str, tenant_id: str, read_turn: ReadTurn | None
) -> dict[StreamKey, dict[str, str]]:
    """Take out what is answered on ``basis``, and what waits for a model that may not be asked now.

    Whether it may is read only where something waits.
    """
    mark = basis + _UNHEARD
    waiting = {
        (key, path): Decimal(made_from.removeprefix(mark))
        for key, fields in open_fields.items()
        for path, made_from in fields.items()
        if made_from.startswith(mark)
    }
    turn = read_turn(tenant_id) if waiting and read_turn is not None else None
    ready = {one for one, usd in waiting.items() if turn is not None and _may_be_asked(turn, one[0], usd)}
    if turn is not None and turn.is_try and ready:
        tried = random.choice(sorted({key for key, _ in ready}))  # not always the one that fails
        ready = {one for one in ready if one[0] == tried}
    left = {
        key: {
            path: made_from
            for path, made_from in fields.items()
            if made_from != basis and ((key, path) not in waiting or (key, path) in ready)
        }
        for key, fields in open_fields.items()
    }
    return {key: fields for key, fields in left.items() if fields}


def _may_be_asked(turn: Turn, key: StreamKey, needs_usd: Decimal) -> bool:
    return key not in turn.resting and turn.left_usd > 0 and turn.left_usd >= needs_usd
