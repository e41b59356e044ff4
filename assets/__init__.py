"""Which assets exist, by layer; how each is made stands in `aura_lake.orchestration`."""
