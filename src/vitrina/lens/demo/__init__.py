"""A catalog that is made up: drawn products in five simulated shops, with feeds as real shops write them.

Pure but for `write`; every product's name says that it is simulated. May import what lens may.
"""
