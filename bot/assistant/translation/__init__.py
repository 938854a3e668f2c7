"""German questions about pictures into English ones, and answers and captions back.

The model knows English only. `translator.translate` reads a German question by a grammar of
question shapes and a lexicon, and gives up where a word or the shape is not known: a question that
is refused is a smaller mistake than one that is answered as another. `captions.caption_in_german`
reads the model's captions in the same way, and leaves those English that it does not understand.
"""
