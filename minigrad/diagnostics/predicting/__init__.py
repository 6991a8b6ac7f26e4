"""Predict: what mean-field theory says of a network as it was really initialized."""
