"""What leaves the product for other systems: MQTT, webhooks, files; how it is delivered, not what it says.

`reading`, `discovery`, `mqtt`; `webhook`, `delivery`, `signature`, `address`, `exchange`; `export`, `target`, `s3`.
May import `errors`, `settings`, `product`, `storage`, `work`; knows no part of the product.
"""
