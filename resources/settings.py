"""Settings: the only reader of the environment. Every other module is handed a ``Settings``.

Each setting is an ``AOS_``-prefixed variable; ``docs/settings.md`` lists them (a test compares).
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import ConfigError

PREFIX = "AOS_"


def project_root() -> Path:
    """The folder that holds ``core/``, ``connector_configs/``, ``dagster_home/``."""
    return Path(__file__).resolve().parent.parent


def _operating_system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's numeric user has no name
        return f"uid-{os.getuid()}"


class Settings(BaseSettings):
    """Everything an operator may set. Paths are absolute once loaded; durations in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    home: Path = Field(
        default_factory=lambda: project_root() / "dagster_home",
        description="Folder of everything this installation writes: embedded Postgres, lake, warehouse, key.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="Postgres to use instead of the embedded one, e.g. `postgresql://user:pw@host/db`.",
    )
    lake_url: str | None = Field(
        default=None,
        description="Where raw loads land: a folder, or `s3://`, `gs://`, `az://`. Default `<home>/lake`.",
    )
    warehouse_dir: Path = Field(
        default=Path("warehouse"),
        description="Folder of the tenants' DuckDB files. Default `<home>/warehouse`.",
    )
    config_paths: Annotated[tuple[Path, ...], NoDecode] = Field(
        default_factory=lambda: (project_root() / "connector_configs",),
        description="Folders of connector configs, separated like `PATH`. Default: the shipped ones and "
        "`<home>/connector_configs`.",
    )
    master_key: SecretStr | None = Field(
        default=None, description="Base64 of the 32 bytes that encrypt credentials; wins over the key file."
    )
    master_key_file: Path = Field(
        default=Path("master.key"),
        description="Key file made at first use (mode 0600). Default `<home>/master.key`.",
    )
    sync_threads: int = Field(default=8, ge=1, le=64, description="Steps of one run that work at once.")
    lock_wait_s: float = Field(
        default=30.0, ge=0, description="How long to wait for another process that holds the same lock."
    )
    sandbox_port: int = Field(
        default=8765, ge=1, le=65535, description="Port of the vendor sandbox on 127.0.0.1."
    )
    run_max_s: int = Field(
        default=3600, ge=60, description="A run older than this counts as stuck and is ended by the reaper."
    )
    auto_apply_confidence: float = Field(
        default=0.85,
        ge=0.85,
        le=1,
        description="Mappings at least this sure apply by themselves. Not below 0.85: what a person has to "
        "look at may be nearly as sure.",
    )
    mapper_enabled: bool = Field(
        default=True, description="Whether a sync proposes mappings for the fields that have none."
    )
    review_confidence: float = Field(
        default=0.60, ge=0, le=1, description="Mappings at least this sure go to review with a proposal."
    )
    llm_model: str | None = Field(
        default=None,
        description="Model that helps with unsure fields, as litellm names it, e.g. `openai/gpt-4o-mini`.",
    )
    llm_api_key: SecretStr | None = Field(
        default=None, description="Key of the model's API. Without it, or without a model, no model is asked."
    )
    llm_api_base: str | None = Field(
        default=None, description="URL of the model's API where it is not the vendor's own."
    )
    llm_timeout_s: float = Field(
        default=60.0, gt=0, le=600, description="Most seconds one question may take, retries included."
    )
    llm_monthly_budget_usd: float = Field(
        default=5.0,
        ge=0,
        le=1_000_000,
        description="What one tenant may spend on the model in a calendar month (UTC).",
    )
    llm_price_in_usd_per_1m: float | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="Price of 1,000,000 prompt tokens; needed with a model.",
    )
    llm_price_out_usd_per_1m: float | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="Price of 1,000,000 answer tokens; needed with a model.",
    )
    actor: str = Field(
        default_factory=_operating_system_user,
        min_length=1,
        description="Who the audit log names. Default: the operating-system user.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="WARNING", description="How much the command line tells: DEBUG, INFO, WARNING or ERROR."
    )
    shared_data: Path | None = Field(
        default=None, description="Folder of evaluation data for the tests on real input; not needed to run."
    )

    @field_validator("config_paths", mode="before")
    @classmethod
    def _split_paths(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part for part in value.split(os.pathsep) if part)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        home = self.home.expanduser().resolve()
        object.__setattr__(self, "home", home)
        for name in ("warehouse_dir", "master_key_file"):
            base = home if name not in self.model_fields_set else Path.cwd()
            object.__setattr__(self, name, (base / getattr(self, name).expanduser()).resolve())
        paths = [path.expanduser().resolve() for path in self.config_paths]
        own = home / "connector_configs"
        if "config_paths" not in self.model_fields_set and own.is_dir():
            paths.append(own)
        object.__setattr__(self, "config_paths", tuple(paths))
        if self.review_confidence > self.auto_apply_confidence:
            raise ValueError("review_confidence must not be above auto_apply_confidence")
        if self.llm_model and None in (self.llm_price_in_usd_per_1m, self.llm_price_out_usd_per_1m):
            raise ValueError(
                "llm_model needs llm_price_in_usd_per_1m and llm_price_out_usd_per_1m: "
                "no budget holds without a price"
            )
        return self

    @property
    def lake(self) -> str:
        """URL or absolute folder of the raw lake, without a trailing slash."""
        if self.lake_url is None:
            return str(self.home / "lake")
        url = self.lake_url if "://" in self.lake_url else str(Path(self.lake_url).expanduser().resolve())
        return url.rstrip("/")


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, ``overrides`` win; ConfigError names the variable, never its value."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = PREFIX + ".".join(str(part) for part in first["loc"]).upper() if first["loc"] else "settings"
        raise ConfigError(
            first["msg"], where=name, remedy="See docs/settings.md for what each setting takes"
        ) from None


def child_environment() -> dict[str, str]:
    """A copy of the whole environment, for handing to a process this one starts."""
    return dict(os.environ)


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Variables a Dagster process of this installation needs, beyond the caller's own environment."""
    return {
        "DAGSTER_HOME": str(settings.home),
        "AOS_HOME": str(settings.home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }


def quiet_litellm() -> None:
    """Before litellm is imported: it must fetch no price list, read no ``.env`` and not talk."""
    for name, value in (
        ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
        ("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True"),
        ("LITELLM_MODE", "PRODUCTION"),
        ("LITELLM_LOG", "CRITICAL"),
    ):
        os.environ.setdefault(name, value)
