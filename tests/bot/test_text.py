"""Other languages are noticed; English, however short or odd, never is."""

from __future__ import annotations

import pytest

from bot.assistant.text import clean, is_foreign


@pytest.mark.parametrize(
    "text",
    """Was ist das?|Welche Farbe hat das Auto?|Wie viele Menschen sind da?|Was macht der Mann?
Sieht man einen Hund?|beschreibe das Bild|Wo ist der Ball?
¿Qué es esto?|que color es el coche|Cuantos perros hay?|describe la imagen|hola
Qu'est-ce que c'est ?|Combien de chiens ?|De quelle couleur est la voiture ?|Il y a un chien ?
Che cosa è?|Di che colore è il gatto?|Quante persone ci sono nella foto?
O que é isso?|Quantas pessoas há na foto?|Wat is dit?|Hoeveel mensen zijn er?
Co to jest?|Kolik je tam lidí?|Bu nedir?|Vad är det?|Apa ini?|Mikä tämä on?|Mi ez a képen?
Ce este aceasta?|这是什么|これは何ですか|이게 뭐야?|Что это?|Скільки людей?|ما هذا؟|מה זה?
यह क्या है?|Τι είναι αυτό;|นี่คืออะไร|这 is 什么东西""".replace(  # noqa: RUF001 (other alphabets)
        "\n", "|"
    ).split("|"),
)
def test_other_languages(text: str) -> None:
    assert is_foreign(clean(text))


@pytest.mark.parametrize(
    "text",
    """What color is the taxi?|Is the man in a die-cast car?|die|hat?|Le Mans?|La Croix?|Las Vegas?
El Paso or Los Angeles?|Is Van Gogh der Maler?|What does "was ist das" mean?|Is it a jalapeño?
café|Was the man in the den?|pizza margherita?|La La Land|Is there a hay bale on the van?
What does 你好 mean?|Does the sign say "por favor"?|man on hat|in|on?|Is it a dachshund?|taco?
war in den|Pho or ramen?|Who is in the sauna?|a|2|x|naïve|Is Der Spiegel on the table?
Is the son in the car?|Est 1998?|Tu|Is the hotel De La Paix or Le Meurice?""".replace(
        "\n", "|"
    ).split("|"),
)
def test_english(text: str) -> None:
    assert not is_foreign(clean(text))
