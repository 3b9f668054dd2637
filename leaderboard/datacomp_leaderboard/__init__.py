"""The board: ranking and statistics as pure functions, and the pages that show them."""
