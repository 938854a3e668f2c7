// Saves a conversation as one HTML file, made in this browser: words, and smaller copies of photos.

import { t } from "./texts.js";

const SIDE = 1024; // pixels
const STYLE = `
  body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
  img { max-width: 100%; max-height: 24rem; border-radius: 0.75rem; }
  .mine { margin-top: 1.5rem; font-weight: 600; }
  p { white-space: pre-wrap; overflow-wrap: anywhere; }`;

/** `exchanges` as a conversation has them, with what of them is drawn. */
export function save(exchanges) {
  const page = document.implementation.createHTMLDocument(t("exportTitle"));
  page.documentElement.lang = document.documentElement.lang;
  const charset = page.createElement("meta");
  charset.setAttribute("charset", "utf-8");
  page.head.prepend(charset);
  page.body.append(made(page, "h1", "", t("exportTitle")));
  for (const exchange of exchanges) {
    for (const frame of exchange.drawn ?? []) {
      const image = frame.querySelector("img");
      if (image?.naturalWidth) page.body.append(copyOf(page, image));
    }
    if (exchange.shown) page.body.append(made(page, "p", "mine", t("you") + exchange.shown));
    const said = exchange.reply?.text;
    if (said) page.body.append(made(page, "p", "theirs", t("glimpse") + said));
  }
  // As text: a style that were made here would have to keep to this page's security policy.
  const words = page.documentElement.outerHTML.replace("</head>", `<style>${STYLE}</style></head>`);
  const text = `<!doctype html>\n${words}\n`;
  download(new Blob([text], { type: "text/html" }), `${t("exportName")}.html`);
}

function made(page, tag, kind, text) {
  const node = page.createElement(tag);
  if (kind) node.className = kind;
  node.textContent = text;
  return node;
}

function copyOf(page, image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const scale = Math.min(1, SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const copy = page.createElement("img");
  copy.src = canvas.toDataURL("image/jpeg", 0.85);
  copy.alt = image.alt;
  const line = page.createElement("p");
  line.append(copy);
  return line;
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
