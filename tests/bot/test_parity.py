"""The README's table of what works where: each tick has a test, and each test a tick."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLUMNS = ("Telegram", "Discord", "chat page", "command line")
T, D = "bot/test_telegram", "bot/test_discord"
TABLE: dict[str, tuple[str, str, str, str]] = {
    "a caption of a photo": (
        f"{T}.py::test_a_photo_gets_a_caption_and_follow_ups_need_no_photo",
        f"{D}.py::test_commands_with_a_picture",
        "e2e/test_web_page.py::test_a_photo_a_caption_a_question_and_a_follow_up",
        "e2e/test_command_line.py::test_every_door_gives_the_same_answer",
    ),
    "an answer to a question about it": (
        f"{T}.py::test_the_caption_of_a_photo_is_the_question",
        f"{D}.py::test_in_private_everything_is_meant_for_it",
        "e2e/test_web_page.py::test_a_photo_a_caption_a_question_and_a_follow_up",
        "e2e/test_command_line.py::test_every_door_gives_the_same_answer",
    ),
    "more questions without sending it again": (
        f"{T}.py::test_a_photo_gets_a_caption_and_follow_ups_need_no_photo",
        f"{D}.py::test_follow_ups_need_neither_the_picture_nor_a_mention",
        "e2e/test_web_page.py::test_a_photo_a_caption_a_question_and_a_follow_up",
        "",
    ),
    "several pictures, answered together by their numbers": (
        f"{T}.py::test_an_album_is_answered_once_with_numbers_and_before_what_follows",
        f"{D}.py::test_in_private_everything_is_meant_for_it",
        "e2e/test_web_page.py::test_several_photos_each_get_their_caption",
        "",
    ),
    "images as files, HEIC too": (
        f"{T}.py::test_an_image_sent_as_a_file_is_a_picture",
        f"{D}.py::test_a_file_that_is_called_like_a_picture_is_one",
        "e2e/test_web_page.py::test_several_photos_each_get_their_caption",
        "data/test_decoding.py::test_every_orientation_comes_out_upright",
    ),
    "stickers": (
        f"{T}.py::test_stickers_are_pictures_and_moving_ones_give_a_still",
        f"{D}.py::test_stickers_and_forwarded_messages_are_pictures",
        "",
        "",
    ),
    "somebody else's picture, by a reply": (
        f"{T}.py::test_it_can_be_asked_about_a_photo_of_somebody_else",
        f"{D}.py::test_it_can_be_asked_about_a_picture_of_somebody_else",
        "",
        "",
    ),
    "the menu of any message": ("", f"{D}.py::test_the_menu_of_a_message", "", ""),
    "a picture first, the mention later": (
        f"{T}.py::test_it_can_be_called_after_the_photo_was_posted",
        "",
        "",
        "",
    ),
    "silence in groups unless it is meant": (
        f"{T}.py::test_in_a_group_it_is_silent_unless_it_is_meant",
        f"{D}.py::test_in_a_channel_it_is_silent_unless_it_is_meant",
        "",
        "",
    ),
    "an edited question changes its answer": (
        f"{T}.py::test_an_edited_question_changes_its_answer_in_place",
        f"{D}.py::test_an_edited_question_changes_its_answer_in_place",
        "",
        "",
    ),
    "a button for a caption": (
        f"{T}.py::test_a_button_means_the_picture_that_its_answer_was_about",
        f"{D}.py::test_the_button_describes_what_its_answer_was_about_even_after_a_restart",
        "e2e/test_web_page.py::test_an_answer_can_be_rated_and_tried_again",
        "",
    ),
    "👍 and 👎": (
        f"{T}_buttons.py::test_a_rating_is_thanked_for_in_passing_and_needs_nothing_else",
        f"{D}_buttons.py::test_a_rating_is_confirmed_to_who_gave_it_and_costs_no_look",
        "e2e/test_web_page.py::test_an_answer_can_be_rated_and_tried_again",
        "",
    ),
    "another answer: Try again, `/retry`": (
        f"{T}_buttons.py::test_trying_again_gives_other_answers_to_the_same_question",
        f"{D}_buttons.py::test_try_again_answers_the_same_question_about_the_same_picture",
        "e2e/test_web_page.py::test_an_answer_can_be_rated_and_tried_again",
        "",
    ),
    "alt text to copy": (
        "",
        f"{D}_buttons.py::test_alt_text_is_ready_to_be_copied_and_for_nobody_else",
        "",
        "",
    ),
    "a sign that an answer is on its way": (
        f"{T}.py::test_a_photo_gets_a_caption_and_follow_ups_need_no_photo",
        f"{D}.py::test_in_a_channel_it_is_silent_unless_it_is_meant",
        "e2e/test_web_page.py::test_a_photo_a_caption_a_question_and_a_follow_up",
        "",
    ),
    "how many are before you, if many are": (
        f"{T}_notices.py::test_in_private_a_draft_tells_of_the_queue",
        f"{D}_faults.py::test_a_message_is_told_of_the_queue_where_its_answer_will_be",
        "",
        "",
    ),
    "German": (
        f"{T}_buttons.py::test_who_speaks_german_is_answered_in_german",
        f"{D}_languages.py::test_commands_and_buttons_tell_the_language_also_for_later_messages",
        "",
        "",
    ),
    "`/settings`": (
        f"{T}_buttons.py::test_settings_change_in_place_and_for_this_person_only",
        f"{D}_buttons.py::test_settings_change_in_the_message_that_shows_them",
        "bot/test_buttons_and_languages.py::test_settings_change_the_language_for_good_and_back",
        "",
    ),
    "`/forget`, `/privacy`": (
        f"{T}.py::test_commands",
        f"{D}.py::test_help_privacy_and_forgetting_are_between_the_person_and_the_bot",
        "e2e/test_web_page.py::test_a_new_chat_forgets_the_photo",
        "",
    ),
    "many pictures in a file, confidences for scripts": (
        "",
        "",
        "",
        "bot/test_cli_batch.py::test_answers_and_captions_in_the_agreed_form",
    ),
    "the objects it sees, with their places": (
        "",
        "",
        "e2e/test_web_page.py::test_what_is_seen_is_shown_over_the_photo_on_request",
        "bot/test_cli_ask.py::test_json_lists_the_objects_seen_and_sentences_do_not",
    ),
}


def test_the_table_says_what_is_tested() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    head = f"| | {' | '.join(COLUMNS)} |\n"
    assert head in readme
    body = readme.partition(head)[2].partition("\n\n")[0].splitlines()[1:]
    shown = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in body]
    expected = [(name, *("✓" if test else "" for test in tests)) for name, tests in TABLE.items()]
    assert shown == expected


@pytest.mark.parametrize("name", sorted({test for row in TABLE.values() for test in row if test}))
def test_every_tick_has_its_test(name: str) -> None:
    file, _, function = name.partition("::")
    content = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {function}\(", content, re.MULTILINE), name
