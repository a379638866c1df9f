from tortoise import BaseDBAsyncClient

from migrations.steps import models_state, script

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return script("17_data_hashes.up")


async def downgrade(db: BaseDBAsyncClient) -> str:
    return script("17_data_hashes.down")


MODELS_STATE = models_state("14_20261129110000_credentials")
