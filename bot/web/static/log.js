// The conversation: bubbles, typing dots, errors and the buttons beside and under messages.

import { element, icon } from "./dom.js";
import { describe } from "./photos.js";
import { t } from "./texts.js";

const WARNING = "M12 8v5M12 16.5v.01M10.3 4 2.7 17.5A2 2 0 0 0 4.4 20.5h15.2a2 2 0 0 0 1.7-3L13.7 4a2 2 0 0 0-3.4 0Z";
const COPY = "M9 9h11v11H9zM15 5H4v11";
const DONE = "m5 12.5 4.5 4.5L19 7.5";
const EDIT = "M16.5 4.5a2.1 2.1 0 0 1 3 3L8 19l-4 1 1-4Z";
const TWICE = 600; // milliseconds of a double click, in unsteady hands
// Not every system has a font for emoji.
const EMOJI = {
  "👍": "M7 11v9H4v-9h3Zm0 0 4-8a2.5 2.5 0 0 1 2.5 2.5V9h4.7a2 2 0 0 1 2 2.3l-1.2 7a2 2 0 0 1-2 1.7H7",
  "👎": "M17 13V4h3v9h-3Zm0 0-4 8a2.5 2.5 0 0 1-2.5-2.5V15H5.8a2 2 0 0 1-2-2.3l1.2-7a2 2 0 0 1 2-1.7H17",
};

export class Log {
  constructor(log, scroller) {
    this.log = log;
    this.scroller = scroller;
    this.pinned = true;
    // Photos load after they are added: stay at the end as long as the reader is there.
    const observer = new ResizeObserver(() => {
      if (this.pinned && log.childElementCount) this.#toEnd("instant");
    });
    observer.observe(log);
    observer.observe(scroller);
    scroller.addEventListener("scroll", () => {
      const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
      this.pinned = below < 80;
    });
  }

  /**
   * Adds what the person sent; returns its node and the drawn photos, to be described later.
   * `edit` runs when they want to change it, if they may.
   */
  addMine(text, photos, edit = null) {
    this.clearButtons();
    const message = this.#message("mine", t("you"));
    const frames = photos.map((photo, index) => {
      const several = { place: index + 1, count: photos.length };
      const description = photos.length > 1 ? t("yourPhotoOf", several) : t("yourPhoto");
      return photo ? photo.draw(description) : missing(description);
    });
    if (frames.length) {
      const grid = element("div", frames.length > 1 ? "photos several" : "photos");
      grid.append(...frames);
      message.append(grid);
    }
    if (text) message.append(element("p", "bubble", text));
    if (text && edit) message.append(this.#beside("edit", EDIT, t("edit"), edit));
    this.#add(message);
    return { message, frames };
  }

  /**
   * Shows that an answer is on its way; returns its node, `write` that shows what it is so far, and
   * `end` that takes it away again. Whoever listens hears the answer alone, once it is there.
   */
  addTyping() {
    const message = this.#message("theirs typing", "");
    const dots = element("p", "dots");
    dots.append(element("i"), element("i"), element("i"));
    dots.setAttribute("aria-hidden", "true");
    message.append(dots);
    this.#busy(true);
    this.#add(message);
    const draft = element("div");
    draft.setAttribute("aria-hidden", "true");
    const write = (text) => {
      draft.replaceChildren(...paragraphs(text));
      dots.replaceWith(draft);
    };
    const end = () => {
      message.remove();
      this.#busy(false);
    };
    return { message, write, end };
  }

  /**
   * Adds an answer; `seeing` is a row about the objects seen, or null, and `numbers` are those of
   * the photos that it is about, if it is about some of several.
   */
  addReply(text, seeing, numbers = []) {
    const message = this.#message("theirs", t("glimpse"));
    if (numbers.length) {
      const name = numbers.length > 1 ? "photoNumbers" : "photoNumber";
      message.append(element("p", "about", t(name, { numbers: numbers.join(", ") })));
    }
    message.append(...paragraphs(text));
    if (seeing) message.append(seeing);
    message.append(this.#beside("copy", COPY, t("copy"), (button) => copy(text, button)));
    this.#add(message);
  }

  /** Adds an error; `retry` runs when the person wants to try the same again, if that may help. */
  addError(text, reference, retry = null) {
    const message = this.#message("theirs error", t("error"));
    const body = element("div", "body");
    body.append(element("p", "", text));
    if (reference) body.append(element("p", "reference", t("reference", { reference })));
    if (retry) {
      const again = element("button", "again", t("again"));
      again.type = "button";
      again.addEventListener("click", (event) => {
        if (this.#again(event)) return;
        message.remove();
        retry();
      });
      body.append(again);
    }
    message.append(icon(WARNING), body);
    this.#add(message);
  }

  /** Offers next steps: `{label, action, name}` each; `choose` gets the one pressed, and its chip. */
  addButtons(buttons, choose) {
    if (!buttons.length) return null;
    const row = element("div", "chips");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", t("suggestions"));
    for (const button of buttons) {
      const drawn = EMOJI[button.label];
      const chip = element("button", drawn ? "chip drawn" : "chip", drawn ? "" : button.label);
      if (drawn) chip.append(icon(drawn));
      if (drawn) chip.setAttribute("aria-pressed", "false");
      chip.type = "button";
      if (button.name) {
        chip.setAttribute("aria-label", button.name);
        chip.title = button.name;
      }
      chip.addEventListener("click", (event) => {
        if (!this.#again(event)) choose(button, chip);
      });
      row.append(chip);
    }
    this.#add(row);
    return row;
  }

  /** Takes away what belonged to the last answer: its suggestions, its "Try again". */
  clearButtons() {
    for (const old of this.log.querySelectorAll(".chips, .again, .edit")) old.remove();
  }

  /** Takes away a message and what came after it. */
  removeFrom(message) {
    while (message.nextSibling) message.nextSibling.remove();
    message.remove();
  }

  clear() {
    this.log.replaceChildren();
    this.#busy(false);
  }

  /** Stays where it is, though it gets longer. */
  stay() {
    this.pinned = false;
  }

  /** A busy log is not read out, so the waiting is said apart from it. */
  #busy(yes) {
    this.log.setAttribute("aria-busy", String(yes));
    document.getElementById("status").textContent = yes ? t("looking") : "";
  }

  /** A small button beside a message. */
  #beside(kind, path, name, press) {
    const button = element("button", `beside ${kind}`);
    button.type = "button";
    button.title = name;
    button.setAttribute("aria-label", name);
    button.append(icon(path));
    button.addEventListener("click", () => press(button));
    return button;
  }

  /**
   * Whether a click is the second of a double click, and would hit what the first one brought under
   * the pointer. Keys have no place, and are always meant.
   */
  #again({ detail, clientX, clientY, timeStamp, currentTarget }) {
    const { x, y, at, target } = this.clicked ?? { at: -TWICE };
    if (detail) this.clicked = { x: clientX, y: clientY, at: timeStamp, target: currentTarget };
    const near = Math.hypot(clientX - x, clientY - y) < 12 && timeStamp - at < TWICE;
    return detail > 0 && near && currentTarget !== target;
  }

  #message(kind, speaker) {
    const message = element("div", `message ${kind}`);
    if (speaker) message.append(element("span", "unseen", speaker));
    return message;
  }

  #add(node) {
    this.log.append(node);
    this.pinned = true;
    this.#toEnd("smooth");
  }

  #toEnd(behavior) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.scroller.scrollTo({
      top: this.scroller.scrollHeight,
      behavior: still ? "instant" : behavior,
    });
  }
}

/** The lines of an answer, and the remarks after it. */
function paragraphs(text) {
  const [answer, ...remarks] = text.split("\n\n");
  const lines = answer.split("\n").map((line) => element("p", "", line));
  return [...lines, ...remarks.map((remark) => element("p", "remark", remark))];
}

/** Gives each photo its caption as alternative text; several come as "1. …" lines. */
export function describeAll(frames, caption) {
  const lines = caption.split("\n").filter((line) => line.trim());
  const numbered = lines.filter((line) => /^\d+[.)]\s/.test(line));
  frames.forEach((frame, index) => {
    const own = numbered.length === frames.length ? numbered[index].replace(/^\d+[.)]\s+/, "") : "";
    describe(frame, own || lines[0] || t("yourPhoto"));
  });
}

/** In place of a photo that this browser did not keep. */
function missing(description) {
  const frame = element("span", "photo gone");
  const tile = element("span", "tile", "–");
  tile.setAttribute("role", "img");
  tile.setAttribute("aria-label", description);
  frame.append(tile);
  return frame;
}

/** Puts an answer on the clipboard, and shows so for a moment. */
async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyOldWay(text, button); // at addresses that count as insecure, there is no clipboard
  }
  const status = document.getElementById("status");
  button.classList.add("done");
  button.replaceChildren(icon(DONE));
  status.textContent = t("copied");
  setTimeout(() => {
    button.classList.remove("done");
    button.replaceChildren(icon(COPY));
    status.textContent = "";
  }, 1500);
}

function copyOldWay(text, button) {
  const box = element("textarea", "unseen");
  box.value = text;
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
  button.focus({ preventScroll: true });
}
