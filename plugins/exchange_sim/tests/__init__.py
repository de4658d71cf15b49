"""Tests of the simulated exchange; ``oracle`` is a slow second implementation, written from the rules alone."""
