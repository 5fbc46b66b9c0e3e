"""The simulation: the real engine on virtual time between two lying systems and a failing store, watched by an auditor."""
