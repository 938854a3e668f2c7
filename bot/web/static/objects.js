// The objects that Glimpse sees in photos: boxes over them, and buttons that show and hide these.

import { element, icon } from "./dom.js";
import { t } from "./texts.js";

const EYE = "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z";
const TONES = 6; // colours of boxes in objects.css

/**
 * Photos with what is seen in them. The server names a photo by its digest, because it may mean
 * another one than this page shows: one that a script sent, say.
 */
export class Objects {
  /** `onShow` runs before boxes are shown, which may make the conversation longer. */
  constructor(onShow) {
    this.onShow = onShow;
    this.clear();
  }

  clear() {
    this.frames = new Map(); // digest of a photo → as it is drawn
    this.shown = new Set(); // digests
    this.rows = [];
  }

  /**
   * Takes what the server says of the pictures that an answer is about.
   *
   * `drawn` are the photos that were sent for it. Returns a row with a button and the names of
   * the objects, or null if there are none.
   */
  add(pictures, drawn) {
    for (const { place, digest } of pictures) {
      if (drawn[place]) this.#put(digest, drawn[place]);
    }
    const seen = pictures.filter(({ objects }) => objects.length);
    if (!seen.length) return null;
    const focused = this.#dropRowsAbout(seen);
    const row = new Row(seen, pictures.length > 1, () => this.#toggle(row));
    if (focused) queueMicrotask(() => row.button.focus({ preventScroll: true }));
    this.rows.push(row);
    this.#refresh();
    for (const picture of seen) this.#draw(picture);
    return row.node;
  }

  /** Remembers where a photo is drawn; if it was sent before, boxes go to the newer drawing. */
  #put(digest, frame) {
    this.frames.get(digest)?.querySelector(".objects")?.remove();
    this.frames.set(digest, frame);
    this.shown.delete(digest);
  }

  /**
   * A newer answer's button does what those of older answers about the same photos did.
   * Returns whether one of these had the focus.
   */
  #dropRowsAbout(pictures) {
    const digests = new Set(pictures.map(({ digest }) => digest));
    const old = this.rows.filter((row) => row.digests.every((digest) => digests.has(digest)));
    this.rows = this.rows.filter((row) => !old.includes(row));
    const focused = old.some((row) => row.node.contains(document.activeElement));
    for (const row of old) row.node.remove();
    return focused;
  }

  #toggle(row) {
    const show = !this.#open(row);
    if (show) this.onShow();
    for (const picture of row.pictures) {
      if (show) this.shown.add(picture.digest);
      else this.shown.delete(picture.digest);
      this.#draw(picture);
    }
    this.#refresh();
    const frame = show && this.frames.get(row.digests[0]);
    if (frame) intoView(frame);
  }

  #open(row) {
    return row.digests.every((digest) => this.shown.has(digest));
  }

  #refresh() {
    for (const row of this.rows) row.show(this.#open(row));
  }

  #draw({ digest, objects }) {
    const frame = this.frames.get(digest);
    frame?.querySelector(".objects")?.remove();
    const image = frame?.querySelector("img"); // else the browser cannot show that photo
    if (!image || !this.shown.has(digest)) return;
    const items = boxes(objects, image);
    frame.append(listOf(items));
    thinOut(items);
  }
}

/** Under an answer: the button, and beside it the names, which are hidden with the boxes. */
class Row {
  constructor(pictures, several, toggle) {
    this.pictures = pictures;
    this.digests = pictures.map(({ digest }) => digest);
    this.node = element("div", "seeing");
    this.button = element("button", "see");
    this.button.type = "button";
    this.button.addEventListener("click", toggle);
    const words = element("span", "words");
    words.append(element("span", "to-show", t("show")), element("span", "to-hide", t("hide")));
    this.button.append(icon(EYE), words);
    const list = element("div", "names");
    for (const { place, names } of pictures) {
      const unbroken = names.replace(/(\d) /g, "$1\u00a0"); // "2" stays with what there are two of
      list.append(element("p", "", several ? `${place + 1}. ${unbroken}` : unbroken));
    }
    this.node.append(this.button, list);
  }

  show(yes) {
    this.node.classList.toggle("open", yes);
  }
}

/** A box for each object that the image shows a part of, the surest first. */
function boxes(objects, image) {
  const kinds = [...new Set(objects.map(({ name }) => name))];
  const fit = fitting(image);
  const seen = objects.map(({ name, score, box }) => ({ name, score, box: fit(box) }));
  return seen
    .filter(({ box }) => area(box) > 0)
    .map((object) => drawBox(object, kinds.indexOf(object.name) % TONES));
}

function listOf(items) {
  const list = element("ul", "objects");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", t("objects"));
  list.setAttribute("aria-live", "off"); // the names under the answer are read out
  // Small ones on top, so that each can be pointed at.
  const bySize = [...items].sort((one, other) => other.area - one.area);
  list.append(...bySize.map(({ node }) => node));
  return list;
}

/** Hides names that would lie on those of surer objects; they are shown when pointed at. */
function thinOut(items) {
  const kept = [];
  for (const { node, name } of items) {
    const { left, top, right, bottom } = name.getBoundingClientRect();
    const covers = (other) =>
      left < other.right && other.left < right && top < other.bottom && other.top < bottom;
    if (kept.some(covers)) node.classList.add("crowded");
    else kept.push({ left, top, right, bottom });
  }
}

function drawBox({ name, score, box }, tone) {
  const [left, top, right, bottom] = box;
  const node = element("li", `object tone-${tone}`);
  // By script, which the content security policy allows, unlike a style attribute.
  node.style.left = percent(left);
  node.style.top = percent(top);
  node.style.width = percent(right - left);
  node.style.height = percent(bottom - top);
  node.classList.toggle("rightwards", left + right > 1); // or the name would leave the photo
  node.classList.toggle("upmost", top < 0.12);
  const sure = `${Math.round(100 * score)} %`;
  node.title = `${name}, ${sure}`;
  const label = element("span", "name", name);
  node.append(label, element("span", "unseen", `, ${sure}`));
  return { node, name: label, area: area(box) };
}

/** Turns shares of a photo into shares of what is shown of it: of several, the middle square. */
function fitting(image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const cropped = getComputedStyle(image).objectFit === "cover" && width && height;
  const across = cropped ? Math.max(1, width / height) : 1;
  const down = cropped ? Math.max(1, height / width) : 1;
  const place = (share, stretch) => Math.min(1, Math.max(0, (share - 0.5) * stretch + 0.5));
  return ([left, top, right, bottom]) => [
    place(left, across),
    place(top, down),
    place(right, across),
    place(bottom, down),
  ];
}

/** Scrolls as far as needed, once the page has found its new length. */
function intoView(frame) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const scroll = () => {
    frame.scrollIntoView({ block: "nearest", behavior: still ? "instant" : "smooth" });
  };
  requestAnimationFrame(() => requestAnimationFrame(scroll));
}

const area = ([left, top, right, bottom]) => (right - left) * (bottom - top);
const percent = (share) => `${100 * share}%`;
