"""How well runs are diagnosed: labelled training runs, recorded once, judged many times.

``python -m benchmarks.diagnosis --help`` says how; ``docs/diagnosis_benchmark.md`` what came out.
"""
