"""Pixels to phases, particles, pores and cracks, and the measurements that laboratories report of them."""
