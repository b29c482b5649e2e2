"""A package to pytest, so that the machines which its tests share are stopped after the last of them."""
