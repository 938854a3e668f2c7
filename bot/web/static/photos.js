// Photos that wait to be sent, and how a photo is drawn.

import { element } from "./dom.js";
import { shrink } from "./shrink.js";
import { t } from "./texts.js";

const KNOWN = /\.(jpe?g|jfif|png|gif|webp|bmp|tiff?|hei[cf]|avif|apng)$/i;
const MOST_TO_SHRINK = 100_000_000; // bytes of a file that a browser is asked to open

/** The short name of a file's type, for a tile: "HEIC". */
function typeName(file) {
  const ending = /\.([a-z0-9]{1,5})$/i.exec(file.name);
  return (ending ? ending[1] : file.type.replace("image/", "") || "photo").toUpperCase();
}

/**
 * A photo to send. `file` is what will be sent once `ready` has resolved: a smaller one perhaps.
 * Browsers cannot show every format (HEIC, TIFF): those are drawn as a tile with the type's name.
 */
export class Photo {
  constructor(file) {
    this.file = file;
    this.url = URL.createObjectURL(file);
    this.images = new Set();
    this.ready = shrink(file).then((smaller) => this.#replace(smaller));
  }

  draw(description, kind = "photo") {
    const frame = element("span", kind);
    const image = element("img");
    image.src = this.url;
    image.alt = description;
    image.decoding = "async";
    image.addEventListener("error", () => {
      const tile = element("span", "tile", typeName(this.file));
      tile.setAttribute("role", "img");
      tile.setAttribute("aria-label", image.alt);
      image.replaceWith(tile);
      this.images.delete(image);
    });
    this.images.add(image);
    frame.append(image);
    return frame;
  }

  release() {
    URL.revokeObjectURL(this.url);
    this.released = true;
  }

  /** Draws the smaller file everywhere, so that the browser lets go of the large one. */
  #replace(file) {
    if (file === this.file || this.released) return;
    URL.revokeObjectURL(this.url);
    this.file = file;
    this.url = URL.createObjectURL(file);
    for (const image of this.images) image.src = this.url;
  }
}

/** Says of a drawn photo what is on it. */
export function describe(frame, description) {
  const image = frame.querySelector("img");
  if (image) image.alt = description;
  else frame.querySelector(".tile").setAttribute("aria-label", description);
}

/** The photos above the question that wait to be sent. */
export class Tray {
  constructor(list, { most, bytes, onChange, onRefused }) {
    this.list = list;
    this.most = most;
    this.bytes = bytes;
    this.onChange = onChange;
    this.onRefused = onRefused;
    this.photos = [];
  }

  add(files) {
    let refused = "";
    for (const file of files) {
      const reason = this.#why(file);
      if (reason) refused = reason;
      else this.#put(new Photo(file));
    }
    this.onRefused(refused);
    this.onChange();
  }

  /** Hands the photos over; the tray is empty afterwards. */
  take() {
    const photos = this.photos;
    this.photos = [];
    this.list.replaceChildren();
    this.onChange();
    return photos;
  }

  #why(file) {
    if (/\.svgz?$/i.test(file.name) || file.type === "image/svg+xml") return t("svg");
    if (/\.pdf$/i.test(file.name) || file.type === "application/pdf") return t("pdf");
    if (!file.type.startsWith("image/") && !KNOWN.test(file.name)) return t("notPhoto");
    if (file.size > MOST_TO_SHRINK) return this.#tooLarge();
    if (this.photos.length >= this.most) return t("tooMany", { most: this.most });
    return "";
  }

  #tooLarge() {
    return t("tooLarge", { most: this.bytes / 1e6 });
  }

  #put(photo) {
    this.photos.push(photo);
    const item = element("li");
    const remove = element("button", "remove", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", t("remove", { name: photo.file.name }));
    remove.addEventListener("click", () => {
      const next = item.nextElementSibling ?? item.previousElementSibling;
      this.#drop(photo, item);
      (next?.querySelector("button") ?? document.getElementById("question")).focus();
    });
    item.append(photo.draw(photo.file.name), remove);
    this.list.append(item);
    photo.ready.then(() => {
      if (photo.file.size <= this.bytes || !this.photos.includes(photo)) return;
      this.#drop(photo, item); // nothing could make it smaller
      this.onRefused(this.#tooLarge());
    });
  }

  #drop(photo, item) {
    this.photos = this.photos.filter((other) => other !== photo);
    item.remove();
    photo.release();
    this.onChange();
  }
}
