"""The process that owns the index, and how the others ask it. May import what lens may."""
