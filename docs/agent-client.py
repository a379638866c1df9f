"""A reference agent: enrolls once, then checks in every minute. Python 3.9 or later, no packages.

    python3 agent-client.py --url https://msp.example --site SITE_ID --enrollment-token TOKEN
    python3 agent-client.py --url https://msp.example --site SITE_ID --device-id ID --guid GUID

The first form enrolls a new device. The second form is for an agent that was imported and has no token: it trades
its ids for a token, once. Each option may also stand in the file of `--settings` (JSON, {"url": ..., "site": ...,
"enrollment_token": ...}) or in a variable (MSP_URL, MSP_SITE, MSP_ENROLLMENT_TOKEN, ...). The token is kept in a file
that only its owner can read, and later starts need no more than `--state`. To write an agent of your own in another
language, follow `main` and `check_in`.
"""

import argparse
import json
import os
import platform
import random
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

VERSION = "1.1.0"
SETTINGS = ("url", "site", "enrollment_token", "device_id", "guid")
INTERVAL_S = 60
TIMEOUT_S = 30
RETRY_MAX_S = 300


class RefusedError(Exception):
    """The server has refused a call for good; a retry would be refused, too."""

    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


class AwayError(Exception):
    """The server cannot take the call now. `wait_s` is when to try again, if the server has said so."""

    def __init__(self, reason, wait_s=None):
        super().__init__(reason)
        self.wait_s = wait_s


def call(url, name, body, headers):
    """Call the server; returns `data` of its answer."""
    request = urllib.request.Request(
        f"{url.rstrip('/')}/v1.0/{name}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        message = read_message(error)
        if error.code in (408, 429) or error.code >= 500:
            raise AwayError(
                f"{error.code}: {message}", read_seconds(error.headers.get("Retry-After"))
            ) from None
        raise RefusedError(error.code, message) from None
    except (OSError, ValueError) as error:  # no connection, a timeout, an answer that is no JSON
        raise AwayError(str(error)) from None


def read_message(error):
    """The server's reason, from the body of an error."""
    try:
        return json.load(error)["error"]["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return "no reason given"


def read_seconds(text):
    """A Retry-After in seconds; None for anything else."""
    return float(text) if text and text.isdigit() else None


def describe_device():
    """What the server stores of this device."""
    device = {
        "hostname": socket.gethostname(),
        "platform": platform.system().lower(),
        "version": VERSION,
    }
    node = uuid.getnode()
    if not node >> 40 & 1:  # this bit marks a random number, because the device has no MAC address to show
        device["mac"] = ":".join(f"{node >> shift & 0xFF:02x}" for shift in range(40, -8, -8))
    return device


def enroll(options):
    """Enroll this device with an enrollment token; returns the state to keep."""
    body = {"site_id": options.site, **describe_device()}
    if options.guid:
        body["guid"] = options.guid
    data = call(options.url, "register", body, {"Authorization": f"Bearer {options.enrollment_token}"})
    return {"url": options.url, "site": options.site, **data}


def trade(options):
    """Trade the ids of an imported agent for a token; returns the state to keep."""
    headers = {"X-Site-ID": options.site, "X-Device-ID": options.device_id}
    data = call(options.url, "trade", {"guid": options.guid}, headers)
    return {"url": options.url, "site": options.site, **data}


def check_in(state):
    """Check in once."""
    device = describe_device()
    headers = {
        "Authorization": f"Bearer {state['token']}",
        "X-Site-ID": state["site"],
        "X-Device-ID": state["device_id"],
    }
    body = {"hostname": device["hostname"], "version": device["version"], "mac_address": device.get("mac")}
    return call(state["url"], "heartbeat", body, headers)


def load_state(path):
    """The state of an earlier start; None at the first one."""
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def save_state(path, state):
    """Keep the state, readable by its owner alone: whoever has the token is this agent."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(state, file)
    draft.replace(path)


def with_retries(work, *arguments):
    """Do the work, and try again while the server is away: later each time, and not all agents at once."""
    wait_s = 1.0
    while True:
        try:
            return work(*arguments)
        except AwayError as error:
            pause_s = error.wait_s or wait_s * random.uniform(0.5, 1.5)
            print(f"The server is away ({error}); next try in {pause_s:.0f} s", file=sys.stderr)
            time.sleep(pause_s)
            wait_s = min(wait_s * 2, RETRY_MAX_S)


def parse_options():
    """The options: from the command line, else from the settings file, else from variables."""
    parser = argparse.ArgumentParser(description="The reference agent of msp-graphql.")
    add = parser.add_argument
    add("--state", type=Path, default=Path("agent-state.json"), help="the file with the token")
    add("--settings", type=Path, help="a JSON file of an installer, with the options below")
    add("--url", help="where the server is")
    add("--site", help="the site of this device")
    add("--enrollment-token", help="the token with which the device enrolls")
    add("--device-id", help="the id of an imported agent")
    add("--guid", help="the GUID of the device; required with --device-id")
    add("--once", action="store_true", help="check in once and end")
    options = parser.parse_args()
    # utf-8-sig: the editors and shells of Windows write a byte order mark
    file = options.settings
    given_in_file = json.loads(file.read_text("utf-8-sig")) if file and file.exists() else {}
    for name in SETTINGS:
        given = getattr(options, name) or given_in_file.get(name) or os.environ.get(f"MSP_{name.upper()}")
        setattr(options, name, given)
    return options


def main():
    options = parse_options()
    try:
        state = load_state(options.state)
        if state is None:
            if not options.url or not options.site or not (options.enrollment_token or options.device_id):
                print("Give --url, --site, and --enrollment-token or --device-id", file=sys.stderr)
                return 2
            state = with_retries(enroll if options.enrollment_token else trade, options)
            save_state(options.state, state)
            print(f"Enrolled as {state['device_id']}", flush=True)
        while True:
            with_retries(check_in, state)
            print("Checked in", flush=True)
            if options.once:
                return 0
            time.sleep(INTERVAL_S * random.uniform(0.9, 1.1))
    except RefusedError as error:
        # 401 and 404 of a heartbeat: the token is revoked, or the agent was deleted. Then delete the file and enroll.
        print(f"The server refuses this agent: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
