"""German questions about pictures into English ones, and the answers back.

The model knows English only. `questions.translate` reads a German question by a grammar of question
shapes and a lexicon, and gives up where a word or the shape is not known: a question that is
refused is a smaller mistake than one that is answered as another.
"""
