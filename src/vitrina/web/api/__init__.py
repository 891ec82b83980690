"""The JSON API, `/api/v1`: the pages' figures for programs, described by OpenAPI."""
