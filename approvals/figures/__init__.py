"""What do requests and decisions come to, in numbers? Read here, and never decided by.

Everything about people deciding is counted on the day their request was settled: from
then on nothing about it changes, and a day that is over can be kept.
"""
