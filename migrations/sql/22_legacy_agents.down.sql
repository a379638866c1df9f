SELECT live.unwatch('legacy_agents');
