"""What tests of taps are made of: a loopback API over real sockets, a runner, and one contract for every tap."""
