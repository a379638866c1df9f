from tortoise import BaseDBAsyncClient

from migrations.steps import models_state, script

RUN_IN_TRANSACTION = True
ADDITIVE = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return script("26_written_order.up")


async def downgrade(db: BaseDBAsyncClient) -> str:
    return script("26_written_order.down")


MODELS_STATE = models_state("22_20261130110000_legacy_agents")
