"""The pictures of the pages: pure functions from plain values to SVG, rendered by Vega-Lite."""
