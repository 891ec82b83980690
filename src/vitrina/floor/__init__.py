"""What happens in the shop: camera → people → tracks → ground → zones, lines, queue → lake → measures.

Everything from `people` to `queue` is pure functions over arrays; `camera`, `shops`, `store` and `watch` are edges.
May import `errors`, `settings`, `product`, `models`, `storage`, `work`, `chat`, `worth`; never another part.
"""
