"""Everything of rbonn that runs on the host: training, lowering, planning, building, talking to a board."""
