"""Planning: how each layer is folded, what it costs, and how fast the whole will be.

`folding` what can be chosen; `costs` what a stage costs; `joints` what lies between two layers; `choice` the best of all by CP-SAT; `planner` the plan that fits; `plan` the decision as a file; `summary` what follows from it.
"""
