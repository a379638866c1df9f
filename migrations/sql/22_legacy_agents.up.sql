-- Imported agents that have no token. For a time the operator lets the listed ones check in by their ids alone.

ALTER TABLE legacy_agents
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();
ALTER TABLE legacy_agents
    ADD CONSTRAINT legacy_agents_id_check CHECK (id <> ''),
    ADD CONSTRAINT legacy_agents_until_check CHECK (until BETWEEN -9007199254740991 AND 9007199254740991),
    ADD CONSTRAINT legacy_agents_traded_at_check CHECK (traded_at BETWEEN -9007199254740991 AND 9007199254740991),
    ADD CONSTRAINT legacy_agents_created_at_check CHECK (created_at BETWEEN -9007199254740991 AND 9007199254740991),
    ADD CONSTRAINT legacy_agents_updated_at_check CHECK (updated_at BETWEEN -9007199254740991 AND 9007199254740991);

CREATE UNIQUE INDEX legacy_agents_by_tenant ON legacy_agents (tenant_id, id);
CREATE UNIQUE INDEX legacy_agents_unique_agent ON legacy_agents (agent_id, tenant_id);

ALTER TABLE legacy_agents
    ADD CONSTRAINT legacy_agents_agent_id_fkey
        FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE RESTRICT;

ALTER TABLE legacy_agents ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON legacy_agents FOR ALL
    USING (tenant_id = current_setting('app.tenant_id', true))
    WITH CHECK (tenant_id = current_setting('app.tenant_id', true));
CREATE TRIGGER legacy_agents_tenant_is_fixed BEFORE UPDATE OF tenant_id ON legacy_agents FOR EACH ROW
    WHEN (OLD.tenant_id IS DISTINCT FROM NEW.tenant_id)
    EXECUTE FUNCTION app.refuse_tenant_change();

SELECT live.watch('legacy_agents');
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA live FROM PUBLIC;
