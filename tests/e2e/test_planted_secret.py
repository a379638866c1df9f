"""A secret that a client writes, looked for everywhere: in answers, logs, audit rows, and a dump of the database."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.clusters import ThrowawayCluster, binaries
from tests.e2e.servers import Server, data_directory, ended, running

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


class Client:
    """Asks the server, and keeps all that it answers."""

    def __init__(self, server: Server) -> None:
        self._url = f"{server.url}/graphql"
        self.administrator, self.platform = server.tokens[0][1], server.tokens[3][1]
        self.heard: list[str] = []

    def send(self, body: Any, token: str = "", **headers: str) -> httpx.Response:
        """A POST of this, as the administrator unless another token is given."""
        sent = {
            "Authorization": f"Bearer {token or self.administrator}",
            "Content-Type": "application/json",
            **headers,
        }
        content = body if isinstance(body, str) else json.dumps(body)
        response = httpx.post(self._url, content=content, headers=sent)
        self.heard.append(f"{response.headers} {response.text}")
        return response

    def ask(self, query: str, token: str = "", **variables: Any) -> dict[str, Any]:
        """The answer to a query."""
        answer: dict[str, Any] = self.send({"query": query, "variables": variables}, token).json()
        return answer


def _planted(client: Client) -> str:
    """Writes the secret in every way that is taken; gives the data source's id."""
    assert "errors" not in client.ask(ADD_INTEGRATION, client.platform, schema=SCHEMA)
    created = client.ask(CREATE, config=GOOD)
    assert "errors" not in created, created
    row = created["data"]["createDataSource"]
    secret = {"secret": True}
    hidden = {"url": "https://psa.example", "key": secret, "pair": secret, "deep": {"keys": [secret, secret]}}
    assert row["config"] == hidden
    saved = client.ask(
        SAVE, id=row["id"], config={**GOOD, "key": f"{PLANTED}-3", "deep": {"keys": [PLANTED]}}
    )
    assert saved["data"]["saveDataSourceConfig"]["config"] == {**hidden, "deep": {"keys": [secret]}}
    kept = client.ask(SAVE, id=row["id"], config={"url": "https://new.example", "key": "", "pair": secret})
    assert kept["data"]["saveDataSourceConfig"]["config"] == {
        "url": "https://new.example",
        "key": secret,
        "pair": secret,
    }
    return str(row["id"])


def _refused(client: Client, source: str) -> None:
    """Writes it in ways that are not: in the wrong place, with something wrong beside it, half of the text only."""
    for wrong in (
        {"url": PLANTED, "key": PLANTED},
        {"url": "https://psa.example", "key": [PLANTED]},
        {"url": "https://psa.example", "key": PLANTED, "port": PLANTED},
        {"url": "https://psa.example", "key": PLANTED, "other": PLANTED},
        {"key": PLANTED},
        {"url": f"enc:v1:{PLANTED}", "key": PLANTED},
        {"url": "https://psa.example", "key": PLANTED * 10_000},
        [PLANTED],
        PLANTED,
    ):
        assert "errors" in client.ask(SAVE, id=source, config=wrong)
        assert "errors" in client.ask(CREATE, config=wrong)
    assert "errors" in client.ask(SAVE, id="nowhere", config=GOOD)
    assert "errors" in client.ask(SAVE, client.platform, id=source, config=GOOD)
    strange = client.send({"query": SAVE, "variables": {"id": source, "config": GOOD}}, "a.b.c")
    assert strange.status_code == 401


def _misspelt(client: Client, source: str) -> None:
    """Requests that are wrong as GraphQL or JSON: their errors could quote what they have."""
    whole = "mutation ($input: CreateDataSourceInput!) { createDataSource(input: $input) { id } }"
    for wrong in (
        {"integrationId": "planted", "config": GOOD, "unknown": 1},
        {"config": GOOD},
        {"integrationId": {"a": PLANTED}, "config": GOOD},
        [GOOD],
    ):
        assert "errors" in client.ask(whole, input=wrong)
    literal = f'saveDataSourceConfig(id: "{source}", config: {{url: "https://psa.example", key: "{PLANTED}"'
    for query in (
        f"mutation {{ {literal} }}) {{ nothing }} }}",
        f"mutation {{ {literal} }}, nothing: 1) {{ id }} }}",
        f"mutation {{ {literal} }}) {{ id }}",
        f'mutation {{ saveDataSourceConfig(id: "{source}", config: "{PLANTED}") {{ id }} }}',
        f'mutation {{ saveDataSourceConfig(id: "{source}", config: {{}}, ifUpdatedAt: "{PLANTED}") {{ id }} }}',
        f'mutation {{ saveDataSourceConfig(id: {{a: "{PLANTED}"}}, config: {{}}) {{ id }} }}',
    ):
        assert "errors" in client.ask(query)
    assert (
        "errors"
        in client.send(f'{{"query": "{{ viewer {{ kind }} }}", "variables": {{"a": "{PLANTED}"').json()
    )


def _told(server: Server) -> Client:
    """Tells the server the secret in every way; gives the client with all that it heard."""
    client = Client(server)
    source = _planted(client)
    _refused(client, source)
    _misspelt(client, source)
    assert "errors" not in client.ask(READ, id=source)
    client.heard.append(httpx.get(f"{server.url}/metrics").text)
    return client


def _run(cluster: ThrowawayCluster, program: str, database: str, *arguments: str) -> str:
    """What one of PostgreSQL's programs says about a database, as its superuser."""
    command = [str(binaries(cluster.version) / program), "-d", cluster.dsn(database, "postgres"), *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def _log_of(cluster: ThrowawayCluster) -> str:
    data = _run(cluster, "psql", "postgres", "-XAtc", "SHOW data_directory").strip()
    return Path(data).with_name("log").read_text(errors="replace")


def test_a_secret_is_nowhere_to_be_seen(cluster: ThrowawayCluster, database_url: str) -> None:
    name = urlsplit(database_url).path.removeprefix("/")
    given = {"DATABASE_URL": database_url}
    new_key = base64.b64encode(b"n" * 32).decode()
    with data_directory() as directory:
        with running("--demo", "--data-dir", directory, lines=LINES, **given) as server:
            client = _told(server)
            server.end()
            log, output = server.log.read_text(), server.output.read_text()
        dump = _run(cluster, "pg_dump", name, "--inserts")
        rotated = ended("rotate-secrets", "--data-dir", directory, SECRET_KEYS=new_key, **given)
    assert (rotated.returncode, rotated.stdout[:8]) == (0, "Renewed "), rotated.stderr
    traces = {
        "answers": "\n".join(client.heard),
        "log": log + rotated.stderr,
        "output": output + rotated.stdout,
        "dump": dump,
        "dump after rotation": _run(cluster, "pg_dump", name, "--inserts"),
        "PostgreSQL's log": _log_of(cluster),
    }
    assert "INSERT INTO public.audit_log" in dump
    assert '"changed": true' in traces["answers"], "the audit tells that a secret is another now"
    assert dump.count("enc:v1:") > 5
    for where, text in traces.items():
        for form in FORMS:
            at = text.find(form)
            assert at < 0, f"{where}: ...{text[max(0, at - 200) : at + 100]}..."
