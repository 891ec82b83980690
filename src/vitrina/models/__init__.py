"""Networks: the weights that ship with their provenance, the ones users add, and which of them runs where.

`picture`, `layouts` and `decode` are pure; `session` owns ONNX Runtime; `manifest` and `library` read and write
files; `registry` is the database's table. May import errors, settings, product and storage; knows no part.
"""
