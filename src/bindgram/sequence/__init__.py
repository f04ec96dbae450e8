"""DNA as arrays: encoding, k-mers, shuffles. No disk, no torch."""
