"""The master key: from the setting, or a key file made at first use. Encrypts and decrypts with it.

A key is 32 random bytes, written as base64. Its id (part of a hash) stands beside each ciphertext, so a
wrong key is recognised before anything is decrypted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import CredentialError
from resources.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12


@dataclass(frozen=True)
class MasterKey:
    """An AES-256 key and its id; ``repr`` shows the id only."""

    value: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """16 hex digits that name the key without telling it."""
        return hashlib.sha256(b"aos master key id\0" + self.value).hexdigest()[:16]

    def encrypt(self, plain: bytes, context: list[str | int]) -> tuple[bytes, bytes]:
        """(nonce, ciphertext); decrypting needs the same ``context``."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce, AESGCM(self.value).encrypt(nonce, plain, self._bind(context))

    def decrypt(self, nonce: bytes, ciphertext: bytes, context: list[str | int]) -> bytes:
        """The plain bytes; CredentialError when the ciphertext was altered or belongs elsewhere."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self.value).decrypt(nonce, ciphertext, self._bind(context))
        except InvalidTag:
            raise CredentialError(
                "the stored secret was altered, or put where it does not belong",
                where="/".join(str(part) for part in context[1:]),
                remedy="Store it again: aos connection rotate",
            ) from None

    def _bind(self, context: list[str | int]) -> bytes:
        return json.dumps([*context, self.key_id], ensure_ascii=False).encode()


class KeyRing:
    """The keys at hand by id: the present one, and its successor while a re-encryption is under way."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = settings.master_key_file
        self._keys: dict[str, MasterKey] = {}

    @property
    def from_setting(self) -> bool:
        """Whether the key is AOS_MASTER_KEY rather than the file's."""
        return self._settings.master_key is not None

    @property
    def _successor(self) -> Path:
        return self._file.with_name(self._file.name + ".next")

    def find(self, key_id: str) -> MasterKey:
        """The key that encrypted something; CredentialError when it is not at hand."""
        if key_id not in self._keys:
            self._keys = {key.key_id: key for key in self._load()}
        if key_id in self._keys:
            return self._keys[key_id]
        raise CredentialError(
            "stored credentials cannot be read with the master key at hand",
            expected=f"key {key_id}",
            found="key " + ", ".join(sorted(self._keys)) if self._keys else "none",
            where="AOS_MASTER_KEY" if self.from_setting else str(self._file),
            remedy="Bring back the key they were stored with, or store them again: aos connection rotate",
        )

    def current(self, used: set[str]) -> MasterKey:
        """The key to encrypt with. ``used``: ids of the keys of what is stored already.

        A key file is made when nothing is stored yet. CredentialError rather than mixing two keys.
        """
        keys = self._load()
        if not keys and not used:
            return self._create()
        matching = [key for key in keys if not used or key.key_id in used]
        if not matching:
            return self.find(min(used))
        if matching[0] != keys[0]:  # a re-encryption ended between its commit and taking over the file
            self.take_over()
        return matching[0]

    def prepare(self, given: Path | None) -> MasterKey:
        """The next key, from a file or new; kept safe beside the present one until ``take_over``."""
        if self.from_setting and given is None:
            raise CredentialError(
                "the master key comes from AOS_MASTER_KEY, which only you can change",
                expected="--new-key-file with the next key, then AOS_MASTER_KEY set to the same",
            )
        key = MasterKey(secrets.token_bytes(KEY_BYTES)) if given is None else _read_key_file(given)
        if not self.from_setting:
            self._successor.unlink(missing_ok=True)
            _write_key_file(self._successor, key)
        self._keys[key.key_id] = key
        return key

    def take_over(self) -> None:
        """Make the prepared key the present one."""
        if not self.from_setting:
            self._successor.replace(self._file)

    def _load(self) -> list[MasterKey]:
        """Keys at hand, the present one first."""
        if self._settings.master_key is not None:
            return [_parse_key(self._settings.master_key.get_secret_value(), "AOS_MASTER_KEY")]
        return [_read_key_file(path) for path in (self._file, self._successor) if path.exists()]

    def _create(self) -> MasterKey:
        """Make the key file; if another process was quicker, its key counts."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        making = self._file.with_name(f"{self._file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        _write_key_file(making, MasterKey(secrets.token_bytes(KEY_BYTES)))
        try:
            os.link(making, self._file)
        except FileExistsError:
            pass
        finally:
            making.unlink()
        return _read_key_file(self._file)


def _write_key_file(path: Path, key: MasterKey) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(key.value) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _read_key_file(path: Path) -> MasterKey:
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise CredentialError(
                "the key file is open to others",
                expected="mode 0600",
                found=f"mode {stat.S_IMODE(mode):04o}",
                where=str(path),
                remedy=f"chmod 600 {path}; if others may have read it: aos secrets rekey",
            )
        return _parse_key(path.read_text(encoding="ascii"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(
            "the key file cannot be read", found=type(error).__name__, where=str(path)
        ) from None


def _parse_key(text: str, where: str) -> MasterKey:
    try:
        value = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != KEY_BYTES:
        raise CredentialError(
            "is not a master key",
            expected=f"base64 of {KEY_BYTES} bytes, as `openssl rand -base64 32` prints",
            where=where,
        )
    return MasterKey(value)
