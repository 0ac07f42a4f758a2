"""The hardware, in Amaranth: streaming blocks, one per file, and the accelerator that chains them.

A block is a `Component` with a stream `i` and a stream `o`, built from a frozen `Config` of the same name. Lane 0 of a
payload is the least significant; a tensor streams in raster order, channels fastest.
"""
