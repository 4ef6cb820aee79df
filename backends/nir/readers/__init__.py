"""Scripts that run a NIR graph by the importer of another framework, each in the Python of that framework.

    python READER.py graph.nir given.npz out.npz

given.npz holds `x` (steps, batch, ...) and `dt`; out.npz gets `y`, what the graph puts out in every step. A script
imports its framework inside its function, so that it may be imported here, and nothing of this package.
"""
