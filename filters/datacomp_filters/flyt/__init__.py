"""FLYT's bilevel training (arXiv 2503.08805). The modules need torch: import them lazily."""
