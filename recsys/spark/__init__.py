"""The job on Apache Spark: it reads, shuffles, schedules, retries and stores; the mathematics is that of one machine.

Import its modules late, because they import pyspark.
"""
