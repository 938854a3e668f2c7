"""Every sentence the assistant says, so that another language is another `Texts`; here in English.

Fields hold plain text; `{names}` in braces are filled in by the code that says them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Texts:
    """One language's catalogue.

    `{answer}` comes with its full stop; `{time}` is what `span` says. `refusals` says why a picture
    is refused, by the reason of `data.errors.ImageRefused`, whose own text is English.
    """

    # Welcome and help
    start: str
    help: str
    about: str

    # Around an answer
    invite: str
    invite_several: str
    no_names: str
    also_see: str
    nothing_more: str
    unsure_say: str
    unsure_looks_like: str
    unsure_sentence: str
    instead: str
    in_english: str
    cannot_tell: str
    caption_button: str
    retry_button: str
    good: str
    bad: str
    rated: str
    corrected: str
    queued: str

    # Small talk
    hello: str
    hello_again: str
    thanks: str
    goodbye: str
    nod: str
    sorry: str
    rude: str
    reaction: str
    forget_hint: str

    # Questions that get a sentence instead of an answer
    empty: str
    too_long: str
    foreign: str
    instruction: str
    outside: str
    health: str
    expert: str
    reading: str
    unseen: str
    remark: str
    unclear: str
    link: str
    unknown_command: str

    # Pictures
    no_picture: str
    no_picture_in_group: str
    picture_gone: str
    no_such_picture: str
    only_first: str
    which_one: str
    which_several: str
    which_none: str
    and_: str
    no_picture_file: str
    still_only: str
    file_too_big: str
    fetch_failed: str
    cannot_read: str
    mention_me: str
    not_yours: str
    form_too_old: str
    button_too_old: str

    # In the menu of commands
    command_start: str
    command_help: str
    command_caption: str
    command_ask: str
    command_forget: str
    command_privacy: str
    command_settings: str
    command_retry: str
    command_describe_menu: str
    command_ask_menu: str
    command_alt_menu: str
    command_image: str
    command_question: str

    # What is kept
    forgotten: str
    forgotten_rows: str
    forgotten_later: str
    privacy: str
    privacy_logged: str
    privacy_unlogged: str
    privacy_unsaved: str
    privacy_may_save: str
    privacy_saved: str
    privacy_learnt: str
    privacy_far: str
    privacy_nobody_else: str
    privacy_sent: str
    privacy_sent_to: str
    privacy_sent_to_one_of: str
    another_computer: str
    or_: str

    # What a person may choose
    language: str
    settings: str
    settings_automatic: str
    settings_chosen: str
    automatic_button: str
    settings_logged: str
    settings_unlogged: str
    settings_shared: str
    settings_unshared: str
    log_button: str
    unlog_button: str
    settings_profile: str
    settings_profile_chosen: str
    profile_button: str
    share_button: str
    unshare_button: str

    # Too much, too late, too bad
    not_allowed: str
    wait_minute: str
    wait_day: str
    spent: str
    spent_instead: str
    busy: str
    too_many_waiting: str
    closing: str
    crashed: str
    unavailable: str
    interrupted: str
    your_id: str

    # Spans of time
    second: str
    seconds: str
    minute: str
    minutes: str
    hour: str
    hours: str
    days: str

    refusals: Mapping[str, str] = field(default_factory=dict)

    def span(self, seconds: float) -> str:
        """Say a length of time, rounded up: "12 seconds", "a minute", "3 hours"."""
        whole = max(1, math.ceil(seconds))
        if whole < 60:
            return self.second if whole == 1 else self.seconds.format(count=whole)
        minutes = math.ceil(whole / 60)
        if minutes < 60:
            return self.minute if minutes == 1 else self.minutes.format(count=minutes)
        hours = math.ceil(minutes / 60)
        if hours <= 48:
            return self.hour if hours == 1 else self.hours.format(count=hours)
        return self.days.format(count=math.ceil(hours / 24))


ENGLISH = Texts(
    start=(
        "Hello, I'm Glimpse. Send me a photo and I'll tell you what I see. "
        "Then ask me about it, for example: What is the dog doing?"
    ),
    help=(
        "Send me a photo and I'll describe it. Add a question and I'll answer that instead.\n"
        "You can keep asking without sending the photo again: I remember your last one for "
        "{time}, or you can reply to a message that has a picture.\n\n"
        "/caption describes the picture\n"
        "/ask answers a question, for example: /ask How many people are there?\n"
        "/retry answers again, in another way\n"
        "/forget erases everything I keep about you, and /privacy tells you what that is\n"
        "/settings changes my language and what I keep\n\n"
        "I answer in English, in a few words, and I do make mistakes."
    ),
    about=(
        "I'm Glimpse, a small program that looks at pictures. "
        "Send me one and ask what you would like to know about it."
    ),
    invite="Ask me anything about it.",
    invite_several="Ask me about any of them by its number, for example: What is in picture 2?",
    no_names="I don't recognise people by name, but I can say what I see.",
    also_see="I also see: {things}.",
    nothing_more="That is all I can make out.",
    unsure_say="I'm not sure, but I'd say {answer}",
    unsure_looks_like="I'm not sure, but it looks like {answer}",
    unsure_sentence="I'm not sure, but this is what I see: {answer}",
    instead="The model that usually answers is out of reach; until it is back, another one does.",
    in_english="{answer}",
    cannot_tell="I can't tell from this picture.",
    caption_button="Caption it",
    retry_button="Try again",
    good="Good answer",
    bad="Bad answer",
    rated="Thank you for telling me.",
    corrected="Thank you. I can't learn it right away, but I have passed it on.",
    queued="{number} pictures are ahead of yours. I'll answer in a moment.",
    hello="Hello. Send me a photo and ask me anything about it.",
    hello_again="Hello. Ask me anything about your picture, or send me another one.",
    thanks="You're welcome.",
    goodbye="Goodbye, and come back any time.",
    nod="Good to hear. I'm here whenever you have a picture to ask about.",
    sorry="Sorry about that; I do make mistakes. Asking in other words sometimes helps.",
    rude="Sorry I wasn't more help. I'm here whenever you have a picture to ask about.",
    reaction=(
        "Did I get it wrong? Then tell me what it really is, for example: No, it's a train. "
        "Or ask me something else about the picture."
    ),
    forget_hint="Send /forget, and I'll erase your pictures and everything I keep about you.",
    empty="What would you like to know? Ask me a question about the picture.",
    too_long="That is more than I can take in. Please ask in at most {limit} characters.",
    foreign=(
        "I understand English, and simple questions in German. Could you ask me that in English?"
    ),
    instruction="I can only describe pictures and answer questions about what they show.",
    outside="I only know what I can see. Ask me about something in the picture.",
    health="I can't judge anybody's health, and a picture is not enough. Please ask a doctor.",
    expert=(
        "Please don't rely on me for that: I'm often wrong, and it matters. Ask somebody who knows "
        "about it and can look closely."
    ),
    reading="I can't read text or numbers in pictures. Ask me what is there, or what is happening.",
    unseen="A picture alone can't tell me that. Ask me about something you can see in it.",
    remark="I'm best at questions. Ask me about the picture, for example: What is in front?",
    unclear="I didn't understand that. Ask me about the picture, for example: What is in front?",
    link="I can't open links. Please send me the picture itself.",
    unknown_command="I don't know {command}. Send /help to see what I can do.",
    no_picture="I haven't seen a picture here yet. Please send me one, then ask.",
    no_picture_in_group=(
        "I haven't seen a picture of yours here. In this group I only get messages that mention "
        "me, so please reply to the photo and mention me."
    ),
    picture_gone=(
        "I no longer have your last picture, because I keep one for {time} at most. "
        "Please send it again, then ask."
    ),
    no_such_picture="You sent {count} pictures, so please name a number from 1 to {count}.",
    only_first="I looked at the first {count} only.",
    which_one="Picture {numbers}, I think.",
    which_several="Pictures {numbers}, I think.",
    which_none="None of them, as far as I can see.",
    and_="and",
    no_picture_file="I can only look at pictures. Please send me a photo, or an image as a file.",
    still_only="I can only see a still image of this {what}.",
    file_too_big="That file is bigger than 20 MB. Please send it as a photo, which is smaller.",
    fetch_failed="I could not fetch that picture. Please send it again.",
    cannot_read=(
        "Discord does not show me that message. Please open its menu, and choose one of my "
        "commands under Apps."
    ),
    mention_me=(
        "Discord shows me only messages that mention me. Please edit yours so that it mentions me, "
        "or use my command /ask."
    ),
    not_yours="Somebody else showed that picture to me alone, so only they can ask about it.",
    form_too_old=(
        "I was restarted, so I can no longer see that picture and could not answer “{question}”. "
        "Please choose the command again."
    ),
    button_too_old="I no longer have that picture. Please send it again, then ask.",
    command_start="Say hello",
    command_help="See what I can do",
    command_caption="Describe the picture",
    command_ask="Answer a question about the picture",
    command_forget="Forget everything about you",
    command_privacy="See what I keep about you",
    command_settings="Change my language, and what I keep",
    command_retry="Answer again, in another way",
    command_describe_menu="Describe image",
    command_ask_menu="Ask about image…",
    command_alt_menu="Write alt text",
    command_image="The picture",
    command_question="Your question",
    forgotten="Done, I have forgotten your pictures.",
    forgotten_rows=(
        "Done, I have forgotten your pictures and erased what I kept about you. "
        "Messages: {exchanges}, ratings: {ratings}, saved pictures: {pictures}."
    ),
    forgotten_later=(
        "I have forgotten your pictures. Whatever else I keep about you will be erased as soon "
        "as I can reach it."
    ),
    privacy=(
        "I keep your last picture for {time} at most, in memory only, so that you can ask about it "
        "again. I never save pictures, and nobody else gets them. /forget removes it at once."
    ),
    privacy_logged=(
        "1. I keep your last picture in memory for {time} at most, so that you can ask again. "
        "{pictures}\n"
        "2. I keep your questions and my answers for {days}, so that whoever runs me can find "
        "mistakes and make me better.\n"
        "3. With them I keep a code in place of your name, your device's language, the size and a "
        "fingerprint of the picture, and how long I took.\n"
        "4. For as long, I also keep which answers you rated or corrected.\n"
        "5. Nobody else gets any of this. /settings can keep you out of it.\n"
        "6. /forget erases all of it at once."
    ),
    privacy_unlogged=(
        "1. I keep your last picture in memory for {time} at most, so that you can ask again. "
        "I never save your pictures.\n"
        "2. I keep neither your questions nor my answers, because you chose that in /settings; the "
        "choice is all I keep, under a code in place of your name.\n"
        "3. What I kept before is erased after {days} at the latest, and by /forget at once."
    ),
    privacy_unsaved="I never save pictures.",
    privacy_may_save="I do not save your pictures, unless you allow it in /settings.",
    privacy_saved=(
        "As you allowed it, I also save your pictures, encrypted, until {days} after you last "
        "asked about them, and whoever runs me may look at them and train me on them."
    ),
    privacy_learnt="What I was trained on before cannot be taken back.",
    privacy_far=(
        "I keep your last picture for {time} at most, in memory only, so that you can ask about it "
        "again. I never save pictures. /forget removes it at once."
    ),
    privacy_nobody_else="Nobody else gets any of this.",
    privacy_sent=(
        "To answer, I send your picture, your question and what we said about it before to another "
        "computer, which whoever runs me has chosen. What is kept there, I do not know; /forget "
        "does not reach it."
    ),
    privacy_sent_to=(
        "To answer, I send your picture, your question and what we said about it before to "
        "{provider}. What is kept there, {provider} decides; /forget does not reach it."
    ),
    privacy_sent_to_one_of=(
        "To answer, I send your picture, your question and what we said about it before to "
        "{names}: to the next if one does not answer. What is kept there, they decide; /forget "
        "does not reach it."
    ),
    another_computer="another computer, which whoever runs me has chosen",
    or_="or",
    language="English",
    settings="I speak {language} with you{automatic}. You can choose another language.",
    settings_automatic=", as your device does",
    settings_chosen="From now on I speak English with you.",
    automatic_button="Like my device",
    settings_logged="I keep your questions and my answers; /privacy tells you why.",
    settings_unlogged="I keep neither your questions nor my answers.",
    settings_shared=(
        "I also save your pictures, encrypted. Whoever runs me may look at them, and train me on "
        "them and on what you say about my answers."
    ),
    settings_unshared=(
        "I don't save your pictures. If you let me, whoever runs me may look at them, and train me "
        "on them and on what you say about my answers."
    ),
    log_button="Keep them",
    unlog_button="Keep nothing",
    settings_profile="Your pictures are looked at with {profile}. You can choose another model.",
    settings_profile_chosen="From now on I look at your pictures with {profile}.",
    profile_button="Use {profile}",
    share_button="Save my pictures",
    unshare_button="Erase my pictures",
    not_allowed="I only work for people and chats on my list. Please ask whoever runs me.",
    wait_minute="That was a lot at once. Please try again in {time}.",
    wait_day="You have asked a lot today. You can ask again in {time}.",
    spent="What my answers may cost today is used up. You can ask again in {time}.",
    spent_instead=(
        "What answers of {profile} may cost today is used up; another model answers until tomorrow."
    ),
    busy="I'm answering many people right now; please try again in a minute.",
    too_many_waiting="I'm still working on your earlier messages. Please wait for those first.",
    closing="I'm shutting down just now. Please ask again in a few minutes.",
    crashed=(
        "Something went wrong on my side, so I could not answer. Please try again; "
        "if it keeps happening, mention the code {reference}."
    ),
    unavailable=(
        "I cannot reach what I look at pictures with. Please try again in a few minutes; "
        "if it keeps happening, mention the code {reference}."
    ),
    interrupted=(
        "I was interrupted while I worked on this, more than once, so I have given it up. "
        "Please try another picture, or other words."
    ),
    your_id="They can add you as {id}.",
    second="a second",
    seconds="{count} seconds",
    minute="a minute",
    minutes="{count} minutes",
    hour="an hour",
    hours="{count} hours",
    days="{count} days",
)
