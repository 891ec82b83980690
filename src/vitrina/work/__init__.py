"""Work done later or elsewhere: durable jobs, the clock that starts them, spreading over processes and machines.

`jobs`, `worker`, `cron`, `spread`.
May import `errors`, `settings`, `product`, `storage`; knows no part of the product.
"""
