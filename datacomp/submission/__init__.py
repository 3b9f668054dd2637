"""What a team hands in: the manifest, the checks of its files, how alike two subsets are.

The same code judges a submission in the command line, in the service and in a worker.
"""
