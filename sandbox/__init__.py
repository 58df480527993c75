"""Small vendor simulators over real HTTP, with seeded data and switches, for the demo and the tests."""
