"""The core's own sinks, plugins like a stranger's, and the process that every sink of a running bot works in."""
