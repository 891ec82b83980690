"""Shops as people write them: shop files in and out, their differences, and the tables that keep them (`shops`)."""
