"""Trained networks that ship with the project: one network file each, and sample images of their data sets."""
