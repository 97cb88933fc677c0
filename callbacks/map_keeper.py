"""Which gradients a picture is kept of, when, and for how many bytes."""

from __future__ import annotations

import dataclasses
from typing import Any

from tb_gradplugin.gradient_map import GradientMap
from tb_gradplugin.health.report import RunHealth
from tb_gradplugin.structure import ModelStructure

from .captured import Captured

AT_ONCE = 8
"""Pictures of one step."""
ROOM = 8_000_000
"""Cells, a byte each before compression, of all pictures of a run."""


class MapKeeper:
    """Pictures at ends of epochs, and at the next logged step after a finding opens.

    Args:
        layers: paths of layers that are always among them; sick ones are too.
    """

    def __init__(self, layers: tuple[str, ...]):
        """Nothing has been kept yet."""
        self._layers = layers
        self._room = ROOM
        self.asked = False
        """Whether a finding opened since the last pictures."""
        self._urgent = False  # a picture that was asked for is on its way
        self._held: Captured | None = None

    def ask(self) -> None:
        """A finding opened."""
        self.asked = True

    @property
    def holds(self) -> bool:
        """Whether there are pictures to be taken."""
        return self._held is not None

    def wanted(self, structure: ModelStructure, health: RunHealth) -> list[int]:
        """Rows of the variables of which the next step is to leave a picture.

        Args:
            structure: of the model.
            health: so far.
        """
        if self._room <= 0:
            return []
        self._urgent, self.asked = self._urgent or self.asked, False
        sick = [path for f in health.findings if f.active for path in f.layers]
        paths = list(dict.fromkeys([*self._layers, *sick]))
        found = [
            (paths.index(structure.layers[v.layer].path), row)
            for row, v in enumerate(structure.variables)
            if len(v.shape) >= 2 and structure.layers[v.layer].path in paths
        ]
        return [row for _, row in sorted(found)[:AT_ONCE]]

    def unknown(self, structure: ModelStructure) -> list[str]:
        """Chosen layers that the model does not have."""
        return sorted(set(self._layers) - {layer.path for layer in structure.layers})

    def note(self, captured: Captured) -> bool:
        """Holds its pictures; True if they are to be written at once, not at the epoch's end."""
        if captured.maps:
            self._held = captured
        return self._urgent and self._held is not None

    def take(self, variables: list[Any]) -> tuple[int, dict[int, GradientMap]]:
        """Step and pictures that are held, by row of ``variables``, divided by the loss scale."""
        held, self._held, self._urgent = self._held, None, False
        if held is None or [id(v) for v in held.variables] != [id(v) for v in variables]:
            return 0, {}
        self._room -= sum(picture.codes.size for picture in held.maps.values())
        return held.step, {
            row: dataclasses.replace(picture, scale=picture.scale / float(held.divisor[row]))
            for row, picture in held.maps.items()
        }
