"""Statements to claims: who says what, about which materiel, in which direction, how many, with what standing. Pure."""
