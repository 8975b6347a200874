"""Results on disk: the folder of a result, advice, histories, and the files of other tools.

It hands on records as they were measured, and knows neither how they were measured nor how they are shown.
"""
