"""What the assistant says in German."""

from __future__ import annotations

from bot.assistant.locale.texts import Texts

GERMAN = Texts(
    start=(
        "Hallo, ich bin Glimpse. Schick mir ein Foto, und ich sage dir, was ich sehe. "
        "Dann frag mich danach, zum Beispiel: Was macht der Hund?"
    ),
    help=(
        "Schick mir ein Foto, und ich beschreibe es. Schreib eine Frage dazu, und ich beantworte "
        "sie.\n"
        "Du kannst weiterfragen, ohne das Foto noch einmal zu schicken: Ich merke mir dein letztes "
        "(höchstens {time} lang), oder du antwortest auf eine Nachricht mit einem Bild.\n\n"
        "/caption beschreibt das Bild\n"
        "/ask beantwortet eine Frage, zum Beispiel: /ask Wie viele Leute sind da?\n"
        "/retry antwortet noch einmal, aber anders\n"
        "/forget löscht alles, was ich über dich speichere, und /privacy sagt dir, was das ist\n"
        "/settings ändert meine Sprache und was ich speichere\n\n"
        "Auf Deutsch verstehe ich einfache Fragen, auf Englisch mehr. Wofür mir deutsche Worte "
        "fehlen, das sage ich auf Englisch. Ich antworte mit wenigen Worten, und ich mache Fehler."
    ),
    about=(
        "Ich bin Glimpse, ein kleines Programm, das Bilder ansieht. "
        "Schick mir eines und frag mich, was du darüber wissen willst."
    ),
    invite="Frag mich, was du darüber wissen willst.",
    invite_several=(
        "Frag mich nach einem davon, mit seiner Nummer, "
        "zum Beispiel: Welche Farbe hat das Auto auf Bild 2?"
    ),
    no_names="Ich erkenne niemanden mit Namen, aber ich kann sagen, was ich sehe.",
    also_see="Außerdem sehe ich: {things}.",
    nothing_more="Mehr kann ich nicht erkennen.",
    unsure_say="Ich bin mir nicht sicher, aber ich würde sagen: {answer}",
    unsure_looks_like="Ich bin mir nicht sicher, aber ich vermute: {answer}",
    unsure_sentence="Ich bin mir nicht sicher, aber das sehe ich: {answer}",
    instead="Das Modell, das sonst antwortet, ist nicht erreichbar; solange antwortet ein anderes.",
    in_english="Das weiß ich nur auf Englisch: {answer}",
    cannot_tell="Das kann ich auf diesem Bild nicht erkennen.",
    caption_button="Beschreiben",
    retry_button="Noch einmal",
    good="Gute Antwort",
    bad="Schlechte Antwort",
    rated="Danke für deine Rückmeldung.",
    corrected="Danke. Sofort lernen kann ich das nicht, aber ich habe es weitergegeben.",
    queued="Vor deinem sind noch {number} Bilder dran. Ich antworte gleich.",
    hello="Hallo. Schick mir ein Foto und frag mich danach.",
    hello_again="Hallo. Frag mich etwas zu deinem Bild, oder schick mir ein anderes.",
    thanks="Gern geschehen.",
    goodbye="Auf Wiedersehen, und komm gern wieder.",
    nod="Das freut mich. Ich bin da, wenn du wieder ein Bild hast.",
    sorry="Entschuldige, ich mache Fehler. Manchmal hilft es, mit anderen Worten zu fragen.",
    rude="Schade, dass ich nicht helfen konnte. Ich bin da, wenn du wieder ein Bild hast.",
    reaction=(
        "Lag ich daneben? Dann sag mir, was es wirklich ist, zum Beispiel: Nein, ein Zug. "
        "Oder frag mich etwas anderes zu dem Bild."
    ),
    forget_hint=(
        "Schick mir /forget, dann lösche ich deine Bilder und alles, was ich über dich speichere."
    ),
    empty="Was möchtest du wissen? Stell mir eine Frage zu dem Bild.",
    too_long="Das ist mir zu lang. Bitte frag mit höchstens {limit} Zeichen.",
    foreign=(
        "Das habe ich nicht verstanden. Ich verstehe einfache Fragen auf Deutsch nach Farben, "
        "Zahlen und Dingen, zum Beispiel: Welche Farbe hat das Auto? Wie viele Leute sind da? "
        "Was macht der Hund?\nOder frag mich auf Englisch."
    ),
    instruction="Ich kann nur Bilder beschreiben und Fragen zu dem beantworten, was sie zeigen.",
    outside="Ich weiß nur, was ich sehe. Frag mich nach etwas auf dem Bild.",
    health=(
        "Ob jemand gesund ist, kann ich nicht beurteilen, und ein Bild reicht dafür nicht. "
        "Bitte frag eine Ärztin oder einen Arzt."
    ),
    expert=(
        "Verlass dich dabei bitte nicht auf mich: Ich irre mich oft, und hier kommt es darauf an. "
        "Frag jemanden, der sich auskennt und genau hinsehen kann."
    ),
    reading=(
        "Text und Zahlen auf Bildern kann ich nicht lesen. Frag mich, was da ist oder was passiert."
    ),
    unseen="Das verrät ein Bild allein nicht. Frag mich nach etwas, das man darauf sehen kann.",
    remark=(
        "Am besten kann ich Fragen beantworten. Frag mich nach dem Bild, "
        "zum Beispiel: Was ist vorne?"
    ),
    unclear="Das habe ich nicht verstanden. Frag mich nach dem Bild, zum Beispiel: Was ist vorne?",
    link="Ich kann keine Links öffnen. Bitte schick mir das Bild selbst.",
    unknown_command="{command} kenne ich nicht. Schick mir /help, dann sage ich, was ich kann.",
    no_picture="Ich habe hier noch kein Bild gesehen. Bitte schick mir eines und frag dann.",
    no_picture_in_group=(
        "Ich habe hier noch kein Bild von dir gesehen. In dieser Gruppe bekomme ich nur "
        "Nachrichten, die mich rufen: Antworte auf das Foto und erwähne mich dabei."
    ),
    picture_gone=(
        "Ich habe dein letztes Bild nicht mehr, denn ich behalte es höchstens {time} lang. "
        "Bitte schick es noch einmal und frag dann."
    ),
    no_such_picture=(
        "Du hast {count} Bilder geschickt, nenn also bitte eine Nummer von 1 bis {count}."
    ),
    only_first="Ich habe nur die ersten {count} angesehen.",
    which_one="Bild {numbers}, glaube ich.",
    which_several="Die Bilder {numbers}, glaube ich.",
    which_none="Keines davon, soweit ich sehe.",
    and_="und",
    no_picture_file=(
        "Ich kann nur Bilder ansehen. Bitte schick mir ein Foto oder ein Bild als Datei."
    ),
    still_only="Davon sehe ich nur ein Standbild.",
    file_too_big="Die Datei ist größer als 20 MB. Bitte schick sie als Foto, das ist kleiner.",
    fetch_failed="Ich konnte das Bild nicht laden. Bitte schick es noch einmal.",
    cannot_read=(
        "Discord zeigt mir diese Nachricht nicht. Bitte öffne ihr Menü und wähle unter Apps einen "
        "meiner Befehle."
    ),
    mention_me=(
        "Discord zeigt mir nur Nachrichten, die mich erwähnen. Bitte bearbeite deine so, dass sie "
        "mich erwähnt, oder nimm meinen Befehl /ask."
    ),
    not_yours=(
        "Dieses Bild hat jemand anders nur mir gezeigt, deshalb kann nur diese Person danach "
        "fragen."
    ),
    form_too_old=(
        "Ich wurde neu gestartet, sehe dieses Bild nicht mehr und konnte das nicht beantworten: "
        "„{question}“ Bitte wähle den Befehl noch einmal."
    ),
    button_too_old="Ich habe dieses Bild nicht mehr. Bitte schick es noch einmal und frag dann.",
    command_start="Hallo sagen",
    command_help="Sagen, was ich kann",
    command_caption="Das Bild beschreiben",
    command_ask="Eine Frage zum Bild beantworten",
    command_forget="Alles über dich vergessen",
    command_privacy="Sagen, was ich über dich speichere",
    command_settings="Ändern, wie ich spreche und was ich speichere",
    command_retry="Noch einmal antworten, aber anders",
    command_describe_menu="Bild beschreiben",
    command_ask_menu="Zum Bild fragen…",
    command_alt_menu="Alternativtext schreiben",
    command_image="Das Bild",
    command_question="Deine Frage",
    forgotten="Erledigt, ich habe deine Bilder vergessen.",
    forgotten_rows=(
        "Erledigt, ich habe deine Bilder vergessen und gelöscht, was ich über dich gespeichert "
        "habe. Nachrichten: {exchanges}, Bewertungen: {ratings}, gespeicherte Bilder: {pictures}."
    ),
    forgotten_later=(
        "Deine Bilder habe ich vergessen. Was ich sonst über dich speichere, lösche ich, sobald "
        "ich wieder darauf zugreifen kann."
    ),
    privacy=(
        "Dein letztes Bild behalte ich nur im Arbeitsspeicher (höchstens {time} lang), damit du "
        "weiterfragen kannst. Ich speichere keine Bilder und gebe sie niemandem. "
        "/forget löscht es sofort."
    ),
    privacy_logged=(
        "1. Dein letztes Bild behalte ich im Arbeitsspeicher (höchstens {time} lang), damit du "
        "weiterfragen kannst. {pictures}\n"
        "2. Deine Fragen und meine Antworten speichere ich {days} lang, damit mein Betreiber "
        "Fehler finden und mich verbessern kann.\n"
        "3. Dazu kommen ein Code statt deines Namens, die Sprache deines Geräts, Größe und "
        "Prüfsumme des Bildes, und wie lange ich brauchte.\n"
        "4. Genauso lange speichere ich, welche Antworten du bewertet oder berichtigt hast.\n"
        "5. Niemand sonst bekommt etwas davon. Unter /settings kannst du das abschalten.\n"
        "6. /forget löscht alles sofort."
    ),
    privacy_unlogged=(
        "1. Dein letztes Bild behalte ich im Arbeitsspeicher (höchstens {time} lang), damit du "
        "weiterfragen kannst. Deine Bilder speichere ich nie.\n"
        "2. Ich speichere weder deine Fragen noch meine Antworten, denn so hast du es unter "
        "/settings gewählt; nur diese Wahl speichere ich, mit einem Code statt deines Namens.\n"
        "3. Was ich vorher gespeichert habe, verschwindet von selbst (das dauert höchstens "
        "{days}), und /forget löscht es sofort."
    ),
    privacy_unsaved="Ich speichere keine Bilder.",
    privacy_may_save=(
        "Deine Bilder speichere ich nicht, außer du erlaubst es mir unter /settings."
    ),
    privacy_saved=(
        "Weil du es erlaubt hast, speichere ich auch deine Bilder, verschlüsselt und bis {days} "
        "nach deiner letzten Frage dazu vergangen sind, und mein Betreiber darf sie ansehen und "
        "mich damit trainieren."
    ),
    privacy_learnt="Womit ich schon trainiert wurde, lässt sich nicht zurückholen.",
    privacy_far=(
        "Dein letztes Bild behalte ich nur im Arbeitsspeicher (höchstens {time} lang), damit du "
        "weiterfragen kannst. Ich speichere keine Bilder. /forget löscht es sofort."
    ),
    privacy_nobody_else="Niemand sonst bekommt etwas davon.",
    privacy_sent=(
        "Um zu antworten, schicke ich dein Bild, deine Frage und was wir davor sagten an einen "
        "anderen Computer, den mein Betreiber gewählt hat. Was dort bleibt, weiß ich nicht; "
        "/forget reicht nicht hin."
    ),
    privacy_sent_to=(
        "Um zu antworten, schicke ich dein Bild, deine Frage und was wir davor dazu gesagt haben "
        "an {provider}. Was dort gespeichert wird, entscheidet {provider}; /forget reicht nicht "
        "dorthin."
    ),
    privacy_sent_to_one_of=(
        "Um zu antworten, schicke ich dein Bild, deine Frage und was wir davor dazu gesagt haben "
        "an {names}: antwortet einer nicht, an den nächsten. Was dort bleibt, weiß ich nicht; "
        "/forget reicht nicht hin."
    ),
    another_computer="einen anderen Computer, den mein Betreiber gewählt hat",
    or_="oder",
    language="Deutsch",
    settings="Ich spreche {language} mit dir{automatic}. Du kannst eine andere Sprache wählen.",
    settings_automatic=", wie dein Gerät",
    settings_chosen="Von jetzt an spreche ich Deutsch mit dir.",
    automatic_button="Wie mein Gerät",
    settings_logged="Ich speichere deine Fragen und meine Antworten; /privacy sagt dir, warum.",
    settings_unlogged="Ich speichere weder deine Fragen noch meine Antworten.",
    settings_shared=(
        "Auch deine Bilder speichere ich, verschlüsselt. Mein Betreiber darf sie ansehen und mich "
        "damit trainieren, ebenso mit dem, was du zu meinen Antworten sagst."
    ),
    settings_unshared=(
        "Deine Bilder speichere ich nicht. Wenn du es erlaubst, darf mein Betreiber sie ansehen "
        "und mich damit trainieren, ebenso mit dem, was du zu meinen Antworten sagst."
    ),
    log_button="Speichern",
    unlog_button="Nichts speichern",
    settings_profile="Deine Bilder sehe ich mit {profile} an. Du kannst ein anderes Modell wählen.",
    settings_profile_chosen="Von jetzt an sehe ich deine Bilder mit {profile} an.",
    profile_button="{profile} nehmen",
    share_button="Meine Bilder speichern",
    unshare_button="Meine Bilder löschen",
    not_allowed=(
        "Ich arbeite nur für Leute und Chats auf meiner Liste. "
        "Bitte wende dich an die Person, die mich betreibt."
    ),
    wait_minute="Das war viel auf einmal. Bitte warte {time} und versuch es dann noch einmal.",
    wait_day="Du hast heute schon viel gefragt. Bitte warte {time}, dann geht es weiter.",
    spent="Was meine Antworten heute kosten dürfen, ist aufgebraucht. Bitte warte {time}.",
    spent_instead=(
        "Was Antworten von {profile} heute kosten dürfen, ist aufgebraucht; bis morgen antwortet "
        "ein anderes Modell."
    ),
    busy="Gerade fragen mich viele Leute; bitte versuch es in einer Minute noch einmal.",
    too_many_waiting=(
        "Ich arbeite noch an deinen früheren Nachrichten. Bitte warte, bis ich damit fertig bin."
    ),
    closing="Ich werde gerade beendet. Bitte frag in ein paar Minuten noch einmal.",
    crashed=(
        "Bei mir ging etwas schief, deshalb konnte ich nicht antworten. Bitte versuch es noch "
        "einmal; wenn es wieder geschieht, nenn den Code {reference}."
    ),
    unavailable=(
        "Ich erreiche nicht, womit ich Bilder ansehe. Bitte versuch es in ein paar Minuten noch "
        "einmal; wenn es wieder geschieht, nenn den Code {reference}."
    ),
    interrupted=(
        "Ich wurde dabei mehr als einmal unterbrochen und habe es deshalb aufgegeben. "
        "Bitte versuche es mit einem anderen Bild oder anderen Worten."
    ),
    your_id="So kann man dich eintragen: {id}.",
    second="eine Sekunde",
    seconds="{count} Sekunden",
    minute="eine Minute",
    minutes="{count} Minuten",
    hour="eine Stunde",
    hours="{count} Stunden",
    days="{count} Tage",
    refusals={
        "empty": "Diese Datei ist leer. Bitte schick das Bild noch einmal.",
        "too-large": "Diese Datei ist zu groß. Bitte schick ein kleineres Bild.",
        "not-a-picture": "Das ist kein Bild. Bitte schick ein Foto, etwa als JPEG oder PNG.",
        "unsupported": (
            "Diese Art von Datei kann ich nicht öffnen. Bitte schick sie als JPEG oder PNG."
        ),
        "damaged": (
            "Dieses Bild ist beschädigt oder von seltener Art. Bitte schick eine andere Kopie, am "
            "besten ein gewöhnliches JPEG oder PNG."
        ),
        "truncated": (
            "Dieses Bild ist abgeschnitten, als wäre es nur halb angekommen. "
            "Bitte schick es noch einmal."
        ),
        "crashed": (
            "Dieses Bild konnte ich nicht lesen. Bitte schick es als gewöhnliches JPEG oder PNG."
        ),
        "too-slow": (
            "Dieses Bild zu öffnen dauerte zu lange. Bitte schick eine kleinere Kopie, am besten "
            "als JPEG."
        ),
        "too-hungry": (
            "Dieses Bild zu öffnen braucht zu viel Speicher. Bitte schick eine kleinere Kopie, am "
            "besten als JPEG."
        ),
        "too-many-pixels": (
            "Dieses Bild hat zu viele Pixel für mich. Bitte schick eine kleinere Kopie."
        ),
        "too-narrow": (
            "Dieses Bild ist zu lang und schmal. Bitte schneide es zu und schick es noch einmal."
        ),
        "unavailable": "Gerade kann ich keine Bilder öffnen. Bitte versuch es später noch einmal.",
    },
)
