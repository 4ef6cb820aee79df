"""Circuit cutting: where to cut a circuit, the fragments that a cut leaves, and what their readouts are worth."""
