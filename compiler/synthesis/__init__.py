"""The mathematics of circuit synthesis: decompositions of matrices, Pauli rotations, matchings."""
