"""The page package."""
