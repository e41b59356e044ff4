"""A shop that is alive: seeded records in the forms in which real ones arrive."""

from aura_lake.simulate.mess import MESSES, Mess, mess_named
from aura_lake.simulate.plan import SimulationPlan
from aura_lake.simulate.play import LiveReport, SimulationReport, simulate, simulate_live
from aura_lake.simulate.truth import TableTruth, Truth

__all__ = [
    "MESSES",
    "LiveReport",
    "Mess",
    "SimulationPlan",
    "SimulationReport",
    "TableTruth",
    "Truth",
    "mess_named",
    "simulate",
    "simulate_live",
]
