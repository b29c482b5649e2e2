"""A package to pytest, so that the sites which its tests share are stopped after the last of them."""
