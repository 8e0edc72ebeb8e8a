"""The parts of `scripts/bench.py`: reviews to send, a client, servers to measure, a report."""
