"""Vitrina: see your shop the way you see your website.

One package, one command. Parts (`floor`, later `lens` and `arena`) stand on shared rows
(`models`, `storage`, `work`, `worth`) and are joined only in `web` and `cli`.
"""

__version__ = "0.1.0"
