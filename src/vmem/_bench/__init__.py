"""``python -m vmem bench``: what one gains by vmem, measured side by side with what one would use without it.

`measuring` takes the samples, `filling` fills memory in a process of its own, `headline` has the comparisons and prints
them. The benchmarks of a checkout use the first two also.
"""
