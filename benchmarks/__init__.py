"""The figures of docs/performance.md, each beside what a user would pick instead.

python -m benchmarks [landing silver upsert gold startup] [--scale small|full] [--no-spark]
"""
