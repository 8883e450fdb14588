"""Tokens and owners: who a JWT says is calling, and tokens of our own."""
