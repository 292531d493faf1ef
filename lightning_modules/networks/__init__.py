"""Networks of neurons, built from a plain configuration."""
