"""Change data capture from a database: what is wished, what the database says, and what has to be made of it.

Pure functions of facts; `aura_lake.outside` reads the facts and carries out the plan.
"""
