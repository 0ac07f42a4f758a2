"""Exploration: plans of several networks on several boards at several frame rates, the best of them built with several seeds.

`rates` which frame rates are asked for; `points` plans them; `builds` places and routes; `workers` where that happens; `files` what is kept.
"""
