// Photos to try Glimpse with, for who has none at hand.

import { element } from "./dom.js";
import { t } from "./texts.js";

const SAMPLES = ["cat", "coffee", "tower"];

/** Fills a list with the samples; `choose` gets the file of the one that is clicked. */
export function offerSamples(list, choose) {
  for (const name of SAMPLES) {
    const button = element("button", "sample");
    button.type = "button";
    const image = element("img");
    image.src = `/static/${name}.jpg`;
    image.alt = t(`sample_${name}`);
    button.append(image);
    button.addEventListener("click", async () => {
      const file = await fetchSample(name);
      if (file) choose(file);
    });
    const item = element("li");
    item.append(button);
    list.append(item);
  }
}

async function fetchSample(name) {
  try {
    const response = await fetch(`/static/${name}.jpg`);
    const blob = response.ok ? await response.blob() : null;
    return blob && new File([blob], `${name}.jpg`, { type: blob.type });
  } catch {
    return null; // its picture is not shown either, then
  }
}
