"""Measure: what a probe reads in a training loop, and the recording that it leaves."""
