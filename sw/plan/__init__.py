"""Planning: how each layer is folded, what it costs, and how fast the whole will be.

`folding` what can be chosen; `costs` what a stage costs; `planner` the choice; `plan` the decision as a file; `summary` what follows from it.
"""
