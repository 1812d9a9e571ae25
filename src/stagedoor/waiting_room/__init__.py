"""The antechamber: who came when, who may go in, and for how long."""
