"""Who changed what: the stamps of a row know the site and the time, this knows the person."""
