// Makes large photos smaller before they are sent: a phone's photo has ten times what is looked at.

const LONGEST = 1600; // pixels of the longer side
const BYTES = 1_000_000;
const QUALITY = 0.85;
const HEAD = 65_536; // bytes in which a file tells whether it moves

const small = new WeakSet(); // files that were made here
let last = Promise.resolve(); // one at a time: each takes hundreds of megabytes while it is open

/**
 * Resolves to a JPEG of the photo, or to the file itself where that is small already, moves,
 * cannot be opened by this browser (TIFF, say), or would not become smaller.
 */
export function shrink(file) {
  const mine = last.then(() => tryToShrink(file)).catch(() => file);
  last = mine;
  return mine;
}

async function tryToShrink(file) {
  if (small.has(file) || (await moves(file)) || !readsBack()) return file;
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
    if (scale === 1 && file.size <= BYTES) return file;
    const blob = await jpegOf(bitmap, [0, 0, bitmap.width, bitmap.height], scale);
    return blob.size < file.size ? named(blob, file.name) : file;
  } finally {
    bitmap.close();
  }
}

/**
 * Cuts a part out of a photo. `box` is left, top, right and bottom, in shares of what is shown.
 * Resolves to a JPEG with that name.
 */
export async function cut(file, [left, top, right, bottom], name) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    const { width, height } = bitmap;
    const wide = Math.max(1, Math.round((right - left) * width));
    const high = Math.max(1, Math.round((bottom - top) * height));
    const place = [Math.round(left * width), Math.round(top * height), wide, high];
    const scale = Math.min(1, LONGEST / Math.max(wide, high));
    return named(await jpegOf(bitmap, place, scale), name);
  } finally {
    bitmap.close();
  }
}

function jpegOf(bitmap, [left, top, width, height], scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // behind what is transparent, as the server has it
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, left, top, width, height, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error("no memory")));
    canvas.toBlob(done, "image/jpeg", QUALITY);
  });
}

function named(blob, name) {
  const file = new File([blob], `${name.replace(/\.\w{1,5}$/, "")}.jpg`, { type: blob.type });
  small.add(file);
  return file;
}

/** Whether a picture moves: a GIF may, and others say so near their beginning. */
async function moves(file) {
  const bytes = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const text = new TextDecoder("latin1").decode(bytes);
  if (text.startsWith("GIF8")) return true;
  if (text.slice(1, 4) === "PNG") return text.includes("acTL");
  if (text.startsWith("RIFF")) return text.slice(12, 16) === "VP8X" && (bytes[20] & 2) !== 0;
  return /^ftyp(avis|msf1|hevc)/.test(text.slice(4, 12));
}

let faithful = null;

/** Whether a canvas gives back what was drawn; some browsers blur that, against tracking. */
export function readsBack() {
  if (faithful !== null) return faithful;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 8;
  const context = canvas.getContext("2d");
  context.fillStyle = "rgb(200, 40, 120)";
  context.fillRect(0, 0, 8, 8);
  const read = context.getImageData(0, 0, 8, 8).data;
  const drawn = [200, 40, 120, 255];
  faithful = read.every((value, place) => Math.abs(value - drawn[place % 4]) < 8);
  return faithful;
}
