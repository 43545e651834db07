"""Draws people with OpenGL, and tells exactly what is to be seen."""
