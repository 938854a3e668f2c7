// Photos of conversations in this browser's database, so that they are there after a reload.
// Where the browser keeps nothing (a private window, say), all of it quietly does nothing.

const NAME = "glimpse";
const PHOTOS = "photos";
const MOST_BYTES = 100_000_000; // of one conversation

let opening = null;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      const photos = request.result.createObjectStore(PHOTOS, { keyPath: ["conversation", "id"] });
      photos.createIndex("conversation", "conversation");
      photos.createIndex("at", "at");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
  return opening;
}

/** Runs `work` on the photos; resolves to what its request gives, or to null if that fails. */
async function inPhotos(mode, work) {
  try {
    const transaction = (await database()).transaction(PHOTOS, mode);
    const request = work(transaction.objectStore(PHOTOS));
    return await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request?.result ?? null);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  } catch {
    return null;
  }
}

/** Keeps a photo's file; the oldest of its conversation make room. */
export async function keep(conversation, id, file, at) {
  const held = await all(conversation);
  let bytes = held.reduce((sum, photo) => sum + photo.file.size, file.size);
  for (const old of held.sort((one, other) => one.at - other.at)) {
    if (bytes <= MOST_BYTES) break;
    bytes -= old.file.size;
    await inPhotos("readwrite", (photos) => photos.delete([conversation, old.id]));
  }
  if (bytes > MOST_BYTES) return;
  await inPhotos("readwrite", (photos) => photos.put({ conversation, id, file, at }));
}

/** The photos of a conversation: `{id, file, at}` each. */
export async function all(conversation) {
  const find = (photos) => photos.index("conversation").getAll(conversation);
  return (await inPhotos("readonly", find)) ?? [];
}

export function remove(conversation) {
  return inPhotos("readwrite", (photos) => {
    const request = photos.index("conversation").openKeyCursor(conversation);
    deleteEach(request, photos);
  });
}

/** Removes what is older than a time, of every conversation; `Infinity` removes all. */
export function removeBefore(time) {
  return inPhotos("readwrite", (photos) => {
    const older = time === Infinity ? null : IDBKeyRange.upperBound(time);
    deleteEach(photos.index("at").openKeyCursor(older), photos);
  });
}

function deleteEach(request, photos) {
  request.onsuccess = () => {
    const cursor = request.result;
    if (!cursor) return;
    photos.delete(cursor.primaryKey);
    cursor.continue();
  };
}
