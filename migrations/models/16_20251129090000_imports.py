from tortoise import BaseDBAsyncClient

from migrations.steps import models_state, script

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return script("16_imports.up")


async def downgrade(db: BaseDBAsyncClient) -> str:
    return script("16_imports.down")


MODELS_STATE = models_state("0_20251123070000_init")
