"""A migration that older servers may ignore."""

from typing import Final

STEP: Final = '''
from migrations.steps import models_state
RUN_IN_TRANSACTION = True
ADDITIVE = {additive}

async def upgrade(db):
    return """
    ALTER TABLE public.sites ADD COLUMN later text;
    SELECT live.watch('sites');
    CREATE TABLE public.later (id text PRIMARY KEY, tenant_id text NOT NULL);
    ALTER TABLE public.later ENABLE ROW LEVEL SECURITY;
    """

async def downgrade(db):
    return """
    DROP TABLE public.later;
    ALTER TABLE public.sites DROP COLUMN later;
    SELECT live.watch('sites');
    """

MODELS_STATE = models_state("14_20261129110000_credentials")
'''
