"""The ways in which an attempt of a job ends early. An action raises them; any other exception is a fault of ours."""

from typing import ClassVar

from models.enums import JobOutcome


class JobError(Exception):
    """An end of an attempt that is no fault of ours. Its message is shown to the tenant."""

    outcome: ClassVar[JobOutcome]
    is_counted: ClassVar[bool] = True


class JobCredentialsError(JobError):
    """The vendor refuses the credentials. The job is not retried until a person has changed them."""

    outcome = JobOutcome.CREDENTIALS


class JobRateLimitedError(JobError):
    """The vendor wants no call before `retry_after_s`. The attempt does not count."""

    outcome = JobOutcome.RATE_LIMITED
    is_counted = False

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class JobVendorDownError(JobError):
    """The vendor cannot be reached, or fails. The job is retried after growing pauses."""

    outcome = JobOutcome.VENDOR_DOWN


class JobOutcomeUnknownError(JobError):
    """Nobody knows whether a call that must not be repeated was made. The job is not retried."""

    outcome = JobOutcome.OUTCOME_UNKNOWN


class JobCanceledError(JobError):
    """A person has canceled the job."""

    outcome = JobOutcome.CANCELED


class JobReleasedError(JobError):
    """The worker stops, and gives the job back. The attempt does not count."""

    outcome = JobOutcome.RELEASED
    is_counted = False


class LeaseLostError(Exception):
    """The lease is no longer this worker's, so nothing may be written for the job."""
