"""The settings, read from the environment once and frozen."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.limits import SOCKETS_MAX, SOCKETS_PER_VIEWER_MAX


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list that the environment gives with commas between."""

Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
"""The same of values that nothing prints."""


Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/@\s?#*]+)$")]
"""Scheme, host and, unless usual, port, as browsers send it: no path, not even a slash at the end."""


class Settings(BaseSettings):
    """What an operator may set. Each field is an environment variable of the same name in upper case."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL 15 or later, as libpq takes it (postgresql://user:password@host/name, or "
        "postgresql:///name?host=/run/postgresql); without it an embedded one is started in data_dir.",
    )
    database_direct_url: SecretStr | None = Field(
        default=None,
        description="The same database past a transaction pooler, for migrations: they hold a lock of their session. "
        "As DATABASE_URL unless set.",
    )
    data_dir: Path = Field(
        default=Path(".data"), description="Where the embedded PostgreSQL and demo keys live."
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    demo: bool = Field(default=False, description="Load demo data and accept the demo issuer's tokens.")

    request_role: str = Field(
        default="msp_request",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="The PostgreSQL role under which requests run; row-level security applies to it.",
    )
    pool_size: int = Field(
        default=10,
        ge=1,
        description="Connections to PostgreSQL for transactions, and as many again, opened when they are needed, for "
        "reads that one statement answers.",
    )
    statement_cache_size: int = Field(
        default=100,
        ge=0,
        description="Prepared statements kept a connection, each up to 1 MiB of PostgreSQL's memory; "
        "0 behind PgBouncer before 1.21.",
    )

    agent_offline_after: int = Field(
        default=180,
        ge=1,
        le=31_536_000,
        description="Seconds after its last check-in during which an agent counts as online: three missed beats.",
    )
    agent_down_after: int = Field(
        default=900,
        ge=1,
        le=31_536_000,
        description="Seconds after its last check-in from which an agent's health check is down, no longer degraded; "
        "never before agent_offline_after.",
    )
    agent_calls_per_minute: int = Field(
        default=12, ge=1, description="Calls of one agent in the long run, on each server; it needs one."
    )
    enrollments_per_minute: int = Field(
        default=600, ge=1, description="Enrolments by one token in the long run, on each server."
    )

    oidc_issuer: str | None = Field(default=None, description="The `iss` of the identity provider's tokens.")
    oidc_jwks_url: str | None = Field(
        default=None, description="Where its keys are; the issuer's /.well-known/jwks.json unless set."
    )
    oidc_audiences: Words = Field(default=(), description="Accepted `aud`; any of them, with commas between.")
    oidc_authorized_parties: Words = Field(default=(), description="Accepted `azp`; any of them.")
    oidc_algorithms: Words = ("RS256", "ES256")

    signing_key: SecretStr | None = Field(
        default=None, description="PEM of the EC P-256 private key that signs platform and agent tokens."
    )
    secret_keys: Secrets = Field(
        default=(),
        description="Keys of the secrets that are kept for tenants, with commas between, each 32 random bytes in "
        "base64 (openssl rand -base64 32): the first encrypts, all decrypt. Without one no secret is taken.",
    )
    import_secret_key: SecretStr | None = Field(
        default=None,
        description="The AES-256 key under which an imported export has its secrets: 64 hexadecimal digits, or "
        "32 bytes. Without it they are kept out.",
    )
    former_signing_keys: SecretStr | None = Field(
        default=None,
        description="PEMs of former signing keys, one after the other: agents' tokens that they signed are taken, "
        "so that a new key can be set without every device enrolling anew.",
    )
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(),
        description="Origins whose pages may call this API from a browser, such as https://app.example.com, "
        "with commas between; * for any.",
    )
    websocket_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)] | None = Field(
        default=None,
        description="Origins whose pages may open a WebSocket, with commas between; * for any. Those of cors_origins "
        "unless set; pages of this server's own host always may. A browser opens WebSockets across origins without "
        "asking; as there are no cookies, a page cannot act for a user whose token it does not have, but it could "
        "reach what a browser's network reaches, and hold sockets open.",
    )
    sockets_max: int = Field(default=SOCKETS_MAX, ge=1, description="WebSockets open at once on this server.")
    sockets_per_viewer: int = Field(
        default=SOCKETS_PER_VIEWER_MAX,
        ge=1,
        description="WebSockets of one user, or of the platform in one tenant.",
    )
    graphiql: bool = Field(default=True, description="Show GraphiQL to browsers at /graphql.")
    metrics: bool = Field(
        default=True,
        description="Serve /metrics for Prometheus on the same port. It has no secrets, but names operations: "
        "keep it from the public at the proxy, or switch it off.",
    )
    reads: Literal["auto", "loaders"] = Field(
        default="auto", description="How queries are run: compiled where they can be, or all by data loaders."
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="The OpenTelemetry collector that gets a span of each request, by OTLP over HTTP, such as "
        "http://127.0.0.1:4318; needs requirements-otel.txt.",
    )
    introspection: bool = Field(
        default=True,
        description="Answer introspection to anonymous callers, and suggest names to them when they err.",
    )
