from tortoise import BaseDBAsyncClient

from migrations.steps import models_state, script

RUN_IN_TRANSACTION = True
ADDITIVE = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return script("28_job_retries.up")


async def downgrade(db: BaseDBAsyncClient) -> str:
    return script("28_job_retries.down")


MODELS_STATE = models_state("27_20261130160000_jobs")
