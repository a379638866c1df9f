"""One attempt of a job: it runs the action, and turns each way of ending into a result."""

import asyncio

from core.errors import UnavailableError
from models.enums import HealthResourceType, JobOutcome
from services.health_checks import report_health
from services.jobs.actions import Action
from services.jobs.context import JobContext
from services.jobs.job_errors import JobCredentialsError, JobError, JobReleasedError, LeaseLostError
from services.jobs.job_queue import JobResult, Lease
from services.jobs.retries import judge_error, judge_fault, release_job

_FAIL_SOURCE = """
WITH failed AS (
    UPDATE public.data_sources SET status = 'error', updated_at = app.next_updated_at(updated_at)
    WHERE id = $1 AND tenant_id = $2 AND status = 'active' AND deleted_at IS NULL
    RETURNING id, tenant_id
)
INSERT INTO public.audit_log (tenant_id, actor_type, table_name, record_id, action, changes)
SELECT tenant_id, 'system', 'data_sources', id, 'update', '{"status": ["active", "error"]}' FROM failed
"""


async def run_attempt(action: Action, context: JobContext, lease: Lease) -> JobResult | None:
    """Run the action. Returns the result to write; None if the lease is lost, so that nothing may be written."""
    job = lease.job
    try:
        await action.run(context)
    except LeaseLostError:
        return None
    except JobCredentialsError as error:
        return await _fail_credentials(context, lease, error)
    except JobError as error:
        return judge_error(job, error)
    except UnavailableError as error:
        return release_job(job, error.message)
    except asyncio.CancelledError:
        if lease.is_lost:
            return None
        if task := asyncio.current_task():
            task.uncancel()  # the job is given back, which takes a statement
        return judge_error(job, JobReleasedError("The worker stopped"))
    except Exception:
        result = judge_fault(job)
        context.log.exception("job failed", error=result.error, attempts=job.attempts)
        return result
    return JobResult(job, JobOutcome.COMPLETED)


async def _fail_credentials(
    context: JobContext, lease: Lease, error: JobCredentialsError
) -> JobResult | None:
    """End the job, and mark its data source, in one transaction."""
    job, message = lease.job, str(error)
    result = JobResult(job, JobOutcome.CREDENTIALS, message)
    if job.data_source_id is None:
        return result
    try:
        async with context.final_transaction(JobOutcome.CREDENTIALS, message) as transaction:
            await transaction.fetch(_FAIL_SOURCE, (job.data_source_id, job.tenant_id))
            await report_health(
                transaction,
                job.tenant_id,
                HealthResourceType.DATA_SOURCE,
                job.data_source_id,
                ok=False,
                error_message=message,
                down_after=1,
            )
    except LeaseLostError:
        return None
    except JobError as canceled:
        return judge_error(job, canceled)
    except Exception:
        context.log.exception("data source not marked", data_source=job.data_source_id)
    return result
