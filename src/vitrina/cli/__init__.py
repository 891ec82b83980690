"""The command `vitrina`: each command parses, calls one function and renders.

May import every part; only `up` imports `web`; nobody imports `cli`.
"""
