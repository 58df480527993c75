"""Every error the mesh raises on purpose, grouped by what the operator can do about it.

MeshError
├── FixInput            the operator mends what was given            (exit 2)
│   ├── ConfigError         a connector config or a setting is wrong
│   ├── UnknownName         a tenant, connector, stream, entity or view that does not exist
│   ├── CredentialError     credentials are missing, malformed or refused by the source
│   │   └── AccessDenied        they are good, but not for this resource
│   └── QueryError          a query that may not or cannot run
├── TryAgain            nothing to mend: the same call may work later (exit 1)
│   ├── SourceUnavailable   the source does not answer, or not as documented
│   │   └── UnexpectedAnswer    it answers this request, but not as documented
│   ├── LockBusy            another process works on the same thing
│   └── StorageUnavailable  Postgres, the lake or the warehouse does not answer
└── AskHuman            a person has to decide                       (exit 1)
    ├── RecordRefused       a record that cannot be taken; it is in quarantine
    ├── MappingRefused      a mapping set that contradicts the ontology or another set
    └── CheckFailed         data-quality checks found something

A message says what was expected, what was found, where, and the remedy. It never carries a secret.
"""

from __future__ import annotations


class MeshError(Exception):
    """Base of all deliberate errors; ``str()`` is the one paragraph an operator reads."""

    exit_code = 1

    def __init__(
        self,
        problem: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        where: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.expected = expected
        self.found = found
        self.where = where
        self.remedy = remedy
        super().__init__(self.describe())

    def describe(self) -> str:
        """One line: ``where: problem; expected …, found …. remedy``."""
        head = f"{self.where}: {self.problem}" if self.where else self.problem
        facts = [
            f"{label} {value}"
            for label, value in (("expected", self.expected), ("found", self.found))
            if value
        ]
        line = "; ".join([head, ", ".join(facts)] if facts else [head])
        return f"{line}. {self.remedy}" if self.remedy else line


class FixInput(MeshError):
    """What was given is wrong; mending it is the operator's act."""

    exit_code = 2


class ConfigError(FixInput):
    """A connector config or a setting is wrong."""


class UnknownName(FixInput):
    """A tenant, connector, stream, entity or view that does not exist."""


class CredentialError(FixInput):
    """Credentials are missing, malformed or refused by the source."""


class AccessDenied(CredentialError):
    """The source refuses this resource; what else the credentials open is unknown."""


class QueryError(FixInput):
    """A query that may not run (forbidden) or cannot run (wrong SQL)."""


class TryAgain(MeshError):
    """Nothing to mend: the same call may work later."""


class SourceUnavailable(TryAgain):
    """The source does not answer, or not as documented."""


class UnexpectedAnswer(SourceUnavailable):
    """The source answers, but not as documented; other requests may well work."""


class LockBusy(TryAgain):
    """Another process holds the lock of the same tenant and connector."""


class StorageUnavailable(TryAgain):
    """Postgres, the lake or the warehouse does not answer."""


class AskHuman(MeshError):
    """A person has to decide."""


class RecordRefused(AskHuman):
    """A record that cannot be taken; it is kept in quarantine with this reason."""


class MappingRefused(AskHuman):
    """A mapping set contradicts the ontology or another set."""


class CheckFailed(AskHuman):
    """Data-quality checks found something."""
