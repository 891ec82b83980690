"""Work done later or elsewhere: durable jobs, the clock that starts them, spreading over processes and machines.

`jobs`, `worker`, `cron`, `spread`; `supervise`, `sockets`: the processes here and how they are asked.
May import `errors`, `settings`, `product`, `storage`; knows no part of the product.
"""
