"""Do the rules fit the sites' databases?

`relations` says what is known of a table, `catalog` reads it from PostgreSQL; `columns`, `constraints` and `sharing`
judge it without a server; `check` asks every site.
"""
