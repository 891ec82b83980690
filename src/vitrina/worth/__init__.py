"""What a number is worth, and whether to trust it: intervals now; profit, verdicts, drift and cards later.

Pure functions over arrays; knows no part of the product and no storage.
May import `errors` and `product` only.
"""
