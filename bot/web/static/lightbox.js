// A photo as large as the screen, where a part of it can be marked and asked about.

import { element, icon } from "./dom.js";
import { Marker } from "./marker.js";
import { cut, readsBack } from "./shrink.js";
import { t } from "./texts.js";

const ENLARGED = 2;
const CLOSE = "M6 6l12 12M18 6 6 18";
const BACK = "M15 5l-7 7 7 7";
const ON = "M9 5l7 7-7 7";
const PART = "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4";

export class Lightbox {
  /** `onAsk` gets the words, and the file of the part that was marked. */
  constructor(onAsk) {
    this.onAsk = onAsk;
    this.dialog = element("dialog", "lightbox");
    this.stage = element("div", "stage");
    this.marker = new Marker(this.stage, (box) => this.#marked(box));
    this.#build();
    document.body.append(this.dialog);
  }

  /** Shows one of some photos; `descriptions` are what a screen reader says of each. */
  open(photos, descriptions, place = 0) {
    this.photos = photos;
    this.descriptions = descriptions;
    this.question.value = "";
    this.dialog.showModal();
    this.#show(place);
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  #build() {
    const bar = element("div", "lightbox-bar");
    this.count = element("span", "lightbox-count");
    this.back = this.#button("quiet", BACK, t("back"), () => this.#show(this.place - 1));
    this.on = this.#button("quiet", ON, t("next"), () => this.#show(this.place + 1));
    const close = this.#button("quiet close", CLOSE, t("close"), () => this.dialog.close());
    bar.append(this.back, this.count, this.on, close);
    const room = element("div", "room");
    room.append(this.stage);
    this.dialog.append(bar, room, this.#form());
    this.dialog.setAttribute("aria-label", t("photo"));
    this.dialog.addEventListener("click", ({ target }) => {
      if (target === room || target === this.dialog) this.dialog.close();
    });
    new ResizeObserver(() => this.#fit()).observe(room);
    this.dialog.addEventListener("close", () => this.#leave());
    this.dialog.addEventListener("keydown", ({ key, target }) => {
      if (target === this.question || target === this.marker.node) return;
      if (key === "ArrowLeft") this.#show(this.place - 1);
      if (key === "ArrowRight") this.#show(this.place + 1);
    });
  }

  #form() {
    this.form = element("form", "part");
    this.hint = element("p", "part-hint", t("markHint"));
    this.begin = this.#button("quiet", PART, t("markPart"), () => this.marker.begin());
    this.begin.append(t("markPart"));
    this.question = element("input");
    this.question.maxLength = Number(document.body.dataset.characters) || 300;
    this.question.placeholder = t("partHint");
    this.question.setAttribute("aria-label", t("partHint"));
    this.question.autocomplete = "off";
    this.question.enterKeyHint = "send";
    this.send = element("button", "primary", t("askPart"));
    this.form.append(this.hint, this.begin, this.question, this.send);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    return this.form;
  }

  #button(kind, path, name, press) {
    const button = element("button", kind);
    button.type = "button";
    button.title = name;
    button.setAttribute("aria-label", name);
    button.append(icon(path));
    button.addEventListener("click", press);
    return button;
  }

  #show(place) {
    if (!this.photos[place]) return;
    this.place = place;
    const several = this.photos.length > 1;
    this.count.textContent = several ? `${place + 1} / ${this.photos.length}` : "";
    for (const each of [this.back, this.on, this.count]) each.hidden = !several;
    this.back.disabled = place === 0;
    this.on.disabled = place === this.photos.length - 1;
    this.marker.clear();
    const frame = this.photos[place].draw(this.descriptions[place], "large");
    this.stage.replaceChildren(frame);
    const image = frame.firstChild;
    image.draggable = false;
    image.addEventListener("load", () => this.#fit());
    const able = (yes) => {
      this.form.hidden = !yes;
      this.stage.classList.toggle("able", yes);
    };
    able(readsBack());
    image.addEventListener("error", () => able(false)); // a tile stands there
  }

  /** As large as there is room for; small ones are enlarged, to be marked with a finger. */
  #fit() {
    const image = this.stage.querySelector("img");
    if (!image) return;
    const { naturalWidth: width, naturalHeight: height } = image;
    const room = this.stage.parentElement;
    const scale = Math.min((room.clientWidth - 24) / width, room.clientHeight / height, ENLARGED);
    image.style.width = `${Math.round(width * scale)}px`;
  }

  #marked(box) {
    const yes = box !== null;
    this.hint.hidden = this.begin.hidden = yes;
    this.question.hidden = this.send.hidden = !yes;
  }

  async #ask() {
    const { box } = this.marker;
    if (!box) return;
    const words = this.question.value.trim();
    let part;
    try {
      part = await cut(this.photos[this.place].file, box, t("partName"));
    } catch {
      this.marker.clear();
      return;
    }
    this.dialog.close();
    this.onAsk(words, part);
  }

  #leave() {
    this.marker.clear();
    for (const image of this.stage.querySelectorAll("img")) {
      for (const photo of this.photos) photo.images.delete(image);
    }
    this.stage.replaceChildren();
  }
}

/** The photo that questions are about, small beside the question; a click shows it large. */
export class InView {
  constructor(button, lightbox) {
    this.button = button;
    this.lightbox = lightbox;
    this.photos = [];
    button.addEventListener("click", () => lightbox.open(this.photos, this.#descriptions()));
  }

  /** Shows the first of these photos, and how many there are; `frames` are how they are drawn. */
  show(photos, frames) {
    this.frames = frames;
    const same = photos.length === this.photos.length && photos.every((one, at) => one === this.photos[at]);
    this.button.hidden = !photos.length;
    if (same) return;
    for (const image of this.button.querySelectorAll("img")) this.photos[0].images.delete(image);
    this.photos = photos;
    this.button.replaceChildren();
    if (!photos.length) return;
    this.button.append(photos[0].draw("", "small"));
    if (photos.length > 1) this.button.append(element("span", "how-many", String(photos.length)));
    this.button.title = t(photos.length > 1 ? "viewSome" : "view");
    this.button.setAttribute("aria-label", this.button.title);
  }

  #descriptions() {
    return this.frames.map(descriptionOf);
  }
}

/** What a screen reader says of a drawn photo. */
export function descriptionOf(frame) {
  const image = frame.querySelector("img");
  return image ? image.alt : frame.querySelector(".tile").getAttribute("aria-label");
}
