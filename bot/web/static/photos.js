// Photos that wait to be sent, and how a photo is drawn.

import { element } from "./dom.js";

const KNOWN = /\.(jpe?g|png|gif|webp|bmp|tiff?|hei[cf]|avif|apng)$/i;

/** The short name of a file's type, for a tile: "HEIC". */
function typeName(file) {
  const ending = /\.([a-z0-9]{1,5})$/i.exec(file.name);
  return (ending ? ending[1] : file.type.replace("image/", "") || "photo").toUpperCase();
}

/**
 * Draws a photo. Browsers cannot show every format (HEIC, TIFF): those become a tile
 * with the name of the type. `describe` sets what a screen reader says.
 */
export class Photo {
  constructor(file) {
    this.file = file;
    this.url = URL.createObjectURL(file);
  }

  draw(description) {
    const frame = element("span", "photo");
    const image = element("img");
    image.src = this.url;
    image.alt = description;
    image.decoding = "async";
    image.addEventListener("error", () => {
      const tile = element("span", "tile", typeName(this.file));
      tile.setAttribute("role", "img");
      tile.setAttribute("aria-label", image.alt);
      image.replaceWith(tile);
    });
    frame.append(image);
    return frame;
  }

  release() {
    URL.revokeObjectURL(this.url);
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
    if (!file.type.startsWith("image/") && !KNOWN.test(file.name)) {
      return "That is not a photo. Choose a JPEG, PNG, WebP, GIF, HEIC or TIFF file.";
    }
    if (file.size > this.bytes) {
      return `That photo is larger than ${this.bytes / 1e6} MB. Choose a smaller one.`;
    }
    if (this.photos.length >= this.most) {
      return `You can send up to ${this.most} photos at once.`;
    }
    return "";
  }

  #put(photo) {
    this.photos.push(photo);
    const item = element("li");
    const remove = element("button", "remove", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", `Remove photo ${photo.file.name}`);
    remove.addEventListener("click", () => this.#drop(photo, item));
    item.append(photo.draw(photo.file.name), remove);
    this.list.append(item);
  }

  #drop(photo, item) {
    this.photos = this.photos.filter((other) => other !== photo);
    const next = (item.nextElementSibling ?? item.previousElementSibling)?.querySelector("button");
    item.remove();
    photo.release();
    this.onChange();
    (next ?? document.getElementById("question")).focus();
  }
}
