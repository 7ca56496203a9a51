"""The simulated AWS: moto behind the services' own wire format, on the rehearsal's clock, with the rules that moto leaves out."""
