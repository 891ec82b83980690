"""Pages and the JSON API: `create_app(settings)` builds everything it needs.

`gate` decides who may pass, `auth` knows who is there, `pages/` answer people and `api/` programs with the same
figures (`figures`); `charts` and `heat` draw on the server, because no chart library lives under our strict CSP.
Imports the parts and joins what they know; only `cli.up` imports it.
"""
