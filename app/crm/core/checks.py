"""System checks of Django that every domain answers to."""
