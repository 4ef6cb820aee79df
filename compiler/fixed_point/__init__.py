"""Networks of neurons in whole numbers: which scale, which exponents, which bits."""
