"""What happens in the shop: camera → people → tracking → geometry → counting → lake → measures.

`setup` holds the shops, `simulate` makes shops that do not exist. Everything between `people` and `record` is pure;
`camera`, `overlay`, `watch`, `setup.shops` and what reads files are edges.
May import `errors`, `settings`, `product`, `models`, `storage`, `work`, `worth`; never another part.
"""
