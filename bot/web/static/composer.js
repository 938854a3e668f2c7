// The question's box: it grows, counts, and may hold the last question to be changed.

import { element } from "./dom.js";
import { t } from "./texts.js";

const NEAR = 0.8; // of the most characters, from where on they are counted

export class Composer {
  /** `onSubmit` runs on Enter or the button, `onChange` whenever the words change. */
  constructor(form, { most, onSubmit, onChange, onCut, onCancel }) {
    this.most = most;
    this.onChange = onChange;
    this.onCancel = onCancel;
    this.box = form.querySelector("textarea");
    this.counter = form.querySelector(".counter");
    this.changing = null;
    this.draft = ""; // what was in the box before
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSubmit();
    });
    this.box.addEventListener("input", () => this.#changed());
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.changing) this.#cancel();
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      onSubmit();
    });
    this.box.addEventListener("paste", ({ clipboardData }) => {
      const { selectionStart, selectionEnd, value } = this.box;
      const pasted = clipboardData?.getData("text").replace(/\r\n/g, "\n").length ?? 0;
      const length = value.length - (selectionEnd - selectionStart) + pasted;
      if (length > most) onCut(t("cut", { most }));
    });
  }

  get text() {
    return this.box.value.trim();
  }

  set text(words) {
    this.box.value = words;
    this.#changed();
  }

  /** Takes the words out. */
  take() {
    const { text } = this;
    this.#done();
    return text;
  }

  /** Goes to the box; not by touch, where that would open a keyboard over the answer. */
  settle() {
    if (!matchMedia("(pointer: coarse)").matches) this.box.focus();
  }

  /** Puts a question in to be changed. */
  change(words) {
    const draft = this.changing ? this.draft : this.text;
    this.#done();
    this.draft = draft;
    this.text = words;
    this.changing = element("p", "changing");
    const cancel = element("button", "quiet", t("cancel"));
    cancel.type = "button";
    cancel.addEventListener("click", () => this.#cancel());
    this.changing.append(element("span", "", t("editing")), cancel);
    this.box.before(this.changing);
    this.box.focus();
    this.box.setSelectionRange(words.length, words.length);
  }

  /** Nothing is being changed any more. */
  #done() {
    this.changing?.remove();
    this.changing = null;
    this.text = this.draft;
    this.draft = "";
  }

  #cancel() {
    this.#done();
    this.onCancel();
    this.settle();
  }

  #changed() {
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
    const count = this.box.value.length;
    this.counter.hidden = count < NEAR * this.most;
    this.counter.textContent = `${count} / ${this.most}`;
    this.counter.setAttribute("aria-label", t("counter", { count, most: this.most }));
    this.counter.classList.toggle("full", count >= this.most);
    this.onChange();
  }
}
