// The conversation: bubbles, typing dots, errors and the buttons under the last answer.

import { element, icon } from "./dom.js";
import { describe } from "./photos.js";

const WARNING = "M12 8v5M12 16.5v.01M10.3 4 2.7 17.5A2 2 0 0 0 4.4 20.5h15.2a2 2 0 0 0 1.7-3L13.7 4a2 2 0 0 0-3.4 0Z";
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

  /** Adds what the person sent; returns the drawn photos, to be described later. */
  addMine(text, photos) {
    this.clearButtons();
    const message = this.#message("mine", "You: ");
    const frames = photos.map((photo, index) => {
      const place = photos.length > 1 ? ` ${index + 1} of ${photos.length}` : "";
      return photo.draw(`Your photo${place}`);
    });
    if (frames.length) {
      const grid = element("div", frames.length > 1 ? "photos several" : "photos");
      grid.append(...frames);
      message.append(grid);
    }
    if (text) message.append(element("p", "bubble", text));
    this.#add(message);
    return frames;
  }

  /** Shows that an answer is on its way; returns a function that takes it away again. */
  addTyping() {
    const message = this.#message("theirs typing", "");
    const dots = element("p", "dots");
    dots.append(element("i"), element("i"), element("i"));
    dots.setAttribute("aria-hidden", "true");
    message.append(dots);
    this.#busy(true);
    this.#add(message);
    return () => {
      message.remove();
      this.#busy(false);
    };
  }

  /** Adds an answer; `seeing` is a row about the objects seen, or null. */
  addReply(text, seeing) {
    const message = this.#message("theirs", "Glimpse: ");
    const [answer, ...remarks] = text.split("\n\n");
    for (const line of answer.split("\n")) message.append(element("p", "", line));
    for (const remark of remarks) message.append(element("p", "remark", remark));
    if (seeing) message.append(seeing);
    this.#add(message);
  }

  /** Adds an error; `retry` runs when the person wants to try the same again. */
  addError(text, reference, retry) {
    const message = this.#message("theirs error", "Error: ");
    const body = element("div", "body");
    body.append(element("p", "", text));
    if (reference) body.append(element("p", "reference", `Reference: ${reference}`));
    const again = element("button", "again", "Try again");
    again.type = "button";
    again.addEventListener("click", () => {
      message.remove();
      retry();
    });
    body.append(again);
    message.append(icon(WARNING), body);
    this.#add(message);
  }

  /** Offers next steps: `{label, action, name}` each; `choose` gets the one pressed, and its chip. */
  addButtons(buttons, choose) {
    if (!buttons.length) return;
    const row = element("div", "chips");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "Suggestions");
    for (const button of buttons) {
      const drawn = EMOJI[button.label];
      const chip = element("button", drawn ? "chip drawn" : "chip", drawn ? "" : button.label);
      if (drawn) chip.append(icon(drawn));
      chip.type = "button";
      if (button.name) {
        chip.setAttribute("aria-label", button.name);
        chip.title = button.name;
      }
      chip.addEventListener("click", () => choose(button, chip));
      row.append(chip);
    }
    this.#add(row);
  }

  /** Takes away what belonged to the last answer: its suggestions, its "Try again". */
  clearButtons() {
    for (const old of this.log.querySelectorAll(".chips, .again")) old.remove();
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
    document.getElementById("status").textContent = yes ? "Glimpse is looking…" : "";
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

/** Gives each photo its caption as alternative text; several come as "1. …" lines. */
export function describeAll(frames, caption) {
  const lines = caption.split("\n").filter((line) => line.trim());
  const numbered = lines.filter((line) => /^\d+[.)]\s/.test(line));
  frames.forEach((frame, index) => {
    const own = numbered.length === frames.length ? numbered[index].replace(/^\d+[.)]\s+/, "") : "";
    describe(frame, own || lines[0] || "Your photo");
  });
}
