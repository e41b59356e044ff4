"""Real servers on this machine: PostgreSQL, Kafka, Kafka Connect, a schema registry, S3 and Redis, without Docker.

They listen on loopback only and ask nobody for a password, so they are for a machine of one's own. This room
knows processes and files; it knows nothing of contracts, tables or Dagster.
"""
