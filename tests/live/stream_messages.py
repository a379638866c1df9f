"""Subscriptions to event streams, and what their messages contain."""

from typing import Any, Final

from tests.live.recording_subscriber import RecordingSubscriber

CHECKINS: Final = """subscription ($site: ID, $agents: [ID!], $since: String) {
    agentCheckins(siteId: $site, agentIds: $agents, since: $since) {
        cursor events { agentId siteId checkedInAt previousCheckinAt } } }"""


HEALTH: Final = """subscription ($site: ID, $type: HealthResourceType, $status: HealthStatus, $since: String) {
    healthCheckChanges(siteId: $site, resourceType: $type, status: $status, since: $since) {
        cursor events { resourceType resourceId status previousStatus failureCount } } }"""


def read_messages(subscriber: RecordingSubscriber, stream: str = "agentCheckins") -> list[dict[str, Any]]:
    found = [state["data"][stream] for state in subscriber.states]
    assert all("errors" not in state for state in subscriber.states)
    return found


def read_check_ins(subscriber: RecordingSubscriber) -> list[tuple[str, int]]:
    """Every received check-in, in order."""
    return [
        (e["agentId"], e["checkedInAt"]) for message in read_messages(subscriber) for e in message["events"]
    ]


def read_health_changes(subscriber: RecordingSubscriber) -> list[tuple[str, str | None, str]]:
    return [
        (event["resourceId"], event["previousStatus"], event["status"])
        for message in read_messages(subscriber, "healthCheckChanges")
        for event in message["events"]
    ]
