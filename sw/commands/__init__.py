"""The commands of the program, a module each: options, what is called, what is printed. `arguments` holds what several of them share.

Imports of the heavy parts (PyTorch, cocotb) lie inside the commands that need them.
"""
