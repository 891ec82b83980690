"""Where things are kept: the database (things people edit) and the lake (things that happened).

`database`, `accounts`, `audit`, `secrets`; `lake`, `spool`, `table`, `engine`, `spark`; `migrations`.
May import `errors`, `settings`, `product`; knows no part of the product.
"""
