"""Questions about objects that are made from boxes: presence, count, place and size.

What a detector's boxes and people's labels make sure is asked, balanced over the corpus so that no
answer can be guessed from the question.
"""
