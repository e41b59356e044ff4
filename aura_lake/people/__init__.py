"""Who is told what goes wrong, how often, and what they may decide.

Pure: causes and the state of incidents in, what is to be sent out. `aura_lake.steps.tell_people` carries it out.
"""
