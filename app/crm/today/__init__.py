"""The start page: what is planned, what happened here, what arrived from the other sites."""
