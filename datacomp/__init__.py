"""A DataComp-style competition as software: training is fixed, people compete on the dataset."""

__version__ = "0.1.0"
