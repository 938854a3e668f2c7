// Marks a part of a photo: by dragging, or with the keyboard once it has a first mark.

import { element } from "./dom.js";
import { t } from "./texts.js";

const LEAST = 0.04; // shares of the photo's sides
const STEP = 0.02;
const FIRST = [0.25, 0.25, 0.75, 0.75];
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const within = (share) => Math.min(1, Math.max(0, share));

/** `stage` holds the photo and is as large; `onChange` runs when there is a mark, or none any more. */
export class Marker {
  constructor(stage, onChange) {
    this.stage = stage;
    this.onChange = onChange;
    this.box = null; // left, top, right, bottom
    this.from = null; // where a drag began
    this.node = element("div", "mark");
    this.node.tabIndex = 0;
    this.node.setAttribute("role", "application"); // arrow keys are its own
    this.node.setAttribute("aria-label", t("mark"));
    this.node.addEventListener("keydown", (event) => this.#key(event));
    stage.addEventListener("pointerdown", (event) => this.#begin(event));
    stage.addEventListener("pointermove", (event) => this.#drag(event));
    stage.addEventListener("pointerup", (event) => this.#end(event));
    stage.addEventListener("pointercancel", () => this.clear());
  }

  /** Puts a mark in the middle, to be moved with the keyboard. */
  begin() {
    this.#set(this.box ?? FIRST);
    this.node.focus();
  }

  clear() {
    this.from = null;
    this.#set(null);
  }

  #begin(event) {
    if (event.button !== 0 || !event.isPrimary) return this.clear(); // a second finger zooms
    event.preventDefault();
    this.stage.setPointerCapture(event.pointerId);
    this.from = this.#place(event);
    return this.#set(null);
  }

  #drag(event) {
    if (!this.from) return;
    const [x, y] = this.#place(event);
    const [left, top] = this.from;
    this.#set([Math.min(left, x), Math.min(top, y), Math.max(left, x), Math.max(top, y)]);
  }

  #end() {
    if (!this.from) return;
    this.from = null;
    const [left, top, right, bottom] = this.box ?? [0, 0, 0, 0];
    if (right - left < LEAST || bottom - top < LEAST) this.#set(null); // a click
  }

  /** Arrow keys move the mark, with Shift its lower right corner. */
  #key(event) {
    const way = WAYS[event.key];
    if (event.key === "Delete" || event.key === "Backspace") this.clear();
    if (!way || !this.box) return;
    event.preventDefault();
    const [dx, dy] = way.map((each) => each * STEP);
    const [left, top, right, bottom] = this.box;
    if (event.shiftKey) {
      const corner = [Math.max(left + LEAST, within(right + dx)), Math.max(top + LEAST, within(bottom + dy))];
      this.#set([left, top, ...corner]);
    } else {
      const x = Math.min(1 - right, Math.max(-left, dx));
      const y = Math.min(1 - bottom, Math.max(-top, dy));
      this.#set([left + x, top + y, right + x, bottom + y]);
    }
  }

  #place({ clientX, clientY }) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [within((clientX - left) / width), within((clientY - top) / height)];
  }

  #set(box) {
    this.box = box;
    if (!box) this.node.remove();
    else {
      const [left, top, right, bottom] = box.map((share) => `${100 * share}%`);
      Object.assign(this.node.style, { left, top });
      this.node.style.width = `calc(${right} - ${left})`;
      this.node.style.height = `calc(${bottom} - ${top})`;
      if (!this.node.isConnected) this.stage.append(this.node);
    }
    this.onChange(box);
  }
}
