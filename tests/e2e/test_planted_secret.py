"""Searches for a secret that a client wrote: in responses, logs, audit rows, and a dump of the database."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.clusters import ThrowawayCluster, find_binaries
from tests.e2e.servers import Server, run_command, start_server, temporary_data_dir
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest

LINES = 5
PLANTED: Final = "Plant3d+Kingf1sher/Sesame"
FORMS: Final = (PLANTED, base64.b64encode(PLANTED.encode()).decode(), PLANTED.encode().hex(), "Kingf1sher")
SCHEMA: Final = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "format": "uri"},
        "key": {"type": "string", "sensitive": True, "minLength": 5},
        "pair": {"type": "object", "sensitive": True},
        "deep": {"type": "object", "properties": {"keys": {"items": {"type": "string", "sensitive": True}}}},
        "port": {"type": "integer"},
    },
    "required": ["url", "key"],
    "additionalProperties": False,
}  # fmt: skip
GOOD: Final = {
    "url": "https://psa.example",
    "key": PLANTED,
    "pair": {"certificate": PLANTED},
    "deep": {"keys": [PLANTED, f"{PLANTED}-2"]},
}

ADD_INTEGRATION = """
    mutation ($schema: JSON) {
        createIntegration(input: {
            id: "planted", name: "Planted", description: "x", category: "psa", supportedTypes: []
            configSchema: $schema
        }) { id configSchema }
    }
"""
CREATE = """
    mutation ($config: JSON) {
        createDataSource(input: {integrationId: "planted", config: $config}) { id config updatedAt }
    }
"""
SAVE = "mutation ($id: ID!, $config: JSON!) { saveDataSourceConfig(id: $id, config: $config) { id config } }"
READ = """
    query ($id: ID!) {
        dataSource(id: $id) { config metadata externalId }
        dataSources(first: 1000) { nodes { config integration { configSchema } } }
        auditLog(first: 1000) { nodes { tableName recordId action changes } }
    }
"""


class RecordingClient:
    """Sends requests to the server, and keeps all responses."""

    def __init__(self, server: Server) -> None:
        self._url = f"{server.url}/graphql"
        self.administrator, self.platform = server.tokens[0][1], server.tokens[3][1]
        self.responses: list[str] = []

    def send(self, body: Any, token: str = "", **headers: str) -> httpx.Response:
        """POST this as the administrator, unless another token is given."""
        sent = {
            "Authorization": f"Bearer {token or self.administrator}",
            "Content-Type": "application/json",
            **headers,
        }
        content = body if isinstance(body, str) else json.dumps(body)
        response = httpx.post(self._url, content=content, headers=sent, timeout=HANG_S)
        self.responses.append(f"{response.headers} {response.text}")
        return response

    def execute(self, query: str, token: str = "", **variables: Any) -> dict[str, Any]:
        """The answer to a query."""
        answer: dict[str, Any] = self.send({"query": query, "variables": variables}, token).json()
        return answer


def _write_secret(client: RecordingClient) -> str:
    """Write the secret in every accepted way; returns the data source's id."""
    assert "errors" not in client.execute(ADD_INTEGRATION, client.platform, schema=SCHEMA)
    created = client.execute(CREATE, config=GOOD)
    assert "errors" not in created, created
    row = created["data"]["createDataSource"]
    secret = {"secret": True}
    hidden = {"url": "https://psa.example", "key": secret, "pair": secret, "deep": {"keys": [secret, secret]}}
    assert row["config"] == hidden
    saved = client.execute(
        SAVE, id=row["id"], config={**GOOD, "key": f"{PLANTED}-3", "deep": {"keys": [PLANTED]}}
    )
    assert saved["data"]["saveDataSourceConfig"]["config"] == {**hidden, "deep": {"keys": [secret]}}
    kept = client.execute(
        SAVE, id=row["id"], config={"url": "https://psa.example", "key": "", "pair": secret}
    )
    assert kept["data"]["saveDataSourceConfig"]["config"] == {
        "url": "https://psa.example",
        "key": secret,
        "pair": secret,
    }
    return str(row["id"])


def _write_refused(client: RecordingClient, source: str) -> None:
    """Write it in refused ways: in the wrong field, together with an invalid value, or only half of the text."""
    for wrong in (
        {"url": PLANTED, "key": PLANTED},
        {"url": "https://psa.example", "key": [PLANTED]},
        {"url": "https://psa.example", "key": PLANTED, "port": PLANTED},
        {"url": "https://psa.example", "key": PLANTED, "other": PLANTED},
        {"key": PLANTED},
        {"url": "https://new.example", "key": ""},
        {"url": f"https://u:{PLANTED}@psa.example", "key": PLANTED},
        {"url": f"enc:v1:{PLANTED}", "key": PLANTED},
        {"url": "https://psa.example", "key": PLANTED * 10_000},
        [PLANTED],
        PLANTED,
    ):
        assert "errors" in client.execute(SAVE, id=source, config=wrong)
        assert "errors" in client.execute(CREATE, config=wrong)
    assert "errors" in client.execute(SAVE, id="nowhere", config=GOOD)
    assert "errors" in client.execute(SAVE, client.platform, id=source, config=GOOD)
    strange = client.send({"query": SAVE, "variables": {"id": source, "config": GOOD}}, "a.b.c")
    assert strange.status_code == 401


def _write_malformed(client: RecordingClient, source: str) -> None:
    """Send requests that are invalid GraphQL or JSON. Their errors could quote the request."""
    whole = "mutation ($input: CreateDataSourceInput!) { createDataSource(input: $input) { id } }"
    for wrong in (
        {"integrationId": "planted", "config": GOOD, "unknown": 1},
        {"config": GOOD},
        {"integrationId": {"a": PLANTED}, "config": GOOD},
        [GOOD],
    ):
        assert "errors" in client.execute(whole, input=wrong)
    literal = f'saveDataSourceConfig(id: "{source}", config: {{url: "https://psa.example", key: "{PLANTED}"'
    for query in (
        f"mutation {{ {literal} }}) {{ nothing }} }}",
        f"mutation {{ {literal} }}, nothing: 1) {{ id }} }}",
        f"mutation {{ {literal} }}) {{ id }}",
        f'mutation {{ saveDataSourceConfig(id: "{source}", config: "{PLANTED}") {{ id }} }}',
        f'mutation {{ saveDataSourceConfig(id: "{source}", config: {{}}, ifUpdatedAt: "{PLANTED}") {{ id }} }}',
        f'mutation {{ saveDataSourceConfig(id: {{a: "{PLANTED}"}}, config: {{}}) {{ id }} }}',
    ):
        assert "errors" in client.execute(query)
    assert (
        "errors"
        in client.send(f'{{"query": "{{ viewer {{ kind }} }}", "variables": {{"a": "{PLANTED}"').json()
    )


def _write_secret_everywhere(server: Server) -> RecordingClient:
    """Send the secret to the server in every way; returns the client with all responses."""
    client = RecordingClient(server)
    source = _write_secret(client)
    _write_refused(client, source)
    _write_malformed(client, source)
    assert "errors" not in client.execute(READ, id=source)
    client.responses.append(httpx.get(f"{server.url}/metrics", timeout=HANG_S).text)
    return client


def _run_postgres_program(cluster: ThrowawayCluster, program: str, database: str, *arguments: str) -> str:
    """The output of one of PostgreSQL's programs about a database, as its superuser."""
    command = [
        str(find_binaries(cluster.version) / program),
        "-d",
        cluster.build_dsn(database, "postgres"),
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def _read_postgres_log(cluster: ThrowawayCluster) -> str:
    data = _run_postgres_program(cluster, "psql", "postgres", "-XAtc", "SHOW data_directory").strip()
    return Path(data).with_name("log").read_text(errors="replace")


def test_planted_secret_is_in_no_response_log_or_dump(cluster: ThrowawayCluster, database_url: str) -> None:
    name = urlsplit(database_url).path.removeprefix("/")
    given = {"DATABASE_URL": database_url}
    new_key = base64.b64encode(b"n" * 32).decode()
    with temporary_data_dir() as directory:
        with start_server("--demo", "--data-dir", directory, lines=LINES, **given) as server:
            client = _write_secret_everywhere(server)
            server.stop()
            log, output = server.log.read_text(), server.output.read_text()
        dump = _run_postgres_program(cluster, "pg_dump", name, "--inserts")
        rotated = run_command("rotate-secrets", "--data-dir", directory, SECRET_KEYS=new_key, **given)
    assert (rotated.returncode, rotated.stdout[:10]) == (0, "Encrypted "), rotated.stderr
    traces = {
        "answers": "\n".join(client.responses),
        "log": log + rotated.stderr,
        "output": output + rotated.stdout,
        "dump": dump,
        "dump after rotation": _run_postgres_program(cluster, "pg_dump", name, "--inserts"),
        "PostgreSQL's log": _read_postgres_log(cluster),
    }
    assert "INSERT INTO public.audit_log" in dump
    assert '"changed": true' in traces["answers"], "the audit tells that a secret is another now"
    assert dump.count("enc:v1:") > 5
    for where, text in traces.items():
        for form in FORMS:
            at = text.find(form)
            assert at < 0, f"{where}: ...{text[max(0, at - 200) : at + 100]}..."
