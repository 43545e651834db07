"""Weights in files of anybody's: read without running them, renamed, loaded strictly."""
