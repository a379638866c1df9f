"""What is in deploy/, run: the image's files, the proxies, and the metrics that rules and dashboards name."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from core.limits import WORKER_KILL_S
from core.settings import Settings
from tests.e2e.image_files import DEPLOY, copy_image
from tests.e2e.servers import ROOT, Server, start_server, temporary_data_dir
from tests.waiting import block_until
from tests.websocket_client import connect_websocket

pytestmark = pytest.mark.newest
TOKEN: Final = "a-token-for-the-metrics"
QUERY: Final = {"query": "query Deployed { viewer { kind } }"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server_database_url(writable_demo_database_url: str) -> str:
    connection = await asyncpg.connect(writable_demo_database_url)
    await connection.execute(
        "INSERT INTO app.chores (name, taken_at, seen_at, finished_at) "
        "VALUES ('clean_up', app.now_ms(), app.now_ms(), app.now_ms())"
    )
    await connection.close()
    return writable_demo_database_url


@pytest.fixture(scope="module")
def server(server_database_url: str) -> Iterator[Server]:
    """A server of two workers from the files of the image, as an operator would run it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as image, temporary_data_dir() as path:
        program = str(copy_image(Path(image)))
        with start_server(
            "--demo", "--data-dir", path, "--workers", 2, lines=5, program=(program,),
            DATABASE_URL=server_database_url, METRICS_PORT="0", METRICS_TOKEN=TOKEN,
        ) as server:  # fmt: skip
            yield server
            server.stop()


def _start_line(server: Server) -> dict[str, Any]:
    lines = map(json.loads, server.log.read_text().splitlines())
    start: dict[str, Any]
    (start,) = (line for line in lines if line["event"] == "starting")
    return start


def _read_metrics(server: Server, path: str = "/metrics") -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.get(f"{_start_line(server)['metrics']}{path}", headers=headers, timeout=30)


def _request(url: str, server: Server, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {server.tokens[0][1]}"}
    return httpx.post(f"{url}/graphql", json=QUERY, headers=headers, timeout=30, **more)


def test_image_starts_as_another_user_and_has_a_health_check() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    assert lines.index("USER 10001") < lines.index('ENTRYPOINT ["python", "server.py"]')


def test_image_has_every_folder_of_the_product() -> None:
    product = re.search(r"^PRODUCT := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert product
    copied = set(re.findall(r"^COPY (\w+) ", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    assert copied == {*product[1].split(), "migrations"}


def test_start_line_names_version_mode_and_settings(server: Server) -> None:
    start = _start_line(server)
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{start["version"]}"' in project
    assert (start["mode"], start["workers"], start["address"]) == ("demo", 2, server.url)
    assert {"DATABASE_URL", "METRICS_TOKEN", "WORKERS"} <= set(start["settings"])
    assert TOKEN not in server.log.read_text()


def test_metrics_need_their_port_and_their_token(server: Server) -> None:
    address = _start_line(server)["metrics"]
    assert _read_metrics(server).status_code == 200
    assert httpx.get(f"{address}/metrics").status_code == 401
    assert httpx.get(f"{address}/metrics", headers={"Authorization": "Bearer no"}).status_code == 401
    assert httpx.get(f"{address}/readyz", timeout=30).status_code == 200
    assert _request(address, server).status_code == 404
    assert httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 404
    assert _request(server.url, server).status_code == 200


def _exported_names(server: Server) -> set[str]:
    """The names of all samples that the families of /metrics can have."""
    block_until(lambda: "msp_last_clean_up_timestamp_seconds" in _read_metrics(server).text)
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", _read_metrics(server).text, re.MULTILINE))
    histograms = {f"{name}{end}" for name, kind in kinds.items() if kind == "histogram"
                  for end in ("_bucket", "_sum", "_count")}  # fmt: skip
    return {*kinds, *histograms}


def test_metrics_of_rules_dashboard_and_docs_exist(server: Server) -> None:
    exported = _exported_names(server)
    dashboard = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = " ".join([*expressions, (DEPLOY / "prometheus/alerts.yml").read_text()])
    pages = " ".join((ROOT / "docs" / page).read_text() for page in ("http.md", "operations.md"))
    names = set(re.findall(r"\b(?:msp|process)_[a-z_]+\b", named)) - {"msp_graphql"}
    assert len(names) > 20
    assert not names - exported
    documented = set(re.findall(r"`(msp_[a-z_]+)`", pages))
    assert not documented - exported


def test_operations_page_explains_each_alert() -> None:
    alerts = re.findall(r"- alert: (\w+)", (DEPLOY / "prometheus/alerts.yml").read_text())
    page = (ROOT / "docs/operations.md").read_text()
    assert [alert for alert in alerts if f"| `{alert}` |" not in page] == []


@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_accepts_rules_and_configuration(command: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _start_proxy(kind: str, url: str) -> Iterator[str]:
    """Nginx or Caddy with the example's configuration, on a free port; yields its address."""
    port, upstream = _free_port(), url.removeprefix("http://")
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        if kind == "nginx":
            example = (DEPLOY / "nginx.conf").read_text()
            example = example.replace("127.0.0.1:8000", upstream).replace(
                "listen 80;", f"listen 127.0.0.1:{port};"
            )
            temporary = "".join(f"{name}_temp_path {home}/{name};" for name in
                                ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
            text = f"daemon off; user root; pid {home}/pid; error_log stderr; events {{}}\n"
            text += f"http {{ access_log off; {temporary}\n{example}\n}}"
            command = ["nginx", "-p", home, "-c", f"{home}/conf"]
        else:
            example = (DEPLOY / "Caddyfile").read_text()
            text = "{\n admin off\n auto_https off\n}\n" + example.replace("127.0.0.1:8000", upstream)
            text = text.replace(":80 {", f"http://127.0.0.1:{port} {{")
            command = ["caddy", "run", "--config", f"{home}/conf", "--adapter", "caddyfile"]
        Path(home, "conf").write_text(text)
        with (
            Path(home, "log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": home, "PATH": "/usr/sbin:/usr/bin"})
            as process,
        ):  # fmt: skip
            try:
                block_until(lambda: _listens(port) or process.poll() is not None)
                assert process.poll() is None, Path(home, "log").read_text()
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("prefix", ["", "/msp"])
@pytest.mark.parametrize("kind", ["nginx", "caddy"])
async def test_proxy_passes_requests_sockets_bodies_and_pages(server: Server, kind: str, prefix: str) -> None:
    with _start_proxy(kind, server.url) as address:
        await asyncio.to_thread(_check_http, server, address, prefix)
        async with connect_websocket(f"{address}{prefix}") as client:
            await client.init(server.tokens[0][1])
            await client.subscribe("subscription { sites(first: 1) { totalCount } }")
            assert (await client.receive())["payload"]["data"]["sites"]["totalCount"]


def _check_http(server: Server, address: str, prefix: str) -> None:
    url = f"{address}{prefix}"
    assert _request(url, server).json()["data"]["viewer"]["kind"]
    assert httpx.get(f"{url}/readyz", timeout=30).status_code == 200
    assert httpx.get(f"{url}/metrics").status_code == 404
    body = {
        "query": "query($text: String) { viewer { kind } a: __typename }",
        "variables": {"text": "x" * (4 << 20)},
    }
    headers = {"Authorization": f"Bearer {server.tokens[0][1]}"}
    large = httpx.post(f"{url}/graphql", json=body, headers=headers, timeout=60)
    assert "errors" in large.json()  # the answer of the server: it is not too large for the proxy
    page = httpx.get(f"{url}/graphql", headers={"Accept": "text/html"})
    assets = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(assets) == 9
    assert {httpx.get(httpx.URL(f"{url}/graphql").join(asset)).status_code for asset in assets} == {200}


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_proxy_hides_the_metrics_of_its_upstream(server: Server, kind: str) -> None:
    upstream = _start_line(server)["metrics"]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{upstream}/metrics", headers=headers).status_code == 200
    with _start_proxy(kind, upstream) as address:
        for prefix in ("", "/msp"):
            assert httpx.get(f"{address}{prefix}/healthz", headers=headers).status_code == 200
            for path in ("/metrics", "/%6detrics", "/x/../metrics"):
                assert httpx.get(f"{address}{prefix}{path}", headers=headers).status_code == 404


def test_compose_file_waits_longer_than_the_server_needs_to_stop() -> None:
    server = (DEPLOY / "compose.yaml").read_text().split("\n  server:\n")[1]
    delay = re.search(r'SHUTDOWN_DELAY: "(\d+)"', server)
    seconds = re.search(r"stop_grace_period: (\d+)s", server)
    assert delay
    assert seconds
    assert int(seconds[1]) > int(delay[1]) + Settings().shutdown_grace + WORKER_KILL_S


def test_systemd_unit_waits_longer_than_the_server_needs_to_stop() -> None:
    unit = (DEPLOY / "msp-graphql.service").read_text()
    seconds = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert seconds
    settings = Settings()
    assert int(seconds[1]) > settings.shutdown_delay + settings.shutdown_grace + WORKER_KILL_S
    analyze = shutil.which("systemd-analyze")
    if analyze:
        done = subprocess.run(
            [analyze, "verify", DEPLOY / "msp-graphql.service"], capture_output=True, text=True
        )
        assert [line for line in done.stderr.splitlines() if "is not executable" not in line] == []
