"""lens: where can I buy *this*, and what do I get back? Feeds become offers, pictures vectors, a photo products.

Pure: offer, feed/ parsers, crop, likeness, rank, link, cashback. Edges: source, store, pictures, vectors, index, photo.
May import errors, settings, product, models, storage, work, outlet, worth; never another part.
"""
