"""From rows in the lake to figures with intervals: queries, cards, a shop's day, its report. Pure but for `rows`."""
