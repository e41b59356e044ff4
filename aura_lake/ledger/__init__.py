"""The ledger: what came in and what became of it, recounted from the tables; and the life of one row."""
