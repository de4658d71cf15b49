"""What a running bot keeps in the state directory, and how other processes read it."""
