"""The settings, read from the environment once and frozen."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from core.limits import DATABASE_CONNECTIONS_MIN, DOCUMENT_CPU_SHARE, SOCKETS_MAX, SOCKETS_PER_VIEWER_MAX


def _split_list(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


WordList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_list)]
"""A list that the environment gives separated by commas."""

SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_list)]
"""The same with secret values, which are never printed."""


Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/@\s?#*]+)$")]
"""Scheme, host and any unusual port, as browsers send it: no path, not even a trailing slash."""


FLAGS: Final = frozenset({"demo"})
"""Fields that the command line alone sets: a variable that was left behind must not start a demo."""


class _Environment(EnvSettingsSource):
    """The environment without the fields that only the command line sets."""

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__call__().items() if name not in FLAGS}


class Settings(BaseSettings):
    """The operator's settings. Each field but `demo` is an environment variable of the same name in upper case."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - there is no such file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - nor such files
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line, then the environment."""
        return init_settings, _Environment(settings_cls)

    database_url: SecretStr | None = Field(
        default=None,
        description=(
            "PostgreSQL 15 or later, in the form of libpq (postgresql://user:password@host/name, or "
            "postgresql:///name?host=/run/postgresql). It may have several hosts, separated by commas, of which the "
            "primary is used. If unset, an embedded PostgreSQL starts in data_dir."
        ),
    )
    database_direct_url: SecretStr | None = Field(
        default=None,
        description=(
            "The same database without a transaction pooler, for migrations, which need a session lock. "
            "Default: DATABASE_URL."
        ),
    )
    data_dir: Path = Field(
        default=Path(".data"), description="The folder of the embedded PostgreSQL and the demo keys."
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    demo: bool = Field(
        default=False,
        description="Whether to load demo data and accept the tokens of the demo issuer. "
        "Only the command line sets it, by --demo.",
    )

    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that serve on one port. Each has its own connections to PostgreSQL, caches and live "
        "layer. Rates of agents and the number of sockets are divided among them.",
    )

    job_workers: int = Field(
        default=4,
        ge=0,
        le=1000,
        description="Background jobs that each process runs at once; 0 for none. `server.py work` runs jobs alone.",
    )
    job_grace: float = Field(
        default=20,
        ge=0,
        le=3600,
        description="Seconds after SIGTERM in which running jobs may reach a checkpoint, in a server within "
        "shutdown_grace. Then they are canceled, and run again elsewhere.",
    )

    request_role: str = Field(
        default="msp_request",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="The PostgreSQL role of requests. Row-level security applies to it.",
    )
    pool_size: int = Field(
        default=10,
        ge=1,
        description=(
            "The maximum number of connections to PostgreSQL for transactions. As many more are opened on "
            "demand for reads with a single statement."
        ),
    )
    long_statements: int | None = Field(
        default=None,
        ge=1,
        description=(
            "How many long statements of one tenant run at once while other tenants send requests: at least two in "
            "each worker. If unset, half as many as this machine has cores. Set it to half of PostgreSQL's cores if "
            "PostgreSQL runs elsewhere."
        ),
    )
    database_connections: int | None = Field(
        default=None,
        ge=DATABASE_CONNECTIONS_MIN,
        description=(
            "The maximum number of connections to PostgreSQL of this server, for everything and with all workers. "
            "If unset, each worker opens up to twice POOL_SIZE and 11 more."
        ),
    )
    postgres_bin: Path | None = Field(
        default=None,
        description=(
            "The directory of pg_dump, pg_restore and psql for `backup` and `restore`. If unset, they are searched "
            "in /usr/lib/postgresql, in PATH and in the embedded PostgreSQL."
        ),
    )
    statement_cache_size: int = Field(
        default=100,
        ge=0,
        description=(
            "The number of cached prepared statements per connection, each with up to 1 MiB of PostgreSQL's "
            "memory. Use 0 behind PgBouncer before 1.21, or without its max_prepared_statements."
        ),
    )

    agent_offline_after: int = Field(
        default=180,
        ge=1,
        le=31_536_000,
        description="The seconds after its last check-in during which an agent is online: three missed check-ins.",
    )
    agent_down_after: int = Field(
        default=900,
        ge=1,
        le=31_536_000,
        description=(
            "The seconds after its last check-in after which an agent's health check is down instead of "
            "degraded. Never before agent_offline_after."
        ),
    )
    agent_calls_per_minute: int = Field(
        default=12,
        ge=1,
        description="The sustained rate of requests of one agent, on each server. An agent needs one.",
    )
    enrollments_per_minute: int = Field(
        default=600, ge=1, description="The sustained rate of enrollments with one token, on each server."
    )

    agent_api_logs_days: int = Field(
        default=90, ge=0, le=36_500, description="Days that calls of agents are kept; 0 for ever."
    )
    api_logs_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days that calls to vendors are kept at most; 0 until each row's expiresAt.",
    )
    events_log_days: int = Field(
        default=400, ge=0, le=36_500, description="Days that events of entities are kept; 0 for ever."
    )
    scheduled_jobs_days: int = Field(
        default=90, ge=0, le=36_500, description="Days that finished jobs are kept; 0 for ever."
    )
    audit_log_years: int = Field(
        default=0, ge=0, le=100, description="Years that the audit log is kept; 0 for ever."
    )

    oidc_issuer: str | None = Field(
        default=None, description="The `iss` of the tokens of the identity provider."
    )
    oidc_jwks_url: str | None = Field(
        default=None,
        description=(
            "The URL of the keys of the identity provider. If unset, the issuer's "
            "/.well-known/openid-configuration names it."
        ),
    )
    oidc_audiences: WordList = Field(
        default=(), description="The accepted values of `aud`, separated by commas."
    )
    oidc_authorized_parties: WordList = Field(
        default=(), description="The accepted values of `azp`, separated by commas."
    )
    oidc_any_client: bool = Field(
        default=False,
        description="Whether to accept the tokens of every client of the identity provider. "
        "Otherwise the server does not start unless oidc_audiences or oidc_authorized_parties is set.",
    )
    oidc_algorithms: WordList = ("RS256", "ES256")

    clerk_webhook_secret: SecretStr | None = Field(
        default=None,
        description="The signing secret of Clerk's webhook endpoint, whsec_...; with it /webhooks/clerk takes them.",
    )
    signing_key: SecretStr | None = Field(
        default=None,
        description="The EC P-256 private key that signs platform tokens and agent tokens: the base64 of its PKCS #8 "
        "DER (python server.py key --signing), or a PEM. The key of sealed texts, such as the cursors of streams, is "
        "derived from it.",
    )
    secret_keys: SecretList = Field(
        default=(),
        description=(
            "The keys that encrypt the secrets of tenants, separated by commas, each 32 random bytes in "
            "base64 (openssl rand -base64 32). The first key encrypts, all keys decrypt. Without a key the "
            "server accepts no secrets."
        ),
    )
    import_secret_key: SecretStr | None = Field(
        default=None,
        description=(
            "The AES-256 key that encrypts the secrets of an imported export: 64 hexadecimal digits, or 32 "
            "bytes. Without it the import leaves secrets out."
        ),
    )
    former_signing_keys: SecretStr | None = Field(
        default=None,
        description=(
            "The former signing keys, separated by commas, each as signing_key. PEMs may also follow one another. "
            "The server accepts the agent tokens that they signed, and opens the texts that they sealed. A new "
            "signing key needs no new enrollments."
        ),
    )
    cors_headers: WordList = Field(
        default=(
            "Apollo-Require-Preflight",
            "ApolloGraphQL-Client-Name",
            "ApolloGraphQL-Client-Version",
            "Baggage",
            "Sentry-Trace",
            "Tracestate",
            "X-Apollo-Operation-Id",
            "X-Apollo-Operation-Name",
            "X-Datadog-Origin",
            "X-Datadog-Parent-Id",
            "X-Datadog-Sampling-Priority",
            "X-Datadog-Tags",
            "X-Datadog-Trace-Id",
        ),
        description="Request headers that pages of cors_origins may send in addition to those that this API reads, "
        "with commas between; * for any. By default those of Apollo, Sentry, Datadog and W3C traces.",
    )
    cors_exposed_headers: WordList = Field(
        default=("Retry-After", "X-Request-Id"),
        description="Response headers that pages of cors_origins may read, with commas between.",
    )
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split_list)] = Field(
        default=(),
        description=(
            "The origins whose pages may call this API from a browser, such as https://app.example.com, "
            "separated by commas; * for any."
        ),
    )
    websocket_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split_list)] | None = Field(
        default=None,
        description=(
            "The origins whose pages may open a WebSocket, separated by commas; * for any. Default: "
            "cors_origins. Pages of this server's own host are always allowed. A browser opens WebSockets to "
            "other origins without a check. There are no cookies, so a page cannot act for a user without "
            "the user's token. It could reach what the browser's network reaches, and keep sockets open."
        ),
    )
    shutdown_delay: float = Field(
        default=0,
        ge=0,
        le=3600,
        description="Seconds after SIGTERM during which the server is not ready and goes on serving, until load "
        "balancers have noticed; an unused server does not wait for it.",
    )
    shutdown_grace: float = Field(
        default=20,
        ge=0,
        le=3600,
        description="Seconds after that for requests in flight and running jobs, and for closing sockets one after "
        "another.",
    )
    sockets_max: int = Field(
        default=SOCKETS_MAX, ge=1, description="The maximum number of open WebSockets on this server."
    )
    sockets_per_viewer: int = Field(
        default=SOCKETS_PER_VIEWER_MAX,
        ge=1,
        description="The maximum number of WebSockets of one user, or of the platform in one tenant.",
    )
    document_cpu_share: float = Field(
        default=DOCUMENT_CPU_SHARE,
        gt=0,
        le=1,
        description=(
            "The sustained CPU seconds per second for new documents of one signed-in caller. With 1 no "
            "request is rejected for them."
        ),
    )
    graphiql: bool = Field(default=True, description="Whether browsers get GraphiQL at /graphql.")
    metrics: bool = Field(
        default=True,
        description=(
            "Whether to serve /metrics for Prometheus on the same port. The metrics contain no secrets, but "
            "the names of operations. Block the path at the proxy, or disable it."
        ),
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="A port for /metrics and the health checks alone, on metrics_host; the API's port has no metrics "
        "then.",
    )
    metrics_host: str = Field(default="127.0.0.1", description="The address of metrics_port.")
    metrics_token: SecretStr | None = Field(
        default=None, min_length=16, description="The bearer token that /metrics requires; none unless set."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe lines that are logged; a request is an info."
    )
    trusted_proxies: WordList = Field(
        default=("127.0.0.1", "::1"),
        description="Addresses and networks (CIDR) of proxies whose X-Forwarded-For names the client, with commas "
        "between.",
    )
    reads: Literal["auto", "loaders"] = Field(
        default="auto",
        description="The execution strategy of queries: compiled where possible, or data loaders for all.",
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description=(
            "The URL of the OpenTelemetry collector for a span of each request, by OTLP over HTTP, such as "
            "http://127.0.0.1:4318. Requires requirements-otel.txt."
        ),
    )
    introspection: bool = Field(
        default=True,
        description="Whether anonymous callers may use introspection and get suggestions of names in errors.",
    )
