"""Watches several live cameras in one process: `worker` is the loop, `lane` one camera in it, `share` who watches what.

`server` answers on a Unix socket for each camera, `client` asks, `address` is what both know of each other.
Edges of floor: they may import every other module of it, and nothing imports them but `cli` and `web`.
"""
