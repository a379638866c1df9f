from tortoise import BaseDBAsyncClient

from migrations.steps import models_state, script

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return script("20_installation.up")


async def downgrade(db: BaseDBAsyncClient) -> str:
    return script("20_installation.down")


MODELS_STATE = models_state("14_20261129110000_credentials")
