// How far photos are on their way to the server, and a button that gives it up.

import { element } from "./dom.js";
import { t } from "./texts.js";

const SOON = 400; // milliseconds: what is sent by then needs no bar

/** Puts a bar into a message that waits for its answer, once that takes a while. */
export class Progress {
  constructor(message, cancel) {
    this.message = message;
    this.cancel = cancel;
    this.began = performance.now();
    this.row = null;
  }

  /** Shows which share has been sent. */
  show(share) {
    if (share >= 1) this.end();
    else if (this.row) this.#set(share);
    else if (performance.now() - this.began > SOON) this.#draw(share);
  }

  end() {
    const focused = this.row?.contains(document.activeElement);
    this.row?.remove();
    this.row = null;
    this.began = Infinity;
    if (focused) document.getElementById("stop").focus();
  }

  #draw(share) {
    this.row = element("div", "sending");
    this.words = element("span");
    this.bar = element("progress");
    this.bar.max = 1;
    this.bar.setAttribute("aria-label", t("sending"));
    const cancel = element("button", "quiet", t("cancel"));
    cancel.type = "button";
    cancel.addEventListener("click", this.cancel);
    this.row.append(this.words, this.bar, cancel);
    this.message.append(this.row);
    this.#set(share);
  }

  #set(share) {
    this.bar.value = share;
    this.words.textContent = t("sendingShare", { share: Math.floor(100 * share) });
  }
}
