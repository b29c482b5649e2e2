"""Apply: reads every peer's stream and writes its rows here, one writer a site, each transaction whole."""
