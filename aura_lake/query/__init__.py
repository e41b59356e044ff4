"""Questions to the lake: read-only SQL on its tables, at the versions that belong together."""

from aura_lake.query.run import Answer, answer, run_query

__all__ = ["Answer", "answer", "run_query"]
