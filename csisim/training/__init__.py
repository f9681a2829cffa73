"""Training of networks: tasks say what is learned, :func:`csisim.training.loop.train` learns it."""
