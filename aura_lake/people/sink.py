"""Where people are told: what the router needs to know of a place, and how something is said there."""

from __future__ import annotations

from typing import Protocol

from aura_lake.people.incident import Action, Incident
from aura_lake.people.router import Channel


class Sink(Protocol):
    """One place."""

    @property
    def channel(self) -> Channel:
        """Its name, and from which level on it is told."""

    def send(self, action: Action, incident: Incident) -> None:
        """Say it. Raises AlertUnavailable or AlertRefused; a sink that an owner does not have says nothing."""
