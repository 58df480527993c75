"""Credentials and OAuth tokens: encrypted in Postgres, each bound to its tenant, connector and version.

Which key encrypts them is ``master_key.py``. Values leave this module only towards a source's reader;
``repr`` and ``str`` never show them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError

from core.errors import CredentialError, LockBusy, UnknownName
from core.names import GLOBAL_TENANT, join_name
from resources.audit import record
from resources.database import Database, enter_operator, enter_tenant
from resources.locks import lock_key
from resources.master_key import KeyRing, MasterKey
from resources.settings import Settings
from resources.tables import connections, credentials, oauth_tokens, tenants

EXPIRY_MARGIN_S = 60.0
"""A token counts as expired this long before it does (half its life when that is shorter)."""
KEPT_VERSIONS = 2
"""The present version of a credential and the one before."""
_KEY_LOCK = "master key"


class Credentials(Mapping[str, str]):
    """Credential values by name. ``repr`` shows the names only; cannot be pickled."""

    def __init__(self, values: Mapping[str, str], version: int) -> None:
        self._values = dict(values)
        self.version = version

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self._values))}; version {self.version})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not to be written anywhere")


@dataclass(frozen=True)
class Token:
    """What a token endpoint gave. ``expires_in_s`` None: not said; ``refresh_token``: a new one, if any."""

    access_token: str = field(repr=False)
    expires_in_s: float | None = None
    refresh_token: str | None = field(default=None, repr=False)


class SecretStore:
    """Reads and writes the secrets of all connections, one tenant at a time."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._keys = KeyRing(settings)

    # --- credentials ---------------------------------------------------------------------------

    def read(self, tenant_id: str, connector: str) -> Credentials:
        """The newest version. Raises CredentialError when there is none or it cannot be decrypted."""
        with self._database.tenant(tenant_id) as conn:
            return self._read(conn, tenant_id, connector)

    def rotate(self, tenant_id: str, connector: str, values: Mapping[str, str], actor: str) -> int:
        """Store new values as the next version and forget tokens of the old; returns the version."""
        with self._database.tenant(tenant_id) as conn:
            found = select(connections.c.connector).where(_is(connections, tenant_id, connector))
            if conn.execute(found.with_for_update()).first() is None:
                raise UnknownName(f"tenant {tenant_id!r} has no connection {connector!r}")
            version = self.store(conn, tenant_id, connector, values, actor, "credentials.rotated")
            conn.execute(delete(oauth_tokens).where(_is(oauth_tokens, tenant_id, connector)))
        return version

    def store(
        self,
        conn: Connection,
        tenant_id: str,
        connector: str,
        values: Mapping[str, str],
        actor: str,
        action: str = "credentials.added",
    ) -> int:
        """Write the next version inside the caller's tenant transaction; returns the version."""
        _check_values(values, join_name(tenant_id, connector))
        newest = select(func.max(credentials.c.version)).where(_is(credentials, tenant_id, connector))
        old = conn.execute(newest).scalar() or 0
        version = old + 1
        sealed = self._seal(conn, dict(values), ["credentials", tenant_id, connector, version])
        row = {"tenant_id": tenant_id, "connector": connector, "version": version, **sealed}
        conn.execute(insert(credentials).values(**row))
        outdated = credentials.c.version <= version - KEPT_VERSIONS
        conn.execute(delete(credentials).where(_is(credentials, tenant_id, connector), outdated))
        after = {"version": version, "names": sorted(values)}
        record(conn, actor, action, connector, {"version": old} if old else None, after, tenant_id)
        return version

    def _read(self, conn: Connection, tenant_id: str, connector: str) -> Credentials:
        newest = select(credentials).where(_is(credentials, tenant_id, connector))
        row = conn.execute(newest.order_by(credentials.c.version.desc()).limit(1)).first()
        if row is None:
            raise CredentialError(
                "no credentials are stored",
                where=join_name(tenant_id, connector),
                remedy=f"Store them: aos connection rotate {tenant_id} {connector}",
            )
        return Credentials(self._open(row, _credential_context(row)), row.version)

    # --- OAuth tokens --------------------------------------------------------------------------

    def access_token(
        self,
        tenant_id: str,
        connector: str,
        refresh: Callable[[Credentials], Token],
        *,
        rejected: str | None = None,
    ) -> str:
        """A token that is valid now; ``refresh`` is called at most once per expiry across all processes.

        ``rejected``: a token the source refused although it had not expired; it is replaced unless
        somebody did so already. A refresh token the vendor replaced becomes the next credential version.
        """
        with self._database.tenant(tenant_id) as conn:
            found = self._valid_token(conn, tenant_id, connector, rejected)
        if found is not None:
            return found
        with self._database.tenant(tenant_id) as conn:
            self._wait_for_turn(conn, tenant_id, connector)
            found = self._valid_token(conn, tenant_id, connector, rejected)
            if found is not None:
                return found
            given = self._read(conn, tenant_id, connector)
            token = refresh(given)
            self._keep_token(conn, tenant_id, connector, given, token)
        return token.access_token

    def _wait_for_turn(self, conn: Connection, tenant_id: str, connector: str) -> None:
        wait = f"{max(1, int(self._settings.lock_wait_s * 1000))}ms"
        conn.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": wait})
        key = lock_key(tenant_id, f"token of {connector}")
        try:
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != "55P03":
                raise
            raise LockBusy(
                "another process refreshes the token and does not finish",
                where=join_name(tenant_id, connector),
                remedy="Try again",
            ) from None

    def _valid_token(
        self, conn: Connection, tenant_id: str, connector: str, rejected: str | None
    ) -> str | None:
        newest = select(func.max(credentials.c.version)).where(_is(credentials, tenant_id, connector))
        query = select(oauth_tokens).where(
            _is(oauth_tokens, tenant_id, connector),
            oauth_tokens.c.credential_version == newest.scalar_subquery(),
        )
        row = conn.execute(query).first()
        if row is None or _has_expired(row):
            return None
        token = self._open(row, _token_context(row))["access_token"]
        return None if token == rejected else token

    def _keep_token(
        self, conn: Connection, tenant_id: str, connector: str, given: Credentials, token: Token
    ) -> None:
        version = given.version
        if token.refresh_token is not None and token.refresh_token != given.get("refresh_token"):
            values = {**given, "refresh_token": token.refresh_token}
            version = self.store(conn, tenant_id, connector, values, "source", "credentials.renewed")
        now = datetime.now(UTC)
        life = token.expires_in_s
        row: dict[str, Any] = {
            "tenant_id": tenant_id,
            "connector": connector,
            "credential_version": version,
            "expires_at": None if life is None else now + timedelta(seconds=life),
            "refreshed_at": now,
        }
        context: list[str | int] = ["token", tenant_id, connector, version]
        row |= self._seal(conn, {"access_token": token.access_token}, context)
        change = {name: row[name] for name in row if name not in ("tenant_id", "connector")}
        keys = ["tenant_id", "connector"]
        conn.execute(
            upsert(oauth_tokens).values(**row).on_conflict_do_update(index_elements=keys, set_=change)
        )

    # --- the key -------------------------------------------------------------------------------

    def rekey(self, new_key_file: Path | None = None, *, actor: str) -> int:
        """Encrypt everything stored again under a new key, all or nothing; returns how many secrets.

        The new key is read from ``new_key_file`` or made; it takes the key file's place after the commit.
        Killed in between, the next use finds both keys and finishes.
        """
        with self._database.lock(GLOBAL_TENANT, _KEY_LOCK):
            with self._database.operator() as conn:
                self._keys.current(_used_keys(conn))  # finish what was left, and refuse a wrong key
                new = self._keys.prepare(new_key_file)
                ids = conn.execute(select(tenants.c.tenant_id).order_by(tenants.c.tenant_id)).scalars().all()
                count = sum(self._rekey_tenant(conn, tenant_id, new) for tenant_id in ids)
                enter_operator(conn)
                after = {"key_id": new.key_id, "secrets": count}
                record(conn, actor, "master_key.changed", "master key", None, after, GLOBAL_TENANT)
            self._keys.take_over()
        return count

    def _rekey_tenant(self, conn: Connection, tenant_id: str, new: MasterKey) -> int:
        enter_tenant(conn, tenant_id)
        count = 0
        for table, context_of in ((credentials, _credential_context), (oauth_tokens, _token_context)):
            for row in conn.execute(select(table).with_for_update()).all():
                context = context_of(row)
                sealed = _sealed(new, self._open(row, context), context)
                where = [column == row._mapping[column.name] for column in table.primary_key]
                count += conn.execute(update(table).where(*where).values(**sealed)).rowcount
        return count

    def _seal(self, conn: Connection, values: dict[str, str], context: list[str | int]) -> dict[str, Any]:
        """Encrypt inside a tenant's transaction that keeps a re-encryption out until it ends."""
        key = lock_key(GLOBAL_TENANT, _KEY_LOCK)
        conn.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": key})
        enter_operator(conn)
        used = _used_keys(conn)
        enter_tenant(conn, str(context[1]))
        return _sealed(self._keys.current(used), values, context)

    def _open(self, row: Row[Any], context: list[str | int]) -> dict[str, str]:
        plain = self._keys.find(row.key_id).decrypt(row.nonce, row.ciphertext, context)
        values: dict[str, str] = json.loads(plain)
        return values


def _used_keys(conn: Connection) -> set[str]:
    """Ids of the keys of everything stored, in the operator's scope."""
    return set(conn.execute(select(credentials.c.key_id).distinct()).scalars())


def _sealed(key: MasterKey, values: dict[str, str], context: list[str | int]) -> dict[str, Any]:
    nonce, ciphertext = key.encrypt(json.dumps(values).encode(), context)
    return {"key_id": key.key_id, "nonce": nonce, "ciphertext": ciphertext}


def _credential_context(row: Row[Any]) -> list[str | int]:
    return ["credentials", row.tenant_id, row.connector, row.version]


def _token_context(row: Row[Any]) -> list[str | int]:
    return ["token", row.tenant_id, row.connector, row.credential_version]


def _is(table: Any, tenant_id: str, connector: str) -> Any:
    return (table.c.tenant_id == tenant_id) & (table.c.connector == connector)


def _has_expired(row: Row[Any]) -> bool:
    if row.expires_at is None:
        return False
    life_s = (row.expires_at - row.refreshed_at).total_seconds()
    margin = timedelta(seconds=min(EXPIRY_MARGIN_S, life_s / 2))
    return bool(datetime.now(UTC) >= row.expires_at - margin)


def _check_values(values: Mapping[str, str], where: str) -> None:
    for name, value in values.items():
        if not isinstance(value, str) or not isinstance(name, str):
            raise CredentialError("every credential is a text", where=where, found=f"{name!r} is not")
