"""Shoppers who never were: for the demo, for load, and to measure how wrong the pipeline is.

`chain` makes the lake's rows of whole chains; `shoppers` walks people over one plan and knows the truth; `sensing`
is the camera that sees them badly; `bias` compares what was measured with what happened. Everything is seeded.
May import floor's pure modules; `write` alone touches the lake.
"""
