"""The transforms of a stream's answered fields: what the values look like is measured where it decides.

Which transform follows is ``core/mapper/transforms.py``. Without a lake, names and types have to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.mapper.answer import Answer
from core.mapper.categories import match_categories
from core.mapper.derived import Derived, Part, derive_key, derive_names, find_whole_names
from core.mapper.lexicon import build_lexicon
from core.mapper.look import ISO, SURE, Look
from core.mapper.profile import Profile, read_profile
from core.mapper.proposal import Proposal, find_source
from core.mapper.question import Question, Reading, read_question
from core.mapper.transforms import Around, TransformChoice, propose_transform, read_types, says_minor
from core.mapping import MappingSet
from core.names import join_name
from core.ontology import CanonicalField, Entity, Ontology
from resources.database import Database
from resources.lake import Lake
from resources.loads import list_newest
from resources.looks import Wanted, measure_looks
from resources.samples import RECENT, choose_loads

StreamKey = tuple[str, str]
LEAST = 0.05
"""Below, an answer names no target."""
_FEW, _ENOUGH = 0.3, 10
"""Share of different values from which a text is no category; values that have to be seen."""


@dataclass(frozen=True)
class StreamTransforms:
    """Choices by field, and mappings that need other than one field."""

    choices: Mapping[str, TransformChoice]
    derived: Sequence[Derived] = ()
    looks: Mapping[str, Look] = field(default_factory=dict)


class Looker:
    """Looks at values of a tenant's newest loads; sees nothing without a lake."""

    def __init__(self, db: Database, lake: Lake | None, tenant_id: str) -> None:
        self._db, self._lake, self._tenant_id = db, lake, tenant_id
        self._files: dict[StreamKey, list[str]] = {}
        self.unreadable: dict[StreamKey, str] = {}
        """Streams whose newest loads cannot be read, and what the engine's error is."""

    @property
    def warnings(self) -> list[str]:
        """What to say of ``unreadable``."""
        told = "its newest loads cannot be read, its unmapped fields wait"
        return [f"{join_name(*key)}: {told} ({error})" for key, error in self.unreadable.items()]

    @contextmanager
    def reading(self, key: StreamKey) -> Iterator[None]:
        """Around all that looks at a stream's values: a damaged file is that stream's trouble only."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:  # its class only: the text may quote a value
            self.unreadable[key] = type(error).__name__

    def list_files(self, key: StreamKey) -> list[str]:
        """Files of the stream's newest loads, newest first; none where nothing landed."""
        if self._lake is None:
            return []
        if key not in self._files:  # profiles and looks ask alike
            loads = choose_loads(list_newest(self._db, self._tenant_id, *key, RECENT))
            names = [one.load_id for one in loads]
            self._files[key] = self._lake.files(self._tenant_id, *key, *names) if names else []
        return self._files[key]

    def look(self, key: StreamKey, wanted: Mapping[str, Wanted]) -> dict[str, Look]:
        """Looks by field path."""
        files = self.list_files(key) if wanted else []
        found = measure_looks(files, {find_source(path): kind for path, kind in wanted.items()})
        return {path: found[find_source(path)] for path in wanted if find_source(path) in found}


def choose_transforms(
    ontology: Ontology,
    entity: Entity,
    key: StreamKey,
    answers: Sequence[Answer],
    calibrated: Sequence[Answer],
    filled: set[str],
    looker: Looker,
    primary_key: Sequence[str] = (),
) -> StreamTransforms:
    """The transforms of all answered fields of one stream that was taken for ``entity``.

    ``calibrated``: the answers before a language model was asked: what it says of one field must not decide
    how another, sure one is read. ``filled``: targets that the set in force fills already.
    """
    lexicon = build_lexicon(ontology)

    def read(one: Answer) -> Part:
        return _read(one, read_question(one.question, entity, lexicon))

    parts = [read(one) for one in answers]
    told = {one.field: one for one in parts}
    wanted = _list_wanted(entity, answers, told)
    currency = _find_currencies(entity, [read(one) for one in calibrated])
    wanted |= dict.fromkeys(currency.values(), "category")
    names = find_whole_names(entity, parts)
    looks = looker.look(key, wanted | {path: "name" for path in names if path not in wanted})
    minor = any(says_minor(one.reading) for one in parts)
    choices = {}
    for answer in answers:
        path, target = answer.question.field, told[answer.question.field].target
        if target is None:
            continue
        canonical = entity.fields[target]
        choice = propose_transform(
            answer.question,
            told[path].reading,
            canonical,
            negated=target == answer.opposite_of,
            look=looks.get(path),
            around=_look_around(canonical, currency, looks, minor=minor),
        )
        other = _find_list(entity, canonical, looks.get(path)) if choice.doubt is None else None
        told_so = f"its values are those of {other}" if other else choice.doubt
        choices[path] = TransformChoice(choice.transform, choice.args, told_so)
    own_key = derive_key(entity, primary_key, filled)
    derived = [*([own_key] if own_key else []), *derive_names(entity, parts, filled, looks)]
    return StreamTransforms(choices, derived, looks)


def choose_for(
    ontology: Ontology, proposal: Proposal, target: str, kind: str, held: MappingSet | None, looker: Looker
) -> TransformChoice:
    """The transform where a person takes another target; ``kind``: the source's types, ``a|b``.

    UnknownName when the entity has no such field.
    """
    entity = ontology.entity(proposal.entity)
    canonical = entity.field(target)
    if len(proposal.parts) > 1:
        return TransformChoice(proposal.transform, dict(proposal.args), proposal.doubt)
    path = proposal.parts[0] if proposal.parts else proposal.field
    shares = {name: value for name, value in proposal.profile.items() if name in Profile.__dataclass_fields__}
    profile = read_profile(shares) if shares else None
    question = Question(proposal.connector, proposal.stream, path, entity.name, kind, profile=profile)
    reading = read_question(question, entity, build_lexicon(ontology))
    filled = {one.target: one.sources for one in (held.mappings if held else ())}
    currency = filled.get(canonical.currency or "", ())
    wanted = _want(question, canonical)
    looks = looker.look(proposal.key, {} if wanted is None else {path: wanted})
    return propose_transform(
        question,
        reading,
        canonical,
        negated=reading.text.replace(" ", "_") in canonical.opposites,
        look=looks.get(path),
        around=Around(currency_from=currency[0] if len(currency) == 1 else None),
    )


def _read(answer: Answer, reading: Reading) -> Part:
    best = answer.best
    target = best.field if best is not None and answer.confidence >= LEAST else None
    return Part(answer.question.field, reading, target, answer.confidence)


def _list_wanted(entity: Entity, answers: Sequence[Answer], told: Mapping[str, Part]) -> dict[str, Wanted]:
    found: dict[str, Wanted] = {}
    for answer in answers:
        target = told[answer.question.field].target
        kind = None if target is None else _want(answer.question, entity.fields[target])
        if kind is not None:
            found[answer.question.field] = kind
    return found


def _want(question: Question, target: CanonicalField) -> Wanted | None:
    """What about the values has to be known before a transform can be chosen."""
    types, profile = read_types(question.type), question.profile
    if types & {"object", "array"} or (profile is not None and profile.is_empty):
        return None
    if target.type in ("date", "datetime"):
        return None if types and types <= {"date", "timestamp"} else "time"
    if target.type == "currency":
        return "amount"
    if target.type == "boolean":
        plain = types == {"boolean"} or (profile is not None and profile.boolean >= SURE)
        return None if plain else "category"
    if target.type == "enum":
        return "category" if target.enum else None
    few = profile is not None and 0 <= profile.unique <= _FEW and profile.count >= _ENOUGH
    return "category" if target.type == "string" and few else None


def _find_list(entity: Entity, target: CanonicalField, look: Look | None) -> str | None:
    """Another field of the entity whose closed or open list knows all the values of a plain text."""
    if target.type != "string" or look is None or look.categories is None or look.odd:
        return None
    if len(look.categories) < 2:
        return None
    for one in entity.fields.values():
        if one.enum and one.name != target.name and not match_categories(look.categories, one).unknown:
            return one.name
    return None


def _find_currencies(entity: Entity, parts: Sequence[Part]) -> dict[str, str]:
    """Canonical currency field → the source field that is surest to hold it."""
    wanted = {one.currency for one in entity.fields.values() if one.currency}
    found: dict[str, Part] = {}
    for one in parts:
        if one.target in wanted and one.target is not None and one.confidence >= 0.5:
            before = found.get(one.target)
            if before is None or one.confidence > before.confidence:
                found[one.target] = one
    return {target: one.field for target, one in found.items()}


def _look_around(
    target: CanonicalField, currency: Mapping[str, str], looks: Mapping[str, Look], *, minor: bool
) -> Around:
    path = currency.get(target.currency or "")
    if path is None:
        return Around(minor)
    look = looks.get(path)
    codes = tuple(text.upper() for text in (look.categories or ())) if look is not None else ()
    return Around(minor, find_source(path), codes)


def describe_look(look: Look | None) -> dict[str, float]:
    """The shares of a look that are worth keeping; no values."""
    if look is None or not look.filled:
        return {}
    times = {f"as {name}": share for name, share in look.times.items() if name != ISO and share >= 0.01}
    kinds = {} if look.categories is None else {"categories": float(len(look.categories))}
    return times | kinds
