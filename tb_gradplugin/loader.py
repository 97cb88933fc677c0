"""Entry point of the TensorBoard plugin.

TensorBoard imports this module unguarded and at every start: it must stay light and never fail.
"""

from __future__ import annotations

import argparse

from tensorboard.plugins import base_plugin

from tb_gradplugin import metadata

SAMPLES = {metadata.PLUGIN_NAME: 1000, metadata.HISTOGRAM_PLUGIN_NAME: 200}
"""Points per tag that TensorBoard keeps, by plugin name; its own default is 10 or 100."""


class GradientsLoader(base_plugin.TBLoader):
    """Loads the plugin when TensorBoard starts."""

    def fix_flags(self, flags: argparse.Namespace) -> None:
        """Asks for ``SAMPLES``; what the user gave as ``--samples_per_plugin`` wins."""
        samples = getattr(flags, "samples_per_plugin", None)
        if isinstance(samples, dict):
            for plugin, points in SAMPLES.items():
                samples.setdefault(plugin, points)

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Imports and makes the plugin; TensorBoard logs what is raised and goes on without."""
        from tb_gradplugin.plugin import GradientsPlugin

        return GradientsPlugin(context)
