"""What SIEVE is made of: captioners, how captions are sampled from them, and how texts compare."""
