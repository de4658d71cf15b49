"""The engine: a sans-I/O core, the gate every order passes, and the drivers that feed it."""
