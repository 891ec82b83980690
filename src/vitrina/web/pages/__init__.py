"""Pages for people: one module each, with its routes; `*_view` modules prepare what a template lays out."""
