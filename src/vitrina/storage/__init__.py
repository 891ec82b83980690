"""Where things are kept: the database (things people edit) and the lake (things that happened).

`database`, `migrations`; `accounts`, `sessions`, `apikeys`, `rights`, `audit`, `secrets`;
`lake`, `spool`, `table`, `engine`, `spark`.
May import `errors`, `settings`, `product`; knows no part of the product.
"""
